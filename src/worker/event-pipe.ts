/**
 * The pipe through which a worker reads events of streams. The worker requests events by IPC messages; the service
 * answers through the pipe, which keeps the order of the answers.
 *
 *   worker -> service   IPC    get-logs, start-read, block-used, stop-read
 *   service -> worker   pipe   logs, read-started, block, read-ended
 *
 * Each request has a number. At most BLOCKS_AHEAD blocks of a read are sent and not yet acknowledged with `block-used`, so
 * that the memory of a read is bounded.
 *
 * The pipe exists because node assembles and copies IPC messages. For blocks this created hundreds of megabytes of
 * garbage per second, and the garbage collector stopped requests for milliseconds.
 *
 *   frame := head length u32 | raw length u32 | head | raw       little-endian
 *   head  := the message as JSON; for a block, without its arrays
 *   raw   := for a block: starts u32 x n | ends u32 x n | bytes
 */
import type { Writable } from 'node:stream'
import { freeMemory } from '../../storage/free-memory.ts'
import type { EventBlock, EventRun, LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import type { EventQuery } from '../streams/streams.ts'
import type { Failure } from './failure.ts'

/** The messages with which a worker requests events. */
export type EventRequest =
  | { readonly kind: 'get-logs'; readonly request: number; readonly ids: readonly StreamId[] }
  | {
      readonly kind: 'start-read'
      readonly request: number
      readonly id: StreamId
      readonly query: EventQuery
    }
  | { readonly kind: 'block-used'; readonly request: number }
  | { readonly kind: 'stop-read'; readonly request: number }

/** The messages that the service sends through the pipe. */
export type EventMessage =
  /** `null` for a stream that does not exist any more. */
  | { readonly kind: 'logs'; readonly request: number; readonly logs: readonly (LogId | null)[] }
  | {
      readonly kind: 'read-started'
      readonly request: number
      readonly log: LogId
      readonly startMs: number
    }
  | { readonly kind: 'block'; readonly request: number; readonly block: EventBlock }
  | { readonly kind: 'read-ended'; readonly request: number; readonly failure: Failure | undefined }

const LENGTHS_BYTES = 8

interface BlockHead {
  readonly kind: 'block'
  readonly request: number
  readonly firstSequence: number
  readonly count: number
  readonly runs: readonly EventRun[]
}

/** Resolves when the memory of the message may be reused, or when the reader has ended. */
export function writeMessage(pipe: Writable, message: EventMessage): Promise<void> {
  const { head, raw } = parts(message)
  const text = Buffer.from(JSON.stringify(head))
  const lengths = Buffer.allocUnsafe(LENGTHS_BYTES)
  lengths.writeUInt32LE(text.length, 0)
  lengths.writeUInt32LE(
    raw.reduce((sum, { length }) => sum + length, 0),
    4,
  )
  const all = [lengths, text, ...raw]
  const last = all.pop()
  return new Promise((resolve) => {
    pipe.cork() // one system call for all parts
    for (const part of all) pipe.write(part)
    pipe.write(last, () => resolve())
    pipe.uncork()
  })
}

function parts(message: EventMessage): { head: unknown; raw: readonly Buffer[] } {
  if (message.kind !== 'block') return { head: message, raw: [] }
  const { firstSequence, bytes, starts, ends, runs } = message.block
  const head: BlockHead = {
    kind: 'block',
    request: message.request,
    firstSequence,
    count: starts.length,
    runs,
  }
  return { head, raw: [bytesOf(starts), bytesOf(ends), bytesOf(bytes)] }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

/** Assembles messages from the chunks that the pipe delivers. */
export class MessageReader {
  readonly #onMessage: (message: EventMessage) => void
  readonly #lengths = new PartialBytes(LENGTHS_BYTES)
  #head: PartialBytes | undefined
  #raw: PartialBytes | undefined

  constructor(onMessage: (message: EventMessage) => void) {
    this.#onMessage = onMessage
  }

  /** Takes the next bytes of the pipe and copies them. */
  take(chunk: Buffer): void {
    const lengths = this.#lengths
    for (let at = 0; at < chunk.length; ) {
      at = lengths.take(chunk, at)
      if (!lengths.isWhole) return
      this.#head ??= new PartialBytes(lengths.bytes.readUInt32LE(0))
      at = this.#head.take(chunk, at)
      if (!this.#head.isWhole) return
      this.#raw ??= new PartialBytes(lengths.bytes.readUInt32LE(4))
      at = this.#raw.take(chunk, at)
      if (!this.#raw.isWhole) return
      this.#onMessage(messageOf(JSON.parse(this.#head.bytes.toString()), this.#raw.bytes))
      lengths.clear()
      this.#head = undefined
      this.#raw = undefined
    }
  }
}

function messageOf(head: BlockHead | EventMessage, raw: Buffer): EventMessage {
  if (head.kind !== 'block') return head
  const { request, firstSequence, count, runs } = head as BlockHead
  const starts = new Uint32Array(raw.buffer, 0, count)
  const ends = new Uint32Array(raw.buffer, 4 * count, count)
  const block: EventBlock = { firstSequence, bytes: raw.subarray(8 * count), starts, ends, runs }
  return { kind: 'block', request, block }
}

/** A known number of bytes that arrive in pieces. Each instance has its own ArrayBuffer, so that it can be freed. */
class PartialBytes {
  readonly bytes: Buffer
  #filled = 0

  constructor(length: number) {
    this.bytes = Buffer.from(new ArrayBuffer(length))
  }

  get isWhole(): boolean {
    return this.#filled === this.bytes.length
  }

  clear(): void {
    this.#filled = 0
  }

  /** Copies the missing bytes from `chunk`, beginning at `at`; returns where the rest of the chunk begins. */
  take(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.bytes.length - this.#filled)
    this.#filled += chunk.copy(this.bytes, this.#filled, at, end)
    return end
  }
}

const BLOCKS_AHEAD = 4

/** The sender's side of one read. */
export class BlockWindow {
  #unacknowledged = 0
  #stopped = false
  #wake: () => void = () => {}

  acknowledge(): void {
    this.#unacknowledged--
    this.#wake()
  }

  stop(): void {
    this.#stopped = true
    this.#wake()
  }

  /** Call it after each block. Resolves when the next block may be sent; resolves with false if the reader has stopped. */
  async mayContinue(): Promise<boolean> {
    this.#unacknowledged++
    while (this.#unacknowledged >= BLOCKS_AHEAD && !this.#stopped) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return !this.#stopped
  }
}

/** The receiver's side of one read: blocks that have arrived, in order. */
export class ArrivingBlocks implements AsyncIterableIterator<EventBlock, void, undefined> {
  readonly #blocks: EventBlock[] = []
  readonly #onUsed: () => void
  readonly #onStopped: () => void
  #current: EventBlock | undefined
  #ended = false
  #error: Error | undefined
  #wake: () => void = () => {}

  constructor(onUsed: () => void, onStopped: () => void) {
    this.#onUsed = onUsed
    this.#onStopped = onStopped
  }

  arrived(block: EventBlock): void {
    this.#blocks.push(block)
    this.#wake()
  }

  ended(error: Error | undefined): void {
    this.#ended = true
    this.#error = error
    this.#wake()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<EventBlock, void>> {
    while (this.#blocks.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const value = this.#blocks.shift()
    // The previous block is no longer needed. Without this line the garbage collector lets many blocks accumulate.
    if (this.#current !== undefined) freeMemory([new Uint8Array(this.#current.bytes.buffer)])
    this.#current = value
    if (value !== undefined) {
      this.#onUsed()
      return { done: false, value }
    }
    if (this.#error !== undefined) throw this.#error
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<EventBlock, void>> {
    this.#onStopped()
    this.#blocks.length = 0
    return { done: true, value: undefined }
  }
}
