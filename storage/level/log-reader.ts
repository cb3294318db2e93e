/**
 * Reads a range of one log: seeks to the block that may hold its first event, walks blocks and segments in order, and
 * cuts off what is outside the range.
 *
 * The end is fixed when the read begins, so a read ends however fast others write. Sequences have no gaps, which makes
 * a block that is missing as visible as one that is altered: both are StorageError 'corrupt'. Only a trim that moved
 * past the reader meanwhile may take events away from under it; and where the janitor joined blocks meanwhile, the
 * reader seeks anew.
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

/** A walk along the pieces of one segment. */
interface SegmentScan {
  readonly pieces: EntryScan
  readonly timestampMs: number
  /** Of its first event. */
  readonly sequence: number
  readonly end: number
  /** Sequence the next piece must begin with. */
  expected: number
}

const DONE: IteratorReturnResult<void> = { done: true, value: undefined }

/** Returns one block at a time; a caller that stops early calls `return`. */
export type BlockReader = AsyncIterableIterator<EventBlock, void, undefined>

export function readBlocks(db: Level, writer: LogWriter, range: ReadRange): BlockReader {
  return new LogReader(db, writer, range)
}

/** Finds the position of an event by its sequence, `near` being one before it: locate.ts, which needs reads itself. */
type Locate = (sequence: number, near: Position) => Promise<Position | undefined>

/** Undefined if no event is in range. */
export async function readLog(
  db: Level,
  writer: LogWriter,
  range: ReadRange,
  locate: Locate,
): Promise<LogRead | undefined> {
  const { tail } = writer // as it is at the call
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

/** Sequences have no gaps on LevelDB, so the event at which `limit` cuts is known before the blocks are read. */
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
  // An event that was trimmed meanwhile is before every reader: then the time at which this one began is right enough.
  return last ?? { sequence: cut - 1, timestampMs: begin.timestampMs }
}

function firstPosition({ firstSequence, runs: [run] }: EventBlock): Position {
  return { sequence: firstSequence + run!.begin, timestampMs: run!.timestampMs }
}

/** The position of the last event of a block if it has this sequence: a short read ends in the block it began in. */
function lastPositionIf({ firstSequence, runs }: EventBlock, sequence: number): Position | undefined {
  const run = runs[runs.length - 1]!
  return firstSequence + run.end - 1 === sequence ? { sequence, timestampMs: run.timestampMs } : undefined
}

/** Not an async generator, or several in one another: they cost a point read a third of its time. */
class LogReader implements BlockReader {
  readonly #db: Level
  readonly #writer: LogWriter
  readonly #startMs: number
  readonly #endMs: number
  /** Events before it have been handed out, or were not asked for. */
  #startSequence: number
  /** The read ends before this sequence. */
  readonly #endSequence: number
  #left: number
  /** Sequence the next block must begin with. */
  #expected = 0
  /** Time of the last event that has been handed out: where the next pass seeks. */
  #reachedMs = 0
  /** Merges of the log when this pass began. */
  #merges = 0
  /** The pass: blocks and references of this log; undefined before it begins. */
  #scan: EntryScan | undefined
  /** The segment the pass is in. */
  #segment: SegmentScan | undefined
  #ended: boolean
  /** Read already by `begin`, and not yet taken. */
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

  /** Reads the first block, which `next` returns then. */
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

  /** The next block of this pass, or undefined: then it is in a segment now, begins anew, or the read has ended. */
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

  /** The scan is at the end of the range: the read is, too, unless events are missing in between. */
  async #endOfScan(): Promise<undefined> {
    const { log } = this.#writer
    const next = this.#isCut() ? await firstKey(this.#db, this.#scanEnd(), afterLog(log)) : undefined
    const end = next === undefined ? this.#endSequence : Math.min(this.#endSequence, sequenceOfKey(next))
    if (this.#expected >= end || !this.#gapBefore(end)) this.#ended = true
    else await this.#beginAnew()
  }

  /** The next pass begins at the event that this one misses. */
  async #beginAnew(): Promise<undefined> {
    this.#scan?.release()
    this.#scan = undefined
    // The merge that moved the blocks may be under way still: let it end before looking again.
    await new Promise((resolve) => setImmediate(resolve))
  }

  #done(): boolean {
    return this.#left <= 0 || this.#expected >= this.#endSequence
  }

  /** Whether blocks may have been joined since this pass began: if so, the next one begins at the expected event. */
  #movedUnder(): boolean {
    const { merges } = this.#writer
    if (merges === this.#merges && merges % 2 === 0) return false
    this.#startSequence = Math.max(this.#startSequence, this.#expected)
    return true
  }

  /** True if the pass has to begin anew; throws if events are missing that should be there. */
  #gapBefore(sequence: number): boolean {
    if (this.#expected === sequence) return false
    if (this.#movedUnder()) return true
    this.#missing(this.#expected, sequence)
    return false
  }

  /** Whether the range ends before the log does. */
  #isCut(): boolean {
    return this.#endMs <= this.#writer.tail.lastTimestampMs
  }

  #scanEnd(): Buffer {
    const { log } = this.#writer
    return this.#isCut() ? blockKey(log, this.#endMs, 0) : afterLog(log)
  }

  /** Begins a pass at the trim point, or at the last block that is not after the wanted position. */
  async #begin(): Promise<EntryScan> {
    this.#merges = this.#writer.merges
    const { log, tail } = this.#writer
    const end = this.#scanEnd()
    const trimPoint = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
    // An event after a given position stands in the block of that position, or in a later one.
    const wanted = blockKey(
      log,
      Math.max(this.#startMs, this.#reachedMs),
      Math.max(0, this.#startSequence - 1),
    )
    const byTime = blockKey(log, this.#startMs, 0)
    const key = this.#startSequence > tail.firstSequence ? wanted : byTime
    if (key.compare(trimPoint) <= 0) return this.#scanFrom(trimPoint, end)
    // That block may end before the wanted position, which only its content says: so the one behind it is fetched with it.
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

  /** Undefined if none of it is in range. */
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

  /** The next piece of the segment, or undefined: then the pass is behind it. */
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

  /** The same error, naming where in the log it was met. */
  #placed(cause: unknown, sequence: number): unknown {
    if (!(cause instanceof StorageError) || cause.code === 'closed') return cause
    const place = `log ${this.#writer.log}, sequence ${sequence}`
    return new StorageError(cause.code, `${place}: ${cause.message}`, { cause })
  }

  /** Events before the trim point may go while we read; any others may not. */
  #missing(from: number, to: number): void {
    if (this.#writer.dropping || from < this.#writer.trimmedTo) return
    throw new StorageError('corrupt', `log ${this.#writer.log}: events ${from} to ${to - 1} are missing`)
  }

  /** Most blocks of a long read are in range as a whole. */
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

  /** What of this block is in range, or undefined if nothing is. */
  #clip(block: EventBlock): EventBlock | undefined {
    const begin = Math.max(0, this.#startSequence - block.firstSequence)
    // Joined blocks may hold events that are newer than this read.
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
