/**
 * A reference: the entry in a log that stands for a committed segment, so that one small write adds a large upload to
 * the log.
 *
 *   reference := 0x02 | crc32c u32 | segmentId u64 | eventCount u64
 *
 * Little-endian; crc32c covers the key and everything after the field. The keys of the segment's pieces contain the
 * index of their first event. All events of the segment have the timestamp of the reference's key; their sequences
 * begin with the sequence of that key.
 */
import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../storage-error.ts'

const REFERENCE_TYPE = 0x02
export const REFERENCE_BYTES = 21
const CRC_OFFSET = 1
const FIELDS_OFFSET = 5

export interface SegmentReference {
  readonly segment: number
  readonly count: number
}

export function encodeReference(key: Buffer, reference: SegmentReference): Buffer {
  const value = Buffer.allocUnsafe(REFERENCE_BYTES)
  value[0] = REFERENCE_TYPE
  value.writeBigUInt64LE(BigInt(reference.segment), FIELDS_OFFSET)
  value.writeBigUInt64LE(BigInt(reference.count), FIELDS_OFFSET + 8)
  value.writeUInt32LE(crc32c(value.subarray(FIELDS_OFFSET), crc32c(key)), CRC_OFFSET)
  return value
}

export function decodeReference(key: Buffer, value: Buffer): SegmentReference {
  if (
    value.length !== REFERENCE_BYTES ||
    value[0] !== REFERENCE_TYPE ||
    value.readUInt32LE(CRC_OFFSET) !== crc32c(value.subarray(FIELDS_OFFSET), crc32c(key))
  ) {
    throw new StorageError(
      'corrupt',
      `segment reference under key ${key.toString('hex')} does not match its checksum`,
    )
  }
  return {
    segment: Number(value.readBigUInt64LE(FIELDS_OFFSET)),
    count: Number(value.readBigUInt64LE(FIELDS_OFFSET + 8)),
  }
}

/** Undefined if the value differs from the one that was written. */
export function readableReference(key: Buffer, value: Buffer): SegmentReference | undefined {
  try {
    return decodeReference(key, value)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'corrupt') return undefined
    throw error
  }
}
