/**
 * The queue of one log: events that wait to be appended, and the one record batch under way.
 *
 * A batch is sent until a broker answers that it is stored, each time with the same bytes, producer id, epoch and sequence, so
 * it is stored once. After `retryMs` the writer gives up: its callers get 'unavailable' if every answer was a clean refusal,
 * else 'unknown'. Then it raises the epoch, so that the batch given up cannot appear after a later one.
 */
import type { LogId, Position } from '../log.ts'
import { outcomeUnknown, StorageError } from '../storage-error.ts'
import { type SendOutcome, type SentBatch, sendingMs } from './broker-sender.ts'
import { endOfTurn } from './end-of-turn.ts'
import { errorName, isStaleLeader, KAFKA_ERRORS, KafkaRequestError, produceOutcome } from './error-codes.ts'
import type { EventTimes } from './event-times.ts'
import type { LogTopics } from './log-topics.ts'
import type { ProducerState } from './producer-state.ts'
import { BATCH_BYTES_MAX, RecordBatchBuilder, type UnsealedBatch } from './record-batch.ts'
import type { EncodedHeaders } from './record-headers.ts'
import { TimeLimit } from './time-limit.ts'
import type { WriteRequests } from './write-requests.ts'

export interface LogWriterParts {
  readonly requests: Pick<WriteRequests, 'leader'>
  readonly topics: LogTopics
  readonly producers: ProducerState
  /** Hands a sealed batch to the sender of a broker. */
  readonly send: (node: number, batch: SentBatch, limit: TimeLimit) => Promise<SendOutcome>
  /** Whether the log is being dropped, or was. */
  readonly isDropped: (log: LogId) => boolean
  /** Reports an answer that contradicts the state of this process. */
  readonly report: (error: Error) => void
  readonly retryMs: number
  /** An append of so many bytes is about to be resolved or rejected. */
  readonly settled: (bytes: number) => void
  /** Resolves when this process sees all changes of the catalog that were acknowledged before the call. */
  readonly fresh?: () => Promise<void>
  /** Sets the times of events, where brokers do not. */
  readonly times?: EventTimes
}

/** An event with its encoded headers. The body must not change until the append has settled. */
export interface EncodedEvent {
  readonly headers: EncodedHeaders
  readonly body: Uint8Array
}

/** A batch that is read when its turn comes. */
export interface PreparedBatch {
  readonly count: number
  prepare(): Promise<UnsealedBatch>
}

/** Bytes of a batch beside its records. */
export const BATCH_HEAD_BYTES = 61

const PAUSE_MIN_MS = 10
const PAUSE_MAX_MS = 500
/** A batch that was refused because of its numbers gets new ones this often. */
const RENEWALS_MAX = 2

type Content = readonly EncodedEvent[] | UnsealedBatch | PreparedBatch

interface Waiting {
  readonly count: number
  readonly isFresh: boolean
  readonly sinceMs: number
  readonly bytes: number
  readonly content: Content
  resolve(position: Position): void
  reject(error: unknown): void
}

interface StoredAt {
  readonly baseOffset: number
  readonly appendTimeMs: number
}

/** Other work on the log, between the appends before and those behind it. */
interface Interval {
  begin(): void
  reject(error: unknown): void
  readonly end: Promise<void>
}

export class LogWriter {
  readonly #log: LogId
  readonly #parts: LogWriterParts
  readonly #onIdle: () => void
  readonly #queue: (Waiting | Interval)[] = []
  #running = false

  constructor(log: LogId, parts: LogWriterParts, onIdle: () => void) {
    this.#log = log
    this.#parts = parts
    this.#onIdle = onIdle
  }

  /** `bytes`: upper bound of the encoded size. `isFresh`: AppendOptions.fresh. Resolves with the position of the last event. */
  append(content: Content, bytes: number, isFresh = false): Promise<Position> {
    return new Promise((resolve, reject) => {
      const count = isBatch(content) ? content.count : content.length
      this.#push({ content, bytes, count, isFresh, sinceMs: performance.now(), resolve, reject })
    })
  }

  /** Resolves after the appends before, with a function that lets those behind continue. Rejects with 'dropped'. */
  pause(): Promise<() => void> {
    return new Promise((resolve, reject) => {
      let release = () => {}
      const end = new Promise<void>((ended) => {
        release = ended
      })
      this.#push({ begin: () => resolve(release), reject, end })
    })
  }

  #push(entry: Waiting | Interval): void {
    this.#queue.push(entry)
    if (!this.#running) void this.#run()
  }

  async #run(): Promise<void> {
    this.#running = true
    await endOfTurn() // appends whose requests arrived together share a batch
    while (this.#queue.length > 0) {
      if (this.#parts.isDropped(this.#log)) {
        this.#refuseAll()
        break
      }
      const [first] = this.#queue
      if ('end' in first!) {
        this.#queue.shift()
        first.begin()
        await first.end
      } else {
        await this.#writeGroup(this.#take())
        if (this.#queue.length > 0) await endOfTurn()
      }
    }
    this.#running = false
    this.#onIdle()
  }

  #refuseAll(): void {
    for (const entry of this.#queue.splice(0)) {
      if ('end' in entry) entry.reject(this.#dropped())
      else this.#reject(entry, this.#dropped())
    }
  }

  #resolve(entry: Waiting, position: Position): void {
    this.#parts.settled(entry.bytes)
    entry.resolve(position)
  }

  #reject(entry: Waiting, error: unknown): void {
    this.#parts.settled(entry.bytes)
    entry.reject(error)
  }

  #dropped(): StorageError {
    return new StorageError('dropped', `log ${this.#log} is being dropped`)
  }

  /** The events that wait, as far as they fit into one batch; or one batch that is ready. */
  #take(): readonly Waiting[] {
    let bytes = BATCH_HEAD_BYTES
    let count = 0
    for (const entry of this.#queue) {
      if ('end' in entry || (isBatch(entry.content) && count > 0)) break
      if (count > 0 && bytes + entry.bytes > BATCH_BYTES_MAX) break
      bytes += entry.bytes
      count++
      if (isBatch(entry.content)) break
    }
    return this.#queue.splice(0, count) as Waiting[]
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    let batch: UnsealedBatch
    try {
      const content = batchOf(group)
      batch = content instanceof Promise ? await content : content
    } catch (error) {
      for (const entry of group) this.#reject(entry, error)
      return
    }
    // Begun after all calls of the group, and under way beside its request.
    const problem = group.some(({ isFresh }) => isFresh) ? this.#catalogProblem() : undefined
    try {
      const stored = await this.#deliver(batch)
      this.#settle(group, stored, problem)
    } catch (error) {
      for (const entry of group) this.#reject(entry, error)
      this.#refuseOld(error)
    }
  }

  /** Why this process does not know what other processes have changed before; undefined if it does. */
  async #catalogProblem(): Promise<unknown> {
    try {
      await this.#parts.fresh?.()
      return undefined
    } catch (cause) {
      return cause
    }
  }

  /** The next group does not wait for the catalog. */
  #settle(
    group: readonly Waiting[],
    { baseOffset, appendTimeMs }: StoredAt,
    problem: Promise<unknown> | undefined,
  ): void {
    const settle = (isFresh: boolean, cause?: unknown) => {
      let sequence = baseOffset - 1
      for (const entry of group) {
        sequence += entry.count
        if (entry.isFresh !== isFresh) continue
        if (cause === undefined) this.#resolve(entry, { timestampMs: appendTimeMs, sequence })
        else this.#reject(entry, outcomeUnknown(cause))
      }
    }
    settle(false)
    void problem?.then((cause) => settle(true, cause))
  }

  /** What has waited for as long as a batch may take is refused with the batch in front of it. */
  #refuseOld(cause: unknown): void {
    if (!(cause instanceof StorageError) || cause.code === 'dropped') return
    const beforeMs = performance.now() - this.#parts.retryMs
    while (this.#queue[0] !== undefined && 'sinceMs' in this.#queue[0] && this.#queue[0].sinceMs < beforeMs) {
      const error = new StorageError('unavailable', cause.message, { cause })
      this.#reject(this.#queue.shift() as Waiting, error)
    }
  }

  async #deliver(batch: UnsealedBatch): Promise<StoredAt> {
    const { topics, producers, retryMs, times } = this.#parts
    const limit = new TimeLimit(retryMs + sendingMs(batch.bytes.length))
    try {
      const creating = topics.ensure(this.#log)
      if (creating !== undefined) await within(creating, limit)
      const next = producers.next(this.#log)
      const stamp = next instanceof Promise ? await within(next, limit) : next
      const timestampMs = times?.set(topics.nameOf(this.#log), batch)
      batch.seal({ ...stamp, isTransactional: false })
      const stored = await new Delivery(this.#log, batch, this.#parts, limit).run()
      return timestampMs === undefined ? stored : { ...stored, appendTimeMs: timestampMs }
    } finally {
      limit.clear()
    }
  }
}

/** The result of `work`, unless the time is over before. Nothing was sent then. */
function within<T>(work: Promise<T>, limit: TimeLimit): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new StorageError('unavailable', 'the brokers do not answer in time'))
    limit.on(late)
    work.then(resolve, reject).finally(() => limit.off(late))
  })
}

/** Ends earlier when the time is over. */
function pause(ms: number, limit: TimeLimit): Promise<void> {
  return new Promise((resolve) => {
    if (limit.isOver) return resolve()
    const end = () => {
      clearTimeout(timer)
      limit.off(end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    limit.on(end)
  })
}

function isBatch(content: Content): content is UnsealedBatch | PreparedBatch {
  return !Array.isArray(content)
}

function batchOf(group: readonly Waiting[]): UnsealedBatch | Promise<UnsealedBatch> {
  const [{ content }] = group as [Waiting]
  if ('prepare' in content) return content.prepare()
  if ('seal' in content) return content
  const builder = new RecordBatchBuilder(group.reduce((sum, { bytes }) => sum + bytes, BATCH_HEAD_BYTES))
  for (const waiting of group) {
    for (const { headers, body } of waiting.content as readonly EncodedEvent[])
      builder.addEvent(headers, body, 0, body.length)
  }
  return builder.finish()
}

/** One batch until it is stored or given up. */
class Delivery {
  readonly #log: LogId
  readonly #topic: string
  readonly #batch: UnsealedBatch
  readonly #parts: LogWriterParts
  readonly #limit: TimeLimit
  /** A request may have stored the batch, or may do so later. */
  #inDoubt = false
  #isStale = false
  #renewals = 0
  #problem = 'no broker has answered'

  constructor(log: LogId, batch: UnsealedBatch, parts: LogWriterParts, limit: TimeLimit) {
    this.#log = log
    this.#topic = parts.topics.nameOf(log)
    this.#batch = batch
    this.#parts = parts
    this.#limit = limit
  }

  async run(): Promise<StoredAt> {
    for (let pauseMs = PAUSE_MIN_MS; !this.#limit.isOver; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      const result = await this.#attempt()
      if (result === 'again') {
        await pause(pauseMs, this.#limit)
      } else if (result === 'give up') {
        break
      } else {
        this.#parts.producers.stored(this.#log, this.#batch.count)
        return result
      }
    }
    this.#parts.producers.abandoned(this.#log)
    throw this.#failure()
  }

  async #attempt(): Promise<'again' | 'give up' | StoredAt> {
    const node = await this.#leader()
    if (node === undefined) {
      this.#assertNotDropped()
      return 'again'
    }
    const { bytes, count } = this.#batch
    const outcome = await this.#parts.send(node, { topic: this.#topic, bytes, count }, this.#limit)
    if (outcome.kind !== 'answered') {
      this.#problem = outcome.error.message
      this.#isStale = true
      this.#inDoubt ||= outcome.kind === 'lost'
      return outcome.error instanceof KafkaRequestError && outcome.error.isLasting ? 'give up' : 'again'
    }
    const { errorCode, baseOffset, appendTimeMs } = outcome.part
    if (errorCode === KAFKA_ERRORS.none) return { baseOffset, appendTimeMs }
    this.#problem = errorName(errorCode)
    this.#isStale = isStaleLeader(errorCode)
    if (errorCode === KAFKA_ERRORS.unknownTopicOrPartition) this.#assertNotDropped()
    switch (produceOutcome(errorCode)) {
      case 'unknown':
        this.#inDoubt = true
        return 'again'
      case 'refused':
        return 'again'
      case 'state':
        return this.#renew()
      case 'stored': // before the batches that the broker remembers, so its offset is not known
        this.#inDoubt = true
        return 'give up'
      case 'lasting':
        return 'give up'
    }
  }

  #assertNotDropped(): void {
    if (!this.#parts.isDropped(this.#log)) return
    this.#parts.producers.abandoned(this.#log)
    throw new StorageError('dropped', `log ${this.#log} is being dropped`)
  }

  /** The broker expects other numbers. If the batch is certainly not stored, it gets those of the next epoch. */
  async #renew(): Promise<'again' | 'give up'> {
    const { producers, report } = this.#parts
    report(new Error(`topic ${this.#topic}: a broker refused the numbers of a batch: ${this.#problem}`))
    if (this.#inDoubt || this.#renewals++ >= RENEWALS_MAX) return 'give up'
    producers.abandoned(this.#log)
    const stamp = await within(Promise.resolve(producers.next(this.#log)), this.#limit)
    this.#batch.seal({ ...stamp, isTransactional: false })
    return 'again'
  }

  async #leader(): Promise<number | undefined> {
    try {
      const leader = await this.#parts.requests.leader(this.#topic, { refresh: this.#isStale })
      this.#isStale = true // until an answer says otherwise
      if (leader === undefined) this.#problem = 'it has no leader now'
      return leader?.node
    } catch (error) {
      if (!(error instanceof KafkaRequestError)) throw error
      this.#problem = error.message
      return undefined
    }
  }

  #failure(): StorageError {
    const problem = `topic ${this.#topic} does not take events: ${this.#problem}`
    return this.#inDoubt
      ? new StorageError('unknown', `${problem}; the events may appear later`)
      : new StorageError('unavailable', problem)
  }
}
