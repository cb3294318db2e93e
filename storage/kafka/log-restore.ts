/**
 * Fills the topic of a new log with events that keep their times.
 *
 * The topic is created so that it takes the times of its producer. At the end it is set to the times of brokers, and `finish`
 * waits until its leader does that. A probe tells: a batch with a time of the far future and a sequence that is not the next
 * one. The leader checks the time first, and only where producers set it. So its answer tells what is in force, and the batch is
 * stored in neither case.
 */
import assert from 'node:assert'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EventHeaders, EventSlices, LogId, LogRestore } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { errorName, isRetriable, isStaleLeader, KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import type { LogTopics } from './log-topics.ts'
import { assertFits, type LogWriters } from './log-writers.ts'
import type { ProducerState } from './producer-state.ts'
import { RecordBatchBuilder } from './record-batch.ts'
import { type EncodedHeaders, encodeRecordHeaders } from './record-headers.ts'
import type { AlteredTopic } from './topic-requests.ts'
import type { WriteRequests } from './write-requests.ts'

export interface LogRestoreParts {
  readonly requests: Pick<WriteRequests, 'leader' | 'produce' | 'alterTopics'>
  readonly topics: LogTopics
  readonly writers: LogWriters
  readonly producers: ProducerState
  /** Of a topic that takes the times of its producer, whatever they are. */
  readonly restoredSettings: Readonly<Record<string, string>>
  /** How long settings may need until they are in force. */
  readonly timeoutMs?: number
}

const BATCH_BYTES = 1024 * 1024
const TIMEOUT_MS = 30_000
const PAUSE_MS = 20
/** In the year 2200. */
const PROBE_TIME_MS = Date.UTC(2200, 0)
const PROBE_SEQUENCE_DISTANCE = 1_000_000
const SEQUENCES = 2 ** 31
const INVALID_TIMESTAMP = 32

const TYPE = 'message.timestamp.type'
const BEFORE = 'message.timestamp.before.max.ms'
const AFTER = 'message.timestamp.after.max.ms'

export class KafkaLogRestore implements LogRestore {
  readonly #parts: LogRestoreParts
  readonly #log: LogId
  readonly #topic: string
  readonly #builder = new RecordBatchBuilder()
  #lastHeaders: EventHeaders | undefined
  #lastEncoded: EncodedHeaders | undefined
  #lastMs = 0
  #isCreated = false
  #count = 0
  /** The present append. One runs at a time. */
  #writing: Promise<void> = Promise.resolve()

  constructor(parts: LogRestoreParts, log: LogId) {
    this.#parts = parts
    this.#log = log
    this.#topic = parts.topics.nameOf(log)
  }

  async add(slices: EventSlices, headers: EventHeaders, timestampMs: number): Promise<void> {
    assert(timestampMs >= this.#lastMs, 'times never go back')
    this.#lastMs = timestampMs
    if (this.#lastEncoded === undefined || headers !== this.#lastHeaders) {
      this.#lastEncoded = encodeRecordHeaders(headers)
      this.#lastHeaders = headers
    }
    const { bytes, starts, ends, count } = slices
    for (let i = 0; i < count; i++) {
      const length = ends[i]! - starts[i]!
      assertFits(this.#lastEncoded, length)
      const more = RecordBatchBuilder.eventBytes(this.#lastEncoded, length)
      if (this.#builder.count > 0 && this.#builder.bytes + more > BATCH_BYTES) this.#write()
      this.#builder.addEvent(this.#lastEncoded, bytes, starts[i]!, ends[i]!, timestampMs)
    }
    await this.#writing
  }

  async finish(): Promise<void> {
    this.#write()
    await this.#writing
    if (!this.#isCreated) return
    await this.#alter({ topic: this.#topic, set: { [AFTER]: '3600000' } })
    await this.#until(INVALID_TIMESTAMP)
    await this.#alter({ topic: this.#topic, set: { [TYPE]: 'LogAppendTime' } })
    await this.#until(KAFKA_ERRORS.outOfOrderSequenceNumber)
    await this.#alter({ topic: this.#topic, set: {}, remove: [BEFORE, AFTER] })
  }

  #write(): void {
    if (this.#builder.count === 0) return
    const batch = this.#builder.finish()
    this.#writing = this.#writing.then(async () => {
      const { topics, writers, restoredSettings } = this.#parts
      if (!this.#isCreated) await topics.ensure(this.#log, restoredSettings)
      this.#isCreated = true
      const { sequence } = await writers.appendBatch(this.#log, batch)
      this.#count += batch.count
      this.#assertCount(sequence + 1)
    })
    this.#writing.catch(() => {}) // the next `await` of it rejects
  }

  /**
   * Offsets count from 0 without gaps. Brokers forget a producer whose last batch is old by its own times, so a batch that was
   * sent again could be there twice.
   */
  #assertCount(end: number): void {
    if (end !== this.#count)
      throw new StorageError(
        'unavailable',
        `topic ${this.#topic} has ${end} records after ${this.#count} were restored; restore it into a new log`,
      )
  }

  async #alter(altered: AlteredTopic): Promise<void> {
    await this.#repeat(`its settings cannot be changed`, async () => {
      const [answer] = await this.#parts.requests.alterTopics({ topics: [altered] })
      const { errorCode, message } = answer!
      if (errorCode === 0) return 'done'
      if (!isRetriable(errorCode) && errorCode !== KAFKA_ERRORS.notController)
        throw new StorageError('unavailable', `${errorName(errorCode)}${message ? `: ${message}` : ''}`)
      return errorName(errorCode)
    })
  }

  /** Probes the topic until the leader answers with this error. */
  async #until(wanted: number): Promise<void> {
    const { requests, producers } = this.#parts
    let isStale = false
    await this.#repeat('its settings are not in force', async () => {
      const leader = await requests.leader(this.#topic, { refresh: isStale })
      isStale = true
      if (leader === undefined) return 'it has no leader now'
      const { baseSequence, ...stamp } = await producers.next(this.#log)
      this.#builder.addRecord({ value: null, timestampMs: PROBE_TIME_MS })
      const probe = this.#builder.finish()
      const distant = (baseSequence + PROBE_SEQUENCE_DISTANCE) % SEQUENCES
      probe.seal({ ...stamp, baseSequence: distant, isTransactional: false })
      const [answer] = await requests.produce(leader.node, {
        parts: [{ topic: this.#topic, batch: [probe.bytes] }],
        timeoutMs: this.#parts.timeoutMs ?? TIMEOUT_MS,
      })
      const { errorCode, baseOffset } = answer!
      if (errorCode === wanted) return 'done'
      if (errorCode === 0) this.#assertCount(baseOffset + 1)
      isStale = isStaleLeader(errorCode)
      return errorName(errorCode)
    })
  }

  /** Until `request` returns 'done', and not what is in the way. */
  async #repeat(what: string, request: () => Promise<string>): Promise<void> {
    const endMs = performance.now() + (this.#parts.timeoutMs ?? TIMEOUT_MS)
    for (;;) {
      let problem: string
      try {
        problem = await request()
        if (problem === 'done') return
      } catch (error) {
        if (!(error instanceof KafkaRequestError)) throw error
        problem = error.message
      }
      if (performance.now() + PAUSE_MS > endMs)
        throw new StorageError('unavailable', `topic ${this.#topic}: ${what}: ${problem}`)
      await sleep(PAUSE_MS)
    }
  }
}
