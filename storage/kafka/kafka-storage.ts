/**
 * Storage on Kafka: the log and the catalog of one node, and writes to both.
 *
 * A write with events and documents is one transaction; its last record is of the catalog. With conditions it begins with an
 * intent, which locks the documents: whether the conditions hold is only known when the replay has decided that.
 */
import assert from 'node:assert'
import type { EventData, LogId, Position, StagedBatch } from '../log.ts'
import type { EnginePromises, Storage, StorageWrite, WriteResult } from '../storage.ts'
import { StorageError } from '../storage-error.ts'
import type { StoreCluster } from '../store-cluster.ts'
import type { Outcome } from './catalog-replay.ts'
import { type Conditions, encodeRecord, type Puts, type Sender } from './change-codec.ts'
import { CountedBatch } from './counted-batch.ts'
import { documentsOf, putsOf, readsOf, within } from './kafka-catalog.ts'
import type { KafkaLog } from './kafka-log.ts'
import type { OwnLock } from './lock-keeper.ts'
import type { LogTopics } from './log-topics.ts'
import { BATCH_HEAD_BYTES } from './log-writer.ts'
import { batchesOfEvents, encodedEvents, type LogWriters } from './log-writers.ts'
import type { OpenedCatalog } from './opened-catalog.ts'
import { BATCH_BYTES_MAX, EVENT_BYTES_MAX, RecordBatchBuilder, type UnsealedBatch } from './record-batch.ts'
import type { KafkaStagedBatch } from './staged-batch.ts'
import type { OpenTransaction, Transactions } from './transaction.ts'

export interface KafkaStorageParts {
  readonly log: KafkaLog<KafkaStagedBatch>
  readonly opened: OpenedCatalog
  readonly writers: LogWriters
  readonly topics: LogTopics
  readonly transactions: Transactions
  readonly catalogTopic: string
  readonly durability: EnginePromises['durability']
  readonly ownClock: boolean
  readonly remarks: readonly string[]
  readonly report: (error: unknown) => void
  /** Called last. */
  readonly closed: () => Promise<void>
}

/** All of the events of `appends` is in memory. */
const WRITE_BYTES_MAX = 64 * 1024 * 1024
/** A batch of as much, with all that the promise counts, is one record batch. */
export const CONTIGUOUS_BYTES_MAX = BATCH_BYTES_MAX - BATCH_HEAD_BYTES
/** How long a write waits until its last record is applied here, after it was committed. */
const SETTLE_MS = 60_000

/** Events for one log, as record batches. */
interface Part {
  readonly log: LogId
  readonly batches: () => Iterable<UnsealedBatch> | AsyncIterable<UnsealedBatch>
  readonly stored: (last: Position | undefined) => void
}

export class KafkaStorage implements Storage {
  readonly log: KafkaLog<KafkaStagedBatch>
  readonly catalog: OpenedCatalog['catalog']
  readonly cluster: StoreCluster
  readonly promises: EnginePromises
  readonly remarks: readonly string[]
  readonly #parts: KafkaStorageParts
  #running = 0
  #whenIdle: (() => void)[] = []
  #isClosed = false

  constructor(parts: KafkaStorageParts) {
    this.#parts = parts
    this.log = parts.log
    this.catalog = parts.opened.catalog
    this.cluster = parts.opened.cluster
    this.remarks = parts.remarks
    this.promises = {
      durability: parts.durability,
      gaplessSequences: false,
      contiguousBatchBytesMax: CONTIGUOUS_BYTES_MAX,
      eventBytesMax: EVENT_BYTES_MAX,
      ownClock: parts.ownClock,
      failureHeals: true,
      shared: true,
    }
  }

  async write(write: StorageWrite): Promise<WriteResult> {
    if (this.#isClosed) throw new StorageError('closed', 'the store is closed')
    this.#running++
    try {
      return await this.#write(write)
    } finally {
      if (--this.#running === 0) for (const resolve of this.#whenIdle.splice(0)) resolve()
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#running > 0) await new Promise<void>((resolve) => this.#whenIdle.push(resolve))
    try {
      await this.log.close()
    } finally {
      try {
        await this.#parts.opened.close()
      } finally {
        await this.#parts.closed()
      }
    }
  }

  async #write({
    appends = [],
    batches = [],
    changes = [],
    conditions = [],
  }: StorageWrite): Promise<WriteResult> {
    const staged = batches.map(countedBatch)
    const events = appends.map((append) => this.#appended(append))
    let bytes = events.reduce((sum, part) => sum + part.bytes, 0)
    assert(
      bytes <= WRITE_BYTES_MAX,
      `one write has ${bytes} bytes of events; stage a batch, or write in parts`,
    )
    const reads = readsOf(conditions)
    const puts = putsOf(changes)
    const documents = documentsOf(reads ?? [], puts)
    const hasDocuments = documents.reads.length + documents.writes.length > 0
    const hasEvents = events.length > 0 || staged.some(({ inner }) => inner.bytes > 0)
    const { order } = this.#parts.opened
    if (!hasEvents) {
      const outcome = hasDocuments ? await this.catalog.commit(changes, conditions) : 'done'
      return { outcome, positions: outcome === 'done' ? staged.map(() => undefined) : [] }
    }
    const logs = [...events, ...staged].map(({ log }) => log)
    let beginNow = () => {}
    const isNext = new Promise<void>((resolve) => {
      beginNow = resolve
    })
    // It joins the queues of its logs and of its documents in one turn, so writes that share some of both wait in one order.
    const written = this.#parts.writers.inOrder(logs, async () => {
      await isNext
      await Promise.all(staged.map(({ inner }) => inner.complete()))
      for (const { inner } of staged) bytes += inner.bytes
      return this.#transaction([...events, ...staged.map(stagedPart)], bytes, reads, puts, hasDocuments)
    })
    written.catch(() => {}) // it may reject before its turn, when nothing awaits it yet
    try {
      const result = await order.write(documents, () => {
        beginNow()
        return written
      })
      if (result.outcome === 'done') await Promise.all(staged.map(({ inner }) => inner.end()))
      return result
    } catch (error) {
      if (isUnknown(error)) await Promise.all(staged.map(({ inner }) => inner.end()))
      throw error
    }
  }

  async #transaction(
    parts: readonly Part[],
    bytes: number,
    reads: Conditions['reads'] | undefined,
    puts: Puts,
    hasDocuments: boolean,
  ): Promise<WriteResult> {
    if (reads === undefined || this.catalog.isOutdated(reads)) return CONFLICT
    const { transactions, topics, opened, report } = this.#parts
    const started: Started = {}
    const positions: (Position | undefined)[] = []
    try {
      await transactions.run(bytes, async (transaction) => {
        if (reads.length > 0 && !(await this.#lock(transaction, reads, puts, started))) throw new Conflict()
        for (const { log } of parts) await topics.ensure(log)
        for (const { log, batches } of parts)
          positions.push(await transaction.add(topics.nameOf(log), batches()))
        this.#assertNoneDropped(parts)
        if (!hasDocuments) return
        if (started.lock === undefined) await opened.writer.flushed() // commits before it stay before it
        const from = started.lock?.from ?? opened.writer.sender()
        started.from = from
        started.settled = opened.outcomes.expect(from)
        await this.#addSettle(transaction, from, started.lock !== undefined, puts)
      })
    } catch (error) {
      if (started.from !== undefined) opened.outcomes.forget(started.from)
      if (error instanceof Conflict) return CONFLICT
      if (started.lock !== undefined) {
        const isOver = started.settled === undefined || !isUnknown(error)
        await opened.keeper.unlock(started.lock, isOver).catch(report)
      }
      if (error instanceof StorageError && error.code === 'unavailable') this.#assertNoneDropped(parts)
      throw error
    }
    if (started.settled !== undefined) assertApplied(await within(started.settled, SETTLE_MS))
    for (const [i, { stored }] of parts.entries()) stored(positions[i])
    return { outcome: 'done', positions }
  }

  #assertNoneDropped(parts: readonly Part[]): void {
    for (const { log } of parts)
      if (this.#parts.writers.isDropped(log)) throw new StorageError('dropped', `log ${log} is being dropped`)
  }

  /** False: the conditions do not hold. */
  async #lock(
    { id }: OpenTransaction,
    reads: Conditions['reads'],
    { puts, deletes }: Puts,
    started: Started,
  ): Promise<boolean> {
    const writes = [...puts.map(([key]) => key), ...deletes]
    let lock: OwnLock | undefined
    try {
      const outcome = await this.catalog.decide((from) => {
        lock = { from, transaction: id }
        return { kind: 'intent', from, transaction: id, reads, writes }
      })
      if (outcome === 'locked') started.lock = lock
      return outcome === 'locked'
    } catch (error) {
      if (isUnknown(error)) started.lock = lock // it may lock the documents later
      throw error
    }
  }

  async #addSettle(
    transaction: OpenTransaction,
    from: Sender,
    locked: boolean,
    { puts, deletes }: Puts,
  ): Promise<void> {
    const builder = new RecordBatchBuilder()
    builder.addRecord({ value: encodeRecord({ kind: 'settle', from, locked, puts, deletes }) })
    await transaction.add(this.#parts.catalogTopic, [builder.finish()])
  }

  #appended({ log, events }: { readonly log: LogId; readonly events: readonly EventData[] }): Part & {
    readonly bytes: number
  } {
    assert(events.length > 0, 'an append needs at least one event')
    const encoded = encodedEvents(events.map(({ headers, body }) => ({ headers, body: Buffer.from(body) })))
    let bytes = 0
    let bodyBytes = 0
    for (const { headers, body } of encoded) {
      bytes += RecordBatchBuilder.eventBytes(headers, body.length)
      bodyBytes += body.length
    }
    return {
      log,
      bytes,
      batches: () => batchesOfEvents(encoded),
      stored: (last) => {
        if (last !== undefined) this.log.noteWritten(log, last, events.length, bodyBytes)
      },
    }
  }
}

/** What a write has begun, and has to end. */
interface Started {
  lock?: OwnLock | undefined
  from?: Sender
  settled?: Promise<Outcome>
}

const CONFLICT: WriteResult = { outcome: 'conflict', positions: [] }

/** Ends the transaction of a write whose conditions do not hold. */
class Conflict extends Error {}

function isUnknown(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'unknown'
}

/** A lock that was released by another node before its write was committed would leave the documents as they were. */
function assertApplied(outcome: Outcome): void {
  if (outcome === 'done') return
  throw new StorageError(
    'unknown',
    'the events of a write are stored, and the documents that belong to them may not be',
  )
}

function countedBatch(batch: StagedBatch): CountedBatch<KafkaStagedBatch> {
  assert(batch instanceof CountedBatch, 'the batch is of another storage')
  return batch
}

function stagedPart(batch: CountedBatch<KafkaStagedBatch>): Part {
  return {
    log: batch.log,
    batches: () => batch.inner.batches(),
    stored: (last) => batch.noteWritten(last),
  }
}
