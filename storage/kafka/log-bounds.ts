/** The bounds of a log, and the place of one event, by lookups and fetches of single batches. */
import type { LogId, LogTail, Position } from '../log.ts'
import { wantedBlocks } from './batch-events.ts'
import { KAFKA_ERRORS } from './error-codes.ts'
import type { LeaderCalls } from './leader-calls.ts'
import type { OffsetLookup } from './offset-lookup.ts'
import { AbortedBatches, type RecordBatch, readBatches } from './record-batch-reader.ts'
import type { TopicNames } from './settings.ts'
import { type BatchSource, fetchCommitted } from './visible-batches.ts'

const END_OF_TIME_MS = Number.POSITIVE_INFINITY

/** A batch that holds an offset. */
interface FoundBatch {
  readonly batch: RecordBatch
  readonly isVisible: boolean
}

export class LogBounds {
  readonly #calls: LeaderCalls
  readonly #lookup: OffsetLookup
  readonly #names: TopicNames
  /** Whether the log was filled from a backup. */
  readonly #restored = new Map<LogId, boolean>()

  constructor(calls: LeaderCalls, lookup: OffsetLookup, names: TopicNames) {
    this.#calls = calls
    this.#lookup = lookup
    this.#names = names
  }

  async tail(log: LogId): Promise<LogTail | undefined> {
    const source = this.#sourceOf(log)
    const { topic } = source
    const stable = await this.#lookup.find(topic, 'stable')
    if (stable === undefined || stable.offset === 0) return undefined
    const nextSequence = stable.offset
    // After it, so that they know all records below it.
    const [first, highest] = await Promise.all([
      this.#lookup.find(topic, 0),
      this.#lookup.find(topic, 'highest time'),
    ])
    if (first === undefined || highest === undefined) return undefined
    if (first.offset < 0 || first.offset >= nextSequence)
      return { nextSequence, lastTimestampMs: 0, firstSequence: nextSequence, firstTimestampMs: 0 }
    return {
      nextSequence,
      lastTimestampMs: await this.#lastTime(source, first.offset, nextSequence, highest),
      firstSequence: first.offset,
      firstTimestampMs: first.timestampMs,
    }
  }

  /** The running maximum of the times below `nextSequence`. */
  async #lastTime(
    source: BatchSource,
    firstSequence: number,
    nextSequence: number,
    highest: { readonly offset: number; readonly timestampMs: number },
  ): Promise<number> {
    if (highest.offset >= firstSequence && highest.offset < nextSequence) return highest.timestampMs
    const found = await this.#batchAt(source, nextSequence - 1)
    if (found === undefined) return 0
    return this.#runningMaximum(source, nextSequence - 1, found.batch.maxTimestampMs)
  }

  async locate(log: LogId, sequence: number): Promise<Position | undefined> {
    const source = this.#sourceOf(log)
    const found = await this.#batchAt(source, sequence)
    if (found === undefined || !found.isVisible) return undefined
    const wanted = { from: sequence, to: sequence + 1, endMs: END_OF_TIME_MS }
    const [block] = wantedBlocks({ batch: found.batch, minTimestampMs: 0 }, source.topic, wanted)
    if (block === undefined) return undefined
    const timestampMs = await this.#runningMaximum(source, sequence, block.runs[0]!.timestampMs)
    return { sequence, timestampMs }
  }

  /** Whether the first batch of the log has the times of a backup; undefined if the log does not exist. */
  async isRestored(log: LogId): Promise<boolean | undefined> {
    const known = this.#restored.get(log)
    if (known !== undefined) return known
    const source = this.#sourceOf(log)
    const earliest = await this.#lookup.find(source.topic, 'earliest')
    if (earliest === undefined) return undefined
    const found = await this.#batchAt(source, earliest.offset)
    if (found === undefined) return undefined
    const isRestored = !found.batch.isAppendTime && !found.batch.isControl
    this.#restored.set(log, isRestored)
    return isRestored
  }

  forget(log: LogId): void {
    this.#restored.delete(log)
  }

  #sourceOf(log: LogId): BatchSource {
    return { calls: this.#calls, lookup: this.#lookup, topic: this.#names.log(log) }
  }

  async #batchAt(source: BatchSource, offset: number): Promise<FoundBatch | undefined> {
    if (offset < 0) return undefined
    const part = await fetchCommitted(source, offset, 1)
    if (part === undefined || part.errorCode !== KAFKA_ERRORS.none) return undefined
    const aborted = new AbortedBatches(part.aborted)
    for (const batch of readBatches(part.records, source.topic)) {
      const isAborted = aborted.has(batch, source.topic)
      if (batch.baseOffset <= offset && offset <= batch.lastOffset)
        return { batch, isVisible: !isAborted && !batch.isControl }
    }
    return undefined
  }

  /**
   * The highest time of the records up to `offset`, which has the time `timestampMs`. A record before it has a higher time only
   * if the leader has changed to a broker whose clock is behind.
   */
  async #runningMaximum({ topic }: BatchSource, offset: number, timestampMs: number): Promise<number> {
    let highestMs = timestampMs
    for (;;) {
      const later = await this.#lookup.find(topic, highestMs + 1)
      if (later === undefined || later.offset < 0 || later.offset > offset) return highestMs
      highestMs = later.timestampMs
    }
  }
}
