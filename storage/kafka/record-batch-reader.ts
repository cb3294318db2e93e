/**
 * Bytes of a fetch as record batches, and a batch as events. The format is in record-batch.ts. Brokers do not check checksums
 * on reading, so this module does. Bytes that are no batch, or differ from their checksum, give StorageError 'corrupt';
 * compressed batches and those of old formats give 'format'.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import { crc32c } from '@node-rs/crc32'
import type { EventBlock, EventHeaders, EventRun } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import type { AbortedTransaction } from './fetch.ts'
import { ATTRIBUTES, BATCH_FIELDS, MAGIC } from './record-batch.ts'
import { type RawRecord, RecordCursor } from './record-cursor.ts'
import { eventHeadersOf } from './record-headers.ts'

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

/** Length, attributes, time, offset, key, value and the count of headers. */
const RECORD_BYTES_MIN = 7
/** Positions have whole numbers. Times beyond this are of a producer with a broken clock. */
const TIMESTAMP_MAX = Number.MAX_SAFE_INTEGER
const MARKERS = ['abort', 'commit'] as const

/** The whole batches in `records`, checksums checked. What is cut off at the end is left out. */
export function readBatches(records: Buffer, topic: string): RecordBatch[] {
  const batches: RecordBatch[] = []
  let at = 0
  while (records.length - at >= BATCH_FIELDS.records) {
    const length = records.readInt32BE(at + BATCH_FIELDS.length) + BATCH_FIELDS.leaderEpoch
    const offset = int64(records, at)
    // The formats before this one have the magic in the same place.
    const magic = records[at + BATCH_FIELDS.magic]!
    if (magic !== MAGIC) {
      if (magic < MAGIC)
        throw new StorageError(
          'format',
          `${place(topic, offset)} has format ${magic}; Millrace reads format 2: write the records again with a newer client`,
        )
      throw corrupt(
        topic,
        offset,
        `begins with ${records.subarray(at, at + BATCH_FIELDS.crc).toString('hex')}`,
      )
    }
    if (length < BATCH_FIELDS.records) throw corrupt(topic, offset, `states a length of ${length} bytes`)
    if (length > records.length - at) break
    batches.push(batchOf(records.subarray(at, at + length), topic))
    at += length
  }
  return batches
}

function batchOf(bytes: Buffer, topic: string): RecordBatch {
  const baseOffset = int64(bytes, BATCH_FIELDS.baseOffset)
  // First of all: a wrong attribute would hide the events.
  if (crc32c(bytes.subarray(BATCH_FIELDS.attributes)) !== bytes.readUInt32BE(BATCH_FIELDS.crc))
    throw corrupt(topic, baseOffset, 'differs from its checksum')
  const delta = bytes.readInt32BE(BATCH_FIELDS.lastOffsetDelta)
  const count = bytes.readInt32BE(BATCH_FIELDS.count)
  const attributes = bytes.readInt16BE(BATCH_FIELDS.attributes)
  const isCompressed = (attributes & ATTRIBUTES.compression) !== 0
  const lastOffset = baseOffset + delta
  if (baseOffset < 0 || delta < 0 || !Number.isSafeInteger(lastOffset))
    throw corrupt(topic, baseOffset, `states that its last offset is ${lastOffset}`)
  const countMax = (bytes.length - BATCH_FIELDS.records) / RECORD_BYTES_MIN
  if (count < 0 || (!isCompressed && count > countMax))
    throw corrupt(topic, baseOffset, `states ${count} records in ${bytes.length} bytes`)
  return {
    baseOffset,
    lastOffset,
    count,
    isControl: (attributes & ATTRIBUTES.isControl) !== 0,
    isTransactional: (attributes & ATTRIBUTES.isTransactional) !== 0,
    isCompressed,
    producerId: int64(bytes, BATCH_FIELDS.producerId),
    producerEpoch: bytes.readInt16BE(BATCH_FIELDS.producerEpoch),
    baseSequence: bytes.readInt32BE(BATCH_FIELDS.baseSequence),
    leaderEpoch: bytes.readInt32BE(BATCH_FIELDS.leaderEpoch),
    maxTimestampMs: int64(bytes, BATCH_FIELDS.maxTimestamp),
    baseTimestampMs: int64(bytes, BATCH_FIELDS.baseTimestamp),
    isAppendTime: (attributes & ATTRIBUTES.isAppendTime) !== 0,
    bytes,
  }
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
 * Times are the running maximum, which begins with the first event of the batch. Bodies are slices of the batch.
 */
export function readEvents(batch: RecordBatch, topic: string, range: EventRange): EventBlock[] {
  if (batch.isControl) return []
  const cursor = recordsOf(batch, topic)
  const blocks: EventBlock[] = []
  let block: BlockBuilder | undefined
  let timestampMs = batch.isAppendTime
    ? Math.max(batch.maxTimestampMs, range.minTimestampMs)
    : range.minTimestampMs
  while (cursor.next()) {
    const offset = batch.baseOffset + cursor.offsetDelta
    if (offset >= range.to) break
    if (!batch.isAppendTime)
      timestampMs = Math.max(
        timestampMs,
        Math.min(batch.baseTimestampMs + cursor.timestampDelta, TIMESTAMP_MAX),
      )
    if (offset < range.from) continue
    if (block !== undefined && offset !== block.nextSequence) {
      blocks.push(block.finish())
      block = undefined
    }
    block ??= new BlockBuilder(batch, offset)
    block.add(cursor, timestampMs)
  }
  if (block !== undefined) blocks.push(block.finish())
  return blocks
}

/** Collects events with consecutive offsets. Equal headers are decoded once. */
class BlockBuilder {
  readonly #bytes: Buffer
  readonly #firstSequence: number
  readonly #starts: Uint32Array
  readonly #ends: Uint32Array
  readonly #runs: EventRun[] = []
  #count = 0
  #begin = 0
  #timestampMs = 0
  #headers: EventHeaders | undefined
  /** The first record of the run: the next one may belong to it. */
  #headersStart = 0
  #headersEnd = 0
  #keyStart = 0
  #keyLength = 0
  #hasValue = true

  constructor(batch: RecordBatch, offset: number) {
    this.#bytes = batch.bytes
    this.#firstSequence = offset
    const countMax = Math.min(batch.count, batch.lastOffset - offset + 1)
    this.#starts = new Uint32Array(countMax)
    this.#ends = new Uint32Array(countMax)
  }

  get nextSequence(): number {
    return this.#firstSequence + this.#count
  }

  add(record: RawRecord, timestampMs: number): void {
    if (this.#headers === undefined || !this.#isSame(record)) {
      this.#endRun()
      this.#headersStart = record.headersStart
      this.#headersEnd = record.headersEnd
      this.#keyStart = record.keyStart
      this.#keyLength = record.keyLength
      this.#hasValue = record.valueLength >= 0
      this.#headers = eventHeadersOf(record.headers(), record.key(), this.#hasValue)
      this.#timestampMs = timestampMs
    } else if (timestampMs !== this.#timestampMs) {
      this.#endRun()
      this.#timestampMs = timestampMs
    }
    this.#starts[this.#count] = record.valueStart
    this.#ends[this.#count] = record.valueStart + Math.max(record.valueLength, 0)
    this.#count++
  }

  finish(): EventBlock {
    this.#endRun()
    return {
      firstSequence: this.#firstSequence,
      bytes: this.#bytes,
      starts: this.#count === this.#starts.length ? this.#starts : this.#starts.subarray(0, this.#count),
      ends: this.#count === this.#ends.length ? this.#ends : this.#ends.subarray(0, this.#count),
      runs: this.#runs,
    }
  }

  #endRun(): void {
    if (this.#headers === undefined || this.#begin === this.#count) return
    this.#runs.push({
      begin: this.#begin,
      end: this.#count,
      timestampMs: this.#timestampMs,
      headers: this.#headers,
    })
    this.#begin = this.#count
  }

  #isSame(record: RawRecord): boolean {
    return (
      record.valueLength >= 0 === this.#hasValue &&
      record.headersEnd - record.headersStart === this.#headersEnd - this.#headersStart &&
      record.keyLength === this.#keyLength &&
      areEqual(this.#bytes, record.headersStart, this.#headersStart, this.#headersEnd - this.#headersStart) &&
      areEqual(this.#bytes, record.keyStart, this.#keyStart, this.#keyLength)
    )
  }
}

/** Below this a loop is faster than a call of `compare`. */
const SHORT = 128

function areEqual(bytes: Buffer, a: number, b: number, length: number): boolean {
  if (length >= SHORT) return bytes.compare(bytes, b, b + length, a, a + length) === 0
  for (let i = 0; i < length; i++) if (bytes[a + i] !== bytes[b + i]) return false
  return true
}

export interface ReadRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Every record of a batch as it is, marks included. */
export function readRecords(batch: RecordBatch, topic: string): ReadRecord[] {
  const cursor = recordsOf(batch, topic)
  const records: ReadRecord[] = []
  while (cursor.next()) {
    records.push({
      offset: batch.baseOffset + cursor.offsetDelta,
      timestampMs: batch.isAppendTime ? batch.maxTimestampMs : batch.baseTimestampMs + cursor.timestampDelta,
      key: cursor.key(),
      value: cursor.value(),
      headers: cursor.headers(),
    })
  }
  return records
}

/** The end of a transaction that a marker states; undefined for another kind of marker. */
export function markerOf(batch: RecordBatch, topic: string): 'commit' | 'abort' | undefined {
  if (!batch.isControl) return undefined
  const key = readRecords(batch, topic)[0]?.key
  // version i16 | type i16
  return key == null || key.length < 4 ? undefined : MARKERS[key.readInt16BE(2)]
}

/** Decides which batches of a 'committed' fetch belong to aborted transactions. Ask for each batch once, in order. */
export class AbortedBatches {
  readonly #begins: readonly AbortedTransaction[]
  readonly #open = new Set<number>()
  #next = 0

  /** `aborted`: as fetched, ascending. */
  constructor(aborted: readonly AbortedTransaction[]) {
    this.#begins = aborted
  }

  /** Whether the events of the batch were never committed. False for a marker, which ends its transaction. */
  has(batch: RecordBatch, topic: string): boolean {
    for (; this.#next < this.#begins.length; this.#next++) {
      const { producerId, firstOffset } = this.#begins[this.#next]!
      if (firstOffset > batch.lastOffset) break
      this.#open.add(producerId)
    }
    if (!batch.isTransactional || !this.#open.has(batch.producerId)) return false
    if (!batch.isControl) return true
    if (markerOf(batch, topic) === 'abort') this.#open.delete(batch.producerId)
    return false
  }
}

/** A cursor before the first record of a batch, after the checks that concern the batch. */
function recordsOf(batch: RecordBatch, topic: string): RecordCursor {
  const { bytes, baseOffset } = batch
  if (batch.isCompressed)
    throw new StorageError(
      'format',
      `${place(topic, baseOffset)} is compressed; Millrace reads uncompressed batches: set compression.type=uncompressed of the topic and write the events again`,
    )
  return new RecordCursor(bytes, batch.count, batch.lastOffset - baseOffset, (problem) =>
    corrupt(topic, baseOffset, problem),
  )
}

function corrupt(topic: string, offset: number, problem: string): StorageError {
  return new StorageError('corrupt', `${place(topic, offset)} ${problem}`)
}

function place(topic: string, offset: number): string {
  return `the record batch of topic ${topic} at offset ${offset}`
}

/** Beyond ±2^53 the number is rounded: offsets are checked, times are limited. */
function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}
