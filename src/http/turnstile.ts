/** Lets in one at a time; the others wait in line. */
export class Turnstile {
  #taken = false
  readonly #waiting: (() => void)[] = []

  /** Resolves when it is the caller's turn, with what has to be called on leaving. */
  async enter(): Promise<() => void> {
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#taken = true
    return this.#leave
  }

  readonly #leave = (): void => {
    const next = this.#waiting.shift()
    if (next === undefined) this.#taken = false
    else next()
  }
}
