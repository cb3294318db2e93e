/**
 * Removes expired events from the start of a log, drops logs, and deletes segments that no log refers to. Each call
 * does a bounded amount of work. The disk space is freed when the range is compacted (compactor.ts).
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

/** Whether `trim` could find events to remove. */
export function mayTrim(tail: LogTail, beforeMs: number): boolean {
  return tail.firstSequence < tail.nextSequence && tail.firstTimestampMs < beforeMs
}

export class LogTrimmer {
  readonly #db: Level
  readonly #commit: GroupCommit
  /** Segments that belong to no log and are not being written. `sweep` deletes their pieces. */
  readonly #orphans = new Set<number>()
  readonly #compactor: Compactor

  constructor(db: Level, commit: GroupCommit) {
    this.#db = db
    this.#commit = commit
    this.#compactor = new Compactor(db)
  }

  /** Finds the orphan segments that a crash or a stop has left. */
  async loadOrphans(): Promise<void> {
    for await (const key of this.#db.keys({ ...ORPHANS })) this.#orphans.add(segmentOfOrphanKey(key))
  }

  abandon(segment: number): void {
    this.#orphans.add(segment)
  }

  async trim(writer: LogWriter, beforeMs: number, limit: number): Promise<Progress> {
    const { tail } = writer
    // Appends continue meanwhile. So all decisions use the tail as of this moment, and later blocks are left out.
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
      await writer.barrier() // changes that were accepted before are on disk now, so the search below finds them
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
    // Synced, although it could be repeated after a crash. So a write that a power cut tears is always the last one,
    // and any other mismatch in LevelDB's log is damage (level-files/record-log.ts).
    await this.#commit.write(batch)
    await this.#compactor.deleted(removed.length, range, !more)
    return { removed: removed.length, more }
  }

  /** Removes the first `count` of the found keys, and marks the segments that they refer to as orphans. */
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

  /** Timestamp of the last event of a block or segment. A block may contain several groups, so it has to be read. */
  async #lastTimestampOf(key: Buffer): Promise<number> {
    const timestampMs = timestampOfKey(key)
    if (isReferenceKey(key)) return timestampMs
    const value = await this.#db.get(key)
    if (value === undefined) return timestampMs
    return decodeBlock(key, value, timestampMs, sequenceOfKey(key)).runs.at(-1)?.timestampMs ?? timestampMs
  }

  /**
   * Segments that these references refer to. Those of a damaged reference are unknown, so their pieces stay on disk.
   * This costs less than a log that can never be trimmed again.
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

/**
 * Decides from keys alone. A block ends before the cut if the next block begins before the cut. The last block does if
 * the log ends before the cut.
 */
function endsBefore(found: readonly Buffer[], i: number, tail: LogTail, beforeMs: number): boolean {
  const next = found[i + 1]
  return next === undefined ? tail.lastTimestampMs < beforeMs : timestampOfKey(next) < beforeMs
}

function positionAfter(found: readonly Buffer[], count: number, tail: LogTail): Position {
  const next = found[count]
  if (next === undefined) return { sequence: tail.nextSequence, timestampMs: tail.lastTimestampMs }
  return { sequence: sequenceOfKey(next), timestampMs: timestampOfKey(next) }
}
