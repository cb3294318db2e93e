/**
 * The tail of a log: its trim point, its end, and how much was ever written. Written by checkpoints, and by groups with
 * changes other than events.
 *
 *   tail := 0x01 | crc32c u32 | nextSequence u64 | lastTimestampMs u64 | bytesWritten u64
 *         | firstSequence u64 | firstTimestampMs u64 | mergedSequence u64 | mergedTimestampMs u64
 *
 * Little-endian; crc32c covers the key and everything after the field. firstSequence and firstTimestampMs are the trim
 * point: no event before it exists, and the first key of the log is not before it. mergedSequence and mergedTimestampMs
 * are the merge point: small blocks before it have been joined with their neighbours if that was worth it.
 */
import type { LogTail } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { checksum } from './checksum.ts'

const TAIL_TYPE = 0x01
const TAIL_BYTES = 61
const CRC_OFFSET = 1
const FIELDS_OFFSET = 5

export interface StoredTail extends LogTail {
  /** Body bytes ever written. */
  readonly bytesWritten: number
  readonly mergedSequence: number
  readonly mergedTimestampMs: number
}

export const EMPTY_TAIL: StoredTail = {
  nextSequence: 0,
  lastTimestampMs: 0,
  bytesWritten: 0,
  firstSequence: 0,
  firstTimestampMs: 0,
  mergedSequence: 0,
  mergedTimestampMs: 0,
}

export function encodeTail(key: Buffer, tail: StoredTail): Buffer {
  const value = Buffer.allocUnsafe(TAIL_BYTES)
  value[0] = TAIL_TYPE
  writeU64(value, FIELDS_OFFSET, tail.nextSequence)
  writeU64(value, FIELDS_OFFSET + 8, tail.lastTimestampMs)
  writeU64(value, FIELDS_OFFSET + 16, tail.bytesWritten)
  writeU64(value, FIELDS_OFFSET + 24, tail.firstSequence)
  writeU64(value, FIELDS_OFFSET + 32, tail.firstTimestampMs)
  writeU64(value, FIELDS_OFFSET + 40, tail.mergedSequence)
  writeU64(value, FIELDS_OFFSET + 48, tail.mergedTimestampMs)
  value.writeUInt32LE(checksum(key, value, FIELDS_OFFSET), CRC_OFFSET)
  return value
}

export function decodeTail(key: Buffer, value: Buffer): StoredTail {
  if (
    value.length !== TAIL_BYTES ||
    value[0] !== TAIL_TYPE ||
    value.readUInt32LE(CRC_OFFSET) !== checksum(key, value, FIELDS_OFFSET)
  ) {
    throw new StorageError('corrupt', `tail under key ${key.toString('hex')} does not match its checksum`)
  }
  return {
    nextSequence: readU64(value, FIELDS_OFFSET),
    lastTimestampMs: readU64(value, FIELDS_OFFSET + 8),
    bytesWritten: readU64(value, FIELDS_OFFSET + 16),
    firstSequence: readU64(value, FIELDS_OFFSET + 24),
    firstTimestampMs: readU64(value, FIELDS_OFFSET + 32),
    mergedSequence: readU64(value, FIELDS_OFFSET + 40),
    mergedTimestampMs: readU64(value, FIELDS_OFFSET + 48),
  }
}

function writeU64(target: Buffer, offset: number, value: number): void {
  target.writeUInt32LE(value % 0x1_0000_0000, offset)
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4)
}

function readU64(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * 0x1_0000_0000
}
