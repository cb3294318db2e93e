/**
 * Joins small neighbouring blocks. Events that arrive one by one are written as blocks of one or a few events each.
 * Such blocks use more space and make reads slow. When their events are some seconds old (maintenance.ts), about 56 KiB
 * of them become one block.
 *
 * The merge point in the tail records how far the merger has come, so no block is joined twice. The last small blocks
 * are not joined until they fill a block or are old. Otherwise a slow stream would rewrite its last events again and
 * again.
 */
import assert from 'node:assert'
import { encodeHeaders } from '../header-set.ts'
import type { Position } from '../log.ts'
import { slicesOfRun } from '../slices.ts'
import { BlockBuilder } from './block-builder.ts'
import { decodeBlock, eventCountOf, type UnsealedBlock } from './block-codec.ts'
import { afterLog, blockKey, isReferenceKey, sequenceOfKey, timestampOfKey } from './keys.ts'
import { isCompactable, type Level } from './level.ts'
import type { LogWriter } from './log-writer.ts'
import { NO_PROGRESS, type Progress } from './progress.ts'
import { type Entry, EntryScan } from './range-scan.ts'
import type { StoredTail } from './tail-codec.ts'

/** A block with this many events is not joined: its overhead for each event is negligible. */
const SMALL_BLOCK_EVENTS = 256
/** Small blocks are joined up to this total size, so that the result is one block. */
const MERGED_BYTES_MAX = 56 * 1024
/** Maximum time range of one joined block, because expiry frees whole blocks. CDAP's partitions span an hour, too. */
const MERGED_SPAN_MS = 3_600_000
/**
 * After this many small blocks have been removed from a log, their range is compacted: a read over their tombstones
 * takes twice as long, and they still use disk space. This is done less often than after a trim, because a compaction
 * also rewrites the blocks that remain in the range.
 */
const COMPACT_AFTER_KEYS = 65_536

/** Whether `merge` could find blocks to join. */
export function mayMerge(tail: StoredTail, beforeMs: number): boolean {
  const { sequence, timestampMs } = mergePoint(tail)
  return sequence < tail.nextSequence && timestampMs < beforeMs
}

export class BlockMerger {
  readonly #db: Level
  /** Logs without blocks to join, until `nextSequence` of the log changes or `beforeMs` of a call reaches `untilMs`. */
  readonly #settled = new WeakMap<LogWriter, { readonly nextSequence: number; readonly untilMs: number }>()

  /**
   * Start of the range in which blocks were removed and that has not been compacted since, and the number of these
   * blocks.
   */
  readonly #uncompacted = new WeakMap<LogWriter, { readonly from: Position; readonly keys: number }>()

  constructor(db: Level) {
    this.#db = db
  }

  /** Joins blocks before `beforeMs`; reads about `limit` of them. */
  async merge(writer: LogWriter, beforeMs: number, limit: number): Promise<Progress> {
    const begun = mergePoint(writer.tail)
    const progress = await this.#merge(writer, begun, beforeMs, limit)
    await this.#compact(writer, begun, progress.removed)
    return progress
  }

  async #merge(writer: LogWriter, begun: Position, beforeMs: number, limit: number): Promise<Progress> {
    const { log, tail } = writer
    const settled = this.#settled.get(writer)
    if (settled !== undefined && settled.nextSequence === tail.nextSequence && beforeMs < settled.untilMs)
      return NO_PROGRESS
    const merge = new Merge(writer, begun)
    let looked = 0
    const gte = blockKey(log, begun.timestampMs, begun.sequence)
    const scan = new EntryScan(this.#db, gte, afterLog(log))
    for (;;) {
      const entry = scan.take()
      if (entry === undefined) {
        if (await scan.fetch()) continue
        break
      }
      const timestampMs = timestampOfKey(entry[0])
      if (timestampMs >= beforeMs) return this.#end(writer, merge, beforeMs, timestampMs + 1)
      // The call does not end before one block is full: a call that joins nothing would be repeated for ever.
      if (looked >= limit && merge.advanced) return { removed: await merge.end(), more: true }
      await merge.take(entry)
      looked++
    }
    return this.#end(writer, merge, beforeMs, Number.POSITIVE_INFINITY)
  }

  async #compact(writer: LogWriter, begun: Position, removed: number): Promise<void> {
    if (removed === 0) return
    const { from, keys } = this.#uncompacted.get(writer) ?? { from: begun, keys: 0 }
    if (keys + removed < COMPACT_AFTER_KEYS) {
      this.#uncompacted.set(writer, { from, keys: keys + removed })
      return
    }
    this.#uncompacted.delete(writer)
    if (!isCompactable(this.#db)) return
    const to = mergePoint(writer.tail)
    await this.#db.compactRange(
      blockKey(writer.log, from.timestampMs, from.sequence),
      blockKey(writer.log, to.timestampMs, to.sequence),
    )
  }

  async #end(writer: LogWriter, merge: Merge, beforeMs: number, hotMs: number): Promise<Progress> {
    const oldMs = merge.openSinceMs + MERGED_SPAN_MS
    if (oldMs < beforeMs) await merge.join()
    const { nextSequence } = writer.tail
    this.#settled.set(writer, {
      nextSequence,
      untilMs: Math.min(hotMs, oldMs < beforeMs ? hotMs : oldMs + 1),
    })
    return { removed: await merge.end(), more: false }
  }
}

function mergePoint(tail: StoredTail): Position {
  if (tail.mergedSequence <= tail.firstSequence) {
    return { sequence: tail.firstSequence, timestampMs: tail.firstTimestampMs }
  }
  return { sequence: tail.mergedSequence, timestampMs: tail.mergedTimestampMs }
}

/** One pass over a log: collects small blocks, and replaces each full collection by one block. */
class Merge {
  readonly #writer: LogWriter
  /** The merge point that was last written. */
  #noted: Position
  /** All blocks before this position are done. */
  #done: Position
  #open: Entry[] = []
  #openBytes = 0
  #removed = 0

  constructor(writer: LogWriter, begun: Position) {
    this.#writer = writer
    this.#noted = begun
    this.#done = begun
  }

  get advanced(): boolean {
    return this.#done.sequence > this.#noted.sequence || this.#removed > 0
  }

  /** Time of the first block that is collected and not joined yet. */
  get openSinceMs(): number {
    const first = this.#open[0]
    return first === undefined ? Number.POSITIVE_INFINITY : timestampOfKey(first[0])
  }

  async take(entry: Entry): Promise<void> {
    const [key, value] = entry
    const small =
      !isReferenceKey(key) && value.length <= MERGED_BYTES_MAX && eventCountOf(value) < SMALL_BLOCK_EVENTS
    const fits =
      small &&
      this.#openBytes + value.length <= MERGED_BYTES_MAX &&
      !(timestampOfKey(key) - this.openSinceMs > MERGED_SPAN_MS)
    if (!fits) await this.join()
    if (this.#open.length === 0)
      this.#done = { sequence: sequenceOfKey(key), timestampMs: timestampOfKey(key) }
    if (!small) return
    this.#open.push(entry)
    this.#openBytes += value.length
  }

  /** Replaces the collected blocks by one block. */
  async join(): Promise<void> {
    const open = this.#open
    this.#open = []
    this.#openBytes = 0
    if (open.length === 0) return
    const { block, done } = joined(open)
    const first = { sequence: sequenceOfKey(open[0]![0]), timestampMs: timestampOfKey(open[0]![0]) }
    this.#done = done
    if (open.length === 1) return
    await this.#writer.merge({ keys: open.map(([key]) => key), block, first, done })
    this.#noted = done
    this.#removed += open.length - 1
  }

  /** Writes the merge point. Returns the number of removed blocks. */
  async end(): Promise<number> {
    if (this.#done.sequence > this.#noted.sequence) {
      await this.#writer.merge({ keys: [], block: undefined, first: this.#done, done: this.#done })
      this.#noted = this.#done
    }
    return this.#removed
  }
}

/** One block with the events of these entries, and the position after it. */
function joined(entries: readonly Entry[]): { block: UnsealedBlock; done: Position } {
  const builder = new BlockBuilder()
  const startMs = timestampOfKey(entries[0]![0])
  let sequence = 0
  let timestampMs = startMs
  for (const [key, value] of entries) {
    const block = decodeBlock(key, value, timestampOfKey(key), sequenceOfKey(key))
    for (const run of block.runs) {
      builder.addSlices(slicesOfRun(block, run), encodeHeaders(run.headers), run.timestampMs - startMs)
      timestampMs = run.timestampMs
    }
    sequence = sequenceOfKey(key) + block.starts.length
  }
  const [block, ...others] = builder.take(true)
  assert(block !== undefined && others.length === 0, 'small blocks fit in one')
  return { block, done: { sequence, timestampMs } }
}
