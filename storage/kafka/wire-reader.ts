/**
 * Reads an answer. Every length and count is checked against the bytes that are left before anything is allocated, so an
 * answer that is cut short or altered gives `MalformedAnswer` and nothing else.
 */

export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer'
}

export class WireReader {
  readonly #bytes: Buffer
  #at: number
  readonly #end: number

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  get at(): number {
    return this.#at
  }

  get left(): number {
    return this.#end - this.#at
  }

  int8(): number {
    const at = this.#take(1)
    return this.#bytes.readInt8(at)
  }

  int16(): number {
    const at = this.#take(2)
    return this.#bytes.readInt16BE(at)
  }

  int32(): number {
    const at = this.#take(4)
    return this.#bytes.readInt32BE(at)
  }

  uint32(): number {
    const at = this.#take(4)
    return this.#bytes.readUInt32BE(at)
  }

  /** Rejects what a number does not hold exactly. */
  int64(): number {
    const at = this.#take(8)
    const value = this.#bytes.readInt32BE(at) * 0x1_0000_0000 + this.#bytes.readUInt32BE(at + 4)
    if (!Number.isSafeInteger(value)) throw new MalformedAnswer(`an int64 of the answer is ${value}`)
    return value
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new MalformedAnswer('a varint of the answer has more than 5 bytes')
  }

  /** Compact and nullable. */
  nullableString(): string | null {
    const length = this.unsignedVarint() - 1
    if (length < 0) return null
    const at = this.#take(length)
    return this.#bytes.toString('utf8', at, at + length)
  }

  string(): string {
    const text = this.nullableString()
    if (text === null) throw new MalformedAnswer('a text of the answer is null')
    return text
  }

  /** Compact and nullable; a slice of the answer. */
  nullableBytes(): Buffer | null {
    const length = this.unsignedVarint() - 1
    if (length < 0) return null
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  /** 16 bytes as 32 hexadecimal digits. */
  uuid(): string {
    const at = this.#take(16)
    return this.#bytes.toString('hex', at, at + 16)
  }

  /** Compact; null is read as an empty array. `each` reads one item, which takes at least one byte. */
  array<T>(each: () => T): T[] {
    const count = this.unsignedVarint() - 1
    if (count > this.left) throw new MalformedAnswer(`${count} items of the answer are in ${this.left} bytes`)
    const items: T[] = []
    for (let i = 0; i < count; i++) items.push(each())
    return items
  }

  /** Skips what is left. */
  rest(): void {
    this.#at = this.#end
  }

  /** Skips the tagged fields, whatever they are. */
  tags(): void {
    const count = this.unsignedVarint()
    if (count > this.left) throw new MalformedAnswer(`${count} tagged fields are in ${this.left} bytes`)
    for (let i = 0; i < count; i++) {
      this.unsignedVarint()
      this.#take(this.unsignedVarint())
    }
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.#end - at)
      throw new MalformedAnswer(`the answer ends ${length - (this.#end - at)} bytes too early`)
    this.#at = at + length
    return at
  }
}
