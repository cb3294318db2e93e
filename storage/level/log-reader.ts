/**
 * Reads a range of one log: seeks to the block that may hold its first event, walks blocks and segments in order, and
 * cuts off what is outside the range.
 *
 * The end is fixed when the read begins, so a read ends however fast others write. Sequences have no gaps, which makes
 * a block that is missing as visible as one that is altered: both are StorageError 'corrupt'. Only a trim that moved
 * past the reader meanwhile may take events away from under it.
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
import { lastKeyNotAfter, scanRounds } from './range-scan.ts'
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
  readonly #startSequence: number
  /** The read ends before this sequence. */
  #endSequence: number
  #left: number
  /** Sequence the next block must begin with, once known. */
  #expected: number | undefined

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
    const { log, tail } = this.#writer
    if (this.#startSequence >= tail.nextSequence || this.#startMs > tail.lastTimestampMs) return
    const cut = this.#endMs <= tail.lastTimestampMs
    const lt = cut ? blockKey(log, this.#endMs, 0) : afterLog(log)
    for await (const round of scanRounds(this.#db, await this.#firstKey(), lt)) {
      for (const [key, value] of round) {
        if (this.#done()) return
        const sequence = sequenceOfKey(key)
        if (sequence >= this.#endSequence) return
        this.#assertContinues(sequence)
        if (isReferenceKey(key)) {
          yield* this.#readSegment(key, value, sequence)
        } else {
          const block = this.#clip(this.#decode(key, value, timestampOfKey(key), sequence))
          if (block !== undefined) yield block
        }
      }
      if (this.#done()) return
    }
    if (!cut && this.#expected !== this.#endSequence)
      this.#missing(this.#expected ?? this.#startSequence, this.#endSequence)
  }

  #done(): boolean {
    return this.#left <= 0 || (this.#expected !== undefined && this.#expected >= this.#endSequence)
  }

  /** Where to begin: the trim point, or the last block that is not after the wanted position. */
  async #firstKey(): Promise<Buffer> {
    const { log, tail } = this.#writer
    const trimPoint = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
    // An event after a given position stands in the block of that position, or in a later one.
    const wanted = blockKey(log, this.#startMs, Math.max(0, this.#startSequence - 1))
    const byTime = blockKey(log, this.#startMs, 0)
    const key = this.#startSequence > tail.firstSequence ? wanted : byTime
    if (key.compare(trimPoint) <= 0) {
      this.#expected = tail.firstSequence
      return trimPoint
    }
    return (await lastKeyNotAfter(this.#db, trimPoint, key)) ?? trimPoint
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
    const wanted = pieceKey(segment, Math.max(0, this.#startSequence - sequence))
    const gte = (await lastKeyNotAfter(this.#db, from, wanted)) ?? from
    let expected: number | undefined
    for await (const round of scanRounds(this.#db, gte, afterSegment(segment))) {
      for (const [pieceKeyFound, piece] of round) {
        if (this.#left <= 0) return
        const first = sequence + indexOfPieceKey(pieceKeyFound)
        if (expected !== undefined && first !== expected) return this.#missing(expected, first)
        const block = this.#decode(pieceKeyFound, piece, timestampMs, first)
        expected = first + block.starts.length
        const clipped = this.#clip(block)
        if (clipped !== undefined) yield clipped
        if (expected === sequence + count) return
      }
    }
    this.#missing(expected ?? sequence, sequence + count)
  }

  #decode(key: Buffer, value: Buffer, timestampMs: number, sequence: number): EventBlock {
    const block = this.#naming(sequence, () => decodeBlock(key, value, timestampMs, sequence))
    this.#expected = Math.max(this.#expected ?? 0, sequence + block.starts.length)
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

  #assertContinues(sequence: number): void {
    const expected = this.#expected
    if (expected !== undefined && expected !== sequence) this.#missing(expected, sequence)
  }

  /** Events before the trim point may go while we read; any others may not. */
  #missing(from: number, to: number): void {
    if (this.#writer.dropping || from < this.#writer.tail.firstSequence) return
    throw new StorageError('corrupt', `log ${this.#writer.log}: events ${from} to ${to - 1} are missing`)
  }

  /** What of this block is in range, or undefined if nothing is. */
  #clip(block: EventBlock): EventBlock | undefined {
    const begin = Math.max(0, this.#startSequence - block.firstSequence)
    const runs: EventRun[] = []
    for (const run of block.runs) {
      if (run.timestampMs < this.#startMs || run.end <= begin) continue
      if (run.timestampMs >= this.#endMs) {
        this.#left = 0
        break
      }
      const from = Math.max(run.begin, begin)
      const to = Math.min(run.end, from + this.#left)
      runs.push(from === run.begin && to === run.end ? run : { ...run, begin: from, end: to })
      this.#left -= to - from
      if (this.#left <= 0) break
    }
    return runs.length === 0 ? undefined : { ...block, runs }
  }
}
