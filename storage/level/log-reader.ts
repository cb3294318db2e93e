/**
 * Reads a range of one log: seeks to the block that may hold its first event, walks blocks and segments in order, and
 * cuts off what is outside the range.
 *
 * The end is fixed when the read begins, so a read ends however fast others write. Sequences have no gaps, which makes
 * a block that is missing as visible as one that is altered: both are StorageError 'corrupt'. Only a trim that moved
 * past the reader meanwhile may take events away from under it; and where the janitor joined blocks meanwhile, the
 * reader seeks anew.
 */
import type { EventBlock, EventRun, ReadRange } from '../log.ts'
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
import { firstKey, lastKeyNotAfter, scanRoundsOnce } from './range-scan.ts'
import { decodeReference } from './segment-reference.ts'

export function readLog(
  db: Level,
  writer: LogWriter,
  range: ReadRange,
): AsyncGenerator<EventBlock, void, undefined> {
  return new LogReader(db, writer, range).read()
}

class LogReader {
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
  #ended = false

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
  }

  async *read(): AsyncGenerator<EventBlock, void, undefined> {
    const { tail } = this.#writer
    if (this.#startSequence >= tail.nextSequence || this.#startMs > tail.lastTimestampMs) return
    for (;;) {
      this.#merges = this.#writer.merges
      yield* this.#walk()
      if (this.#ended) return
      // The merge that moved the blocks may be under way still: let it end before looking again.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** One pass to the end, or to where blocks have been joined under it: then the next pass begins at that event. */
  async *#walk(): AsyncGenerator<EventBlock, void, undefined> {
    const { log, tail } = this.#writer
    const cut = this.#endMs <= tail.lastTimestampMs
    const lt = cut ? blockKey(log, this.#endMs, 0) : afterLog(log)
    for await (const round of scanRoundsOnce(this.#db, await this.#firstKey(), lt)) {
      for (const [key, value] of round) {
        const sequence = sequenceOfKey(key)
        if (this.#gapBefore(sequence)) return
        if (sequence >= this.#endSequence) {
          this.#ended = true
          return
        }
        if (isReferenceKey(key)) {
          yield* this.#readSegment(key, value, sequence)
        } else {
          const block = this.#clip(this.#decode(key, value, timestampOfKey(key), sequence))
          if (block !== undefined) yield block
        }
        if (this.#done()) {
          this.#ended = true
          return
        }
      }
    }
    const next = cut ? await firstKey(this.#db, lt, afterLog(log)) : undefined
    const end = next === undefined ? this.#endSequence : Math.min(this.#endSequence, sequenceOfKey(next))
    if (this.#expected >= end || !this.#gapBefore(end)) this.#ended = true
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

  /** Where to begin: the trim point, or the last block that is not after the wanted position. */
  async #firstKey(): Promise<Buffer> {
    const { log, tail } = this.#writer
    const trimPoint = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
    // An event after a given position stands in the block of that position, or in a later one.
    const wanted = blockKey(
      log,
      Math.max(this.#startMs, this.#reachedMs),
      Math.max(0, this.#startSequence - 1),
    )
    const byTime = blockKey(log, this.#startMs, 0)
    const key = this.#startSequence > tail.firstSequence ? wanted : byTime
    const found = key.compare(trimPoint) <= 0 ? undefined : await lastKeyNotAfter(this.#db, trimPoint, key)
    const first = found ?? trimPoint
    this.#expected = sequenceOfKey(first)
    return first
  }

  async *#readSegment(
    key: Buffer,
    value: Buffer,
    sequence: number,
  ): AsyncGenerator<EventBlock, void, undefined> {
    const timestampMs = timestampOfKey(key)
    const { segment, count } = this.#naming(sequence, () => decodeReference(key, value))
    this.#expected = sequence + count
    if (timestampMs < this.#startMs || timestampMs >= this.#endMs) return
    const from = pieceKey(segment, 0)
    const skipped = this.#startSequence - sequence
    const gte =
      skipped <= 0 ? from : ((await lastKeyNotAfter(this.#db, from, pieceKey(segment, skipped))) ?? from)
    let expected = sequence + indexOfPieceKey(gte)
    for await (const round of scanRoundsOnce(this.#db, gte, afterSegment(segment))) {
      for (const [pieceKeyFound, piece] of round) {
        if (this.#left <= 0) return
        const first = sequence + indexOfPieceKey(pieceKeyFound)
        if (first !== expected) return this.#missing(expected, first)
        const block = this.#decode(pieceKeyFound, piece, timestampMs, first)
        expected = first + block.starts.length
        const clipped = this.#clip(block)
        if (clipped !== undefined) yield clipped
        if (expected === sequence + count) return
      }
    }
    this.#missing(expected, sequence + count)
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
      if (!(cause instanceof StorageError)) throw cause
      throw new StorageError(cause.code, `log ${this.#writer.log}, sequence ${sequence}: ${cause.message}`, {
        cause,
      })
    }
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
      runs[0].timestampMs >= this.#startMs &&
      runs[runs.length - 1].timestampMs < this.#endMs
    )
  }

  /** What of this block is in range, or undefined if nothing is. */
  #clip(block: EventBlock): EventBlock | undefined {
    const begin = Math.max(0, this.#startSequence - block.firstSequence)
    // Joined blocks may hold events that are newer than this read.
    const end = this.#endSequence - block.firstSequence
    if (this.#wantsAll(block, begin, end)) {
      this.#left -= block.starts.length
      this.#reachedMs = block.runs[block.runs.length - 1].timestampMs
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
