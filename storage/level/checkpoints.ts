/**
 * Tails on disk that are behind, and how they catch up.
 *
 * A group that only adds events to a log does not write its tail; the first such group puts a mark instead. A moment
 * later, and when the store is closed, a checkpoint writes the tail and takes the mark away. After a crash the marks tell
 * which logs have blocks beyond their tail: these are read, and the tail is what it was plus what they hold
 * (docs/decisions/0012-checkpoints.md).
 */
import type { EventBlock, LogId } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { decodeBlock } from './block-codec.ts'
import { afterLog, blockKey, isReferenceKey, sequenceOfKey, timestampOfKey } from './keys.ts'
import type { Level } from './level.ts'
import type { LogWriter } from './log-writer.ts'
import { scanRounds } from './range-scan.ts'
import type { StoredTail } from './tail-codec.ts'

/** What a crash leaves to be read is what came in this time; so few tails are written that they do not count. */
const CHECKPOINT_MS = 1000

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
    const writers = [...this.#marked]
    this.#marked.clear()
    await Promise.all(writers.map((writer) => writer.checkpoint()))
  }
}

/**
 * The tail of a log with a mark: the one on disk, and the blocks after it. Rejects with StorageError 'corrupt' if one of
 * these is not what was written.
 */
export async function recoverTail(db: Level, log: LogId, stored: StoredTail): Promise<StoredTail> {
  const tail = { ...stored }
  const gte = blockKey(log, stored.lastTimestampMs, stored.nextSequence)
  for await (const round of scanRounds(db, gte, afterLog(log))) {
    for (const [key, value] of round) {
      const sequence = sequenceOfKey(key)
      const timestampMs = timestampOfKey(key)
      if (isReferenceKey(key) || sequence !== tail.nextSequence) {
        throw corrupt(log, tail.nextSequence, `is missing: ${sequence} comes next`)
      }
      const { starts, ends, runs } = decodeOf(log, key, value)
      if (tail.firstSequence === tail.nextSequence) tail.firstTimestampMs = timestampMs
      tail.nextSequence += starts.length
      for (let i = 0; i < starts.length; i++) tail.bytesWritten += ends[i] - starts[i]
      tail.lastTimestampMs = runs.at(-1)?.timestampMs ?? timestampMs
    }
  }
  return tail
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
