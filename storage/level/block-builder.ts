/**
 * Packs events into blocks (block-codec.ts) of about 64 KiB. For events that arrived one by one it copies their bodies.
 * For slices of an upload it copies whole byte ranges, with the line ends between the bodies.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { EventData, EventSlices, HeadedEvents } from '../log.ts'
import { VARINT_BYTES_MAX } from '../varint.ts'
import { BLOCK_TYPE, COUNT_OFFSET, RUNS_OFFSET, type UnsealedBlock } from './block-codec.ts'

/** A block is closed once it has this many bytes. An event larger than that is a block of its own. Measured: 64 KiB. */
const BLOCK_BYTES = 64 * 1024
/**
 * A block with large headers is closed later: when it has this many times their bytes. An Avro schema may be large, and
 * every block repeats it.
 */
const HEADERS_SHARE = 4
/** Bytes that a builder reserves for a full block: its bodies, and their lengths. */
export const BLOCK_CAPACITY = BLOCK_BYTES + BLOCK_BYTES / 8
const RUN_FIELDS_BYTES_MAX = 4 * VARINT_BYTES_MAX
/** With fewer events with equal gaps than this, copying each body alone is faster than starting another run. */
const EVEN_RUN_MIN = 8

/** Full-size buffers for reuse by all builders: those of one write of pieces. */
const free: Buffer[] = []
const FREE_MAX = 18

/** `take` returns the finished blocks. */
export class BlockBuilder {
  #bytes: Buffer
  #at = RUNS_OFFSET
  #count = 0
  #bodyBytes = 0
  /** Of the last run, if it came with them in a buffer of their own. */
  #headers: Buffer | undefined
  /** Place of the last header set in the block. The first run of a block follows the empty set. */
  #headersAt = 0
  #headersLength = 0
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
      do bodies += events[to++]!.body.length
      while (to < end && bodies + events[to]!.body.length <= this.#capacity())
      this.#startRun(deltaMs, headers, to - from, 0, bodies)
      for (let i = from; i < to; i++) this.#writeVarint(events[i]!.body.length)
      for (let i = from; i < to; i++) this.#copy(events[i]!.body, 0, events[i]!.body.length)
      this.#endRun(to - from, bodies)
      from = to
    }
  }

  /** Adds all slices. They are in ascending order in their buffer and share these encoded headers. */
  addSlices(slices: EventSlices, headers: Buffer, deltaMs = 0): void {
    const { starts, ends, count } = slices
    let from = 0
    while (from < count) {
      const fit = lastThatFits(slices, from, this.#capacity())
      const gap = from + 1 < fit ? starts[from + 1]! - ends[from]! : 0
      let even = from + 1
      while (even < fit && starts[even]! - ends[even - 1]! === gap) even++
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

  /** Adds all events, each with headers of its own. */
  addHeaded({ bytes, bounds }: HeadedEvents): void {
    for (let i = 2; i < bounds.length; i += 2) {
      const headersAt = bounds[i - 2]!
      const bodyAt = bounds[i - 1]!
      const bodyLength = bounds[i]! - bodyAt
      if (this.#count > 0 && bodyLength > this.#capacity()) this.#finishBlock()
      this.#reserve(RUN_FIELDS_BYTES_MAX + VARINT_BYTES_MAX + bounds[i]! - headersAt)
      this.#bytes[this.#at++] = 0 // deltaMs
      this.#copyHeaders(bytes, headersAt, bodyAt - headersAt)
      this.#bytes[this.#at++] = 1 // count
      this.#bytes[this.#at++] = 0 // gap
      this.#writeVarint(bodyLength)
      this.#copy(bytes, bodyAt, bounds[i]!)
      this.#endRun(1, bodyLength)
    }
  }

  /** Header sets of capture are short, and those of neighbours differ in their first bytes. */
  #copyHeaders(source: Uint8Array, start: number, length: number): void {
    const block = this.#bytes
    let isSame = length === this.#headersLength
    for (let i = 0; isSame && i < length; i++) isSame = block[this.#headersAt + i] === source[start + i]
    if (isSame) {
      block[this.#at++] = 0
      return
    }
    this.#writeVarint(length + 1)
    this.#headers = undefined
    this.#beginHeaders(length)
    for (let i = 0; i < length; i++) block[this.#at++] = source[start + i]!
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
    const span = ends[to - 1]! - starts[from]!
    this.#startRun(deltaMs, headers, to - from, gap, span)
    for (let i = from; i < to; i++) this.#writeVarint(ends[i]! - starts[i]!)
    this.#copy(bytes, starts[from]!, ends[to - 1]!)
    this.#endRun(to - from, span - gap * (to - from - 1))
  }

  #addUneven(slices: EventSlices, from: number, to: number, headers: Buffer, deltaMs: number): void {
    const { bytes, starts, ends } = slices
    let bodies = 0
    for (let i = from; i < to; i++) bodies += ends[i]! - starts[i]!
    this.#startRun(deltaMs, headers, to - from, 0, bodies)
    for (let i = from; i < to; i++) this.#writeVarint(ends[i]! - starts[i]!)
    for (let i = from; i < to; i++) this.#copy(bytes, starts[i]!, ends[i]!)
    this.#endRun(to - from, bodies)
  }

  /**
   * Whether all these slices certainly fit into the open block, so that no other block is started. False if it has no
   * events.
   */
  takesWhole({ starts, ends, count }: EventSlices, headers: Buffer): boolean {
    const fields = count * (RUN_FIELDS_BYTES_MAX + VARINT_BYTES_MAX) + headers.length
    return this.#count > 0 && ends[count - 1]! - starts[0]! + fields <= this.#capacity()
  }

  /** Whether the open block has no events yet. */
  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** Closes the open block: the next events begin another one. */
  closeBlock(): void {
    if (this.#count > 0) this.#finishBlock()
  }

  /** Body bytes that still fit into the open block. A block without events accepts one event of any size. */
  #capacity(): number {
    return Math.max(0, this.#limit - this.#at)
  }

  #startRun(deltaMs: number, headers: Buffer, count: number, gap: number, bodies: number): void {
    if (this.#count > 0 && bodies > this.#capacity()) this.#finishBlock()
    this.#reserve(RUN_FIELDS_BYTES_MAX + headers.length + count * VARINT_BYTES_MAX + bodies)
    this.#writeVarint(deltaMs)
    if (this.#hasHeaders(headers)) {
      this.#bytes[this.#at++] = 0
    } else {
      this.#writeVarint(headers.length + 1)
      this.#beginHeaders(headers.length)
      this.#copy(headers, 0, headers.length)
      this.#headers = headers
    }
    this.#writeVarint(count)
    this.#writeVarint(gap)
  }

  #hasHeaders(headers: Buffer): boolean {
    if (headers === this.#headers) return true
    const [at, length] = [this.#headersAt, this.#headersLength]
    return headers.length === length && headers.compare(this.#bytes, at, at + length) === 0
  }

  #beginHeaders(length: number): void {
    this.#headersAt = this.#at
    this.#headersLength = length
    // Counted from the start of the block: counted from here, a block whose events all have other headers would never end.
    this.#limit = Math.max(this.#limit, RUNS_OFFSET + (1 + HEADERS_SHARE) * length)
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
    this.#headersAt = 0
    this.#headersLength = 0
    this.#limit = BLOCK_BYTES
  }

  /** Bytes of finished blocks that have not been taken. */
  get finishedBytes(): number {
    return this.#finishedBytes
  }

  /** Returns the finished blocks; with `all`, closes the open block first. */
  take(all: boolean): UnsealedBlock[] {
    if (all) this.closeBlock()
    const taken = this.#finished
    this.#finished = []
    this.#finishedBytes = 0
    return taken
  }

  /**
   * Takes back blocks that are no longer read, and reuses their memory for later blocks. Without this, the memory
   * became garbage outside V8's heap, and V8 marked its whole heap every few megabytes: a tenth of the CPU time of an
   * upload.
   */
  recycle(blocks: readonly UnsealedBlock[]): void {
    for (const { bytes } of blocks) {
      const whole = Buffer.from(bytes.buffer)
      if (whole.length === BLOCK_CAPACITY && free.length < FREE_MAX) free.push(whole)
    }
  }

  #reserve(more: number): void {
    const needed = this.#at + more
    if (needed <= this.#bytes.length) return
    const recycled = needed <= BLOCK_CAPACITY ? free.pop() : undefined
    const grown = recycled ?? Buffer.allocUnsafeSlow(Math.max(needed, BLOCK_CAPACITY))
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

/**
 * End of the longest range of slices from `from` whose bytes, gaps included, fit into `capacity`; at least one event.
 */
function lastThatFits(slices: EventSlices, from: number, capacity: number): number {
  const { starts, ends, count } = slices
  const bound = starts[from]! + capacity
  let low = from + 1
  let high = count
  while (low < high) {
    const middle = (low + high + 1) >>> 1
    if (ends[middle - 1]! <= bound) low = middle
    else high = middle - 1
  }
  return low
}
