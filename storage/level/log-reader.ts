/**
 * Reads a range of one log. It seeks to the block that may contain the first event, reads blocks and segments in order,
 * and cuts off events outside the range.
 *
 * The end is fixed when the read begins, so a read ends, however fast writers are. Sequences have no gaps, so a missing
 * block is detected like an altered one: both are StorageError 'corrupt'. There are two exceptions. A trim or a drop
 * may remove events that this read has not reached. If the janitor has joined blocks meanwhile, the reader seeks again.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { EventBlock, EventRun, LogRead, LogTail, Position, ReadRange } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { decodeBlock } from './block-codec.ts'
import {
  afterLog,
  afterSegment,
  blockKey,
  indexOfPieceKey,
  isReferenceKey,
  pieceKey,
  sequenceOfKey,
  timestampOfKey,
} from './keys.ts'
import type { Level } from './level.ts'
import type { LogWriter } from './log-writer.ts'
import { EntryScan, firstKey, keyAfter, lastKeyNotAfter } from './range-scan.ts'
import { decodeReference } from './segment-reference.ts'

/** A scan of the pieces of one segment. */
interface SegmentScan {
  readonly pieces: EntryScan
  readonly timestampMs: number
  /** Sequence of its first event. */
  readonly sequence: number
  readonly end: number
  /** Sequence with which the next piece must begin. */
  expected: number
}

const DONE: IteratorReturnResult<void> = { done: true, value: undefined }

/** Returns one block at a time; a caller that stops early calls `return`. */
export type BlockReader = AsyncIterableIterator<EventBlock, void, undefined>

export function readBlocks(db: Level, writer: LogWriter, range: ReadRange): BlockReader {
  return new LogReader(db, writer, range)
}

/**
 * Finds the position of an event by its sequence; `near` is the position of an event before it. This is locate.ts,
 * which is passed in because it imports this file.
 */
type Locate = (sequence: number, near: Position) => Promise<Position | undefined>

/** Resolves with undefined if no event is in range. */
export async function readLog(
  db: Level,
  writer: LogWriter,
  range: ReadRange,
  locate: Locate,
): Promise<LogRead | undefined> {
  const { tail } = writer // as of the call
  const blocks = new LogReader(db, writer, range)
  const first = await blocks.begin()
  if (first === undefined) return undefined
  try {
    const next = await cutPosition(first, tail, range, locate)
    return next === undefined ? { blocks } : { blocks, next }
  } catch (error) {
    await blocks.return()
    throw error
  }
}

/**
 * Position of the last event within `limit`, if later events of the range exist. Sequences have no gaps on LevelDB, so
 * it is known before the blocks are read.
 */
async function cutPosition(
  first: EventBlock,
  tail: LogTail,
  { limit, endMs }: ReadRange,
  locate: Locate,
): Promise<Position | undefined> {
  const begin = firstPosition(first)
  const cut = begin.sequence + limit
  if (cut >= tail.nextSequence) return undefined
  const [last, beyond] = await Promise.all([
    lastPositionIf(first, cut - 1) ?? locate(cut - 1, begin),
    endMs > tail.lastTimestampMs ? undefined : locate(cut, begin),
  ])
  if (beyond !== undefined && beyond.timestampMs >= endMs) return undefined
  // If the event has been trimmed meanwhile, every later read begins after it. Then the timestamp of the first event is
  // accurate enough.
  return last ?? { sequence: cut - 1, timestampMs: begin.timestampMs }
}

function firstPosition({ firstSequence, runs: [run] }: EventBlock): Position {
  return { sequence: firstSequence + run!.begin, timestampMs: run!.timestampMs }
}

/**
 * The position of the last event of a block if it has this sequence: a short read ends in the block in which it began.
 */
function lastPositionIf({ firstSequence, runs }: EventBlock, sequence: number): Position | undefined {
  const run = runs[runs.length - 1]!
  return firstSequence + run.end - 1 === sequence ? { sequence, timestampMs: run.timestampMs } : undefined
}

/** A class, not nested async generators: those take a third of the time of a point read. */
class LogReader implements BlockReader {
  readonly #db: Level
  readonly #writer: LogWriter
  readonly #startMs: number
  readonly #endMs: number
  /** Events before it have been returned, or were not requested. */
  #startSequence: number
  /** Events with this sequence or a higher one are not read. */
  readonly #endSequence: number
  #left: number
  /** Sequence with which the next block must begin. */
  #expected = 0
  /** Timestamp of the last event that has been returned: the next pass seeks there. */
  #reachedMs = 0
  /** `merges` of the writer when this pass began. */
  #merges = 0
  /** The scan of this pass over blocks and references of the log; undefined before the pass begins. */
  #scan: EntryScan | undefined
  /** The segment that this pass is reading, if any. */
  #segment: SegmentScan | undefined
  #ended: boolean
  /** The block that `begin` has read and `next` has not returned yet. */
  #first: EventBlock | undefined

  constructor(db: Level, writer: LogWriter, range: ReadRange) {
    const { tail } = writer
    this.#db = db
    this.#writer = writer
    this.#startMs = Math.max(range.startMs, range.after?.timestampMs ?? 0)
    this.#endMs = range.endMs
    this.#startSequence = Math.max(
      tail.firstSequence,
      range.after === undefined ? 0 : range.after.sequence + 1,
    )
    this.#endSequence = tail.nextSequence
    this.#left = range.limit
    this.#ended = this.#startSequence >= tail.nextSequence || this.#startMs > tail.lastTimestampMs
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Reads the first block. The following call of `next` returns it, too. */
  async begin(): Promise<EventBlock | undefined> {
    const { value } = await this.next()
    this.#first = value ?? undefined
    return this.#first
  }

  async next(): Promise<IteratorResult<EventBlock, void>> {
    const first = this.#first
    if (first !== undefined) {
      this.#first = undefined
      return { done: false, value: first }
    }
    try {
      while (!this.#ended) {
        const block =
          this.#segment === undefined ? await this.#nextOfLog() : await this.#nextOfSegment(this.#segment)
        if (block !== undefined) return { done: false, value: block }
      }
    } catch (error) {
      this.#end()
      throw error
    }
    this.#end()
    return DONE
  }

  async return(): Promise<IteratorResult<EventBlock, void>> {
    this.#end()
    return DONE
  }

  #end(): void {
    this.#ended = true
    this.#first = undefined
    this.#segment?.pieces.release()
    this.#scan?.release()
  }

  /** The next block of this pass. Undefined if the pass enters a segment, has to begin again, or the read has ended. */
  async #nextOfLog(): Promise<EventBlock | undefined> {
    this.#scan ??= await this.#begin()
    const scan = this.#scan
    while (!this.#done()) {
      const entry = scan.take()
      if (entry === undefined) {
        scan.release()
        try {
          if (await scan.fetch()) continue
        } catch (cause) {
          throw this.#placed(cause, this.#expected)
        }
        return this.#endOfScan()
      }
      const [key, value] = entry
      const sequence = sequenceOfKey(key)
      if (this.#gapBefore(sequence)) return this.#beginAnew()
      if (sequence >= this.#endSequence) break
      if (isReferenceKey(key)) {
        this.#segment = await this.#openSegment(key, value, sequence)
        if (this.#segment !== undefined) return undefined
      } else {
        const block = this.#clip(this.#decode(key, value, timestampOfKey(key), sequence))
        if (block !== undefined) return block
      }
    }
    this.#ended = true
    return undefined
  }

  /** The scan has reached the end of its range. The read ends, too, unless events are missing before the end. */
  async #endOfScan(): Promise<undefined> {
    const { log } = this.#writer
    const next = this.#isCut() ? await firstKey(this.#db, this.#scanEnd(), afterLog(log)) : undefined
    const end = next === undefined ? this.#endSequence : Math.min(this.#endSequence, sequenceOfKey(next))
    if (this.#expected >= end || !this.#gapBefore(end)) this.#ended = true
    else await this.#beginAnew()
  }

  /** Ends this pass. The next one begins at the event that is missing in this one. */
  async #beginAnew(): Promise<undefined> {
    this.#scan?.release()
    this.#scan = undefined
    // The merge that joined the blocks may still be running: let it end before the next seek.
    await new Promise((resolve) => setImmediate(resolve))
  }

  #done(): boolean {
    return this.#left <= 0 || this.#expected >= this.#endSequence
  }

  /** Whether blocks may have been joined since this pass began. If so, the next pass begins at the expected event. */
  #movedUnder(): boolean {
    const { merges } = this.#writer
    if (merges === this.#merges && merges % 2 === 0) return false
    this.#startSequence = Math.max(this.#startSequence, this.#expected)
    return true
  }

  /** True if the pass has to begin again. Throws if events are missing that must exist. */
  #gapBefore(sequence: number): boolean {
    if (this.#expected === sequence) return false
    if (this.#movedUnder()) return true
    this.#missing(this.#expected, sequence)
    return false
  }

  /** Whether the range ends before the end of the log. */
  #isCut(): boolean {
    return this.#endMs <= this.#writer.tail.lastTimestampMs
  }

  #scanEnd(): Buffer {
    const { log } = this.#writer
    return this.#isCut() ? blockKey(log, this.#endMs, 0) : afterLog(log)
  }

  /** Begins a pass at the trim point, or at the last block that does not begin after the wanted position. */
  async #begin(): Promise<EntryScan> {
    this.#merges = this.#writer.merges
    const { log, tail } = this.#writer
    const end = this.#scanEnd()
    const trimPoint = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
    // An event after a given position is in the block of that position, or in a later one.
    const wanted = blockKey(
      log,
      Math.max(this.#startMs, this.#reachedMs),
      Math.max(0, this.#startSequence - 1),
    )
    const byTime = blockKey(log, this.#startMs, 0)
    const key = this.#startSequence > tail.firstSequence ? wanted : byTime
    if (key.compare(trimPoint) <= 0) return this.#scanFrom(trimPoint, end)
    // That block may end before the wanted position, which only its content shows. So the next block is fetched with
    // it.
    const [found, second] = await Promise.all([
      lastKeyNotAfter(this.#db, trimPoint, key),
      firstKey(this.#db, keyAfter(key), end),
    ])
    return found === undefined ? this.#scanFrom(trimPoint, end) : this.#scanFrom(found, end, second)
  }

  #scanFrom(first: Buffer, end: Buffer, second?: Buffer): EntryScan {
    this.#expected = sequenceOfKey(first)
    return new EntryScan(this.#db, first, end, second)
  }

  /** Undefined if none of its events is in range. */
  async #openSegment(key: Buffer, value: Buffer, sequence: number): Promise<SegmentScan | undefined> {
    const timestampMs = timestampOfKey(key)
    const { segment, count } = this.#naming(sequence, () => decodeReference(key, value))
    this.#expected = sequence + count
    if (timestampMs < this.#startMs || timestampMs >= this.#endMs) return undefined
    const from = pieceKey(segment, 0)
    const skipped = this.#startSequence - sequence
    const gte =
      skipped <= 0 ? from : ((await lastKeyNotAfter(this.#db, from, pieceKey(segment, skipped))) ?? from)
    return {
      pieces: new EntryScan(this.#db, gte, afterSegment(segment)),
      timestampMs,
      sequence,
      end: sequence + count,
      expected: sequence + indexOfPieceKey(gte),
    }
  }

  /** The next piece of the segment; undefined if all wanted pieces have been read. */
  async #nextOfSegment(segment: SegmentScan): Promise<EventBlock | undefined> {
    const { pieces, timestampMs, sequence, end } = segment
    while (this.#left > 0 && segment.expected < end) {
      const entry = pieces.take()
      if (entry === undefined) {
        pieces.release()
        try {
          if (await pieces.fetch()) continue
        } catch (cause) {
          throw this.#placed(cause, segment.expected)
        }
        this.#missing(segment.expected, end)
        break
      }
      const [key, value] = entry
      const first = sequence + indexOfPieceKey(key)
      if (first !== segment.expected) {
        this.#missing(segment.expected, first)
        break
      }
      const block = this.#decode(key, value, timestampMs, first)
      segment.expected = first + block.starts.length
      const clipped = this.#clip(block)
      if (clipped !== undefined) return clipped
    }
    this.#expected = end
    pieces.release()
    this.#segment = undefined
    return undefined
  }

  #decode(key: Buffer, value: Buffer, timestampMs: number, sequence: number): EventBlock {
    const block = this.#naming(sequence, () => decodeBlock(key, value, timestampMs, sequence))
    this.#expected = sequence + block.starts.length
    return block
  }

  #naming<T>(sequence: number, decode: () => T): T {
    try {
      return decode()
    } catch (cause) {
      throw this.#placed(cause, sequence)
    }
  }

  /** The same error, with its place in the log in the message. */
  #placed(cause: unknown, sequence: number): unknown {
    if (!(cause instanceof StorageError) || cause.code === 'closed') return cause
    const place = `log ${this.#writer.log}, sequence ${sequence}`
    return new StorageError(cause.code, `${place}: ${cause.message}`, { cause })
  }

  /** Throws if the missing events must exist: only events before the trim point may be removed during a read. */
  #missing(from: number, to: number): void {
    if (this.#writer.dropping || from < this.#writer.trimmedTo) return
    throw new StorageError('corrupt', `log ${this.#writer.log}: events ${from} to ${to - 1} are missing`)
  }

  /** Whether the whole block is in range. This is the case for most blocks of a long read. */
  #wantsAll({ starts, runs }: EventBlock, begin: number, end: number): boolean {
    return (
      begin === 0 &&
      end >= starts.length &&
      this.#left >= starts.length &&
      runs.length > 0 &&
      runs[0]!.timestampMs >= this.#startMs &&
      runs[runs.length - 1]!.timestampMs < this.#endMs
    )
  }

  /** The part of this block that is in range; undefined if there is none. */
  #clip(block: EventBlock): EventBlock | undefined {
    const begin = Math.max(0, this.#startSequence - block.firstSequence)
    // Joined blocks may contain events that are newer than this read.
    const end = this.#endSequence - block.firstSequence
    if (this.#wantsAll(block, begin, end)) {
      this.#left -= block.starts.length
      this.#reachedMs = block.runs[block.runs.length - 1]!.timestampMs
      return block
    }
    const runs: EventRun[] = []
    for (const run of block.runs) {
      if (run.timestampMs < this.#startMs || run.end <= begin) continue
      if (run.begin >= end) break
      if (run.timestampMs >= this.#endMs) {
        this.#left = 0
        break
      }
      const from = Math.max(run.begin, begin)
      const to = Math.min(run.end, end, from + this.#left)
      runs.push(from === run.begin && to === run.end ? run : { ...run, begin: from, end: to })
      this.#left -= to - from
      this.#reachedMs = run.timestampMs
      if (this.#left <= 0) break
    }
    return runs.length === 0 ? undefined : { ...block, runs }
  }
}
