/**
 * Finds the position of the event with a given sequence. Keys are ordered by time first, but sequences ascend with
 * time. So the block is found by bisection over time: at most a few tens of seeks, independent of the size of the log;
 * two for an event near one that is known.
 */
import type { LogId, Position } from '../log.ts'
import { afterLog, blockKey, isReferenceKey, sequenceOfKey, timestampOfKey } from './keys.ts'
import type { Level } from './level.ts'
import { readBlocks } from './log-reader.ts'
import type { LogWriter } from './log-writer.ts'
import { firstKey, keyAfter, lastKeyNotAfter } from './range-scan.ts'

/** Returns undefined if the event has been trimmed or does not exist yet. */
export async function locate(
  db: Level,
  writer: LogWriter,
  sequence: number,
  near?: Position,
): Promise<Position | undefined> {
  const { tail } = writer
  if (sequence < tail.firstSequence || sequence >= tail.nextSequence) return undefined
  const key = await lastKeyWithSequenceUpTo(db, writer, sequence, near)
  if (key === undefined) return undefined
  const timestampMs = timestampOfKey(key)
  if (isReferenceKey(key) || sequenceOfKey(key) === sequence) return { timestampMs, sequence }
  // A block may contain several groups, so only its content shows which of its timestamps this event has.
  const range = {
    startMs: 0,
    endMs: Number.MAX_SAFE_INTEGER,
    limit: 1,
    after: { timestampMs, sequence: sequence - 1 },
  }
  for await (const { firstSequence, runs } of readBlocks(db, writer, range)) {
    const { begin, timestampMs: foundMs } = runs[0]!
    return firstSequence + begin === sequence ? { timestampMs: foundMs, sequence } : undefined
  }
  return undefined
}

async function lastKeyWithSequenceUpTo(
  db: Level,
  writer: LogWriter,
  sequence: number,
  near: Position | undefined,
): Promise<Buffer | undefined> {
  const { log, tail } = writer
  const trimPoint = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
  const lastUpTo = (timestampMs: number) =>
    lastKeyNotAfter(db, trimPoint, atOrBefore(log, timestampMs, sequence))

  let low = Math.max(tail.firstTimestampMs, near?.timestampMs ?? 0)
  let best = await lastUpTo(low)
  const next = await firstKey(db, best === undefined ? trimPoint : keyAfter(best), afterLog(log))
  if (next === undefined || sequenceOfKey(next) > sequence) return best

  let high = tail.lastTimestampMs
  while (low < high) {
    const middle = low + Math.ceil((high - low) / 2)
    const key = await lastUpTo(middle)
    if (key !== undefined && sequenceOfKey(key) > sequence) {
      high = timestampOfKey(key) // before middle, because the key is not after (middle, sequence)
    } else {
      best = key ?? best
      low = middle
    }
  }
  return best
}

/** A key above the block and reference keys of this position, and below those of every later position. */
function atOrBefore(log: LogId, timestampMs: number, sequence: number): Buffer {
  return Buffer.concat([blockKey(log, timestampMs, sequence), REFERENCE_END])
}

const REFERENCE_END = Buffer.from([0xff])
