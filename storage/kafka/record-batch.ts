/**
 * Builds one record batch. Producer id, epoch, base sequence and checksum are set last, by `seal`, because they are known
 * only when the batch is sent; sealing again changes them.
 */
import type { EncodedHeaders } from './record-headers.ts'

/** Encoded bytes of one batch; the topics of logs allow `max.message.bytes` = 17825792. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024
/** An event with headers and the framing of its batch must fit into one batch. */
export const EVENT_BYTES_MAX = BATCH_BYTES_MAX - 64 * 1024

export interface BatchSeal {
  /** -1, with epoch and base sequence: a producer without id. */
  readonly producerId: number
  readonly epoch: number
  readonly baseSequence: number
  readonly isTransactional: boolean
}

export const NO_PRODUCER: BatchSeal = { producerId: -1, epoch: -1, baseSequence: -1, isTransactional: false }

/** A record that is no event: of the catalog, snapshots, totals. */
export interface PlainRecord {
  readonly key?: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly timestampMs?: number
}

export interface UnsealedBatch {
  readonly count: number
  /** The whole batch. Not to be sent before `seal`; `seal` changes it in place. */
  readonly bytes: Uint8Array
  /** Bytes of the bodies of events. */
  readonly bodyBytes: number
  seal(seal: BatchSeal): void
}

export class RecordBatchBuilder {
  /** Adds the event `bytes[start, end)`. Without `timestampMs` the topic sets the time. */
  addEvent(
    _headers: EncodedHeaders,
    _bytes: Uint8Array,
    _start: number,
    _end: number,
    _timestampMs?: number,
  ): void {
    throw new Error('not built yet')
  }

  addRecord(_record: PlainRecord): void {
    throw new Error('not built yet')
  }

  /** Encoded bytes of the batch so far, its head included. */
  get bytes(): number {
    throw new Error('not built yet')
  }

  get count(): number {
    throw new Error('not built yet')
  }

  /** Upper bound of what an event adds to `bytes`. */
  static eventBytes(_headers: EncodedHeaders, _bodyLength: number): number {
    throw new Error('not built yet')
  }

  /** Needs at least one record. The builder is empty afterwards and may be used again. */
  finish(): UnsealedBatch {
    throw new Error('not built yet')
  }
}

/** Seals a batch that is only there as bytes, as in a spool file. */
export function sealBatch(_batch: Uint8Array, _seal: BatchSeal): void {
  throw new Error('not built yet')
}
