/**
 * Webhooks: URLs to which the service POSTs the size of a stream. This file registers, stores and pauses them.
 * webhook-schedule.ts decides when a POST is sent; webhook-post.ts sends one.
 *
 *   catalog:  webhooks/<namespace>:<stream>:<id>   {"url", "secret"?, "program"?: {"application", "type", "program"}, "token"?}
 *
 * Guarantee: a webhook that responds with 2xx gets the size of its stream, in chronological order: after its
 * registration, after each start of the service, and when the stream has grown. The same size may be sent twice. Sizes
 * are absolute. So the next notification replaces one that was given up after many tries, removed from a full queue, or
 * lost in a restart.
 *
 * A webhook belongs to the name of the token that registered it. While no valid token of that name has an admin grant
 * for the stream, the webhook is paused: nothing is sent, and nothing is queued. When there is such a token again, the
 * webhook gets the size at that time. A webhook that was registered without a token is never paused.
 */
import { createHash } from 'node:crypto'
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { ClientKey } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import { existingStream } from '../streams/existing.ts'
import { type StreamId, streamKey } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import type { ProgramId, UsageRegistry } from '../streams/usage.ts'
import { addressInUrl, isPublicAddress } from './addresses.ts'
import type { SizeFeed } from './size-feed.ts'
import { isBrokenKey } from './webhook-post.ts'
import {
  DeliveryQueue,
  type DeliveryState,
  type ScheduleOptions,
  WebhookSchedule,
} from './webhook-schedule.ts'

/** Limit for one stream. */
const WEBHOOKS_MAX = 16
/** Limit for the service: each webhook takes memory, and gets a POST at every start. */
const WEBHOOKS_ALL_MAX = 1000
const URL_CHARACTERS_MAX = 2048
/** A shorter secret could be guessed. */
const SECRET_CHARACTERS_MIN = 16
const SECRET_CHARACTERS_MAX = 256
const TOKEN_POLL_INTERVAL_MS = 500

export interface NewWebhook {
  readonly url: string
  /** Key of the signatures. Without a secret, POSTs are not signed. */
  readonly secret?: string | undefined
  /** The program that owns the webhook. It appears as a user of the stream. */
  readonly program?: ProgramId | undefined
  /** Name of the token that registers the webhook. */
  readonly token?: string | undefined
}

export interface WebhookState extends DeliveryState {
  readonly id: string
  readonly url: string
  readonly program: ProgramId | undefined
  /** Whether the token that registered it is not valid, or has lost its grant. */
  readonly paused: boolean
}

export interface WebhooksParts extends ScheduleOptions {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly feed: SizeFeed
  readonly usage: UsageRegistry
  /** Whether webhooks of the token with this name may get notifications of the stream now. */
  readonly mayNotify?: (token: string, stream: StreamId) => boolean
}

interface Webhook {
  readonly id: string
  readonly stream: StreamId
  readonly program: ProgramId | undefined
  readonly token: string | undefined
  readonly queue: DeliveryQueue
  /** Undefined while the webhook is paused. */
  unsubscribe: (() => void) | undefined
}

export class Webhooks implements RemovalHook {
  readonly #parts: WebhooksParts
  readonly #schedule: WebhookSchedule
  readonly #byStream = new Map<string, Map<string, Webhook>>()
  #count = 0
  #tokenPollTimer: NodeJS.Timeout | undefined

  private constructor(parts: WebhooksParts) {
    this.#parts = parts
    this.#schedule = new WebhookSchedule(parts)
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

  /**
   * Registering the same URL again replaces the webhook. Resolves with its id. Rejects with 'stream_not_found',
   * 'invalid_parameter'.
   */
  register(id: StreamId, webhook: NewWebhook): Promise<string> {
    const url = checkedUrl(webhook.url, this.#parts.allowPrivate)
    if (webhook.secret !== undefined) checkSecret(webhook.secret)
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
    return [...this.#of(id).values()].map(({ id: hookId, program, queue, unsubscribe }) => {
      const { waiting, delivered, dropped, last } = queue.state
      const paused = unsubscribe === undefined
      return { id: hookId, url: queue.target.url, program, waiting, delivered, dropped, last, paused }
    })
  }

  /** Resolves with false if there was no such webhook. */
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

  /** Cancels the POSTs in progress and drops the queues. At the next start every webhook gets the size at that time. */
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

  /** Pauses the webhooks whose token has become invalid, and resumes those whose token is valid again. */
  pollTokens(): void {
    for (const webhook of this.#all()) {
      const may = this.#mayNotify(webhook)
      if (!may && webhook.unsubscribe !== undefined) pause(webhook)
      if (may && webhook.unsubscribe === undefined) {
        const stream = this.#parts.registry.find(webhook.stream.namespace, webhook.stream.stream)
        if (stream !== undefined) this.#subscribe(webhook, stream)
      }
    }
  }

  #start(stream: Stream, id: string, { url, secret, program, token }: NewWebhook): void {
    const target = { url, secret, stream: stream.id, owner: ownerOf(token, stream.id) }
    const queue = new DeliveryQueue(target, this.#schedule)
    const webhook: Webhook = { id, stream: stream.id, program, token, queue, unsubscribe: undefined }
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

  #stop(webhook: Webhook): void {
    pause(webhook)
    const key = streamKey(webhook.stream)
    const others = this.#byStream.get(key)
    if (others?.get(webhook.id) !== webhook) return
    others.delete(webhook.id)
    if (others.size === 0) this.#byStream.delete(key)
    this.#count--
    const { program } = webhook
    const stillUsed = [...others.values()].some((other) => sameProgram(other.program, program))
    if (program !== undefined && !stillUsed) this.#parts.usage.unregister(program, webhook.stream)
  }

  #subscribe(webhook: Webhook, stream: Stream): void {
    webhook.unsubscribe = this.#parts.feed.subscribe(stream, {
      notify: (notification) => webhook.queue.add(notification),
      end: () => {},
    })
  }

  #mayNotify({ token, stream }: Webhook): boolean {
    return token === undefined || (this.#parts.mayNotify?.(token, stream) ?? true)
  }

  /** One token must not use up the capacity of the others: it may have as many webhooks as remain free. */
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

/** Drops the queue. Nothing is lost: sizes are absolute, and the webhook gets the size at the end of the pause. */
function pause(webhook: Webhook): void {
  webhook.unsubscribe?.()
  webhook.unsubscribe = undefined
  webhook.queue.clear()
}

interface WebhookDocument {
  readonly url: string
  readonly secret?: string
  readonly program?: Omit<ProgramId, 'namespace'>
  readonly token?: string
}

function documentOf({ url, secret, program, token }: NewWebhook): WebhookDocument {
  return {
    url,
    ...(secret !== undefined && { secret }),
    ...(program && {
      program: { application: program.application, type: program.type, program: program.program },
    }),
    ...(token !== undefined && { token }),
  }
}

function webhookChange(id: StreamId, hookId: string, document: unknown): CatalogChange {
  return { collection: 'webhooks', id: `${streamKey(id)}:${hookId}`, document }
}

/** The client whose share of the POSTs a webhook uses: its token, else its stream. */
function ownerOf(token: string | undefined, stream: StreamId): ClientKey {
  return token === undefined ? `stream:${streamKey(stream)}` : `token:${token}`
}

function sameProgram(a: ProgramId | undefined, b: ProgramId | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Returns the URL in its canonical form. Throws ServiceError 'invalid_parameter'. */
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

function checkSecret(secret: string): void {
  const { length } = secret
  if (length < SECRET_CHARACTERS_MIN || length > SECRET_CHARACTERS_MAX) {
    throw invalid(`secret has ${length} characters; use ${SECRET_CHARACTERS_MIN} to ${SECRET_CHARACTERS_MAX}`)
  }
  if (isBrokenKey(secret)) {
    throw invalid(
      'secret begins with whsec_ and the rest is not base64 of 24 to 64 bytes; use such a key, or a secret without whsec_',
    )
  }
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
