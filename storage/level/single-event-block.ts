/**
 * Builds the block of one event. If many streams grow at the same time, most groups add only one event to a log. The
 * bytes are those that a BlockBuilder would produce, in a third of the time.
 */
import type { EventData } from '../log.ts'
import { VARINT_BYTES_MAX, writeVarint } from '../varint.ts'
import { BLOCK_TYPE, COUNT_OFFSET, RUNS_OFFSET, type UnsealedBlock } from './block-codec.ts'

/** `headers` are the encoded headers of the event. */
export function singleEventBlock({ body }: EventData, headers: Buffer): UnsealedBlock {
  const bytes = Buffer.allocUnsafe(RUNS_OFFSET + 3 + 2 * VARINT_BYTES_MAX + headers.length + body.length)
  bytes[0] = BLOCK_TYPE
  bytes.writeUInt32LE(1, COUNT_OFFSET)
  let at = RUNS_OFFSET
  bytes[at++] = 0 // deltaMs
  if (headers.length === 0) {
    bytes[at++] = 0
  } else {
    at = writeVarint(bytes, at, headers.length + 1)
    bytes.set(headers, at)
    at += headers.length
  }
  bytes[at++] = 1 // count
  bytes[at++] = 0 // gap
  at = writeVarint(bytes, at, body.length)
  bytes.set(body, at)
  return { bytes: bytes.subarray(0, at + body.length), count: 1, bodyBytes: body.length }
}
