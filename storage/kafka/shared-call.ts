/**
 * Shares one operation among all who ask for it: each gets the result of a run that began after it asked. One run is under way,
 * and one may wait behind it.
 */
export class SharedCall<T> {
  readonly #run: () => Promise<T>
  #current: Promise<T> | undefined
  #next: Promise<T> | undefined

  constructor(run: () => Promise<T>) {
    this.#run = run
  }

  call(): Promise<T> {
    if (this.#current === undefined) return this.#begin()
    this.#next ??= this.#current.then(
      () => this.#begin(),
      () => this.#begin(),
    )
    return this.#next
  }

  #begin(): Promise<T> {
    this.#next = undefined
    const current = this.#run()
    this.#current = current
    const ended = () => {
      if (this.#current === current) this.#current = undefined
    }
    current.then(ended, ended)
    return current
  }
}
