/**
 * EventLog on a Kafka cluster: each log is a topic with one partition, each event a record, and its sequence the offset. Joins the
 * parts that write, read, watch and trim.
 */

import type {
  AppendOptions,
  EventData,
  EventLog,
  GroupWatcher,
  LogId,
  LogRead,
  LogRestore,
  LogTail,
  LogTotals,
  MaintenancePlan,
  MaintenanceResult,
  Position,
  ReadRange,
  StagedBatch,
  Stretch,
} from '../log.ts'
import { bodyBytes } from '../slices.ts'
import type { StorageError } from '../storage-error.ts'
import { CountedBatch } from './counted-batch.ts'
import { LeaderCalls } from './leader-calls.ts'
import { LogBounds } from './log-bounds.ts'
import { LogReader } from './log-reader.ts'
import { LogTrimmer } from './log-trimmer.ts'
import { LogWatcher } from './log-watcher.ts'
import type { LogWriters } from './log-writers.ts'
import { OffsetLookup } from './offset-lookup.ts'
import type { ReadRequests } from './read-requests.ts'
import type { TopicNames } from './settings.ts'
import type { Totals } from './totals.ts'

export interface KafkaLogParts<B extends StagedBatch> {
  readonly requests: ReadRequests
  readonly names: TopicNames
  /** Of the store. */
  readonly identity: number
  readonly writers: Pick<LogWriters, 'append' | 'drop' | 'forget' | 'watch' | 'close'>
  readonly stage: (log: LogId) => B
  readonly restore: (log: LogId) => LogRestore
  readonly totals: Totals
  /** Tells the other nodes that these logs are being dropped. */
  readonly announceDrop?: (logs: readonly LogId[]) => Promise<void>
  /** The clock of the brokers. */
  readonly nowMs: () => number
  /** It sets the times of events, instead of the brokers. */
  readonly setsTimes?: boolean
  /** How long a read waits for a transaction that is open. */
  readonly pendingMs?: number
  /** The reason why this node refuses writes now. */
  readonly failure?: () => StorageError | undefined
  /** Receives a failure that has no caller. */
  readonly report?: (error: Error) => void
}

/** All events of a log have the same origin, because a topic is never replaced by an older copy. */
const EPOCH = 1

export class KafkaLog<B extends StagedBatch = StagedBatch> implements EventLog {
  readonly identity: number
  readonly #parts: KafkaLogParts<B>
  readonly #calls: LeaderCalls
  readonly #reader: LogReader
  readonly #bounds: LogBounds
  readonly #watcher: LogWatcher
  readonly #trimmer: LogTrimmer
  /** The sequence behind the last event that this process has written to a log. */
  readonly #written = new Map<LogId, number>()
  #lastTimestampMs = 0

  constructor(parts: KafkaLogParts<B>) {
    const { requests, names, identity, writers, totals, pendingMs } = parts
    this.#parts = parts
    this.identity = identity
    const calls = new LeaderCalls(requests)
    const lookup = new OffsetLookup(calls)
    const acknowledged = (log: LogId) => this.#written.get(log) ?? 0
    const onLost = (log: LogId, nextSequence: number) => this.#noteLost(log, nextSequence)
    const waiting = pendingMs === undefined ? {} : { pendingMs }
    this.#calls = calls
    this.#reader = new LogReader({ calls, lookup, names, acknowledged, onLost, ...waiting })
    this.#bounds = new LogBounds(calls, lookup, names)
    this.#watcher = new LogWatcher(calls, lookup, names)
    this.#trimmer = new LogTrimmer({
      calls,
      lookup,
      names,
      beforeDrop: async (logs) => {
        await Promise.all(logs.map((log) => writers.drop(log)))
        await parts.announceDrop?.(logs)
      },
      afterDrop: async (log) => {
        this.#written.delete(log)
        this.#bounds.forget(log)
        writers.forget(log)
        this.#watcher.dropped(log)
        await totals.remove(log)
      },
    })
  }

  append(log: LogId, events: readonly EventData[], options?: AppendOptions): Promise<Position> {
    return this.#parts.writers.append(log, events, options).then((last) => {
      let bytes = 0
      for (const { body } of events) bytes += body.length
      this.noteWritten(log, last, events.length, bytes)
      return last
    })
  }

  /** This process has written to the log, by an append, a batch, or a write over several logs. */
  readonly noteWritten = (log: LogId, last: Position, events: number, bytes: number): void => {
    this.#parts.totals.add(log, events, bytes)
    const next = last.sequence + 1
    if (next > (this.#written.get(log) ?? 0)) this.#written.set(log, next)
    this.#lastTimestampMs = Math.max(this.#lastTimestampMs, last.timestampMs)
    this.#watcher.grown(log, next)
  }

  #noteLost(log: LogId, nextSequence: number): void {
    const written = this.#written.get(log) ?? 0
    this.#written.set(log, nextSequence)
    const topic = this.#parts.names.log(log)
    this.#parts.report?.(
      new Error(
        `topic ${topic} ends before offset ${nextSequence}, but its brokers have acknowledged all before ${written}: events are lost`,
      ),
    )
  }

  stage(log: LogId): CountedBatch<B> {
    return new CountedBatch(this.#parts.stage(log), log, this.noteWritten)
  }

  restore(log: LogId): LogRestore {
    const inner = this.#parts.restore(log)
    let events = 0
    let bytes = 0
    return {
      add: async (slices, headers, timestampMs) => {
        const added = bodyBytes(slices)
        const { count } = slices
        await inner.add(slices, headers, timestampMs)
        events += count
        bytes += added
      },
      finish: async () => {
        await inner.finish()
        this.#parts.totals.add(log, events, bytes)
        this.#watcher.dropped(log)
      },
    }
  }

  read(log: LogId, range: ReadRange): Promise<LogRead | undefined> {
    return this.#reader.read(log, range)
  }

  locate(log: LogId, sequence: number): Promise<Position | undefined> {
    return this.#bounds.locate(log, sequence)
  }

  tail(log: LogId): Promise<LogTail | undefined> {
    return this.#bounds.tail(log)
  }

  async totals(log: LogId): Promise<LogTotals> {
    this.#calls.assertOpen()
    return this.#parts.totals.of(log)
  }

  async logs(): Promise<readonly LogId[]> {
    this.#calls.assertOpen()
    const { requests, names } = this.#parts
    const topics = await requests.listTopics(names.logPrefix)
    return topics.flatMap((topic) => names.logOf(topic) ?? [])
  }

  growth(log: LogId, sequence: number, signal: AbortSignal): Promise<void> {
    return this.#watcher.wait(log, sequence, signal)
  }

  async stretches(log: LogId): Promise<readonly Stretch[]> {
    const restored = await this.#bounds.isRestored(log)
    if (restored === undefined) return []
    return [{ firstSequence: 0, epoch: EPOCH, restored: restored && !this.#parts.setsTimes }]
  }

  /** The clock of the leader of the catalog, unless one of another log is ahead. */
  nowMs(): number {
    const nowMs = this.#parts.nowMs()
    return this.#parts.setsTimes ? nowMs : Math.max(nowMs, this.#lastTimestampMs)
  }

  maintain(plan: MaintenancePlan): Promise<MaintenanceResult> {
    this.#calls.assertOpen()
    return this.#trimmer.maintain(plan)
  }

  watchGroups(watcher: GroupWatcher): void {
    this.#parts.writers.watch(watcher)
  }

  failure(): StorageError | undefined {
    return this.#parts.failure?.()
  }

  /** Writes the accepted changes, then refuses everything. The connections are closed by their owner. */
  async close(): Promise<void> {
    await this.#parts.writers.close()
    this.#watcher.close()
    try {
      await this.#parts.totals.close()
    } finally {
      this.#calls.close()
    }
  }
}
