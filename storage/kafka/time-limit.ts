/** A time limit of several steps. It costs a fraction of an AbortController with its events. */
export class TimeLimit {
  readonly #timer: NodeJS.Timeout
  readonly #listeners = new Set<() => void>()
  #isOver = false

  constructor(ms: number) {
    this.#timer = setTimeout(() => {
      this.#isOver = true
      for (const listener of [...this.#listeners]) listener()
    }, ms)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Calls the listener when the time is over, unless it is over already. */
  on(listener: () => void): void {
    this.#listeners.add(listener)
  }

  off(listener: () => void): void {
    this.#listeners.delete(listener)
  }

  /** The work has ended in time. */
  clear(): void {
    clearTimeout(this.#timer)
  }
}
