/**
 * The messages between the service and a query worker, its child process.
 *
 *   service -> worker   IPC    open, call, notify
 *   worker -> service   IPC    answer, refusal · get-logs, start-read, block-used, stop-read · out-of-memory
 *   service -> worker   pipe   logs, read-started, block, read-ended
 *
 * A call has a number; the worker answers or refuses it once, with that number. A notification has no answer. A request
 * for events has a number too; its messages from the service go through one pipe, which keeps their order. At most
 * BLOCKS_AHEAD blocks of a read are sent and not yet acknowledged with `block-used`, so that the memory of a read is
 * bounded.
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
import type { BadEvents } from './bad-events.ts'
import type { BoundTable } from './bound-tables.ts'
import type { EngineOptions } from './engine.ts'
import type { HiveCommand } from './hive-commands.ts'
import type { ResultColumn } from './hive-types.ts'
import type { Row } from './result.ts'
import { isEngineError, SqlError, type SqlState, sqlErrorOf } from './sql-error.ts'
import type { NamedTable, StatementKind } from './statement.ts'
import type { TableRequest } from './stream-table.ts'

/** Identifies a query within one worker. The service assigns consecutive numbers. */
export type QueryKey = number

/** The properties of a statement that follow from its text alone. */
export interface Outline {
  readonly kind: StatementKind
  readonly isExplain: boolean
  readonly tables: readonly NamedTable[]
  /** Set for Hive's statements about tables and namespaces. */
  readonly command?: HiveCommand
}

/** A table that a query names, and the part of it that the query may see. */
export interface NamedTableRequest extends TableRequest {
  readonly name: string
  /** Events before this time are not visible. */
  readonly earliestMs: number
}

export interface RunOutcome {
  readonly badEvents: BadEvents
  readonly rowCount: number
}

/** The outcome of a strict query that read bad events. */
export interface StrictFailure {
  readonly badEvents: BadEvents
  readonly rowCount: undefined
}

/** The worker's methods. They reject with SqlError if the query is the cause. */
export interface QueryWorker {
  /** Parses and checks a statement. The worker keeps the query until `drop`. */
  read(key: QueryKey, text: string): Promise<Outline>
  /** Returns the columns of the answer over these tables. */
  bind(key: QueryKey, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]>
  /** Resolves when all rows exist; with `strict` also when a bad event was read, then without rows. */
  run(
    key: QueryKey,
    tables: readonly NamedTableRequest[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure>
  /** Returns fewer than `count` rows if they are large, and no rows after the last one. */
  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]>
  /** Cancels a running query; `run` rejects soon. */
  stop(key: QueryKey): void
  drop(key: QueryKey): void
  close(): Promise<void>
}

export type CalledMethod = 'read' | 'bind' | 'run' | 'page'

export type ToWorker =
  | { readonly kind: 'open'; readonly options: EngineOptions }
  | {
      readonly kind: 'call'
      readonly call: number
      readonly method: CalledMethod
      readonly args: readonly unknown[]
    }
  | { readonly kind: 'notify'; readonly method: 'stop' | 'drop'; readonly key: QueryKey }

export type FromWorker =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly failure: Failure }
  | { readonly kind: 'get-logs'; readonly request: number; readonly ids: readonly StreamId[] }
  | {
      readonly kind: 'start-read'
      readonly request: number
      readonly id: StreamId
      readonly query: EventQuery
    }
  | { readonly kind: 'block-used'; readonly request: number }
  | { readonly kind: 'stop-read'; readonly request: number }
  /** The worker is above its memory limit and cannot interrupt its queries: end the process. */
  | { readonly kind: 'out-of-memory' }

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

/** An error in a message. */
export interface Failure {
  readonly sqlState: SqlState | undefined
  readonly message: string
}

export function failureOf(error: unknown): Failure {
  if (isEngineError(error)) {
    const { sqlState, message } = sqlErrorOf(error)
    return { sqlState, message }
  }
  return { sqlState: undefined, message: error instanceof Error ? error.message : String(error) }
}

export function errorOf({ sqlState, message }: Failure): Error {
  return sqlState === undefined ? new Error(message) : new SqlError(sqlState, message)
}

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
