/**
 * The messages that a server sends. Those with data of a COPY go straight to their reader; all others go to the client of PostgreSQL, which would
 * make objects for each row.
 *
 *   message:  type u8 | length u32, with itself and without the type | content
 */
import type { MessageLimits } from './message-limits.ts'

/** Takes the content of a message with data. The bytes are not written again by others. */
export type CopyTaker = (bytes: Buffer, start: number, end: number) => void

export interface MessageSplitterParts {
  readonly limits: MessageLimits
  /** The client, in whole or parts of messages. */
  readonly others: (bytes: Buffer) => void
  /** The reader of the COPY that runs; undefined: none. */
  readonly copyTaker: () => CopyTaker | undefined
}

const HEADER_BYTES = 5
const LENGTH_BYTES = 4
const COPY_DATA = 0x64 // d

export class MessageSplitter {
  readonly #parts: MessageSplitterParts
  /** A header that has not arrived as a whole. */
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  /** Bytes of the present message that have not arrived. */
  #rest = 0
  /** The present message, if it has data and has not arrived as a whole. */
  #partial: Buffer | undefined

  constructor(parts: MessageSplitterParts) {
    this.#parts = parts
  }

  /** Takes the next bytes that have arrived. Throws CaptureProblem, and what the client throws. */
  take(chunk: Buffer): void {
    const { length } = chunk
    let at = 0
    let passed = 0 // bytes between this place and `at` are for the client
    const pass = (from: number) => {
      if (at > passed) this.#parts.others(chunk.subarray(passed, at))
      passed = from
    }
    while (at < length) {
      if (this.#rest > 0) {
        const end = Math.min(length, at + this.#rest)
        if (this.#partial !== undefined) {
          this.#continue(this.#partial, chunk, at, end)
          passed = end
        } else this.#rest -= end - at
        at = end
      } else if (this.#headerBytes > 0 || length - at < HEADER_BYTES) {
        pass(at)
        this.#header[this.#headerBytes++] = chunk[at++]!
        passed = at
        if (this.#headerBytes < HEADER_BYTES) continue
        this.#headerBytes = 0
        const content = this.#begin(this.#header, 0)
        const takes = this.#takerOf(this.#header[0]!)
        if (takes === undefined) this.#parts.others(Buffer.from(this.#header))
        else if (content === 0) takes(EMPTY, 0, 0)
        else this.#partial = Buffer.allocUnsafe(content)
        this.#rest = content
      } else {
        const content = this.#begin(chunk, at)
        if (chunk[at] === COPY_DATA) pass(at)
        const takes = this.#takerOf(chunk[at]!)
        const start = at + HEADER_BYTES
        if (takes === undefined) {
          at = start
          this.#rest = content
        } else if (content <= length - start) {
          at = passed = start + content
          takes(chunk, start, at)
        } else {
          at = passed = start
          this.#partial = Buffer.allocUnsafe(content)
          this.#rest = content
        }
      }
    }
    pass(at)
  }

  #continue(partial: Buffer, chunk: Buffer, start: number, end: number): void {
    chunk.copy(partial, partial.length - this.#rest, start, end)
    this.#rest -= end - start
    if (this.#rest > 0) return
    this.#partial = undefined
    this.#parts.copyTaker()?.(partial, 0, partial.length)
  }

  /** Returns the length of the content. */
  #begin(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at + 1)
    this.#parts.limits.check(bytes[at]!, length)
    return length - LENGTH_BYTES
  }

  #takerOf(type: number): CopyTaker | undefined {
    return type === COPY_DATA ? this.#parts.copyTaker() : undefined
  }
}

const EMPTY = Buffer.alloc(0)
