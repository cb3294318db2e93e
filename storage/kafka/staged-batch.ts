/** A large batch that is being uploaded: record batches in memory, then in a file, until the commit. */
import type { EventHeaders, EventSlices, HeadedEvents, LogId, Position, StagedBatch } from '../log.ts'
import type { LogTopics } from './log-topics.ts'
import type { LogWriters } from './log-writers.ts'
import type { UnsealedBatch } from './record-batch.ts'
import type { Spool } from './spool.ts'
import type { Transactions } from './transaction.ts'

export interface StagingParts {
  readonly writers: LogWriters
  readonly topics: LogTopics
  readonly transactions: Transactions
  readonly spool: Spool
  /** Notes in the catalog that the log has holes, before its first transaction. */
  readonly noteHoles: (log: LogId) => Promise<void>
}

export class KafkaStagedBatch implements StagedBatch {
  readonly parts: StagingParts
  log: LogId

  constructor(parts: StagingParts, log: LogId) {
    this.parts = parts
    this.log = log
  }

  async add(_slices: EventSlices, _headers: EventHeaders): Promise<void> {
    throw new Error('not built yet')
  }

  async addHeaded(_events: HeadedEvents): Promise<void> {
    throw new Error('not built yet')
  }

  async spill(): Promise<void> {
    throw new Error('not built yet')
  }

  moveTo(log: LogId): void {
    this.log = log
  }

  async commit(): Promise<Position | undefined> {
    throw new Error('not built yet')
  }

  async discard(): Promise<void> {}

  /** For a write over several logs: encoded bytes. */
  get bytes(): number {
    throw new Error('not built yet')
  }

  /** For a write over several logs: from the first call on nothing is added. May be called again after a write that failed. */
  batches(): AsyncIterable<UnsealedBatch> {
    throw new Error('not built yet')
  }

  /** The write is done, or its outcome is unknown. */
  async written(): Promise<void> {}
}
