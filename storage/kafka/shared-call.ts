/**
 * Shares one operation among all who ask for it: each gets the result of a run that began after it asked. One run is under way,
 * and one may wait behind it. A run begins a moment after the first call, so that calls made together share it.
 */
export class SharedCall<T> {
  readonly #run: () => Promise<T>
  #current: Promise<T> | undefined
  #next: Promise<T> | undefined

  constructor(run: () => Promise<T>) {
    this.#run = run
  }

  call(): Promise<T> {
    this.#next ??= this.#begin()
    return this.#next
  }

  async #begin(): Promise<T> {
    if (this.#current === undefined) await new Promise<void>((resolve) => process.nextTick(resolve))
    else await this.#current.catch(() => undefined)
    this.#next = undefined
    const current = this.#run()
    this.#current = current
    try {
      return await current
    } finally {
      if (this.#current === current) this.#current = undefined
    }
  }
}
