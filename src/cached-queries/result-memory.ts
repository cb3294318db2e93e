/** Limits of the memory for results: of one, and of all together. */

/** A result does not fit. The message is for clients. */
export class ResultTooLarge extends Error {
  override readonly name = 'ResultTooLarge'
}

export interface ResultMemoryLimits {
  readonly resultBytesMax: number
  readonly allBytesMax: number
}

export class ResultMemory {
  readonly #limits: ResultMemoryLimits
  readonly #held = new Map<object, number>()
  #total = 0

  constructor(limits: ResultMemoryLimits) {
    this.#limits = limits
  }

  /** Bytes of all results. */
  get total(): number {
    return this.#total
  }

  /** `holder` holds this many bytes now. Throws ResultTooLarge if that is too much; then it holds what it held before. */
  set(holder: object, bytes: number): void {
    const { resultBytesMax, allBytesMax } = this.#limits
    const before = this.#held.get(holder) ?? 0
    if (bytes > before && bytes > resultBytesMax) {
      throw new ResultTooLarge(
        `the result has more than ${resultBytesMax} bytes; select fewer rows or columns, ` +
          'or raise --max-cached-result-bytes, then delete the query and create it again',
      )
    }
    if (bytes > before && this.#total - before + bytes > allBytesMax) {
      throw new ResultTooLarge(
        `the results of all queries have more than ${allBytesMax} bytes; delete a query, ` +
          'or raise --max-cached-results-bytes, then delete this query and create it again',
      )
    }
    this.#held.set(holder, bytes)
    this.#total += bytes - before
  }

  free(holder: object): void {
    this.#total -= this.#held.get(holder) ?? 0
    this.#held.delete(holder)
  }
}
