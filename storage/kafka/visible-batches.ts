/**
 * The record batches of a topic that readers see, from an offset on: without markers and without those of aborted
 * transactions. The next fetch is under way while the batches of the last one are handed out.
 */
import { StorageError } from '../storage-error.ts'
import { KAFKA_ERRORS } from './error-codes.ts'
import type { FetchedPart } from './fetch.ts'
import type { LeaderCalls } from './leader-calls.ts'
import type { OffsetLookup } from './offset-lookup.ts'
import { AbortedBatches, type RecordBatch, readBatches } from './record-batch-reader.ts'

/** A reader of a few events needs no more. */
export const FIRST_FETCH_BYTES = 1024 * 1024
export const FETCH_BYTES = 4 * 1024 * 1024

export interface VisibleBatch {
  readonly batch: RecordBatch
  /** No event of the batch gets an earlier time: the highest time of the batches before, invisible ones included. */
  readonly minTimestampMs: number
}

export interface BatchSource {
  readonly calls: LeaderCalls
  readonly lookup: OffsetLookup
  readonly topic: string
}

export interface BatchRange {
  /** Offsets `[from, to)`. A batch at either end may reach beyond it. */
  readonly from: number
  readonly to: number
  readonly minTimestampMs: number
  /** An answer for `from` that is there already. */
  readonly first?: FetchedPart
}

/** One answer; undefined if the topic does not exist. `offsetOutOfRange` is an answer, too. */
export function fetchCommitted(
  { calls, topic }: Pick<BatchSource, 'calls' | 'topic'>,
  offset: number,
  maxBytes: number,
  isCurrent?: (part: FetchedPart) => boolean,
): Promise<FetchedPart | undefined> {
  return calls.call(
    topic,
    async (node) => {
      const [part] = await calls.requests.fetch(node, {
        parts: [{ topic, offset, maxBytes }],
        isolation: 'committed',
        minBytes: 0,
        maxWaitMs: 0,
        maxBytes,
        purpose: 'fetch',
      })
      return part!
    },
    isCurrent,
  )
}

/** Rejects as LeaderCalls.call does, and with 'corrupt' or 'format'. Ends early when the topic is deleted. */
export async function* visibleBatches(
  source: BatchSource,
  { from, to, minTimestampMs, first }: BatchRange,
): AsyncGenerator<VisibleBatch, void, undefined> {
  const { topic } = source
  let offset = from
  let highestMs = minTimestampMs
  let part = first ?? (offset < to ? await fetchFrom(source, offset, FIRST_FETCH_BYTES) : undefined)
  while (part !== undefined && offset < to) {
    const batches = readBatches(part.records, topic)
    const last = batches.at(-1)
    if (last === undefined) {
      throw new StorageError('unavailable', `topic ${topic}: the leader has no record at offset ${offset}`)
    }
    const next = last.lastOffset + 1
    const ahead = next < to ? fetchFrom(source, next, FETCH_BYTES) : undefined
    ahead?.catch(() => {}) // reported below, unless the caller ends before
    const aborted = new AbortedBatches(part.aborted)
    for (const batch of batches) {
      if (batch.baseOffset >= to) break
      const isVisible = !aborted.has(batch, topic) && !batch.isControl && batch.lastOffset >= offset
      if (isVisible) yield { batch, minTimestampMs: highestMs }
      highestMs = Math.max(highestMs, batch.maxTimestampMs)
    }
    offset = next
    part = await ahead
  }
}

/** What is left of it, if records have been removed meanwhile. */
async function fetchFrom(
  source: BatchSource,
  offset: number,
  maxBytes: number,
): Promise<FetchedPart | undefined> {
  // Below the end there is always a record, but a new leader may not show it at once.
  const part = await fetchCommitted(
    source,
    offset,
    maxBytes,
    ({ errorCode, records }) => errorCode !== KAFKA_ERRORS.none || records.length > 0,
  )
  if (part?.errorCode !== KAFKA_ERRORS.offsetOutOfRange) return part
  const earliest = await source.lookup.find(source.topic, 'earliest')
  if (earliest === undefined || earliest.offset <= offset) return undefined
  return fetchFrom(source, earliest.offset, maxBytes)
}
