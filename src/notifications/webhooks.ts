/**
 * Webhooks: URLs that are told how much a stream has taken in.
 *
 *   catalog:  webhooks/<namespace>:<stream>:<id>   {"url", "secret", "program"?: {"application", "type", "program"}, "token"?}
 *
 * What is promised: a webhook that answers 2xx learns the size of its stream, in the order of time, after it was registered,
 * after each start of the service, and when the stream has grown; perhaps twice. Sizes are absolute, so what is given up
 * after many tries, pushed out of a full queue, or lost in a restart is made good by the next one.
 *
 * A webhook belongs to the token that registered it, by its name. While there is no good token of that name with an admin
 * grant for the stream, the webhook is paused: nothing is sent, and nothing waits. When there is one again, the webhook is
 * told the size as it is then. One that was registered without a token, or before tokens were noted, is never paused.
 */
import { createHash } from 'node:crypto'
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { type ClientKey, FairShare } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import { existingStream } from '../streams/existing.ts'
import { type StreamId, streamKey } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import { addressInUrl, isPublicAddress } from './addresses.ts'
import type { SizeFeed, SizeNotification } from './size-feed.ts'
import { postToWebhook } from './webhook-post.ts'

/** Of one stream. */
const WEBHOOKS_MAX = 16
/** Of the service: each is looked after, and told at every start. */
const WEBHOOKS_ALL_MAX = 1000
const URL_CHARACTERS_MAX = 2048
/** Shorter ones can be guessed. */
const SECRET_CHARACTERS_MIN = 16
const SECRET_CHARACTERS_MAX = 256
/** Notifications that wait for one webhook. Newer ones say more. */
const QUEUE_MAX = 32
/** How often it is looked whether tokens are still good. */
const TOKEN_POLL_INTERVAL_MS = 500
/** POSTs under way at a time. */
const SENDING_MAX = 32
/** Of those, to receivers that failed the last time: the others do not have to wait for who never answers. */
const SENDING_AGAIN_MAX = 16
const FIRST_PAUSE_MS = 1000
const PAUSE_MS_MAX = 300_000
/** About an hour and a half; then the notification is given up. */
const TRIES_MAX = 24

/**
 * What is told of every try without a status. One text, whether a name is unknown or stands for an address that is not
 * public, nobody listens there, or there is no answer in time: to tell these apart is to map a network.
 */
export const NOT_DELIVERED = 'not delivered'

export interface NewWebhook {
  readonly url: string
  readonly secret: string
  /** Whose it is: it appears as a user of the stream. */
  readonly program?: ProgramId | undefined
  /** Name of the token that registers it. */
  readonly token?: string | undefined
}

export interface WebhookState {
  readonly id: string
  readonly url: string
  readonly program: ProgramId | undefined
  readonly waiting: number
  readonly delivered: number
  /** Notifications that were given up, or pushed out of the queue, since the service started. */
  readonly dropped: number
  /** Of the last try: a status, or NOT_DELIVERED. */
  readonly last: string | undefined
  /** The token that registered it is not good any more, or has lost its grant. */
  readonly paused: boolean
}

export interface WebhooksParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly feed: SizeFeed
  readonly usage: UsageRegistry
  readonly nowMs: () => number
  /** From 0 to 1: webhooks that fail together do not come back together. */
  readonly random: () => number
  /** Whether they may stand in networks that are not public. */
  readonly allowPrivate: boolean
  /** Whether a webhook of the token with this name may be told of the stream now. */
  readonly mayNotify?: (token: string, stream: StreamId) => boolean
  readonly firstPauseMs?: number
}

interface Webhook {
  readonly id: string
  readonly stream: StreamId
  readonly url: string
  readonly secret: string
  readonly program: ProgramId | undefined
  readonly token: string | undefined
  readonly queue: SizeNotification[]
  abort: AbortController
  /** Undefined while it is paused. */
  unsubscribe: (() => void) | undefined
  sending: boolean
  tries: number
  timer: NodeJS.Timeout | undefined
  delivered: number
  dropped: number
  last: string | undefined
}

export class Webhooks implements RemovalHook {
  readonly #parts: WebhooksParts
  readonly #byStream = new Map<string, Map<string, Webhook>>()
  /** Those that have something to send, and wait for others to be done. */
  readonly #ready = new Set<Webhook>()
  #count = 0
  readonly #sending = new FairShare(SENDING_MAX)
  #sendingAgain = 0
  #tokenPollTimer: NodeJS.Timeout | undefined

  private constructor(parts: WebhooksParts) {
    this.#parts = parts
  }

  static async load(parts: WebhooksParts): Promise<Webhooks> {
    const webhooks = new Webhooks(parts)
    const stored: [string, WebhookDocument][] = []
    await parts.catalog.each('webhooks', (id, document) => stored.push([id, document as WebhookDocument]))
    for (const [key, { url, secret, program, token }] of stored) {
      const [namespace, name, id] = key.split(':') as [StreamId['namespace'], StreamId['stream'], string]
      const stream = parts.registry.find(namespace, name)
      if (stream === undefined) continue
      webhooks.#start(stream, id, { url, secret, program: program && { namespace, ...program }, token })
    }
    parts.registry.onRemoval(webhooks)
    return webhooks
  }

  /** The same URL again replaces the webhook. Resolves with its id. Rejects with 'stream_not_found', 'invalid_parameter'. */
  register(id: StreamId, webhook: NewWebhook): Promise<string> {
    const url = checkedUrl(webhook.url, this.#parts.allowPrivate)
    checkSecret(webhook.secret)
    return this.#parts.registry.change(async () => {
      const stream = this.#stream(id)
      const hookId = createHash('sha256').update(url).digest('hex').slice(0, 16)
      const before = this.#of(id).get(hookId)
      if (before?.token !== webhook.token || before === undefined) this.#assertShare(webhook.token)
      if (before === undefined) this.#assertCapacity(id)
      const checked = { ...webhook, url }
      await this.#parts.catalog.commit([webhookChange(id, hookId, documentOf(checked))])
      if (before !== undefined) this.#stop(before)
      this.#start(stream, hookId, checked)
      return hookId
    })
  }

  /** Throws ServiceError 'stream_not_found'. */
  list(id: StreamId): WebhookState[] {
    this.#stream(id)
    return [...this.#of(id).values()].map((webhook) => {
      const { id: hookId, url, program, queue, delivered, dropped, last } = webhook
      const paused = webhook.unsubscribe === undefined
      return { id: hookId, url, program, waiting: queue.length, delivered, dropped, last, paused }
    })
  }

  /** Whether there was one. */
  remove(id: StreamId, hookId: string): Promise<boolean> {
    return this.#parts.registry.change(async () => {
      this.#stream(id)
      const webhook = this.#of(id).get(hookId)
      if (webhook === undefined) return false
      await this.#parts.catalog.commit([webhookChange(id, hookId, undefined)])
      this.#stop(webhook)
      return true
    })
  }

  /** Breaks off what is being sent; what waits is told of at the next start. */
  stop(): void {
    clearInterval(this.#tokenPollTimer)
    for (const webhook of this.#all()) this.#stop(webhook)
  }

  changesOnRemoval(streams: readonly Stream[]): readonly CatalogChange[] {
    return streams.flatMap(({ id }) =>
      [...this.#of(id).keys()].map((hookId) => webhookChange(id, hookId, undefined)),
    )
  }

  removed(streams: readonly Stream[]): void {
    for (const { id } of streams) for (const webhook of [...this.#of(id).values()]) this.#stop(webhook)
  }

  #start(stream: Stream, id: string, { url, secret, program, token }: NewWebhook): void {
    const webhook: Webhook = {
      id,
      stream: stream.id,
      url,
      secret,
      program,
      token,
      queue: [],
      abort: new AbortController(),
      unsubscribe: undefined,
      sending: false,
      tries: 0,
      timer: undefined,
      delivered: 0,
      dropped: 0,
      last: undefined,
    }
    const key = streamKey(stream.id)
    const others = this.#byStream.get(key)
    if (others === undefined) this.#byStream.set(key, new Map([[id, webhook]]))
    else others.set(id, webhook)
    this.#count++
    if (program !== undefined) this.#parts.usage.register(program, stream.id)
    if (token !== undefined) {
      this.#tokenPollTimer ??= setInterval(() => this.pollTokens(), TOKEN_POLL_INTERVAL_MS).unref()
    }
    if (this.#mayNotify(webhook)) this.#subscribe(webhook, stream)
  }

  /** Pauses the webhooks whose token is good no more, and goes on with those whose token is good again. */
  pollTokens(): void {
    for (const webhook of this.#all()) {
      const may = this.#mayNotify(webhook)
      if (!may && webhook.unsubscribe !== undefined) this.#pause(webhook)
      if (may && webhook.unsubscribe === undefined) {
        const stream = this.#parts.registry.find(webhook.stream.namespace, webhook.stream.stream)
        if (stream !== undefined) this.#subscribe(webhook, stream)
      }
    }
  }

  #mayNotify({ token, stream }: Webhook): boolean {
    return token === undefined || (this.#parts.mayNotify?.(token, stream) ?? true)
  }

  #subscribe(webhook: Webhook, stream: Stream): void {
    webhook.abort = new AbortController()
    webhook.tries = 0
    webhook.unsubscribe = () => {} // what is told at once is told to a webhook that is not paused
    webhook.unsubscribe = this.#parts.feed.subscribe(stream, {
      notify: (notification) => this.#enqueue(webhook, notification),
      end: () => {},
    })
  }

  /** What is under way is broken off, and what waits is dropped: sizes are absolute. */
  #pause(webhook: Webhook): void {
    webhook.abort.abort()
    webhook.unsubscribe?.()
    webhook.unsubscribe = undefined
    webhook.queue.length = 0
    clearTimeout(webhook.timer)
    webhook.timer = undefined
    this.#ready.delete(webhook)
  }

  #stop(webhook: Webhook): void {
    this.#pause(webhook)
    const key = streamKey(webhook.stream)
    const others = this.#byStream.get(key)
    if (others?.get(webhook.id) !== webhook) return
    others.delete(webhook.id)
    if (others.size === 0) this.#byStream.delete(key)
    this.#count--
    const { program } = webhook
    const stillUsed = [...(others?.values() ?? [])].some((other) => sameProgram(other.program, program))
    if (program !== undefined && !stillUsed) this.#parts.usage.unregister(program, webhook.stream)
  }

  #enqueue(webhook: Webhook, notification: SizeNotification): void {
    webhook.queue.push(notification)
    if (webhook.queue.length > QUEUE_MAX) {
      webhook.queue.splice(webhook.sending ? 1 : 0, 1) // not the one that is being sent
      webhook.dropped++
    }
    if (!webhook.sending && webhook.timer === undefined) this.#makeReady(webhook)
  }

  #makeReady(webhook: Webhook): void {
    this.#ready.add(webhook)
    this.#sendReady()
  }

  #sendReady(): void {
    for (let next = this.#nextReady(); next !== undefined; next = this.#nextReady()) {
      this.#ready.delete(next)
      void this.#send(next)
    }
  }

  /** Of the owner with the fewest POSTs under way, which may have as many as it leaves free, who waits longest. */
  #nextReady(): Webhook | undefined {
    let next: Webhook | undefined
    let fewest = SENDING_MAX - this.#sending.total
    for (const webhook of this.#ready) {
      if (webhook.tries > 0 && this.#sendingAgain >= SENDING_AGAIN_MAX) continue
      const held = this.#sending.held(ownerOf(webhook))
      if (held >= fewest) continue
      next = webhook
      fewest = held
    }
    return next
  }

  async #send(webhook: Webhook): Promise<void> {
    const notification = webhook.queue[0]
    if (notification === undefined || webhook.abort.signal.aborted) return
    const again = webhook.tries > 0 ? 1 : 0
    this.#sending.take(ownerOf(webhook), 1)
    this.#sendingAgain += again
    webhook.sending = true
    const { abort } = webhook
    const delivered = await this.#post(webhook, notification)
    webhook.sending = false
    this.#sending.give(ownerOf(webhook), 1)
    this.#sendingAgain -= again
    if (!abort.signal.aborted) this.#goOn(webhook, delivered)
    else if (webhook.queue.length > 0) this.#makeReady(webhook) // it was paused, and goes on
    this.#sendReady()
  }

  async #post(webhook: Webhook, { timestampMs, size }: SizeNotification): Promise<boolean> {
    const { stream, url, secret, abort } = webhook
    const body = JSON.stringify({
      timestamp: timestampMs,
      size,
      namespace: stream.namespace,
      stream: stream.stream,
    })
    const { nowMs, allowPrivate } = this.#parts
    try {
      const post = { url: new URL(url), secret, body, nowMs: nowMs(), allowPrivate, signal: abort.signal }
      const status = await postToWebhook(post)
      if (!abort.signal.aborted) webhook.last = `${status}`
      return status >= 200 && status < 300
    } catch {
      if (!abort.signal.aborted) webhook.last = NOT_DELIVERED
      return false
    }
  }

  #goOn(webhook: Webhook, delivered: boolean): void {
    webhook.tries = delivered ? 0 : webhook.tries + 1
    const given = webhook.tries >= TRIES_MAX
    if (delivered) webhook.delivered++
    if (given) {
      webhook.dropped++
      webhook.tries = 0
    }
    if (delivered || given) webhook.queue.shift()
    if (webhook.queue.length === 0) return
    if (delivered) this.#makeReady(webhook)
    else this.#tryLater(webhook)
  }

  #tryLater(webhook: Webhook): void {
    const { firstPauseMs = FIRST_PAUSE_MS, random } = this.#parts
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.max(0, webhook.tries - 1), PAUSE_MS_MAX)
    webhook.timer = setTimeout(
      () => {
        webhook.timer = undefined
        this.#makeReady(webhook)
      },
      pauseMs * (0.75 + random() / 2),
    ).unref()
  }

  /** So that no token takes the places of all others: it may have as many as it leaves free. */
  #assertShare(token: string | undefined): void {
    if (token === undefined) return
    const own = this.#all().filter((webhook) => webhook.token === token).length
    if (own < WEBHOOKS_ALL_MAX - this.#count) return
    throw invalid(
      `token '${token}' has ${own} webhooks, which is its share of the ${WEBHOOKS_ALL_MAX} there may be`,
    )
  }

  #assertCapacity(id: StreamId): void {
    if (this.#of(id).size >= WEBHOOKS_MAX)
      throw invalid(`the stream has ${WEBHOOKS_MAX} webhooks; delete one first`)
    if (this.#count >= WEBHOOKS_ALL_MAX)
      throw invalid(`there are ${WEBHOOKS_ALL_MAX} webhooks; delete one first`)
  }

  #stream(id: StreamId): Stream {
    return existingStream(this.#parts.registry, id)
  }

  #of(id: StreamId): ReadonlyMap<string, Webhook> {
    return this.#byStream.get(streamKey(id)) ?? NONE
  }

  #all(): Webhook[] {
    return [...this.#byStream.values()].flatMap((webhooks) => [...webhooks.values()])
  }
}

const NONE: ReadonlyMap<string, Webhook> = new Map()

interface WebhookDocument {
  readonly url: string
  readonly secret: string
  readonly program?: Omit<ProgramId, 'namespace'>
  readonly token?: string
}

function documentOf({ url, secret, program, token }: NewWebhook): WebhookDocument {
  return {
    url,
    secret,
    ...(program && {
      program: { application: program.application, type: program.type, program: program.program },
    }),
    ...(token !== undefined && { token }),
  }
}

function webhookChange(id: StreamId, hookId: string, document: unknown): CatalogChange {
  return { collection: 'webhooks', id: `${streamKey(id)}:${hookId}`, document }
}

/** Whose share of the POSTs it takes: its token's, else that of its stream. */
function ownerOf({ token, stream }: Webhook): ClientKey {
  return token === undefined ? `stream:${streamKey(stream)}` : `token:${token}`
}

function sameProgram(a: ProgramId | undefined, b: ProgramId | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** In its canonical form. Throws ServiceError 'invalid_parameter'. */
function checkedUrl(text: string, allowPrivate: boolean): string {
  if (text.length > URL_CHARACTERS_MAX) {
    throw invalid(`url has ${text.length} characters; use at most ${URL_CHARACTERS_MAX}`)
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw invalid('url is not understood; use http:// or https://, without user and password')
  }
  const address = addressInUrl(url)
  if (!allowPrivate && address !== undefined && !isPublicAddress(address)) {
    throw invalid(
      'url leads to an address that is not public; the operator may allow it with --allow-private-webhooks',
    )
  }
  url.hash = ''
  return url.href
}

function checkSecret({ length }: string): void {
  if (length >= SECRET_CHARACTERS_MIN && length <= SECRET_CHARACTERS_MAX) return
  throw invalid(`secret has ${length} characters; use ${SECRET_CHARACTERS_MIN} to ${SECRET_CHARACTERS_MAX}`)
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
