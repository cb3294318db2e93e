/**
 * Finds the position of the event with a given sequence. Keys are ordered by time first, but both count upwards, so
 * the block is found by bisection over time: a handful of seeks, whatever the size of the log.
 */
import type { Position } from '../log.ts'
import { blockKey, isReferenceKey, sequenceOfKey, timestampOfKey } from './keys.ts'
import type { Level } from './level.ts'
import { readLog } from './log-reader.ts'
import type { LogWriter } from './log-writer.ts'
import { lastKeyNotAfter } from './range-scan.ts'

/** Undefined if the event has been trimmed or does not exist yet. */
export async function locate(db: Level, writer: LogWriter, sequence: number): Promise<Position | undefined> {
  const { tail } = writer
  if (sequence < tail.firstSequence || sequence >= tail.nextSequence) return undefined
  const key = await lastKeyWithSequenceUpTo(db, writer, sequence)
  if (key === undefined) return undefined
  const timestampMs = timestampOfKey(key)
  if (isReferenceKey(key) || sequenceOfKey(key) === sequence) return { timestampMs, sequence }
  // A block may hold several groups: only its content says which of its timestamps this event has.
  const range = {
    startMs: 0,
    endMs: Number.MAX_SAFE_INTEGER,
    limit: 1,
    after: { timestampMs, sequence: sequence - 1 },
  }
  for await (const block of readLog(db, writer, range))
    return { timestampMs: block.runs[0]!.timestampMs, sequence }
  return undefined
}

async function lastKeyWithSequenceUpTo(
  db: Level,
  writer: LogWriter,
  sequence: number,
): Promise<Buffer | undefined> {
  const { log, tail } = writer
  const trimPoint = blockKey(log, tail.firstTimestampMs, tail.firstSequence)
  let low = tail.firstTimestampMs
  let high = tail.lastTimestampMs
  let best: Buffer | undefined
  while (low <= high) {
    const middle = low + Math.floor((high - low + 1) / 2)
    // The suffix makes a reference at exactly this position count as not after it.
    const lte = Buffer.concat([blockKey(log, middle, sequence), Buffer.from([0xff])])
    const key = await lastKeyNotAfter(db, trimPoint, lte)
    if (key !== undefined && sequenceOfKey(key) > sequence) {
      high = timestampOfKey(key)
    } else {
      if (key !== undefined) best = key
      low = middle + 1
    }
  }
  return best
}
