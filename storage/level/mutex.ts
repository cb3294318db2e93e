/** One holder at a time, in the order of the calls. Locking is free while the mutex is. */
export class Mutex {
  #taken = false
  readonly #waiting: (() => void)[] = []

  /** Undefined if the caller holds the mutex now, else a promise of when it does. Each holder calls `unlock` once. */
  lock(): Promise<void> | undefined {
    if (this.#taken) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#taken = true
    return undefined
  }

  unlock(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken = false
    else next()
  }
}
