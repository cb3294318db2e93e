/**
 * The rate limit of one token, as two token buckets: events per second and bytes per second. Each holds at most one second's
 * worth, fills continuously, and may go below zero, because the size of a batch is known only after it has arrived. A client
 * with a bucket below zero waits until it is above zero again. So over time no client exceeds the rate.
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

  /** Counts everything that arrived, whether the client waited for it or not. */
  take(nowMs: number, events: number, bytes: number): void {
    this.#events?.take(nowMs, events)
    this.#bytes?.take(nowMs, bytes)
  }
}

class Bucket {
  readonly #perSecond: number
  /** In thousandths: each millisecond adds a whole number of them, so nothing is rounded. */
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

  /** A clock that goes back adds nothing. */
  #fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#filledMs)
    this.#level = Math.min(this.#perSecond * 1000, this.#level + passedMs * this.#perSecond)
    this.#filledMs = nowMs
  }
}
