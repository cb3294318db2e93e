/**
 * A block: the events that one append group adds to one log, as one LevelDB value. Also a piece of a segment.
 *
 *   block   := 0x01 | crc32c u32 | eventCount u32 | run*
 *   run     := deltaMs varint | headers | count varint | gap varint | length varint (x count) | bodies
 *   headers := 0x00                                 the same headers as the run before (none, for the first run)
 *            | 1 + byteLength varint | header set   (header-set.ts)
 *   bodies  := body (gap bytes) body (gap bytes) … body
 *
 * Fixed integers are little-endian, varints are LEB128. deltaMs counts from the timestamp in the key, so a block may
 * contain several groups. crc32c covers the key and everything after the field, so a block that was altered, or is
 * stored under another key, is rejected. With the gap, a run keeps the line ends of an uploaded text between its
 * bodies, so thousands of lines are stored with one copy. The content of the gap bytes has no meaning.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */

import { decodeHeaders } from '../header-set.ts'
import type { EventBlock, EventHeaders, EventRun } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { checksum } from './checksum.ts'

export const BLOCK_TYPE = 0x01
const CRC_OFFSET = 1
export const COUNT_OFFSET = 5
export const RUNS_OFFSET = 9

/** A finished block whose key is not known yet. `sealBlock` makes it ready to be written. */
export interface UnsealedBlock {
  readonly bytes: Buffer
  readonly count: number
  readonly bodyBytes: number
}

/** Writes the checksum into the block, once the key is known. */
export function sealBlock(key: Buffer, block: Buffer): Buffer {
  block.writeUInt32LE(checksum(key, block, COUNT_OFFSET), CRC_OFFSET)
  return block
}

/** Number of events in a block, without reading its runs. */
export function eventCountOf(block: Buffer): number {
  return block.readUInt32LE(COUNT_OFFSET)
}

/**
 * Decodes a block. `timestampMs` and `firstSequence` are those of its first event, from the key, or for a piece from
 * the reference to its segment. Throws StorageError 'corrupt' if any byte differs from what was written under this key.
 */
export function decodeBlock(
  key: Buffer,
  block: Buffer,
  timestampMs: number,
  firstSequence: number,
): EventBlock {
  if (block.length < RUNS_OFFSET)
    throw new StorageError('corrupt', `block of ${block.length} bytes is cut short`)
  if (block[0] !== BLOCK_TYPE) throw new StorageError('corrupt', `block has unknown type ${block[0]}`)
  if (block.readUInt32LE(CRC_OFFSET) !== checksum(key, block, COUNT_OFFSET)) {
    throw new StorageError('corrupt', 'block does not match its checksum')
  }
  return new BlockDecoder(block, timestampMs).decode(firstSequence)
}

/** Does not check the bytes: the checksum has been verified. */
class BlockDecoder {
  readonly #block: Buffer
  readonly #timestampMs: number
  #at = RUNS_OFFSET

  constructor(block: Buffer, timestampMs: number) {
    this.#block = block
    this.#timestampMs = timestampMs
  }

  decode(firstSequence: number): EventBlock {
    const block = this.#block
    const total = eventCountOf(block)
    const starts = new Uint32Array(total)
    const ends = new Uint32Array(total)
    const runs: EventRun[] = []
    let headers: EventHeaders = NO_HEADERS
    let event = 0
    while (this.#at < block.length) {
      const timestampMs = this.#timestampMs + this.#readVarint()
      const headersField = this.#readVarint()
      if (headersField > 0) {
        headers = decodeHeaders(block.subarray(this.#at, this.#at + headersField - 1))
        this.#at += headersField - 1
      }
      const count = this.#readVarint()
      const gap = this.#readVarint()
      let lengthAt = this.#at
      this.#skipVarints(count)
      let bodyAt = this.#at
      for (let i = 0; i < count; i++) {
        let length = block[lengthAt++]!
        if (length >= 0x80) {
          length &= 0x7f
          let scale = 0x80
          let byte: number
          do {
            byte = block[lengthAt++]!
            length += (byte & 0x7f) * scale
            scale *= 0x80
          } while (byte >= 0x80)
        }
        starts[event] = bodyAt
        bodyAt += length
        ends[event++] = bodyAt
        bodyAt += gap
      }
      this.#at = count === 0 ? bodyAt : bodyAt - gap
      addRun(runs, event - count, event, timestampMs, headers)
    }
    if (event !== total) throw new StorageError('corrupt', `block holds ${event} events and says ${total}`)
    return { firstSequence, bytes: block, starts, ends, runs }
  }

  #readVarint(): number {
    let value = 0
    let scale = 1
    let byte: number
    do {
      byte = this.#block[this.#at++]!
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }

  #skipVarints(count: number): void {
    const block = this.#block
    let left = count
    let at = this.#at
    while (left > 0 && at < block.length) if (block[at++]! < 0x80) left--
    this.#at = at
  }
}

/**
 * Joins a run to the run before it if timestamp and headers are equal. So readers get few runs, however the events
 * arrived.
 */
function addRun(
  runs: EventRun[],
  begin: number,
  end: number,
  timestampMs: number,
  headers: EventHeaders,
): void {
  const last = runs[runs.length - 1]
  if (last !== undefined && last.headers === headers && last.timestampMs === timestampMs) {
    runs[runs.length - 1] = { ...last, end }
  } else {
    runs.push({ begin, end, timestampMs, headers })
  }
}

const NO_HEADERS: EventHeaders = []
