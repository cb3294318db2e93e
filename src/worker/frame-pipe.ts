/**
 * Messages with many bytes from a worker to the service, through its pipe (worker-child.ts). The memory of a message is used again, because node
 * assembles and copies IPC messages, and buffers that become garbage make V8 mark its whole heap again and again.
 *
 *   frame := head length u32 | raw length u32 | head | raw       little-endian
 *   head  := the message as JSON, without its bytes
 */
import type { Writable } from 'node:stream'

/** A message that is divided into what JSON can say and bytes. */
export interface Divided {
  readonly head: unknown
  readonly raw: readonly Uint8Array[]
  /** Called when the memory of `raw` may be used again. */
  sent(): void
}

/** Makes a message of its parts. `raw` is valid until `release` is called. */
export type Join<Message> = (head: unknown, raw: Buffer, release: () => void) => Message

const LENGTHS_BYTES = 8

export function writeFrame(pipe: Writable, { head, raw, sent }: Divided): void {
  const text = Buffer.from(JSON.stringify(head))
  const lengths = Buffer.allocUnsafe(LENGTHS_BYTES)
  lengths.writeUInt32LE(text.length, 0)
  lengths.writeUInt32LE(
    raw.reduce((sum, { byteLength }) => sum + byteLength, 0),
    4,
  )
  const start = Buffer.concat([lengths, text])
  pipe.cork() // one system call for all parts
  if (raw.length === 0) pipe.write(start, sent)
  else pipe.write(start)
  for (const [i, { buffer, byteOffset, byteLength }] of raw.entries())
    pipe.write(Buffer.from(buffer, byteOffset, byteLength), i === raw.length - 1 ? sent : undefined)
  pipe.uncork()
}

/** Larger ones are not kept. */
const KEPT_BYTES = 2 * 1024 * 1024
const KEPT_BUFFERS = 3

/** Assembles messages from the chunks that the pipe delivers. */
export class FrameReader {
  readonly #onFrame: (head: unknown, raw: Buffer, release: () => void) => void
  readonly #free: Buffer[] = []
  readonly #lengths = Buffer.alloc(LENGTHS_BYTES)
  #head: Buffer = EMPTY
  #raw: Buffer = EMPTY
  #rawLength = 0
  /** Bytes of the present frame that have arrived. */
  #filled = 0

  constructor(onFrame: (head: unknown, raw: Buffer, release: () => void) => void) {
    this.#onFrame = onFrame
  }

  /** Takes the next bytes of the pipe and copies them. */
  take(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      const headEnd = LENGTHS_BYTES + this.#head.length
      if (this.#filled < LENGTHS_BYTES) {
        at = this.#copy(chunk, at, this.#lengths, this.#filled)
        if (this.#filled === LENGTHS_BYTES) this.#begin()
      } else if (this.#filled < headEnd) {
        at = this.#copy(chunk, at, this.#head, this.#filled - LENGTHS_BYTES)
      } else {
        at = this.#copy(chunk, at, this.#raw, this.#filled - headEnd)
      }
      if (
        this.#filled >= LENGTHS_BYTES &&
        this.#filled === LENGTHS_BYTES + this.#head.length + this.#rawLength
      )
        this.#end()
    }
  }

  /** Returns where the rest of the chunk begins. */
  #copy(chunk: Buffer, start: number, to: Buffer, at: number): number {
    const length = to === this.#raw ? this.#rawLength : to.length
    const end = Math.min(chunk.length, start + length - at)
    this.#filled += chunk.copy(to, at, start, end)
    return end
  }

  #begin(): void {
    this.#head = Buffer.allocUnsafe(this.#lengths.readUInt32LE(0))
    this.#rawLength = this.#lengths.readUInt32LE(4)
    if (this.#rawLength > 0) this.#raw = this.#buffer(this.#rawLength)
  }

  #buffer(length: number): Buffer {
    if (length > KEPT_BYTES) return Buffer.allocUnsafeSlow(length)
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(KEPT_BYTES)
  }

  #end(): void {
    const head: unknown = JSON.parse(this.#head.toString())
    const raw = this.#raw
    const length = this.#rawLength
    this.#head = EMPTY
    this.#raw = EMPTY
    this.#rawLength = 0
    this.#filled = 0
    this.#onFrame(head, raw.subarray(0, length), () => {
      if (raw.length === KEPT_BYTES && this.#free.length < KEPT_BUFFERS) this.#free.push(raw)
    })
  }
}

const EMPTY = Buffer.alloc(0)
