/** Delays between attempts: 1 s, doubling up to 60 s, without end. */

/** Calls `run` after `delayMs`; the result cancels it. */
export type Timer = (delayMs: number, run: () => void) => () => void

export const realTimer: Timer = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}

const FIRST_MS = 1_000
const MOST_MS = 60_000

export class RetryDelay {
  #nextMs = FIRST_MS

  take(): number {
    const delayMs = this.#nextMs
    this.#nextMs = Math.min(2 * delayMs, MOST_MS)
    return delayMs
  }

  reset(): void {
    this.#nextMs = FIRST_MS
  }
}

/** A pause that ends early when it is woken, also if that was before its beginning. */
export class Pause {
  readonly #timer: Timer
  #wake: (() => void) | undefined
  #woken = false

  constructor(timer: Timer) {
    this.#timer = timer
  }

  /** Undefined: until it is woken. */
  wait(delayMs: number | undefined): Promise<void> {
    if (this.#woken) {
      this.#woken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const cancel = delayMs === undefined ? () => {} : this.#timer(delayMs, () => this.wake())
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }

  /** Forgets that it was woken. */
  reset(): void {
    this.#woken = false
  }

  wake(): void {
    if (this.#wake === undefined) this.#woken = true
    else this.#wake()
  }
}
