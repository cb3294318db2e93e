/**
 * How fast one token may send, as two buckets: events per second and bytes per second. Each holds at most what fits into
 * one second, fills all the time, and may be overdrawn: what a batch holds is known once it has come. Who is overdrawn
 * waits until the bucket is above zero again, so over time nobody gets more than the rate.
 */

export interface Rates {
  readonly eventsPerSecond?: number | undefined
  readonly bytesPerSecond?: number | undefined
}

export class RateLimit {
  readonly #events: Bucket | undefined
  readonly #bytes: Bucket | undefined

  constructor({ eventsPerSecond, bytesPerSecond }: Rates, nowMs: number) {
    this.#events = eventsPerSecond === undefined ? undefined : new Bucket(eventsPerSecond, nowMs)
    this.#bytes = bytesPerSecond === undefined ? undefined : new Bucket(bytesPerSecond, nowMs)
  }

  /** Milliseconds until the token may send again, 0 if it may now. */
  waitMs(nowMs: number): number {
    return Math.max(this.#events?.waitMs(nowMs) ?? 0, this.#bytes?.waitMs(nowMs) ?? 0)
  }

  /** To be told of everything that came, whether or not it was waited for. */
  take(nowMs: number, events: number, bytes: number): void {
    this.#events?.take(nowMs, events)
    this.#bytes?.take(nowMs, bytes)
  }
}

class Bucket {
  readonly #perSecond: number
  /** In thousandths, of which each millisecond brings a whole number: nothing is rounded. */
  #level: number
  #filledMs: number

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#level = perSecond * 1000
    this.#filledMs = nowMs
  }

  waitMs(nowMs: number): number {
    this.#fill(nowMs)
    return this.#level > 0 ? 0 : Math.floor(-this.#level / this.#perSecond) + 1
  }

  take(nowMs: number, amount: number): void {
    this.#fill(nowMs)
    this.#level -= amount * 1000
  }

  /** A clock that goes back fills nothing. */
  #fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#filledMs)
    this.#level = Math.min(this.#perSecond * 1000, this.#level + passedMs * this.#perSecond)
    this.#filledMs = nowMs
  }
}
