/**
 * LevelDB's varints: LEB128, unsigned.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */

/** Reads varints one after the other. Returns `undefined` if the bytes end, or if the number is not below 2^53. */
export class VarintReader {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  get ended(): boolean {
    return this.at >= this.bytes.length
  }

  next(): number | undefined {
    let value = 0
    let scale = 1
    while (this.at < this.bytes.length) {
      const byte = this.bytes[this.at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : undefined
      scale *= 0x80
    }
    return undefined
  }

  /** A length, and that many bytes. */
  nextBytes(): Buffer | undefined {
    const length = this.next()
    return length === undefined ? undefined : this.take(length)
  }

  take(length: number): Buffer | undefined {
    const end = this.at + length
    if (end > this.bytes.length) return undefined
    const taken = this.bytes.subarray(this.at, end)
    this.at = end
    return taken
  }
}
