/**
 * The streams service: operations on streams and their logs, and the visibility of events.
 *
 * Every method takes parsed names and refuses with ServiceError. A StorageError is passed on: its cause is the disk,
 * not the request.
 */
import type {
  EventBlock,
  EventData,
  EventHeaders,
  EventLog,
  EventSlices,
  LogId,
  Position,
  StagedBatch,
} from '../../storage/log.ts'
import { bodyBytes } from '../../storage/slices.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError } from '../service-error.ts'
import { AsyncQueue } from './async-queue.ts'
import { assertWritable, existingStream } from './existing.ts'
import { LogOrigins } from './log-origins.ts'
import { type NamespaceName, type StreamId, streamKey } from './names.ts'
import {
  DEFAULT_PROPERTIES,
  earliestVisibleMs,
  mergeProperties,
  type PropertiesChange,
  type StreamProperties,
} from './properties.ts'
import type { Registry, Stream, VisibleNames } from './registry.ts'
import { type Cursor, resumePosition } from './resume-position.ts'
import type { Sharing } from './sharing.ts'
import { type StreamCounts, Traffic } from './traffic.ts'

export type { Cursor } from './resume-position.ts'

export interface StreamsOptions {
  readonly nowMs: () => number
  /** Limit of body and header bytes of events that have been answered 202 and are not on disk yet. */
  readonly asyncQueueBytesMax: number
  /** Called with every event that could not be written after it was answered 202. */
  readonly onAsyncLost: (id: StreamId, error: unknown) => void
  /** Whether there is disk space for events. By default there always is. */
  readonly space?: Space
}

export interface Space {
  readonly low: boolean
  /** The error for events while disk space is low. */
  refusal(): ServiceError
}

/** A client does not wait for these events, so they may wait for other events to share a commit. */
const LINGER = { linger: true } as const
/** On a store that other nodes write too. */
const FRESH = { fresh: true } as const
const FRESH_LINGER = { fresh: true, linger: true } as const

const ENOUGH_SPACE: Space = {
  low: false,
  refusal: () => new ServiceError('disk_low', 'the disk has too little free space'),
}

export interface EventQuery {
  /** `[startMs, endMs)`. */
  readonly startMs: number
  readonly endMs: number
  readonly limit: number
  readonly after?: Cursor
}

/** The result of a query that matches at least one event. */
export interface EventRead {
  readonly log: LogId
  /** At least one block; the engine has already read the first one. */
  readonly blocks: NamedBlocks
  /** The cursor of the last event returned, if `limit` excluded further matching events. */
  readonly next?: Cursor
  /** Events behind the last one may be stored already, and cannot be read yet: see LogRead. */
  readonly isBehind?: boolean
}

/**
 * A batch for one stream: see StagedBatch. `commit` rejects if the stream has been deleted since. `add` and `commit`
 * reject if disk space is low.
 */
export interface StreamBatch {
  add(slices: EventSlices, headers: EventHeaders): Promise<void>
  commit(): Promise<void>
  /** Call it when the batch has failed with this error. It counts the failure if the store is the cause. */
  failed(error: unknown): void
  discard(): Promise<void>
}

export class Streams {
  readonly #log: EventLog
  readonly #registry: Registry
  readonly #sharing: Sharing | undefined
  readonly #options: StreamsOptions
  readonly #asyncQueue: AsyncQueue
  readonly #space: Space
  /** Counts events as they become durable. */
  readonly traffic = new Traffic()

  constructor(log: EventLog, registry: Registry, options: StreamsOptions) {
    this.#log = log
    this.#registry = registry
    this.#sharing = registry.sharing
    this.#options = options
    this.#asyncQueue = new AsyncQueue(options.asyncQueueBytesMax)
    this.#space = options.space ?? ENOUGH_SPACE
  }

  /** A part that writes streams alone waits for it before each write: see Registry. */
  writersKnown(): Promise<void> | undefined {
    return this.#registry.writersKnown()
  }

  /** The visible streams, or all, in the order of their names. */
  list(namespace: NamespaceName, visible?: VisibleNames): readonly Stream[] {
    this.assertNamespace(namespace)
    if (visible === undefined) return this.#registry.streamsOf(namespace)
    return this.#registry.streamsMatching(namespace, visible(namespace))
  }

  /** Creates a stream. If it exists, nothing changes, and only a different principal is refused. */
  create(id: StreamId, change: PropertiesChange): Promise<void> {
    return this.#registry.change(async () => {
      this.assertNamespace(id.namespace)
      const existing = this.#registry.find(id.namespace, id.stream)
      if (existing !== undefined) return assertSamePrincipal(existing, change)
      const properties = mergeProperties(DEFAULT_PROPERTIES, change)
      await this.#registry.putOnFreshLog(id, properties, this.#options.nowMs())
    })
  }

  has({ namespace, stream }: StreamId): boolean {
    return this.#registry.find(namespace, stream) !== undefined
  }

  get(id: StreamId): Stream {
    return existingStream(this.#registry, id)
  }

  /** The stream, for a client that writes it. Throws ServiceError 'stream_not_found' and 'stream_written'. */
  getWritable(id: StreamId): Stream {
    const stream = this.get(id)
    assertWritable(stream)
    return stream
  }

  properties(id: StreamId): StreamProperties {
    return this.get(id).properties
  }

  setProperties(id: StreamId, change: PropertiesChange): Promise<void> {
    return this.#registry.change(async () => {
      const stream = this.getWritable(id)
      assertSamePrincipal(stream, change)
      const properties = mergeProperties(stream.properties, change)
      if (properties !== stream.properties) await this.#registry.putProperties(stream, properties)
    })
  }

  /** Empties the stream immediately and permanently; its properties stay. The janitor frees the disk. */
  truncate(id: StreamId): Promise<void> {
    return this.#registry.change(async () =>
      this.#registry.putOnFreshLog(id, this.getWritable(id).properties),
    )
  }

  delete(id: StreamId): Promise<void> {
    return this.#registry.change(async () => {
      this.getWritable(id)
      await this.#registry.removeStream(id)
    })
  }

  /**
   * Resolves once the event is on disk. If the stream has been truncated since the lookup, the event is written to its
   * new log.
   */
  append(stream: Stream, event: EventData): Promise<void> {
    return this.#append(stream, event, false)
  }

  /** Resolves when the event is queued. If the queue is full, resolves when the event is on disk. */
  appendAsync(stream: Stream, event: EventData): Promise<void> {
    return this.#sharing === undefined
      ? this.#enqueue(stream, event)
      : this.#enqueueShared(this.#sharing, stream, event)
  }

  /** A node that is cut off must not accept an event that it cannot write, or whose stream another node has deleted. */
  async #enqueueShared(sharing: Sharing, stream: Stream, event: EventData): Promise<void> {
    try {
      await sharing.fresh()
    } catch (error) {
      this.traffic.failed(stream.counts)
      throw error
    }
    return this.#enqueue(stream, event)
  }

  #enqueue(stream: Stream, event: EventData): Promise<void> {
    if (stream.isReplaced) return this.#enqueueAgain(stream, event)
    if (stream.writer !== undefined) return refuseWrite(stream)
    const { counts } = stream
    const failure = this.#log.failure() ?? this.#sharing?.failure
    if (failure !== undefined) {
      this.traffic.failed(counts)
      return Promise.reject(failure) // an event that will fail must not be answered 202
    }
    if (this.#space.low) return Promise.reject(this.#refused(counts))
    const written = this.#append(stream, event, true)
    const accepted = this.#asyncQueue.accept(event, written, (error) => {
      this.traffic.lostAsync(counts)
      this.#options.onAsyncLost(stream.id, error)
    })
    if (accepted === undefined) return QUEUED
    this.traffic.rejectedAsync(counts)
    return accepted
  }

  /** Bytes in the queue of `/async`. */
  get asyncQueueBytes(): number {
    return this.#asyncQueue.bytes
  }

  #refused(counts: StreamCounts): ServiceError {
    this.traffic.failed(counts)
    return this.#space.refusal()
  }

  #append(stream: Stream, event: EventData, linger: boolean): Promise<void> {
    if (stream.isReplaced) return this.#appendAgain(stream, event, linger)
    if (stream.writer !== undefined) return refuseWrite(stream)
    const { log, counts } = stream
    if (this.#space.low) return Promise.reject(this.#refused(counts))
    if (this.#sharing !== undefined) return this.#appendShared(this.#sharing, stream, event, linger)
    const appended = linger ? this.#log.append(log, [event], LINGER) : this.#log.append(log, [event])
    return appended.then(
      () => this.traffic.wrote(counts, 1, event.body.length),
      (error) => {
        if (isDropped(error)) return this.#appendAgain(stream, event, linger) // truncated or deleted since
        this.traffic.failed(counts)
        throw error
      },
    )
  }

  /**
   * Beside the write, the registry is brought up to date: if another node has truncated the stream before, the event is in a log
   * that no stream points to, so it is written again.
   */
  #appendShared(sharing: Sharing, stream: Stream, event: EventData, linger: boolean): Promise<void> {
    const { id, log, counts } = stream
    const { failure } = sharing
    if (failure !== undefined) {
      this.traffic.failed(counts)
      return Promise.reject(failure)
    }
    return this.#log.append(log, [event], linger ? FRESH_LINGER : FRESH).then(
      () => {
        const { failure } = sharing
        if (failure !== undefined) {
          this.traffic.failed(counts)
          throw sharing.outcomeUnknown(failure)
        }
        if (stream.isReplaced && this.get(id).log !== log) return this.#appendAgain(stream, event, linger)
        this.traffic.wrote(counts, 1, event.body.length)
        return undefined
      },
      (error) => {
        if (isDropped(error)) return this.#appendAgain(stream, event, linger)
        this.traffic.failed(counts)
        throw error
      },
    )
  }

  /**
   * For a stream that has been replaced since the lookup. Rejects with ServiceError 'stream_not_found' if it has been
   * deleted.
   */
  async #appendAgain({ id }: Stream, event: EventData, linger: boolean): Promise<void> {
    return this.#append(this.get(id), event, linger)
  }

  async #enqueueAgain({ id }: Stream, event: EventData): Promise<void> {
    return this.#enqueue(this.get(id), event)
  }

  startBatch(id: StreamId): StreamBatch {
    const { counts, log } = this.getWritable(id)
    const target = () => this.getWritable(id)
    return new NamedBatch(this.#log.stage(log), target, counts, this)
  }

  get space(): Space {
    return this.#space
  }

  /** Resolves when all nodes' changes so far are visible; undefined if only this process writes the store (Sharing). */
  fresh(): Promise<void> | undefined {
    return this.#sharing?.fresh()
  }

  /** Undefined if no event matches. Events older than the TTL never match, even while they are still on disk. */
  async read(id: StreamId, query: EventQuery): Promise<EventRead | undefined> {
    const { log, properties } = this.get(id)
    const startMs = Math.max(query.startMs, earliestVisibleMs(this.#nowMs(), properties.ttlSeconds))
    const { endMs, limit } = query
    const after = await this.#resumePosition(id, log, query.after)
    try {
      const read = await this.#log.read(log, { startMs, endMs, limit, ...(after && { after }) })
      if (read === undefined) return undefined
      const blocks = new NamedBlocks(id, read.blocks)
      const behind = read.isBehind && { isBehind: true }
      if (read.next === undefined) return { log, blocks, ...behind }
      const origin = (await LogOrigins.load(this.#log, log)).of(read.next.sequence)
      return { log, blocks, next: { log, position: read.next, origin }, ...behind }
    } catch (error) {
      throw namingStream(id, error)
    }
  }

  /** The clocks of several nodes may differ, and the times of events are those of the engine. */
  #nowMs(): number {
    return this.#sharing === undefined ? this.#options.nowMs() : this.#log.nowMs()
  }

  /** The origins of this log, which cursors contain in addition to their position. Rejects with StorageError. */
  async originsOf(id: StreamId, log: LogId): Promise<LogOrigins> {
    try {
      return await LogOrigins.load(this.#log, log)
    } catch (error) {
      throw namingStream(id, error)
    }
  }

  async #resumePosition(id: StreamId, log: LogId, cursor: Cursor | undefined): Promise<Position | undefined> {
    if (cursor === undefined) return undefined
    try {
      return await resumePosition(this.#log, log, cursor)
    } catch (error) {
      throw namingStream(id, error)
    }
  }

  /** Throws ServiceError 'namespace_not_found'. */
  assertNamespace(namespace: NamespaceName): void {
    if (this.#registry.namespace(namespace) === undefined) {
      throw new ServiceError('namespace_not_found', `'namespace:${namespace}' was not found.`)
    }
  }
}

const QUEUED = Promise.resolve()

async function refuseWrite(stream: Stream): Promise<void> {
  assertWritable(stream)
}

function assertSamePrincipal(stream: Stream, change: PropertiesChange): void {
  const { principal } = change
  if (principal === undefined || principal === stream.properties.principal) return
  throw new ServiceError(
    'principal_mismatch',
    `STREAM '${stream.id.stream}' already exists and the specified principal '${principal}' is not the same as the ` +
      'existing one. The principal of an entity cannot be changed.',
  )
}

function isDropped(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'dropped'
}

/** Adds the name of the stream to an error about damage, because storage knows only its log. */
function namingStream(id: StreamId, error: unknown): unknown {
  if (!(error instanceof StorageError) || error.code !== 'corrupt') return error
  return new StorageError('corrupt', `stream ${streamKey(id)}, ${error.message}`, { cause: error })
}

/** The blocks of a stream. Errors about damage get the name of the stream. */
class NamedBlocks implements AsyncIterableIterator<EventBlock, void, undefined> {
  readonly #id: StreamId
  readonly #blocks: AsyncIterator<EventBlock, void, undefined>

  constructor(id: StreamId, blocks: AsyncIterator<EventBlock, void, undefined>) {
    this.#id = id
    this.#blocks = blocks
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<EventBlock, void>> {
    try {
      return await this.#blocks.next()
    } catch (error) {
      throw namingStream(this.#id, error)
    }
  }

  async return(): Promise<IteratorResult<EventBlock, void>> {
    await this.#blocks.return?.()
    return { done: true, value: undefined }
  }
}

class NamedBatch implements StreamBatch {
  readonly #staged: StagedBatch
  readonly #target: () => Stream
  readonly #streams: Streams
  /** The counts of the stream as it was at the start of the batch. */
  readonly #counts: StreamCounts
  #events = 0
  #bytes = 0

  constructor(staged: StagedBatch, target: () => Stream, counts: StreamCounts, streams: Streams) {
    this.#staged = staged
    this.#target = target
    this.#counts = counts
    this.#streams = streams
  }

  add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    const { space } = this.#streams
    if (space.low) return Promise.reject(space.refusal())
    this.#bytes += bodyBytes(slices)
    this.#events += slices.count
    return this.#staged.add(slices, headers)
  }

  async commit(): Promise<void> {
    const { space, traffic } = this.#streams
    const fresh = this.#streams.fresh()
    if (fresh !== undefined) await fresh
    const { counts } = this.#target()
    if (space.low) throw space.refusal()
    await this.#commitToStream()
    if (this.#events > 0) traffic.wrote(counts, this.#events, this.#bytes)
  }

  /** Commits to the present log of the stream, and repeats that if the log is dropped in between. */
  async #commitToStream(): Promise<void> {
    for (;;) {
      this.#staged.moveTo(this.#target().log)
      try {
        await this.#staged.commit()
        return
      } catch (error) {
        if (!isDropped(error)) throw error // truncated or deleted since; look again
      }
    }
  }

  failed(error: unknown): void {
    const isFull = error instanceof ServiceError && error.code === 'disk_low'
    if (isFull || error instanceof StorageError) this.#streams.traffic.failed(this.#counts)
  }

  discard(): Promise<void> {
    return this.#staged.discard()
  }
}
