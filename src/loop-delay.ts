/**
 * Measures the delay of the event loop: a timer should fire every 50 ms, and the average of its delays is computed. A
 * new event waits about that long.
 */

const TICK_MS = 50
/** Weight of each new value in the average. The average follows a change within about a third of a second. */
const WEIGHT = 0.2
/** Above this the loop counts as delayed, because requests should be answered within a tenth of a second. */
export const DELAYED_MS = 100

export class LoopDelay {
  #averageMs = 0
  #dueMs = performance.now() + TICK_MS
  readonly #timer: NodeJS.Timeout

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref()
  }

  get averageMs(): number {
    return this.#averageMs
  }

  get isDelayed(): boolean {
    return this.#averageMs > DELAYED_MS
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #tick(): void {
    const nowMs = performance.now()
    const lateMs = Math.max(0, nowMs - this.#dueMs)
    this.#averageMs += (lateMs - this.#averageMs) * WEIGHT
    this.#dueMs = nowMs + TICK_MS
  }
}
