/**
 * Bytes of a fetch as record batches, and a batch as events. Brokers do not check checksums on reading, so this module
 * does. Bytes that are no batch, or differ from their checksum, give StorageError 'corrupt'; compressed batches and those
 * of old formats give 'format'.
 */
import type { EventBlock } from '../log.ts'
import type { AbortedTransaction } from './fetch.ts'

export interface RecordBatch {
  readonly baseOffset: number
  /** Of the last record, also if that has been compacted away. */
  readonly lastOffset: number
  readonly count: number
  /** A marker: the end of a transaction. It has no events. */
  readonly isControl: boolean
  readonly isTransactional: boolean
  readonly isCompressed: boolean
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly leaderEpoch: number
  /** The time of all its records, if the topic sets the times: `isAppendTime`. */
  readonly maxTimestampMs: number
  readonly baseTimestampMs: number
  readonly isAppendTime: boolean
  /** The whole batch. */
  readonly bytes: Buffer
}

/** The heads of the whole batches in `records`; without checksums. What is cut off at the end is left out. */
export function readBatches(_records: Buffer, _topic: string): RecordBatch[] {
  throw new Error('not built yet')
}

export interface EventRange {
  /** Offsets `[from, to)`. */
  readonly from: number
  readonly to: number
  /** No event gets an earlier time than this. */
  readonly minTimestampMs: number
}

/**
 * The events of a batch in `range`: one block, or several where offsets are missing inside the batch; none for a marker.
 * Times are the running maximum. Bodies are slices of the batch.
 */
export function readEvents(_batch: RecordBatch, _topic: string, _range: EventRange): EventBlock[] {
  throw new Error('not built yet')
}

export interface ReadRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Every record of a batch as it is. */
export function readRecords(_batch: RecordBatch, _topic: string): ReadRecord[] {
  throw new Error('not built yet')
}

/** The end of a transaction that a marker states; undefined for another kind of marker. */
export function markerOf(_batch: RecordBatch, _topic: string): 'commit' | 'abort' | undefined {
  throw new Error('not built yet')
}

/** Tells which batches of a 'committed' fetch belong to aborted transactions. Ask for each batch once, in order. */
export class AbortedBatches {
  constructor(_aborted: readonly AbortedTransaction[]) {}

  /** Whether the events of the batch were never committed. Markers are answered false, and end their transaction. */
  has(_batch: RecordBatch, _topic: string): boolean {
    throw new Error('not built yet')
  }
}
