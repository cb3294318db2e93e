/** One at a time, in the order in which they came. Costs nothing while nobody else is there. */
export class Mutex {
  #taken = false
  readonly #waiting: (() => void)[] = []

  /** Undefined if it is the caller's turn now, else a promise of when. Whoever took a turn passes it on, once. */
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
