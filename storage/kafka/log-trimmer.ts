/**
 * Removes expired events and dropped logs. Each step does a bounded amount of work.
 *
 * A trim cuts at the first record that is not older than the limit, so all records before are older, and the running maximum of
 * the times that are left does not change. One record with the highest time stays, also when all have expired: the time of the
 * next event and of the cursor behind the last one depend on it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogId, MaintenancePlan, MaintenanceResult } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { errorName, KAFKA_ERRORS } from './error-codes.ts'
import type { LeaderCalls } from './leader-calls.ts'
import type { OffsetLookup } from './offset-lookup.ts'
import { readBatches } from './record-batch-reader.ts'
import type { TopicNames } from './settings.ts'
import { fetchCommitted } from './visible-batches.ts'

/** Logs that one step looks at. */
const STEP_LOGS = 500
/** Deleting a topic costs all brokers files and the controller records, so a step deletes few. */
const STEP_DROPPED = 20
const REQUEST_MS = 10_000
/** Time for which a step waits until the brokers no longer list a topic. */
const GONE_MS = 10_000
const GONE_PAUSE_MS = 20

export interface LogTrimmerParts {
  readonly calls: LeaderCalls
  readonly lookup: OffsetLookup
  readonly names: TopicNames
  /** Refuses appends to the logs from now on; resolves when this node has none under way. */
  readonly beforeDrop: (logs: readonly LogId[]) => Promise<void>
  /** The topic of the log is gone. */
  readonly afterDrop: (log: LogId) => Promise<void>
}

export class LogTrimmer {
  readonly #parts: LogTrimmerParts
  /** Where the next step begins in the logs of its plan, which differ little from step to step. */
  #nextLog = 0

  constructor(parts: LogTrimmerParts) {
    this.#parts = parts
  }

  async maintain({ logs, dropped, onError }: MaintenancePlan): Promise<MaintenanceResult> {
    const gone = await this.#drop(dropped.slice(0, STEP_DROPPED))
    const first = this.#nextLog < logs.length ? this.#nextLog : 0
    const step = logs.slice(first, first + STEP_LOGS)
    this.#nextLog = first + step.length
    const isWhole = this.#nextLog >= logs.length
    const trimmed = await Promise.all(
      step.map(async ({ log, expiredBeforeMs }) => {
        try {
          return await this.#trim(log, expiredBeforeMs)
        } catch (error) {
          onError(log, error)
          return 0
        }
      }),
    )
    const removed = trimmed.reduce((sum, count) => sum + count, gone)
    return { removed, more: !isWhole || dropped.length > STEP_DROPPED }
  }

  /** Returns the number of records removed. */
  async #trim(log: LogId, beforeMs: number): Promise<number> {
    if (beforeMs <= 0) return 0
    const { calls, lookup, names } = this.#parts
    const topic = names.log(log)
    const first = await lookup.find(topic, 0)
    if (first === undefined || first.offset < 0 || first.timestampMs >= beforeMs) return 0
    const cut = await this.#cutOf(topic, beforeMs, first.offset)
    if (cut === undefined || cut <= first.offset) return 0
    const answer = await calls.call(topic, async (node) => {
      const parts = [{ topic, before: cut }]
      const [part] = await calls.requests.deleteRecords(node, { parts, timeoutMs: REQUEST_MS })
      return part!
    })
    return answer?.errorCode === KAFKA_ERRORS.none ? Math.max(0, answer.logStartOffset - first.offset) : 0
  }

  async #cutOf(topic: string, beforeMs: number, first: number): Promise<number | undefined> {
    const { lookup } = this.#parts
    const stable = await lookup.find(topic, 'stable')
    const young = await lookup.find(topic, beforeMs)
    if (stable === undefined || young === undefined) return undefined
    if (young.offset >= 0) return young.offset
    if (first >= stable.offset - 1) return undefined
    const highest = await lookup.find(topic, 'highest time')
    return highest && Math.min(await this.#endOfBatch(topic, highest.offset), stable.offset - 1)
  }

  /** The last record of the batch with this one, which has the same time. */
  async #endOfBatch(topic: string, offset: number): Promise<number> {
    const { calls } = this.#parts
    const part = await fetchCommitted({ calls, topic }, offset, 1)
    if (part === undefined || part.errorCode !== KAFKA_ERRORS.none) return offset
    for (const batch of readBatches(part.records, topic))
      if (batch.baseOffset <= offset && offset <= batch.lastOffset) return batch.lastOffset
    return offset
  }

  /** Returns the number of topics removed. */
  async #drop(logs: readonly LogId[]): Promise<number> {
    if (logs.length === 0) return 0
    const { calls, names, beforeDrop, afterDrop } = this.#parts
    await beforeDrop(logs)
    const topics = logs.map((log) => names.log(log))
    const answers = await calls.requests.deleteTopics({ topics, timeoutMs: REQUEST_MS })
    let removed = 0
    for (const [i, { errorCode, message }] of answers.entries()) {
      if (errorCode === KAFKA_ERRORS.none) removed++
      else if (errorCode !== KAFKA_ERRORS.unknownTopicOrPartition)
        throw new StorageError(
          'unavailable',
          `topic ${topics[i]} cannot be deleted: ${errorName(errorCode)}${message ? `: ${message}` : ''}`,
        )
    }
    if (removed > 0) await this.#untilGone(topics)
    for (const log of logs) await afterDrop(log)
    return removed
  }

  async #untilGone(topics: readonly string[]): Promise<void> {
    const { requests } = this.#parts.calls
    const endMs = performance.now() + GONE_MS
    while (performance.now() < endMs) {
      const found = await Promise.all(topics.map((topic) => requests.leader(topic, { refresh: true })))
      if (found.every((leader) => leader === undefined)) return
      await sleep(GONE_PAUSE_MS)
    }
  }
}
