/**
 * Tails on disk that are behind, and how they catch up.
 *
 * A group that only adds events to a log does not write its tail; the first such group puts a mark instead. A moment
 * later, and when the store is closed, a checkpoint writes the tail and takes the mark away. After a crash the marks tell
 * which logs have blocks beyond their tail: these are read, and the tail is what it was plus what they hold
 * (docs/decisions/0012-checkpoints.md).
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */

import type { AbstractIterator } from 'abstract-level'
import type { EventBlock, LogId } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { decodeBlock } from './block-codec.ts'
import {
  afterLog,
  BLOCKS,
  blockKey,
  isReferenceKey,
  type KeyRange,
  sequenceOfKey,
  timestampOfKey,
} from './keys.ts'
import type { Level } from './level.ts'
import type { LogWriter } from './log-writer.ts'
import { EMPTY_TAIL, type StoredTail } from './tail-codec.ts'

/** What a crash leaves to be read is what came in this time; so few tails are written that they do not count. */
const CHECKPOINT_MS = 1000
/** Enough that the write does not count, few enough that what waits for it takes little memory. */
const STEP_TAILS = 512
/** Most logs have one or two blocks that their tail does not know. */
const FEW_ENTRIES = 4
const MANY_ENTRIES = 256

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type BlockIterator = AbstractIterator<Level, Buffer, Buffer>

export class Checkpoints {
  readonly #marked = new Set<LogWriter>()
  #timer: NodeJS.Timeout | undefined

  /** The tail of this log is behind. */
  add(writer: LogWriter): void {
    this.#marked.add(writer)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.catchUp().catch(() => {}) // the engine refuses writes then, and says so to everyone
    }, CHECKPOINT_MS).unref()
  }

  /** Brings all tails up to date. Rejects with StorageError if the engine refuses writes. */
  async catchUp(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // As many as there are now: logs that keep growing are marked anew behind our back, and have their turn later.
    for (let left = this.#marked.size; left > 0; left -= STEP_TAILS) {
      await Promise.all(this.#takeStep().map((writer) => writer.checkpoint()))
    }
  }

  /** A call of `catchUp` beside this one, as at a stop, takes the others. */
  #takeStep(): LogWriter[] {
    const step: LogWriter[] = []
    for (const writer of this.#marked) {
      if (step.length === STEP_TAILS) break
      this.#marked.delete(writer)
      step.push(writer)
    }
    return step
  }
}

/**
 * The tails of logs with a mark: what is on disk of each, and the blocks after it. One iterator serves them all, for
 * opening one takes longer than most logs need. Rejects with StorageError 'corrupt' if a block is not what was written.
 */
export async function recoverTails(
  db: Level,
  marked: readonly LogId[],
  stored: { get(log: LogId): StoredTail | undefined },
  recovered: (log: LogId, tail: StoredTail) => void,
): Promise<void> {
  if (marked.length === 0) return
  const iterator = db.iterator({ ...BLOCKS, fillCache: false } as KeyRange)
  try {
    for (const log of marked) {
      const tail = { ...(stored.get(log) ?? EMPTY_TAIL) }
      iterator.seek(blockKey(log, tail.lastTimestampMs, tail.nextSequence))
      await addBlocks(log, tail, iterator)
      recovered(log, tail)
    }
  } finally {
    await iterator.close()
  }
}

async function addBlocks(log: LogId, tail: Writable<StoredTail>, iterator: BlockIterator): Promise<void> {
  const end = afterLog(log)
  for (let entries = FEW_ENTRIES; ; entries = MANY_ENTRIES) {
    const round = await iterator.nextv(entries)
    for (const [key, value] of round) {
      if (key.compare(end) >= 0) return
      addBlock(log, tail, key, value)
    }
    if (round.length === 0) return
  }
}

function addBlock(log: LogId, tail: Writable<StoredTail>, key: Buffer, value: Buffer): void {
  const sequence = sequenceOfKey(key)
  const timestampMs = timestampOfKey(key)
  if (isReferenceKey(key) || sequence !== tail.nextSequence) {
    throw corrupt(log, tail.nextSequence, `is missing: ${sequence} comes next`)
  }
  const { starts, ends, runs } = decodeOf(log, key, value)
  if (tail.firstSequence === tail.nextSequence) tail.firstTimestampMs = timestampMs
  tail.nextSequence += starts.length
  for (let i = 0; i < starts.length; i++) tail.bytesWritten += ends[i]! - starts[i]!
  tail.lastTimestampMs = runs.at(-1)?.timestampMs ?? timestampMs
}

function decodeOf(log: LogId, key: Buffer, value: Buffer): EventBlock {
  try {
    return decodeBlock(key, value, timestampOfKey(key), sequenceOfKey(key))
  } catch (cause) {
    throw corrupt(log, sequenceOfKey(key), cause instanceof Error ? cause.message : String(cause), cause)
  }
}

function corrupt(log: LogId, sequence: number, what: string, cause?: unknown): StorageError {
  return new StorageError('corrupt', `log ${log}, sequence ${sequence}: ${what}`, { cause })
}
