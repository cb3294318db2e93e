/**
 * Takes events off the front of a log, drops whole logs, and sweeps segments that no log refers to. Bounded work per
 * call; the space comes back when the range is compacted (compactor.ts).
 */

import type { LogTail, Position } from '../log.ts'
import { decodeBlock } from './block-codec.ts'
import { Compactor } from './compactor.ts'
import type { GroupCommit } from './group-commit.ts'
import {
  afterLog,
  afterSegment,
  blockKey,
  isReferenceKey,
  type KeyRange,
  ORPHANS,
  orphanKey,
  pieceKey,
  segmentOfOrphanKey,
  sequenceOfKey,
  timestampOfKey,
} from './keys.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'
import type { Trim } from './log-change.ts'
import type { LogWriter } from './log-writer.ts'
import { NO_PROGRESS, type Progress } from './progress.ts'
import { readableReference } from './segment-reference.ts'

/** Whether `trim` could find something to remove. */
export function mayTrim(tail: LogTail, beforeMs: number): boolean {
  return tail.firstSequence < tail.nextSequence && tail.firstTimestampMs < beforeMs
}

export class LogTrimmer {
  readonly #db: Level
  readonly #commit: GroupCommit
  /** Segments that belong to no log and are not being written: their pieces are deleted by `sweep`. */
  readonly #orphans = new Set<number>()
  readonly #compactor: Compactor

  constructor(db: Level, commit: GroupCommit) {
    this.#db = db
    this.#commit = commit
    this.#compactor = new Compactor(db)
  }

  /** Finds what a crash or a stop has left behind. */
  async loadOrphans(): Promise<void> {
    for await (const key of this.#db.keys({ ...ORPHANS })) this.#orphans.add(segmentOfOrphanKey(key))
  }

  abandon(segment: number): void {
    this.#orphans.add(segment)
  }

  async trim(writer: LogWriter, beforeMs: number, limit: number): Promise<Progress> {
    const { tail } = writer
    // Appends go on beside this: everything is judged by the tail as it was, and later blocks are left out.
    const found = (await this.#firstKeys(writer, limit + 1)).filter(
      (key) => sequenceOfKey(key) < tail.nextSequence,
    )
    let expired = 0
    while (expired < limit && expired < found.length && endsBefore(found, expired, tail, beforeMs)) expired++
    const edge = expired < limit ? found[expired] : undefined
    if (edge !== undefined && (await this.#lastTimestampOf(edge)) < beforeMs) expired++
    if (expired === 0) return NO_PROGRESS
    await this.#remove(writer, found, expired, { first: positionAfter(found, expired, tail), last: false })
    return { removed: expired, more: expired === limit }
  }

  async drop(writer: LogWriter, limit: number): Promise<Progress> {
    if (!writer.dropping) {
      writer.markDropping()
      await writer.barrier() // what was accepted before is on disk now, and will be found
    }
    const found = await this.#firstKeys(writer, limit + 1)
    const more = found.length > limit
    const count = Math.min(limit, found.length)
    await this.#remove(writer, found, count, { first: positionAfter(found, count, writer.tail), last: !more })
    return { removed: count, more }
  }

  async sweep(limit: number): Promise<Progress> {
    let removed = 0
    for (const segment of this.#orphans) {
      const progress = await this.#sweepSegment(segment, limit - removed)
      removed += progress.removed
      if (progress.more) return { removed, more: true }
      this.#orphans.delete(segment)
    }
    return { removed, more: false }
  }

  async #sweepSegment(segment: number, limit: number): Promise<Progress> {
    const range = { gte: pieceKey(segment, 0), lt: afterSegment(segment) }
    const keys = await this.#keys(range, limit + 1)
    const more = keys.length > limit
    const removed = keys.slice(0, limit)
    const batch = this.#db.batch() as Batch
    for (const key of removed) batch.del(key)
    if (!more) batch.del(orphanKey(segment))
    // Synced, though after a crash it could be done again: a write torn by a power cut is then always the last one, and
    // anything else that does not match in LevelDB's log is damage (level-files/record-log.ts).
    await this.#commit.write(batch)
    await this.#compactor.deleted(removed.length, range, !more)
    return { removed: removed.length, more }
  }

  /** Removes the first `count` of the keys found, and all that stands behind them. */
  async #remove(
    writer: LogWriter,
    found: readonly Buffer[],
    count: number,
    outcome: Pick<Trim, 'first' | 'last'>,
  ): Promise<void> {
    const keys = found.slice(0, count)
    const segments = await this.#segmentsBehind(keys)
    await writer.trim({ keys, segments, ...outcome })
    for (const segment of segments) this.#orphans.add(segment)
    const { sequence, timestampMs } = outcome.first
    const gone = {
      gte: blockKey(writer.log, 0, 0),
      lt: outcome.last ? afterLog(writer.log) : blockKey(writer.log, timestampMs, sequence),
    }
    await this.#compactor.deleted(count, gone, true)
  }

  #firstKeys(writer: LogWriter, limit: number): Promise<Buffer[]> {
    const { log, tail } = writer
    const gte = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
    return this.#keys({ gte, lt: afterLog(log) }, limit)
  }

  async #keys(range: KeyRange, limit: number): Promise<Buffer[]> {
    try {
      return await this.#db.keys({ ...range, limit }).all()
    } catch (error) {
      throw storageErrorOf(error)
    }
  }

  /** Time of the last event behind a key: a block may hold several groups, so it has to be read. */
  async #lastTimestampOf(key: Buffer): Promise<number> {
    const timestampMs = timestampOfKey(key)
    if (isReferenceKey(key)) return timestampMs
    const value = await this.#db.get(key)
    if (value === undefined) return timestampMs
    return decodeBlock(key, value, timestampMs, sequenceOfKey(key)).runs.at(-1)?.timestampMs ?? timestampMs
  }

  /**
   * Segments to give up with these keys. Behind a damaged reference they are unknown: its pieces stay on disk,
   * which costs less than a log that can never be trimmed again.
   */
  async #segmentsBehind(keys: readonly Buffer[]): Promise<number[]> {
    const segments: number[] = []
    for (const key of keys) {
      if (!isReferenceKey(key)) continue
      const value = await this.#db.get(key)
      const reference = value === undefined ? undefined : readableReference(key, value)
      if (reference !== undefined) segments.push(reference.segment)
    }
    return segments
  }
}

/** Told by keys alone: a block ends before the cut if the one after it begins before the cut, or if it is the last and the log ends so. */
function endsBefore(found: readonly Buffer[], i: number, tail: LogTail, beforeMs: number): boolean {
  const next = found[i + 1]
  return next === undefined ? tail.lastTimestampMs < beforeMs : timestampOfKey(next) < beforeMs
}

function positionAfter(found: readonly Buffer[], count: number, tail: LogTail): Position {
  const next = found[count]
  if (next === undefined) return { sequence: tail.nextSequence, timestampMs: tail.lastTimestampMs }
  return { sequence: sequenceOfKey(next), timestampMs: timestampOfKey(next) }
}
