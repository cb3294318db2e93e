/**
 * The writes of one connection: events of whole transactions and the position after them become durable in one write, so that no
 * change is lost or written twice, whenever the capture process or the service ends.
 *
 * The write has the condition that the stored position is the one that this object has read or written last. So of two writers only
 * one can write, and a write whose outcome was unknown takes effect at most once: `load` reads what has become of it.
 */
import { setImmediate } from 'node:timers/promises'
import type { CatalogChange, CatalogCondition } from '../../storage/catalog.ts'
import { decodeHeaders } from '../../storage/header-set.ts'
import type { HeadedEvents, LogId } from '../../storage/log.ts'
import type { Storage } from '../../storage/storage.ts'
import { ServiceError } from '../service-error.ts'
import { type StreamId, streamKey } from '../streams/names.ts'
import type { StreamGroupWrite } from '../streams/stream-group-write.ts'
import type { StreamWrites } from '../streams/stream-writes.ts'
import type { Streams } from '../streams/streams.ts'
import type { CapturedTable, TableName } from './captured-table.ts'
import { documentId, POSITIONS, positionChange, type StoredPosition } from './connection-record.ts'
import type { CaptureCommit, CapturedEvents, CaptureWrite } from './worker/capture-protocol.ts'

/** Key of the writer of captured streams: see Registry.setWriter. */
export const CAPTURE_WRITER = 'capture'

/** After this time the event loop handles what has arrived: other connections, requests. */
const SLICE_MS = 2
/** Events that are added at once. The clock is checked before each such part. */
const SLICE_EVENTS = 64

export interface ConnectionWritesParts {
  readonly id: number
  readonly storage: Storage
  readonly streams: Streams
  readonly writes: StreamWrites
  /** Largest event: body and headers. */
  readonly eventBytesMax: number
  /** The stream of a table. Throws if it is not a table of the connection. */
  readonly streamOf: (table: TableName) => StreamId
  /** Runs `write` with the change of the connection's document that records these tables. */
  readonly withTables: <T>(
    tables: readonly CapturedTable[],
    write: (change: CatalogChange) => Promise<T>,
  ) => Promise<T>
  /** Called after each durable write. */
  readonly written: (commit: CaptureCommit) => void
}

/** Another writer has written the position, or the stored one is unknown. */
export class PositionConflict extends Error {
  override readonly name = 'PositionConflict'
}

/** Where the events of a stream end. */
export interface StreamEnd {
  readonly log: LogId
  readonly nextSequence: number
}

interface Staged {
  readonly write: number
  readonly group: StreamGroupWrite
}

export class ConnectionWrites {
  readonly #parts: ConnectionWritesParts
  /** Undefined: not read yet, or its last write has an unknown outcome. */
  #position: StoredPosition | undefined
  /** By streamKey. */
  readonly #ends = new Map<string, StreamEnd>()
  #staged: Staged | undefined
  /** Parts are taken one after another. */
  #taking: Promise<unknown> = Promise.resolve()
  #committing: Promise<unknown> | undefined

  constructor(parts: ConnectionWritesParts) {
    this.#parts = parts
  }

  /** What is durable; undefined before the first write, and before `load`. */
  get position(): StoredPosition | undefined {
    return this.#position?.number === 0 ? undefined : this.#position
  }

  end(stream: StreamId): StreamEnd | undefined {
    return this.#ends.get(streamKey(stream))
  }

  /** Resolves when no commit runs. */
  async settled(): Promise<void> {
    await this.#committing?.catch(() => {})
  }

  /** Reads the position, and where the streams end, after all writes before. What was staged is forgotten. */
  load(streams: readonly StreamId[]): Promise<StoredPosition | undefined> {
    return this.#inOrder(async () => {
      await this.#forget()
      const before = this.#position
      const position = await this.#stored()
      if (before?.number !== position.number) this.#ends.clear()
      for (const id of streams) if (!this.#ends.has(streamKey(id))) await this.#readEnd(id)
      this.#position = position
      return this.position
    })
  }

  /** Resolves when the part is taken, with a commit when all is durable. */
  take(part: CaptureWrite): Promise<void> {
    return this.#inOrder(async () => {
      try {
        await this.#stage(part)
        if (part.commit === undefined) return
        const { group } = this.#staged!
        this.#staged = undefined
        await this.#commit(group, part.commit)
      } catch (error) {
        await this.#forget()
        throw error
      }
    })
  }

  /** Stores that a new snapshot begins: the position is unknown to the database. */
  renew(tables: readonly TableName[], change: CatalogChange): Promise<void> {
    return this.#inOrder(async () => {
      await this.#forget()
      const { number = 0 } = this.#position ?? (await this.#stored())
      const group = this.#parts.writes.startGroup(CAPTURE_WRITER)
      const begun = { lsn: null, txId: null, timestampMs: 0, progress: null, snapshotting: tables }
      this.#committing = this.#write(group, { number: number + 1, ...begun }, [change])
      try {
        await this.#committing
      } finally {
        this.#committing = undefined
      }
    })
  }

  /** Runs `step` after all writes that have arrived before. */
  after(step: () => void): void {
    void this.#inOrder(async () => step())
  }

  /** No write runs any more when it resolves. */
  async close(): Promise<void> {
    await this.#inOrder(() => this.#forget())
  }

  /** Reads where a stream ends that was added since. */
  async addStream(id: StreamId): Promise<void> {
    if (!this.#ends.has(streamKey(id))) await this.#readEnd(id)
  }

  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const done = this.#taking.then(step)
    this.#taking = done.catch(() => {})
    return done
  }

  async #stage({ write, events }: CaptureWrite): Promise<void> {
    if (this.#staged?.write !== write) await this.#forget()
    this.#staged ??= { write, group: this.#parts.writes.startGroup(CAPTURE_WRITER) }
    const { group } = this.#staged
    const slice = { endsMs: performance.now() + SLICE_MS }
    for (const some of events) await this.#add(group, some, slice)
  }

  async #add(group: StreamGroupWrite, events: CapturedEvents, slice: { endsMs: number }): Promise<void> {
    const { table, bytes, bounds } = events
    const stream = this.#parts.streamOf(table)
    for (let from = 0; from + 1 < bounds.length; from += 2 * SLICE_EVENTS) {
      if (performance.now() > slice.endsMs) {
        await setImmediate()
        slice.endsMs = performance.now() + SLICE_MS
      }
      const some = { bytes, bounds: bounds.subarray(from, from + 2 * SLICE_EVENTS + 1) }
      this.#assertSizes(table, some)
      await group.addHeaded(stream, some)
    }
  }

  #assertSizes({ schema, table }: TableName, { bytes, bounds }: HeadedEvents): void {
    const most = this.#parts.eventBytesMax
    for (let i = 2; i < bounds.length; i += 2) {
      if (bounds[i]! - bounds[i - 2]! <= most) continue
      let size = bounds[i]! - bounds[i - 1]!
      for (const [name, value] of decodeHeaders(Buffer.from(bytes.subarray(bounds[i - 2], bounds[i - 1]))))
        size += Buffer.byteLength(name) + Buffer.byteLength(value)
      if (size <= most) continue
      const message = `a row of table ${schema}.${table} makes an event of ${size} bytes, and at most ${most} are accepted`
      throw new ServiceError('event_too_large', message)
    }
  }

  async #commit(group: StreamGroupWrite, commit: CaptureCommit): Promise<void> {
    const { lsn, txId = null, timestampMs, progress, snapshotting, tables = [] } = commit
    const before = this.#position
    if (before === undefined) throw new PositionConflict('the stored position has to be read again')
    if (before.lsn !== null && BigInt(lsn) < BigInt(before.lsn))
      throw new PositionConflict(`position ${lsn} is before the stored one, ${before.lsn}`)
    // Without a transaction since, the moment is that of the last one.
    const isSameMoment = before.lsn !== null && (lsn === before.lsn || timestampMs === 0)
    const moment = isSameMoment ? momentOf(before) : { txId, timestampMs }
    const next = { number: before.number + 1, lsn, ...moment, progress, snapshotting }
    const write = (changes: readonly CatalogChange[]) => this.#write(group, next, changes)
    const committing =
      tables.length === 0 ? write([]) : this.#parts.withTables(tables, (change) => write([change]))
    this.#committing = committing
    try {
      await committing
    } finally {
      this.#committing = undefined
    }
    this.#parts.written(commit)
  }

  async #write(group: StreamGroupWrite, next: StoredPosition, more: readonly CatalogChange[]): Promise<void> {
    const { id } = this.#parts
    try {
      await this.#writeOnce(group, next, [positionChange(id, next), ...more])
    } catch (error) {
      this.#position = undefined // the outcome may be unknown
      group.failed(error)
      throw error
    } finally {
      await group.discard() // no effect after a commit
    }
  }

  async #writeOnce(
    group: StreamGroupWrite,
    next: StoredPosition,
    changes: readonly CatalogChange[],
  ): Promise<void> {
    const { id, storage } = this.#parts
    const stored = await storage.catalog.get(POSITIONS, documentId(id))
    const number = (stored?.document as StoredPosition | undefined)?.number ?? 0
    const condition: CatalogCondition = {
      ...{ collection: POSITIONS, id: documentId(id), version: stored?.version },
    }
    const ends = number === next.number - 1 ? await group.commit(changes, [condition]) : 'conflict'
    if (ends === 'conflict')
      throw new PositionConflict('another process has written events of this connection')
    this.#position = next
    for (const { id: stream, log, nextSequence } of ends)
      this.#ends.set(streamKey(stream), { log, nextSequence })
  }

  async #stored(): Promise<StoredPosition> {
    const { id, storage } = this.#parts
    const stored = await storage.catalog.get(POSITIONS, documentId(id))
    return (stored?.document as StoredPosition | undefined) ?? NOTHING
  }

  async #readEnd(id: StreamId): Promise<void> {
    const { storage, streams } = this.#parts
    if (!streams.has(id)) return
    const { log } = streams.get(id)
    const tail = await storage.log.tail(log)
    this.#ends.set(streamKey(id), { log, nextSequence: tail?.nextSequence ?? 0 })
  }

  async #forget(): Promise<void> {
    const staged = this.#staged
    this.#staged = undefined
    await staged?.group.discard()
  }
}

function momentOf({ txId, timestampMs }: StoredPosition) {
  return { txId, timestampMs }
}

const NOTHING: StoredPosition = {
  ...{ number: 0, lsn: null, txId: null, timestampMs: 0, progress: null, snapshotting: [] },
}
