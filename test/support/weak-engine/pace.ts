/** Random numbers from a seed, and pauses of a few turns of the event loop, so that nothing is done when a call returns. */
export class Pace {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }

  /** A whole number from 0 to `most`. */
  below(most: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 2 ** 32) * (most + 1))
  }

  /** Resolves after one to three turns of the event loop. */
  async pause(): Promise<void> {
    for (let turns = this.below(2); turns >= 0; turns--) await new Promise((resolve) => setImmediate(resolve))
  }
}
