/** A buffer that grows while it is written. The field `at` is where the next byte goes. */

/** UTF-8 bytes of one UTF-16 code unit. */
const UTF8_BYTES_MAX = 3
/** Below this length a loop is faster than a call of `set`. */
const SHORT_BYTES = 24

export class ByteWriter {
  readonly #bytesFirst: number
  readonly #bytesKept: number
  bytes: Buffer
  at = 0

  /** A buffer of more than `bytesKept` is given up by `clear`. */
  constructor(bytesFirst: number, bytesKept: number) {
    this.#bytesFirst = bytesFirst
    this.#bytesKept = bytesKept
    this.bytes = Buffer.allocUnsafeSlow(bytesFirst)
  }

  /** Call it before bytes are written to `bytes`, which may be another buffer afterwards. */
  reserve(more: number): void {
    if (this.bytes.length - this.at < more) this.#grow(more)
  }

  clear(): void {
    this.at = 0
    if (this.bytes.length > this.#bytesKept) this.bytes = Buffer.allocUnsafeSlow(this.#bytesFirst)
  }

  byte(value: number): void {
    this.reserve(1)
    this.bytes[this.at++] = value
  }

  /** Writes all of `source`. */
  put(source: Buffer): void {
    const { length } = source
    this.reserve(length)
    const { bytes } = this
    let { at } = this
    if (length > SHORT_BYTES) {
      bytes.set(source, at)
      at += length
    } else for (let i = 0; i < length; i++) bytes[at++] = source[i]!
    this.at = at
  }

  copy(source: Buffer, start: number, end: number): void {
    this.reserve(end - start)
    const { bytes } = this
    let { at } = this
    for (let i = start; i < end; i++) bytes[at++] = source[i]!
    this.at = at
  }

  text(text: string): void {
    if (this.bytes.length - this.at < text.length * UTF8_BYTES_MAX) this.reserve(Buffer.byteLength(text))
    this.at += this.bytes.write(text, this.at)
  }

  #grow(more: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.at + more, 2 * this.bytes.length))
    this.bytes.copy(larger, 0, 0, this.at)
    this.bytes = larger
  }
}
