/**
 * Bytes of a request: big-endian integers, and the compact strings and arrays of the flexible versions, whose length is
 * an unsigned varint of the length + 1. Large pieces are kept as they are, so a large batch is not copied.
 */

const FIRST_BYTES = 256
/** A shorter piece is copied: one more piece costs more in a call of the operating system. */
const PIECE_BYTES_MIN = 32 * 1024

export class WireWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #at = 0
  /** Where the present buffer begins that has not been moved to `#pieces` yet. */
  #begin = 0
  #pieces: Uint8Array[] = []
  #piecesLength = 0

  int8(value: number): this {
    this.#reserve(1)
    this.#at = this.#bytes.writeInt8(value, this.#at)
    return this
  }

  int16(value: number): this {
    this.#reserve(2)
    this.#at = this.#bytes.writeInt16BE(value, this.#at)
    return this
  }

  int32(value: number): this {
    this.#reserve(4)
    this.#at = this.#bytes.writeInt32BE(value, this.#at)
    return this
  }

  /** A whole number within ±2^53. */
  int64(value: number): this {
    this.#reserve(8)
    this.#at = this.#bytes.writeBigInt64BE(BigInt(value), this.#at)
    return this
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  unsignedVarint(value: number): this {
    this.#reserve(5)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#at++] = rest
    return this
  }

  /** Compact and nullable. */
  string(text: string | null): this {
    if (text === null) return this.unsignedVarint(0)
    const length = Buffer.byteLength(text)
    this.unsignedVarint(length + 1)
    this.#reserve(length)
    this.#at += this.#bytes.write(text, this.#at)
    return this
  }

  /** Of the versions that are not flexible: an int16 is the length. */
  shortString(text: string): this {
    const length = Buffer.byteLength(text)
    this.int16(length)
    this.#reserve(length)
    this.#at += this.#bytes.write(text, this.#at)
    return this
  }

  /** Compact and nullable: `each` writes one item. */
  array<T>(items: readonly T[] | null, each: (item: T) => void): this {
    if (items === null) return this.unsignedVarint(0)
    this.unsignedVarint(items.length + 1)
    for (const item of items) each(item)
    return this
  }

  /** Compact bytes, given in pieces. Large ones are not copied: they must not change until the request has been answered. */
  pieces(pieces: readonly Uint8Array[]): this {
    let length = 0
    for (const piece of pieces) length += piece.length
    this.unsignedVarint(length + 1)
    for (const piece of pieces) {
      if (piece.length < PIECE_BYTES_MIN) {
        this.raw(piece)
        continue
      }
      this.#endPiece()
      this.#pieces.push(piece)
      this.#piecesLength += piece.length
    }
    return this
  }

  /** Compact bytes that are copied. */
  bytes(bytes: Uint8Array): this {
    return this.unsignedVarint(bytes.length + 1).raw(bytes)
  }

  /** Bytes without a length. */
  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#at)
    this.#at += bytes.length
    return this
  }

  /** No tagged fields: the end of every structure of a flexible version. */
  tags(): this {
    return this.unsignedVarint(0)
  }

  get length(): number {
    return this.#piecesLength + this.#at - this.#begin
  }

  finish(): readonly Uint8Array[] {
    this.#endPiece()
    return this.#pieces
  }

  /** As `finish`, with an int32 of the length before all: the first four bytes are left free for it (`int32(0)`). */
  finishFrame(): readonly Uint8Array[] {
    this.#endPiece()
    const [first] = this.#pieces as [Buffer]
    first.writeInt32BE(this.#piecesLength - 4, 0)
    return this.#pieces
  }

  #endPiece(): void {
    if (this.#at === this.#begin) return
    this.#pieces.push(this.#bytes.subarray(this.#begin, this.#at))
    this.#piecesLength += this.#at - this.#begin
    this.#begin = this.#at
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const used = this.#at - this.#begin
    const larger = Buffer.allocUnsafe(Math.max(2 * (used + length), FIRST_BYTES))
    this.#bytes.copy(larger, 0, this.#begin, this.#at)
    this.#bytes = larger
    this.#begin = 0
    this.#at = used
  }
}
