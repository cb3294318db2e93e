/**
 * Builds one record batch. Producer id, epoch, base sequence and checksum are set last, by `seal`, because they are known
 * only when the batch is sent; sealing again changes them.
 *
 *   batch  := baseOffset i64 | length i32 | leaderEpoch i32 | magic i8 = 2 | crc u32 | attributes i16 | lastOffsetDelta i32
 *           | baseTimestamp i64 | maxTimestamp i64 | producerId i64 | producerEpoch i16 | baseSequence i32 | count i32 | record x count
 *   record := length varint | attributes i8 | timestampDelta varint | offsetDelta varint
 *           | keyLength varint | key | valueLength varint | value | headers (record-headers.ts)      (length -1: null)
 *
 * `length` counts from leaderEpoch on, `crc` is the CRC-32C from attributes on.
 */
import { crc32c } from '@node-rs/crc32'
import { type EncodedHeaders, encodeAsTheyAre } from './record-headers.ts'
import { varintSize, writeVarint } from './record-varint.ts'

/** Encoded bytes of one batch; the topics of logs allow `max.message.bytes` = 17825792. */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024
/** An event with headers and the framing of its batch must fit into one batch. */
export const EVENT_BYTES_MAX = BATCH_BYTES_MAX - 64 * 1024

/** Where the fields of a batch are. */
export const BATCH_FIELDS = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
  records: 61,
} as const
export const MAGIC = 2
export const ATTRIBUTES = {
  compression: 0x07,
  isAppendTime: 0x08,
  isTransactional: 0x10,
  isControl: 0x20,
} as const

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
  /** Bytes of the values: of the bodies of events. */
  readonly bodyBytes: number
  seal(seal: BatchSeal): void
}

const FIRST_BYTES = 1024
/** Length, attributes, time and offset, and the lengths of key and value. */
const RECORD_FRAME_BYTES_MAX = 5 + 1 + 8 + 5 + 5 + 5
/** Below this a loop is faster than a call of `set`. */
const SHORT = 64
const EMPTY = Buffer.alloc(0)
const NO_BYTES = new Uint8Array(0)
const NO_HEADERS = encodeAsTheyAre([])

export class RecordBatchBuilder {
  /** Empty after `finish`. */
  #bytes: Buffer
  #at: number = BATCH_FIELDS.records
  #count = 0
  #bodyBytes = 0
  #baseTimestampMs = 0
  #maxTimestampMs = 0

  /** `bytesExpected`: of the whole batch, if that is known. */
  constructor(bytesExpected = FIRST_BYTES) {
    this.#bytes = Buffer.allocUnsafe(Math.max(bytesExpected, FIRST_BYTES))
  }

  /** Adds the event `bytes[start, end)`. `timestampMs` counts only in a topic that does not set the times itself. */
  addEvent(headers: EncodedHeaders, bytes: Uint8Array, start: number, end: number, timestampMs = 0): void {
    const isNull = headers.isTombstone && start === end
    this.#add(headers.key, isNull ? -1 : end - start, bytes, start, headers.bytes, timestampMs)
  }

  addRecord({ key = null, value, headers, timestampMs = 0 }: PlainRecord): void {
    const encoded = headers === undefined ? NO_HEADERS : encodeAsTheyAre(headers)
    this.#add(key, value === null ? -1 : value.length, value ?? NO_BYTES, 0, encoded, timestampMs)
  }

  /** Encoded bytes of the batch so far, its head included. */
  get bytes(): number {
    return this.#at
  }

  get count(): number {
    return this.#count
  }

  /** Upper bound of what an event adds to `bytes`. */
  static eventBytes(headers: EncodedHeaders, bodyLength: number): number {
    return RECORD_FRAME_BYTES_MAX + (headers.key?.length ?? 0) + bodyLength + headers.bytes.length
  }

  /** Needs at least one record. The builder is empty afterwards and may be used again. */
  finish(): UnsealedBatch {
    if (this.#count === 0) throw new Error('a record batch needs at least one record')
    const bytes = this.#bytes.subarray(0, this.#at)
    writeInt64(bytes, 0, BATCH_FIELDS.baseOffset)
    bytes.writeInt32BE(bytes.length - BATCH_FIELDS.leaderEpoch, BATCH_FIELDS.length)
    bytes.writeInt32BE(-1, BATCH_FIELDS.leaderEpoch)
    bytes.writeInt8(MAGIC, BATCH_FIELDS.magic)
    bytes.writeInt32BE(this.#count - 1, BATCH_FIELDS.lastOffsetDelta)
    writeInt64(bytes, this.#baseTimestampMs, BATCH_FIELDS.baseTimestamp)
    writeInt64(bytes, this.#maxTimestampMs, BATCH_FIELDS.maxTimestamp)
    bytes.writeInt32BE(this.#count, BATCH_FIELDS.count)
    const batch: UnsealedBatch = {
      count: this.#count,
      bytes,
      bodyBytes: this.#bodyBytes,
      seal: (seal) => sealBatch(bytes, seal),
    }
    this.#bytes = EMPTY
    this.#at = BATCH_FIELDS.records
    this.#count = 0
    this.#bodyBytes = 0
    return batch
  }

  /** `valueLength` -1: null. */
  #add(
    key: Uint8Array | null,
    valueLength: number,
    value: Uint8Array,
    start: number,
    headers: Buffer,
    timestampMs: number,
  ): void {
    const length = Math.max(valueLength, 0)
    this.#reserve(RECORD_FRAME_BYTES_MAX + (key?.length ?? 0) + length + headers.length)
    if (this.#count === 0) {
      this.#baseTimestampMs = timestampMs
      this.#maxTimestampMs = timestampMs
    } else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    const timeDelta = timestampMs - this.#baseTimestampMs
    const bytes = this.#bytes
    const keyLength = key === null ? -1 : key.length
    const recordLength =
      1 +
      varintSize(timeDelta) +
      varintSize(this.#count) +
      varintSize(keyLength) +
      Math.max(keyLength, 0) +
      varintSize(valueLength) +
      length +
      headers.length
    let at = writeVarint(bytes, this.#at, recordLength)
    bytes[at++] = 0
    at = writeVarint(bytes, at, timeDelta)
    at = writeVarint(bytes, at, this.#count)
    at = writeVarint(bytes, at, keyLength)
    if (key !== null) at = copy(bytes, at, key, 0, key.length)
    at = writeVarint(bytes, at, valueLength)
    at = copy(bytes, at, value, start, length)
    this.#at = copy(bytes, at, headers, 0, headers.length)
    this.#count++
    this.#bodyBytes += length
  }

  #reserve(length: number): void {
    if (this.#at + length <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#at + length, 2 * this.#bytes.length, FIRST_BYTES))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }
}

/** Seals a batch that is only there as bytes, as in a spool file. */
export function sealBatch(batch: Uint8Array, seal: BatchSeal): void {
  const bytes = Buffer.from(batch.buffer, batch.byteOffset, batch.length)
  bytes.writeInt16BE(seal.isTransactional ? ATTRIBUTES.isTransactional : 0, BATCH_FIELDS.attributes)
  writeInt64(bytes, seal.producerId, BATCH_FIELDS.producerId)
  bytes.writeInt16BE(seal.epoch, BATCH_FIELDS.producerEpoch)
  bytes.writeInt32BE(seal.baseSequence, BATCH_FIELDS.baseSequence)
  bytes.writeUInt32BE(crc32c(bytes.subarray(BATCH_FIELDS.attributes)), BATCH_FIELDS.crc)
}

/** A whole number within ±2^53: faster than by way of a BigInt. */
function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}

/** Returns the offset after the copied bytes. */
function copy(target: Buffer, at: number, source: Uint8Array, start: number, length: number): number {
  if (length < SHORT) {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i]!
  } else target.set(source.subarray(start, start + length), at)
  return at + length
}
