/**
 * Writes the tails on disk that are out of date, and recovers them after a crash.
 *
 * A group that only adds events to a log does not write the tail of the log. The first such group writes a mark
 * instead. A checkpoint writes the tail and removes the mark: a moment later, and when the store is closed. After a
 * crash the marks identify the logs with blocks beyond their tail. Recovery reads these blocks; the tail is then the
 * tail on disk plus these blocks (docs/decisions/0012-checkpoints.md).
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

/**
 * After a crash, about the events of this time have to be read. With this interval, the cost of writing tails is
 * negligible.
 */
const CHECKPOINT_MS = 1000
/**
 * Tails in one write: enough that the cost of the write is negligible, few enough that the waiting tails take little
 * memory.
 */
const STEP_TAILS = 512
/** Most logs with a mark have one or two blocks that are not in their tail. */
const FEW_ENTRIES = 4
const MANY_ENTRIES = 256

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type BlockIterator = AbstractIterator<Level, Buffer, Buffer>

export class Checkpoints {
  readonly #marked = new Set<LogWriter>()
  #timer: NodeJS.Timeout | undefined

  /** Registers a log whose tail on disk is out of date. */
  add(writer: LogWriter): void {
    this.#marked.add(writer)
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.catchUp().catch(() => {}) // if the engine refuses writes, every write reports it
    }, CHECKPOINT_MS).unref()
  }

  /** Writes all tails that are out of date. Rejects with StorageError if the engine refuses writes. */
  async catchUp(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // Only the logs that are marked now; logs marked meanwhile are left to the next call.
    for (let left = this.#marked.size; left > 0; left -= STEP_TAILS) {
      await Promise.all(this.#takeStep().map((writer) => writer.checkpoint()))
    }
  }

  /**
   * Each call takes logs that no other call has taken: a second `catchUp` at the same time, as at a stop, takes the
   * others.
   */
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
 * Recovers the tails of logs with a mark: the tail on disk plus the blocks after it. All logs share one iterator,
 * because opening one takes longer than most logs need. Rejects with StorageError 'corrupt' if a block differs from
 * what was written.
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
