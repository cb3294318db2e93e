/**
 * Decodes one record of a write-ahead log: the operations of one write.
 *
 *   batch     := sequence u64 of the first operation | count u32 | operation*
 *   operation := 0x01 | key | value     put
 *              | 0x00 | key             delete
 *   key, value := length varint | bytes
 */
import { VarintReader } from './varint.ts'

const HEADER_BYTES = 12
const DELETE = 0
const PUT = 1

/** LevelDB numbers every change. Of the entries of the same key, the one with the highest number is valid. */
export interface Entry {
  readonly key: Buffer
  readonly value: Buffer
  readonly sequence: number
  readonly deleted: boolean
  /** False if the bytes of the entry do not match LevelDB's checksum. Then the entry may have any content. */
  readonly sound: boolean
}

/** LevelDB's sequence number of the first operation; undefined if the record is too short to have one. */
export function sequenceOfBatch(record: Buffer): number | undefined {
  if (record.length < HEADER_BYTES) return undefined
  return record.readUInt32LE(0) + record.readUInt32LE(4) * 0x1_0000_0000
}

export function operationCountOf(record: Buffer): number {
  return record.readUInt32LE(8)
}

/** Undefined if the record is not a batch. This cannot happen to a record that matches its checksum. */
export function entriesOfBatch(record: Buffer): Entry[] | undefined {
  const first = sequenceOfBatch(record)
  if (first === undefined) return undefined
  const reader = new VarintReader(record, HEADER_BYTES)
  const entries: Entry[] = []
  while (!reader.ended) {
    const type = reader.take(1)?.[0]
    const key = reader.nextBytes()
    const value = type === PUT ? reader.nextBytes() : NOTHING
    if ((type !== PUT && type !== DELETE) || key === undefined || value === undefined) return undefined
    entries.push({ key, value, sequence: first + entries.length, deleted: type === DELETE, sound: true })
  }
  return entries.length === operationCountOf(record) ? entries : undefined
}

const NOTHING = Buffer.alloc(0)
