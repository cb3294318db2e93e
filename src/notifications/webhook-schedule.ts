/**
 * Schedules the POSTs of webhooks. Each webhook gets one POST at a time, in order, and retries after growing pauses.
 * The number of concurrent POSTs is limited and shared fairly between the owners of webhooks.
 */
import { type ClientKey, FairShare } from '../fair-share.ts'
import type { StreamId } from '../streams/names.ts'
import type { SizeNotification } from './size-feed.ts'
import { postToWebhook } from './webhook-post.ts'

/** Limit of notifications that wait for one webhook. A newer notification makes an older one superfluous. */
const QUEUE_MAX = 32
/** Limit of POSTs in progress. */
const SENDING_MAX = 32
/** Limit of retries among them, so that receivers which never respond do not delay the others. */
const RETRYING_MAX = 16
const FIRST_PAUSE_MS = 1000
const PAUSE_MS_MAX = 300_000
/** The tries take about an hour and a half. Then the notification is dropped. */
const TRIES_MAX = 24

/**
 * The outcome of every try without a status. An unknown name, an address that is not public, a refused connection and a
 * timeout have the same text. With different texts a client could map the network of the service.
 */
const NOT_DELIVERED = 'not delivered'

export interface ScheduleOptions {
  readonly nowMs: () => number
  /** From 0 to 1. Used for ids, and to spread the retries of webhooks that fail together. */
  readonly random: () => number
  /** Whether webhooks may have addresses that are not public. */
  readonly allowPrivate: boolean
  readonly firstPauseMs?: number
}

export interface DeliveryTarget {
  readonly url: string
  readonly secret: string | undefined
  readonly stream: StreamId
  /** The POST counts towards the share of this client. */
  readonly owner: ClientKey
}

export interface DeliveryState {
  readonly waiting: number
  readonly delivered: number
  /** Notifications that were given up or removed from a full queue, since the service started. */
  readonly dropped: number
  /** Outcome of the last try: a status, or NOT_DELIVERED. */
  readonly last: string | undefined
}

interface Delivery extends SizeNotification {
  /** The webhook-id header. It is the same in every retry. */
  readonly id: string
}

export class WebhookSchedule {
  readonly options: ScheduleOptions
  /** Queues with a notification to send, which wait for a free slot. */
  readonly #ready = new Set<DeliveryQueue>()
  readonly #sending = new FairShare(SENDING_MAX)
  #retrying = 0

  constructor(options: ScheduleOptions) {
    this.options = options
  }

  addReady(queue: DeliveryQueue): void {
    this.#ready.add(queue)
    this.#sendReady()
  }

  removeReady(queue: DeliveryQueue): void {
    this.#ready.delete(queue)
  }

  #sendReady(): void {
    for (let next = this.#nextReady(); next !== undefined; next = this.#nextReady()) {
      this.#ready.delete(next)
      void this.#send(next)
    }
  }

  /**
   * The queue that has been ready for the longest time, of the owner with the fewest POSTs in progress. An owner's
   * POSTs in progress may not exceed the number of free slots.
   */
  #nextReady(): DeliveryQueue | undefined {
    let next: DeliveryQueue | undefined
    let fewest = SENDING_MAX - this.#sending.total
    for (const queue of this.#ready) {
      if (queue.isRetrying && this.#retrying >= RETRYING_MAX) continue
      const held = this.#sending.held(queue.target.owner)
      if (held >= fewest) continue
      next = queue
      fewest = held
    }
    return next
  }

  async #send(queue: DeliveryQueue): Promise<void> {
    const { owner } = queue.target
    const retrying = queue.isRetrying ? 1 : 0
    this.#sending.take(owner, 1)
    this.#retrying += retrying
    await queue.sendFirst()
    this.#sending.give(owner, 1)
    this.#retrying -= retrying
    queue.readyIfWaiting()
    this.#sendReady()
  }
}

/** The notifications for one webhook. */
export class DeliveryQueue {
  readonly target: DeliveryTarget
  readonly #schedule: WebhookSchedule
  readonly #waiting: Delivery[] = []
  #abort = new AbortController()
  #isSending = false
  /** Failed tries of the first notification in the queue. */
  #tries = 0
  #timer: NodeJS.Timeout | undefined
  #delivered = 0
  #dropped = 0
  #last: string | undefined

  constructor(target: DeliveryTarget, schedule: WebhookSchedule) {
    this.target = target
    this.#schedule = schedule
  }

  get state(): DeliveryState {
    return {
      waiting: this.#waiting.length,
      delivered: this.#delivered,
      dropped: this.#dropped,
      last: this.#last,
    }
  }

  get isRetrying(): boolean {
    return this.#tries > 0
  }

  add({ timestampMs, size }: SizeNotification): void {
    this.#waiting.push({ id: this.#newId(), timestampMs, size })
    if (this.#waiting.length > QUEUE_MAX) {
      this.#waiting.splice(this.#isSending ? 1 : 0, 1) // a notification that is being sent stays
      this.#dropped++
    }
    this.readyIfWaiting()
  }

  /** Cancels the POST in progress and empties the queue. The next `add` uses it again. */
  clear(): void {
    this.#abort.abort()
    this.#abort = new AbortController()
    this.#waiting.length = 0
    this.#tries = 0
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#schedule.removeReady(this)
  }

  readyIfWaiting(): void {
    if (this.#waiting.length > 0 && !this.#isSending && this.#timer === undefined) {
      this.#schedule.addReady(this)
    }
  }

  /** Tries once to deliver the first notification in the queue. Never rejects. */
  async sendFirst(): Promise<void> {
    const [delivery] = this.#waiting
    if (delivery === undefined) return
    const { signal } = this.#abort
    this.#isSending = true
    const status = await this.#post(delivery, signal).catch(() => undefined)
    this.#isSending = false
    if (signal.aborted) return
    this.#last = status === undefined ? NOT_DELIVERED : `${status}`
    if (status !== undefined && status >= 200 && status < 300) this.#succeeded()
    else this.#failed()
  }

  async #post({ id, timestampMs, size }: Delivery, signal: AbortSignal): Promise<number> {
    const { url, secret, stream } = this.target
    const { nowMs, allowPrivate } = this.#schedule.options
    const body = JSON.stringify({
      timestamp: timestampMs,
      size,
      namespace: stream.namespace,
      stream: stream.stream,
    })
    return postToWebhook({ url: new URL(url), secret, id, body, nowMs: nowMs(), allowPrivate, signal })
  }

  #succeeded(): void {
    this.#tries = 0
    this.#delivered++
    this.#waiting.shift()
  }

  #failed(): void {
    this.#tries++
    if (this.#tries >= TRIES_MAX) {
      this.#tries = 0
      this.#dropped++
      this.#waiting.shift()
    }
    if (this.#waiting.length > 0) this.#pause()
  }

  #pause(): void {
    const { firstPauseMs = FIRST_PAUSE_MS, random } = this.#schedule.options
    const pauseMs = Math.min(firstPauseMs * 2 ** Math.max(0, this.#tries - 1), PAUSE_MS_MAX)
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.readyIfWaiting()
      },
      pauseMs * (0.75 + random() / 2),
    ).unref()
  }

  /** 128 random bits. */
  #newId(): string {
    const { random } = this.#schedule.options
    const word = () =>
      Math.floor(random() * 0x1_0000_0000)
        .toString(16)
        .padStart(8, '0')
    return `msg_${word()}${word()}${word()}${word()}`
  }
}
