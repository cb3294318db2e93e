/**
 * A block: the events that one append group adds to one log, as one LevelDB value. Also a piece of a segment.
 *
 *   block   := 0x01 | crc32c u32 | eventCount u32 | run*
 *   run     := deltaMs varint | headers | count varint | gap varint | length varint (x count) | bodies
 *   headers := 0x00                                 the same headers as the run before (none, for the first run)
 *            | 1 + byteLength varint | header set   (header-codec.ts)
 *   bodies  := body (gap bytes) body (gap bytes) … body
 *
 * Fixed integers are little-endian, varints are LEB128. deltaMs counts from the timestamp in the key, so a block may
 * hold several groups. crc32c covers the key and everything after the field: a block that is altered, or that stands
 * under another key, is refused. The gap lets a run keep the line ends of an uploaded text between its bodies, so that
 * thousands of lines are stored with one copy; what the gap bytes hold means nothing.
 */
import { crc32c } from '@node-rs/crc32'
import type { EventBlock, EventData, EventHeaders, EventRun, EventSlices } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { decodeHeaders, encodedHeadersEqual } from './header-codec.ts'

const BLOCK_TYPE = 0x01
const CRC_OFFSET = 1
const COUNT_OFFSET = 5
const RUNS_OFFSET = 9

/** A block is closed once it holds this much; one event larger than that is a block of its own. Measured: 64 KiB. */
const BLOCK_BYTES = 64 * 1024
/** A block holds at least this many times the bytes of its headers: an Avro schema may be large, and is in every block. */
const HEADERS_SHARE = 4
/** What a builder reserves for a full block: its bodies, and their lengths. */
export const BLOCK_CAPACITY = BLOCK_BYTES + BLOCK_BYTES / 8
const VARINT_BYTES_MAX = 5
const RUN_FIELDS_BYTES_MAX = 4 * VARINT_BYTES_MAX
/** Below this many events with even gaps, copying each body alone beats starting one more run. */
const EVEN_RUN_MIN = 8

/** A finished block that does not know its key yet: `sealBlock` makes it ready to be written. */
export interface UnsealedBlock {
  readonly bytes: Buffer
  readonly count: number
  readonly bodyBytes: number
}

/** Puts the checksum in, once the key is known. */
export function sealBlock(key: Buffer, block: Buffer): Buffer {
  block.writeUInt32LE(checksum(key, block), CRC_OFFSET)
  return block
}

function checksum(key: Buffer, block: Buffer): number {
  return crc32c(block.subarray(COUNT_OFFSET), crc32c(key))
}

/** Packs events into blocks of about 64 KiB. Finished blocks are taken with `take`. */
export class BlockBuilder {
  #bytes: Buffer
  #at = RUNS_OFFSET
  #count = 0
  #bodyBytes = 0
  #headers: Buffer | undefined
  /** The open block is closed at this length. */
  #limit = BLOCK_BYTES
  #finished: UnsealedBlock[] = []
  #finishedBytes = 0

  constructor(capacity: number = BLOCK_CAPACITY) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  /** Adds `events[begin, end)`, which share these encoded headers; their bodies are copied. */
  addEvents(events: readonly EventData[], begin: number, end: number, headers: Buffer, deltaMs = 0): void {
    let from = begin
    while (from < end) {
      let to = from
      let bodies = 0
      do bodies += events[to++].body.length
      while (to < end && bodies + events[to].body.length <= this.#room())
      this.#startRun(deltaMs, headers, to - from, 0, bodies)
      for (let i = from; i < to; i++) this.#writeVarint(events[i].body.length)
      for (let i = from; i < to; i++) this.#copy(events[i].body, 0, events[i].body.length)
      this.#endRun(to - from, bodies)
      from = to
    }
  }

  /** Adds all slices, which stand in ascending order in their buffer and share these encoded headers. */
  addSlices(slices: EventSlices, headers: Buffer, deltaMs = 0): void {
    const { starts, ends, count } = slices
    let from = 0
    while (from < count) {
      const fit = lastThatFits(slices, from, this.#room())
      const gap = from + 1 < fit ? starts[from + 1] - ends[from] : 0
      let even = from + 1
      while (even < fit && starts[even] - ends[even - 1] === gap) even++
      if (even === fit || even - from >= EVEN_RUN_MIN) {
        this.#addEven(slices, from, even, gap, headers, deltaMs)
        from = even
      } else {
        const to = Math.min(fit, from + EVEN_RUN_MIN)
        this.#addUneven(slices, from, to, headers, deltaMs)
        from = to
      }
    }
  }

  #addEven(
    slices: EventSlices,
    from: number,
    to: number,
    gap: number,
    headers: Buffer,
    deltaMs: number,
  ): void {
    const { bytes, starts, ends } = slices
    const span = ends[to - 1] - starts[from]
    this.#startRun(deltaMs, headers, to - from, gap, span)
    for (let i = from; i < to; i++) this.#writeVarint(ends[i] - starts[i])
    this.#copy(bytes, starts[from], ends[to - 1])
    this.#endRun(to - from, span - gap * (to - from - 1))
  }

  #addUneven(slices: EventSlices, from: number, to: number, headers: Buffer, deltaMs: number): void {
    const { bytes, starts, ends } = slices
    let bodies = 0
    for (let i = from; i < to; i++) bodies += ends[i] - starts[i]
    this.#startRun(deltaMs, headers, to - from, 0, bodies)
    for (let i = from; i < to; i++) this.#writeVarint(ends[i] - starts[i])
    for (let i = from; i < to; i++) this.#copy(bytes, starts[i], ends[i])
    this.#endRun(to - from, bodies)
  }

  /** Bytes of bodies that still go into the open block; a block that has none takes any one event. */
  #room(): number {
    return Math.max(0, this.#limit - this.#at)
  }

  #startRun(deltaMs: number, headers: Buffer, count: number, gap: number, bodies: number): void {
    if (this.#count > 0 && bodies > this.#room()) this.#finishBlock()
    this.#reserve(RUN_FIELDS_BYTES_MAX + headers.length + count * VARINT_BYTES_MAX + bodies)
    this.#writeVarint(deltaMs)
    if (encodedHeadersEqual(headers, this.#headers)) {
      this.#bytes[this.#at++] = 0
    } else {
      this.#writeVarint(headers.length + 1)
      this.#copy(headers, 0, headers.length)
      this.#headers = headers
      this.#limit = Math.max(this.#limit, this.#at + HEADERS_SHARE * headers.length)
    }
    this.#writeVarint(count)
    this.#writeVarint(gap)
  }

  #endRun(count: number, bodyBytes: number): void {
    this.#count += count
    this.#bodyBytes += bodyBytes
    if (this.#at >= this.#limit) this.#finishBlock()
  }

  #finishBlock(): void {
    const bytes = this.#bytes.subarray(0, this.#at)
    bytes[0] = BLOCK_TYPE
    bytes.writeUInt32LE(this.#count, COUNT_OFFSET)
    this.#finished.push({ bytes, count: this.#count, bodyBytes: this.#bodyBytes })
    this.#finishedBytes += bytes.length
    this.#bytes = EMPTY
    this.#at = RUNS_OFFSET
    this.#count = 0
    this.#bodyBytes = 0
    this.#headers = undefined
    this.#limit = BLOCK_BYTES
  }

  /** Bytes of finished blocks that have not been taken. */
  get finishedBytes(): number {
    return this.#finishedBytes
  }

  /** Hands out the finished blocks; with `all`, closes the open block first. */
  take(all: boolean): UnsealedBlock[] {
    if (all && this.#count > 0) this.#finishBlock()
    const taken = this.#finished
    this.#finished = []
    this.#finishedBytes = 0
    return taken
  }

  #reserve(more: number): void {
    const needed = this.#at + more
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, BLOCK_CAPACITY))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }

  #copy(source: Uint8Array, begin: number, end: number): void {
    this.#bytes.set(begin === 0 && end === source.length ? source : source.subarray(begin, end), this.#at)
    this.#at += end - begin
  }

  #writeVarint(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.#at++] = rest
  }
}

const EMPTY = Buffer.alloc(0)

/** End of the longest stretch from `from` whose bytes, gaps included, fit; at least one event. */
function lastThatFits(slices: EventSlices, from: number, room: number): number {
  const { starts, ends, count } = slices
  const bound = starts[from] + room
  let low = from + 1
  let high = count
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (ends[middle - 1] <= bound) low = middle
    else high = middle - 1
  }
  return low
}

/** Number of events in a block, without reading its runs. */
export function eventCountOf(block: Buffer): number {
  return block.readUInt32LE(COUNT_OFFSET)
}

/**
 * Reads a block. `timestampMs` and `firstSequence` are those of its first event, from the key (or, for a piece, from
 * the reference that owns it). Throws StorageError 'corrupt' if any byte differs from what was written under this key.
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
  if (block.readUInt32LE(CRC_OFFSET) !== checksum(key, block)) {
    throw new StorageError('corrupt', 'block does not match its checksum')
  }
  return new BlockDecoder(block, timestampMs).decode(firstSequence)
}

/** Trusts the bytes: the checksum has been verified. */
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
        let length = block[lengthAt++]
        if (length >= 0x80) {
          length &= 0x7f
          let scale = 0x80
          let byte: number
          do {
            byte = block[lengthAt++]
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
      byte = this.#block[this.#at++]
      value += (byte & 0x7f) * scale
      scale *= 0x80
    } while (byte >= 0x80)
    return value
  }

  #skipVarints(count: number): void {
    const block = this.#block
    let left = count
    let at = this.#at
    while (left > 0 && at < block.length) if (block[at++] < 0x80) left--
    this.#at = at
  }
}

/** Joins a run to the one before it where nothing differs: readers then see few runs, however the events arrived. */
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
