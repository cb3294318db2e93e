/**
 * Events on their way to the process of queries, through a pipe of their own: messages of node's have to be put together
 * and copied, which is garbage by the hundred megabytes a second, and its collection stops requests for milliseconds.
 *
 *   frame := head length u32 | raw length u32 | head | raw       little-endian
 *   head  := the message as JSON; of a block without its arrays
 *   raw   := of a block: starts u32 x n | ends u32 x n | bytes
 */
import type { Writable } from 'node:stream'
import type { EventBlock, EventRun } from '../../storage/log.ts'
import type { SourceMessage } from './query-worker-messages.ts'

const LENGTHS_BYTES = 8

interface BlockHead {
  readonly kind: 'block'
  readonly ask: number
  readonly firstSequence: number
  readonly count: number
  readonly runs: readonly EventRun[]
}

/** Resolves once nothing of the message is needed any more, also where nobody reads it. */
export function writeMessage(pipe: Writable, message: SourceMessage): Promise<void> {
  const { head, raw } = parts(message)
  const text = Buffer.from(JSON.stringify(head))
  const start = Buffer.allocUnsafe(LENGTHS_BYTES)
  start.writeUInt32LE(text.length, 0)
  start.writeUInt32LE(
    raw.reduce((sum, { length }) => sum + length, 0),
    4,
  )
  const all = [start, text, ...raw]
  const last = all.pop()
  return new Promise((resolve) => {
    pipe.cork() // one write of the system's for all
    for (const part of all) pipe.write(part)
    pipe.write(last, () => resolve())
    pipe.uncork()
  })
}

function parts(message: SourceMessage): { head: unknown; raw: readonly Buffer[] } {
  if (message.kind !== 'block') return { head: message, raw: [] }
  const { firstSequence, bytes, starts, ends, runs } = message.block
  const head: BlockHead = { kind: 'block', ask: message.ask, firstSequence, count: starts.length, runs }
  return { head, raw: [bytesOf(starts), bytesOf(ends), bytesOf(bytes)] }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** Puts messages together again. */
export class MessageReader {
  readonly #onMessage: (message: SourceMessage) => void
  readonly #lengths = new Gathered(LENGTHS_BYTES)
  #head: Gathered | undefined
  #raw: Gathered | undefined

  constructor(onMessage: (message: SourceMessage) => void) {
    this.#onMessage = onMessage
  }

  /** What comes next through the pipe; it is not kept. */
  take(chunk: Buffer): void {
    const lengths = this.#lengths
    for (let at = 0; at < chunk.length; ) {
      at = lengths.take(chunk, at)
      if (!lengths.isWhole) return
      this.#head ??= new Gathered(lengths.bytes.readUInt32LE(0))
      at = this.#head.take(chunk, at)
      if (!this.#head.isWhole) return
      this.#raw ??= new Gathered(lengths.bytes.readUInt32LE(4))
      at = this.#raw.take(chunk, at)
      if (!this.#raw.isWhole) return
      this.#onMessage(messageOf(JSON.parse(this.#head.bytes.toString()), this.#raw.bytes))
      lengths.begin()
      this.#head = undefined
      this.#raw = undefined
    }
  }
}

function messageOf(head: BlockHead | SourceMessage, raw: Buffer): SourceMessage {
  if (head.kind !== 'block') return head
  const { ask, firstSequence, count, runs } = head as BlockHead
  const starts = new Uint32Array(raw.buffer, 0, count)
  const ends = new Uint32Array(raw.buffer, 4 * count, count)
  const block: EventBlock = { firstSequence, bytes: raw.subarray(8 * count), starts, ends, runs }
  return { kind: 'block', ask, block }
}

/** Bytes that come in pieces. They have their memory to themselves. */
class Gathered {
  readonly bytes: Buffer
  #filled = 0

  constructor(length: number) {
    this.bytes = Buffer.from(new ArrayBuffer(length))
  }

  get isWhole(): boolean {
    return this.#filled === this.bytes.length
  }

  begin(): void {
    this.#filled = 0
  }

  /** What it lacks, from `at` on; where the rest begins. */
  take(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.bytes.length - this.#filled)
    this.#filled += chunk.copy(this.bytes, this.#filled, at, end)
    return end
  }
}
