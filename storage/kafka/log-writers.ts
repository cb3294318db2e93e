/**
 * Appends to all logs of this process: a queue for each log with waiting events (log-writer.ts), and a sender for each broker.
 *
 * What waits is bounded by `waitingBytesMax` over all logs. Above it an append is refused with 'unavailable' at once.
 */
import assert from 'node:assert'
import type { AppendOptions, EventData, EventHeaders, LogId, Position } from '../log.ts'
import { outcomeUnknown, StorageError } from '../storage-error.ts'
import { BrokerSender, type SendWatcher, type SentBatch } from './broker-sender.ts'
import type { EventTimes } from './event-times.ts'
import type { LogTopics } from './log-topics.ts'
import {
  BATCH_HEAD_BYTES,
  type EncodedEvent,
  LogWriter,
  type LogWriterParts,
  type PreparedBatch,
} from './log-writer.ts'
import type { ProducerState } from './producer-state.ts'
import { BATCH_BYTES_MAX, EVENT_BYTES_MAX, RecordBatchBuilder, type UnsealedBatch } from './record-batch.ts'
import { type EncodedHeaders, encodeRecordHeaders } from './record-headers.ts'
import type { TimeLimit } from './time-limit.ts'
import type { Transactions } from './transaction.ts'
import type { WriteRequests } from './write-requests.ts'

export interface WriteLimits {
  /** How long a batch is sent again before its outcome is 'unavailable' or 'unknown'. */
  readonly retryMs: number
  /** How long the leader waits for its replicas before it answers. */
  readonly replicaMs: number
  /** Encoded bytes of events that wait, of all logs together. */
  readonly waitingBytesMax: number
}

export const WRITE_LIMITS: WriteLimits = {
  retryMs: 10_000,
  replicaMs: 3_000,
  waitingBytesMax: 512 * 1024 * 1024, // the service bounds bodies in memory below this
}

export interface LogWritersParts {
  readonly requests: Pick<WriteRequests, 'leader' | 'produce'>
  readonly topics: LogTopics
  readonly producers: ProducerState
  /** Whether the catalog knows no use of the log any more. Such a log is answered with 'dropped' once its topic is missing. */
  readonly isUnused: (log: LogId) => boolean
  readonly transactions: Transactions
  readonly report: (error: Error) => void
  readonly limits?: WriteLimits
  /** Resolves when this process sees all changes of the catalog that were acknowledged before the call (AppendOptions.fresh). */
  readonly fresh?: () => Promise<void>
  /** Sets the times of events, where brokers do not. */
  readonly times?: EventTimes
}

export class LogWriters {
  readonly #parts: LogWritersParts
  readonly #limits: WriteLimits
  readonly #writerParts: LogWriterParts
  /** Of logs with waiting events only. */
  readonly #writers = new Map<LogId, LogWriter>()
  readonly #senders = new Map<number, BrokerSender>()
  /** Logs whose new appends are refused. */
  readonly #refused = new Set<LogId>()
  /** Those of them whose accepted appends have settled. */
  readonly #dropping = new Set<LogId>()
  #waitingBytes = 0
  #pending = 0
  #whenIdle: (() => void)[] = []
  #closed = false
  #watcher: SendWatcher | undefined

  constructor(parts: LogWritersParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? WRITE_LIMITS
    this.#writerParts = {
      requests: parts.requests,
      topics: parts.topics,
      producers: parts.producers,
      send: (node, batch, limit) => this.#send(node, batch, limit),
      isDropped: (log) => this.#dropping.has(log) || parts.isUnused(log),
      report: parts.report,
      retryMs: this.#limits.retryMs,
      settled: (bytes) => this.#settled(bytes),
      ...(parts.fresh && { fresh: parts.fresh }),
      ...(parts.times && { times: parts.times }),
    }
  }

  /** Encoded bytes of events that wait. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /**
   * Appends the events in the order of the calls; resolves with the position of the last one. Needs at least one. Bodies must
   * not change until then. Rejects as EventLog.append does.
   */
  append(log: LogId, events: readonly EventData[], { fresh = false }: AppendOptions = {}): Promise<Position> {
    assert(events.length > 0)
    let encoded: readonly EncodedEvent[]
    try {
      encoded = encodedEvents(events)
    } catch (error) {
      return Promise.reject(error)
    }
    let bytes = 0
    for (const { headers, body } of encoded) bytes += RecordBatchBuilder.eventBytes(headers, body.length)
    if (bytes + BATCH_HEAD_BYTES > BATCH_BYTES_MAX) return this.#appendLarge(log, encoded, bytes, fresh)
    return this.#enqueue(log, encoded, bytes, fresh)
  }

  /** Appends one batch that is ready, of at most BATCH_BYTES_MAX. */
  appendBatch(log: LogId, batch: UnsealedBatch): Promise<Position> {
    return this.#enqueue(log, batch, batch.bytes.length)
  }

  #enqueue(
    log: LogId,
    content: readonly EncodedEvent[] | UnsealedBatch | PreparedBatch,
    bytes: number,
    isFresh = false,
  ): Promise<Position> {
    let writer: LogWriter
    try {
      this.#assertBelowLimit(bytes)
      writer = this.#writer(log)
    } catch (error) {
      return Promise.reject(error)
    }
    this.#waitingBytes += bytes
    this.#pending++
    return writer.append(content, bytes, isFresh)
  }

  /**
   * Appends one batch of at most BATCH_BYTES_MAX that is read when the appends that were called before are done. It keeps its place in
   * front of those that are called later. Rejects with what `prepare` throws, too.
   */
  appendPrepared(log: LogId, batch: PreparedBatch): Promise<Position> {
    return this.#enqueue(log, batch, 0)
  }

  /**
   * Appends batches in one transaction: all of them become visible, or none. Their events are behind those of appends that were
   * called before. Appends that are called later may be between the batches. Rejects as StagedBatch.commit does.
   */
  async appendLargeBatch(
    log: LogId,
    bytes: number,
    batches: Iterable<UnsealedBatch> | AsyncIterable<UnsealedBatch>,
  ): Promise<Position> {
    await this.inOrder([log], async () => {})
    return this.#counted(0, () => this.#inTransaction(log, bytes, batches))
  }

  /**
   * Runs `work` after the appends to these logs that were called before, and before those that are called after. Logs without
   * waiting appends cost nothing. Rejects with 'dropped' without running it if one of the logs is being dropped.
   */
  inOrder<T>(logs: readonly LogId[], work: () => Promise<T>): Promise<T> {
    return this.#counted(0, () => this.#inOrder(logs, work))
  }

  /** From now on appends to the log are rejected with 'dropped'. Resolves when the accepted ones have settled. */
  async drop(log: LogId): Promise<void> {
    this.#refused.add(log)
    await this.#writers
      .get(log)
      ?.pause()
      .then((release) => release())
      .catch(() => {})
    this.#dropping.add(log)
  }

  /** The log's topic is gone. */
  forget(log: LogId): void {
    this.#refused.delete(log)
    this.#dropping.delete(log)
    this.#parts.producers.forget(log)
    this.#parts.topics.forget(log)
  }

  /** Whether the log is being dropped, or is not used any more. */
  isDropped(log: LogId): boolean {
    return this.#writerParts.isDropped(log)
  }

  watch(watcher: SendWatcher): void {
    this.#watcher = watcher
    for (const sender of this.#senders.values()) sender.watcher = watcher
  }

  /** Refuses new appends, and resolves when the accepted ones have settled. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#pending > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
  }

  /** More than one batch holds. Other appends wait, because they have to be before or behind all of these events. */
  #appendLarge(
    log: LogId,
    encoded: readonly EncodedEvent[],
    bytes: number,
    isFresh: boolean,
  ): Promise<Position> {
    return this.#counted(bytes, async () => {
      const appended = this.#inOrder([log], () => this.#inTransaction(log, bytes, batchesOfEvents(encoded)))
      if (!isFresh) return appended
      const [stored, known] = await Promise.allSettled([appended, this.#parts.fresh?.()])
      if (stored.status === 'rejected') throw stored.reason
      if (known.status === 'rejected') throw outcomeUnknown(known.reason)
      return stored.value
    })
  }

  async #inOrder<T>(logs: readonly LogId[], work: () => Promise<T>): Promise<T> {
    // All pauses are queued in one turn, so that two calls over the same logs wait in the same order in each of them.
    for (const log of logs) this.#assertAccepted(log)
    const pauses = [...new Set(logs)].map((log) => this.#writer(log).pause())
    const settled = await Promise.allSettled(pauses)
    try {
      for (const result of settled) if (result.status === 'rejected') throw result.reason
      return await work()
    } finally {
      for (const result of settled) if (result.status === 'fulfilled') result.value()
    }
  }

  async #inTransaction(
    log: LogId,
    bytes: number,
    batches: Iterable<UnsealedBatch> | AsyncIterable<UnsealedBatch>,
  ): Promise<Position> {
    const { topics, transactions } = this.#parts
    try {
      await topics.ensure(log)
      const position = await transactions.run(bytes, async (transaction) => {
        const last = await transaction.add(topics.nameOf(log), batches)
        this.#assertNotDropped(log)
        return last
      })
      return position!
    } catch (error) {
      if (error instanceof StorageError && error.code === 'unavailable') this.#assertNotDropped(log)
      throw error
    }
  }

  #assertNotDropped(log: LogId): void {
    if (this.isDropped(log)) throw new StorageError('dropped', `log ${log} is being dropped`)
  }

  async #counted<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.#assertBelowLimit(bytes)
    this.#waitingBytes += bytes
    this.#pending++
    try {
      return await work()
    } finally {
      this.#settled(bytes)
    }
  }

  #settled(bytes: number): void {
    this.#waitingBytes -= bytes
    if (--this.#pending > 0) return
    for (const resolve of this.#whenIdle.splice(0)) resolve()
  }

  #assertBelowLimit(bytes: number): void {
    if (this.#closed) throw new StorageError('closed', 'the store is closed')
    const { waitingBytesMax } = this.#limits
    if (this.#waitingBytes === 0 || this.#waitingBytes + bytes <= waitingBytesMax) return
    throw new StorageError(
      'unavailable',
      `${this.#waitingBytes} bytes of events wait for the brokers, of at most ${waitingBytesMax}; try again later`,
    )
  }

  #assertAccepted(log: LogId): void {
    if (this.#refused.has(log)) throw new StorageError('dropped', `log ${log} is being dropped`)
  }

  #writer(log: LogId): LogWriter {
    this.#assertAccepted(log)
    const known = this.#writers.get(log)
    if (known !== undefined) return known
    const writer = new LogWriter(log, this.#writerParts, () => this.#writers.delete(log))
    this.#writers.set(log, writer)
    return writer
  }

  #send(node: number, batch: SentBatch, limit: TimeLimit) {
    let sender = this.#senders.get(node)
    if (sender === undefined) {
      sender = new BrokerSender(this.#parts.requests, node, this.#limits.replicaMs)
      sender.watcher = this.#watcher
      this.#senders.set(node, sender)
    }
    return sender.send(batch, limit)
  }
}

/** Throws StorageError 'unavailable' for an event that no batch can hold. */
export function encodedEvents(events: readonly EventData[]): EncodedEvent[] {
  let last: EventHeaders | undefined
  let encoded: EncodedHeaders | undefined
  return events.map(({ headers, body }) => {
    if (encoded === undefined || headers !== last) {
      encoded = encodeRecordHeaders(headers)
      last = headers
    }
    assertFits(encoded, body.length)
    return { headers: encoded, body }
  })
}

export function assertFits(headers: EncodedHeaders, bodyLength: number): void {
  const bytes = RecordBatchBuilder.eventBytes(headers, bodyLength)
  if (bytes > EVENT_BYTES_MAX)
    throw new StorageError(
      'unavailable',
      `an event has ${bytes} bytes with its headers; use at most ${EVENT_BYTES_MAX} on this engine`,
    )
}

/** The events in batches of at most BATCH_BYTES_MAX. */
export function batchesOfEvents(events: readonly EncodedEvent[]): UnsealedBatch[] {
  const batches: UnsealedBatch[] = []
  let builder = new RecordBatchBuilder()
  for (const { headers, body } of events) {
    const full = builder.bytes + RecordBatchBuilder.eventBytes(headers, body.length) > BATCH_BYTES_MAX
    if (full && builder.count > 0) {
      batches.push(builder.finish())
      builder = new RecordBatchBuilder()
    }
    builder.addEvent(headers, body, 0, body.length)
  }
  if (builder.count > 0) batches.push(builder.finish())
  return batches
}
