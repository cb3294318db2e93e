/**
 * Reads a log: one lookup for a start time, then fetches of committed records, one ahead of the caller.
 *
 * Times of events are the running maximum of the times of batches, so they never go back, although brokers' clocks differ. A
 * lookup by time finds the first record that is not older, which is the first event whose running maximum is not older.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventBlock, LogId, LogRead, ReadRange } from '../log.ts'
import { type WantedEvents, wantedBlocks } from './batch-events.ts'
import { KAFKA_ERRORS } from './error-codes.ts'
import type { FetchedPart } from './fetch.ts'
import type { LeaderCalls } from './leader-calls.ts'
import { findLimitCut } from './limit-cut.ts'
import type { OffsetLookup } from './offset-lookup.ts'
import { DEFAULT_PENDING_MS, type TopicNames } from './settings.ts'
import {
  type BatchRange,
  type BatchSource,
  FIRST_FETCH_BYTES,
  fetchCommitted,
  type VisibleBatch,
  visibleBatches,
} from './visible-batches.ts'

export interface LogReaderParts {
  readonly calls: LeaderCalls
  readonly lookup: OffsetLookup
  readonly names: TopicNames
  /** Every sequence below has been acknowledged to this process, so a leader that does not know it is not the present one. */
  readonly acknowledged: (log: LogId) => number
  /** The log ends before what was acknowledged, and no leader was found that has more. */
  readonly onLost: (log: LogId, nextSequence: number) => void
  /** How long a read waits for a transaction that is open. */
  readonly pendingMs?: number
}

/** The log as a read found it: offsets `[from, to)`. */
interface Found extends BatchRange {
  readonly isBehind: boolean
}

const PENDING_PAUSE_MIN_MS = 10
const PENDING_PAUSE_MAX_MS = 200
/** First offsets of logs that are remembered; a wrong one costs a request. */
const STARTS_MAX = 20_000

export class LogReader {
  readonly #parts: LogReaderParts
  readonly #starts = new Map<LogId, number>()

  constructor(parts: LogReaderParts) {
    this.#parts = parts
  }

  async read(log: LogId, range: ReadRange): Promise<LogRead | undefined> {
    const { calls, lookup, names } = this.#parts
    const source: BatchSource = { calls, lookup, topic: names.log(log) }
    calls.assertOpen()
    const { endMs, limit } = range
    if (limit <= 0 || range.startMs >= endMs) return undefined
    const found = await this.#find(log, source, range)
    if (found === undefined) return undefined
    const { from, to, isBehind } = found
    const wanted = { from, to, endMs }
    const behind = isBehind && { isBehind }
    // There are no more events than offsets.
    if (to - from <= limit) {
      const blocks = await begun(blocksOf(source, visibleBatches(source, found), wanted))
      return blocks && { blocks, ...behind }
    }
    const cut = await findLimitCut(visibleBatches(source, found), source.topic, wanted, limit)
    const upTo = cut.last === undefined ? to : cut.last.sequence + 1
    const batches = withKept(source, cut.kept, cut.isComplete, { ...found, to: upTo })
    const blocks = await begun(blocksOf(source, batches, { ...wanted, to: upTo }))
    if (blocks === undefined) return undefined
    return { blocks, ...(cut.last && { next: cut.last }), ...(cut.last === undefined && behind) }
  }

  async #find(log: LogId, source: BatchSource, { startMs, after }: ReadRange): Promise<Found | undefined> {
    let from = Math.max((after?.sequence ?? -1) + 1, this.#starts.get(log) ?? 0)
    if (startMs > 0 && !(after !== undefined && after.timestampMs >= startMs)) {
      const start = await source.lookup.find(source.topic, startMs)
      if (start === undefined || start.offset < 0) return undefined
      from = Math.max(from, start.offset)
    }
    let first = await this.#firstPart(log, source, from)
    if (first?.errorCode === KAFKA_ERRORS.offsetOutOfRange) {
      const earliest = await source.lookup.find(source.topic, 'earliest')
      if (earliest === undefined) return undefined
      const stable = await source.lookup.find(source.topic, 'stable')
      this.#starts.delete(log)
      if (stable === undefined || Math.max(from, earliest.offset) >= stable.offset) return undefined
      from = Math.max(from, earliest.offset)
      first = await this.#firstPart(log, source, from)
    }
    if (first === undefined || first.errorCode !== KAFKA_ERRORS.none) return undefined
    this.#noteStart(log, first.logStartOffset)
    const stable = await this.#stableOffset(source, first)
    return {
      from,
      to: stable,
      isBehind: stable < first.highWatermark,
      minTimestampMs: after?.timestampMs ?? 0,
      ...(first.records.length > 0 && { first }),
    }
  }

  async #firstPart(log: LogId, source: BatchSource, from: number): Promise<FetchedPart | undefined> {
    const acknowledged = this.#parts.acknowledged(log)
    const isCurrent = ({ errorCode, highWatermark }: FetchedPart) =>
      errorCode !== KAFKA_ERRORS.none || highWatermark >= acknowledged
    const part = await fetchCommitted(source, from, FIRST_FETCH_BYTES, isCurrent)
    if (part !== undefined && !isCurrent(part)) this.#parts.onLost(log, part.highWatermark)
    return part
  }

  /** Waits a little for transactions that were open when the read began, but not for those that began later. */
  async #stableOffset(
    source: BatchSource,
    { lastStableOffset, highWatermark }: FetchedPart,
  ): Promise<number> {
    const endMs = performance.now() + (this.#parts.pendingMs ?? DEFAULT_PENDING_MS)
    let stable = lastStableOffset
    let pauseMs = PENDING_PAUSE_MIN_MS
    while (stable < highWatermark && performance.now() + pauseMs <= endMs) {
      await sleep(pauseMs)
      pauseMs = Math.min(2 * pauseMs, PENDING_PAUSE_MAX_MS)
      const found = await source.lookup.find(source.topic, 'stable')
      if (found === undefined) break
      stable = Math.max(stable, found.offset)
    }
    return Math.min(stable, highWatermark)
  }

  #noteStart(log: LogId, offset: number): void {
    if (offset <= 0) return
    if (this.#starts.size >= STARTS_MAX) this.#starts.clear()
    this.#starts.set(log, offset)
  }
}

/** The batches that are there already, then those behind them. */
async function* withKept(
  source: BatchSource,
  kept: readonly VisibleBatch[],
  isComplete: boolean,
  range: BatchRange,
): AsyncGenerator<VisibleBatch, void, undefined> {
  yield* kept
  if (isComplete) return
  const last = kept.at(-1)!
  const { to } = range
  const minTimestampMs = Math.max(last.minTimestampMs, last.batch.maxTimestampMs)
  yield* visibleBatches(source, { from: last.batch.lastOffset + 1, to, minTimestampMs })
}

async function* blocksOf(
  { topic, calls }: BatchSource,
  batches: AsyncIterable<VisibleBatch>,
  wanted: WantedEvents,
): AsyncGenerator<EventBlock, void, undefined> {
  for await (const visible of batches) {
    if (visible.minTimestampMs >= wanted.endMs) return
    for (const block of wantedBlocks(visible, topic, wanted)) {
      calls.assertOpen()
      yield block
    }
  }
}

/** The generator with its first block read; undefined if there is none. */
async function begun(
  blocks: AsyncGenerator<EventBlock, void, undefined>,
): Promise<AsyncIterableIterator<EventBlock, void, undefined> | undefined> {
  const first = await blocks.next()
  if (first.done) return undefined
  let isFirst = true
  const iterator: AsyncIterableIterator<EventBlock, void, undefined> = {
    async next() {
      if (!isFirst) return blocks.next()
      isFirst = false
      return first
    },
    async return() {
      isFirst = false
      return blocks.return(undefined)
    },
    [Symbol.asyncIterator]: () => iterator,
  }
  return iterator
}
