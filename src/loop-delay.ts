/**
 * How late the event loop is, whatever keeps it: a timer that should fire every 50 ms, and by how much it was late on
 * average. An event that arrives waits about as long.
 */

const TICK_MS = 50
/** Of each new value in the average: it follows within about a third of a second. */
const WEIGHT = 0.2
/** Beyond this the loop counts as delayed: requests shall be answered within a tenth of a second. */
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
