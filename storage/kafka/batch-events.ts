/** The events of a batch that a read asks for. */
import type { EventBlock, EventRun, Position } from '../log.ts'
import { type EventRange, type RecordBatch, readEvents } from './record-batch-reader.ts'
import type { VisibleBatch } from './visible-batches.ts'

export interface WantedEvents {
  /** Offsets `[from, to)`. */
  readonly from: number
  readonly to: number
  /** Only events before this time. */
  readonly endMs: number
}

/** The blocks of the batch; none if it has no event that is wanted. */
export function wantedBlocks(
  { batch, minTimestampMs }: VisibleBatch,
  topic: string,
  { from, to, endMs }: WantedEvents,
): EventBlock[] {
  const range: EventRange = { from, to, minTimestampMs }
  const blocks = readEvents(batch, topic, range)
  if (highestTimeOf(batch, minTimestampMs) < endMs) return blocks
  return blocks.flatMap((block) => {
    const runs = block.runs.filter(({ timestampMs }) => timestampMs < endMs)
    return runs.length === 0 ? [] : [{ ...block, runs }]
  })
}

/** Number of the events that are wanted. Most batches are counted without being decoded. */
export function countWanted(visible: VisibleBatch, topic: string, wanted: WantedEvents): number {
  const { batch, minTimestampMs } = visible
  const { from, to, endMs } = wanted
  const isBefore = highestTimeOf(batch, minTimestampMs) < endMs
  // If the broker sets the times, all events of a batch have one. The head also has the times of the producer.
  if (batch.isAppendTime && !isBefore) return 0
  if (isContiguous(batch) && isBefore)
    return Math.max(0, Math.min(batch.lastOffset + 1, to) - Math.max(batch.baseOffset, from))
  return eventsIn(wantedBlocks(visible, topic, wanted))
}

/** Position of event number `count` (from 1) of those that are wanted; there are at least so many. */
export function positionOf(
  visible: VisibleBatch,
  topic: string,
  wanted: WantedEvents,
  count: number,
): Position {
  let left = count
  for (const { firstSequence, runs } of wantedBlocks(visible, topic, wanted)) {
    for (const run of runs) {
      if (left <= lengthOf(run))
        return { timestampMs: run.timestampMs, sequence: firstSequence + run.begin + left - 1 }
      left -= lengthOf(run)
    }
  }
  throw new Error(`the batch has fewer than ${count} events`)
}

function isContiguous({ count, baseOffset, lastOffset }: RecordBatch): boolean {
  return count === lastOffset - baseOffset + 1
}

function highestTimeOf({ maxTimestampMs }: RecordBatch, minTimestampMs: number): number {
  return Math.max(maxTimestampMs, minTimestampMs)
}

function eventsIn(blocks: readonly EventBlock[]): number {
  let events = 0
  for (const { runs } of blocks) for (const run of runs) events += lengthOf(run)
  return events
}

const lengthOf = ({ begin, end }: EventRun): number => end - begin
