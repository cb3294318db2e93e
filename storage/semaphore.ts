/** Limits the number of callers that work at the same time. The others wait, in first-in, first-out order. */
export class Semaphore {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(permits: number) {
    this.#free = permits
  }

  /**
   * Undefined if the caller has a permit now, otherwise a promise that resolves when it has one. Call `release` once
   * for each.
   */
  acquire(): Promise<void> | undefined {
    if (this.#free === 0) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#free--
    return undefined
  }

  release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }

  /** Runs `work` with a permit. Settles with the result or the error of `work`. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const acquired = this.acquire()
    if (acquired !== undefined) await acquired
    try {
      return await work()
    } finally {
      this.release()
    }
  }
}
