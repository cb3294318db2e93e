/**
 * The clock of the brokers, which set the times of events: the time of the last heartbeat as its leader has stored it, and what has
 * passed here since. The clock of a node may be wrong; it would hide and remove events too early, or too late.
 */
export class BrokerClock {
  readonly #elapsedMs: () => number
  #last: { readonly timeMs: number; readonly atMs: number } | undefined

  /** `elapsedMs`: a monotonic clock. */
  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs
  }

  /** A leader has just answered with the time at which it has stored a record. */
  observe(timeMs: number): void {
    if (timeMs > 0) this.#last = { timeMs, atMs: this.#elapsedMs() }
  }

  /** Undefined before the first answer. It is behind by the time that the answer was on its way. */
  nowMs(): number | undefined {
    if (this.#last === undefined) return undefined
    return Math.floor(this.#last.timeMs + this.#elapsedMs() - this.#last.atMs)
  }
}
