/**
 * Names of queries: UUIDs of version 7, which begin with the time. Those of the same millisecond are numbered, so that
 * no two are equal. They are not secret: the owner and the streams of a query determine the access to it.
 */
declare const brand: unique symbol
export type QueryHandle = string & { readonly [brand]: 'QueryHandle' }

/** CDAP's handle of an operation that was done before the response: always finished, without results. */
export const NO_OP = 'NO_OP' as QueryHandle

const COUNT_MAX = 0xfff

export class HandleMaker {
  readonly #nowMs: () => number
  readonly #random: () => number
  #lastMs = 0
  #count = 0

  constructor(nowMs: () => number, random: () => number) {
    this.#nowMs = nowMs
    this.#random = random
  }

  next(): QueryHandle {
    const nowMs = Math.max(this.#lastMs, this.#nowMs())
    this.#count = nowMs === this.#lastMs ? this.#count + 1 : 0
    this.#lastMs = nowMs
    if (this.#count > COUNT_MAX) {
      this.#lastMs++
      this.#count = 0
    }
    const time = hex(this.#lastMs, 12)
    const variant = hex(0x8000 + Math.floor(this.#random() * 0x4000), 4)
    const end = hex(Math.floor(this.#random() * 2 ** 48), 12)
    return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(this.#count, 3)}-${variant}-${end}` as QueryHandle
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0').slice(-digits)
}
