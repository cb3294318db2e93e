/**
 * Where the limit of a read cuts, found before its blocks are handed out: offsets have gaps at the ends of transactions, so
 * the number of events between two offsets is known only by counting. The heads of batches are enough for that.
 */
import type { Position } from '../log.ts'
import { countWanted, positionOf, type WantedEvents } from './batch-events.ts'
import type { VisibleBatch } from './visible-batches.ts'

/** Batches that were counted are kept up to this size; those beyond are fetched again. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024

export interface LimitCut {
  /** The last event within the limit; undefined if the limit cuts nothing. */
  readonly last: Position | undefined
  /** The first batches of the read. */
  readonly kept: readonly VisibleBatch[]
  /** Whether the kept batches have all events of the read. */
  readonly isComplete: boolean
}

/** Reads `batches` as far as needed, and ends them. */
export async function findLimitCut(
  batches: AsyncGenerator<VisibleBatch, void, undefined>,
  topic: string,
  wanted: WantedEvents,
  limit: number,
): Promise<LimitCut> {
  const kept: VisibleBatch[] = []
  let keptBytes = 0
  let isComplete = true
  let left = limit
  let last: Position | undefined
  for await (const visible of batches) {
    const count = countWanted(visible, topic, wanted)
    if (count === 0) {
      if (visible.minTimestampMs >= wanted.endMs) break
      continue
    }
    if (left === 0) return { last, kept, isComplete }
    keptBytes += visible.batch.bytes.length
    if (isComplete && (kept.length === 0 || keptBytes <= KEPT_BYTES_MAX)) kept.push(visible)
    else isComplete = false
    if (count >= left) last = positionOf(visible, topic, wanted, left)
    if (count > left) return { last, kept, isComplete }
    left -= count
  }
  return { last: undefined, kept, isComplete }
}
