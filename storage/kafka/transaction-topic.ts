/** The part of a transaction in one topic: its batches, one request at a time, and what has become of them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Position } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { answerMs } from './broker-sender.ts'
import type { CoordinatorSession } from './coordinator-session.ts'
import { errorName, isStaleLeader, KafkaRequestError, produceOutcome } from './error-codes.ts'
import type { UnsealedBatch } from './record-batch.ts'
import type { ProducerIdentity } from './transaction-requests.ts'
import type { WriteRequests } from './write-requests.ts'

const PAUSE_MIN_MS = 5
const PAUSE_MAX_MS = 200

export interface TopicLimits {
  readonly retryMs: number
  readonly replicaMs: number
}

type TopicRequests = Pick<WriteRequests, 'leader' | 'produce' | 'listOffsets' | 'fetch'>

export class TransactionTopic {
  readonly #requests: TopicRequests
  readonly #session: CoordinatorSession
  readonly #topic: string
  readonly #limits: TopicLimits
  #sequence = 0
  #firstOffset = -1
  #lastOffset = -1
  #isStale = false

  constructor(requests: TopicRequests, session: CoordinatorSession, topic: string, limits: TopicLimits) {
    this.#requests = requests
    this.#session = session
    this.#topic = topic
    this.#limits = limits
  }

  /** Resolves with the position of the last record. Rejects with StorageError 'unavailable'. */
  async send(batch: UnsealedBatch): Promise<Position> {
    batch.seal({ ...this.#session.identity, baseSequence: this.#sequence, isTransactional: true })
    const endMs = performance.now() + this.#limits.retryMs
    let problem = 'it has no leader now'
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        const node = await this.#leader()
        if (node !== undefined) {
          const [answer] = await this.#requests.produce(node, {
            parts: [{ topic: this.#topic, batch: [batch.bytes] }],
            transactionalId: this.#session.transactionalId,
            timeoutMs: this.#limits.replicaMs,
            signal: AbortSignal.timeout(this.#limits.replicaMs + answerMs(batch.bytes.length)),
          })
          const { errorCode, baseOffset, appendTimeMs } = answer!
          if (errorCode === 0) {
            this.#isStale = false
            this.#sequence += batch.count // a transaction of 2^31 events is longer than brokers allow
            if (this.#firstOffset < 0) this.#firstOffset = baseOffset
            this.#lastOffset = baseOffset + batch.count - 1
            return { timestampMs: appendTimeMs, sequence: this.#lastOffset }
          }
          problem = errorName(errorCode)
          this.#isStale = isStaleLeader(errorCode)
          const outcome = produceOutcome(errorCode)
          if (outcome !== 'refused' && outcome !== 'unknown') break
        }
      } catch (error) {
        if (!(error instanceof KafkaRequestError)) throw error
        problem = error.message
        this.#isStale = true
        if (error.isLasting) break
      }
      if (performance.now() + pauseMs > endMs) break
      await sleep(pauseMs)
    }
    throw new StorageError('unavailable', `topic ${this.#topic} does not take events: ${problem}`)
  }

  /**
   * Resolves with true when readers of committed events are past the last one; with false if that takes too long, because an
   * older transaction is open.
   */
  async visible(timeoutMs: number): Promise<boolean> {
    const endMs = performance.now() + timeoutMs
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      const end = await this.#stableEnd()
      if (end !== undefined && end > this.#lastOffset) return true
      if (performance.now() + pauseMs > endMs) return false
      await sleep(pauseMs)
    }
  }

  /** What has become of the records of the transaction with this identity; undefined if that cannot be found out in time. */
  async outcome(
    { producerId }: ProducerIdentity,
    timeoutMs: number,
  ): Promise<'committed' | 'aborted' | undefined> {
    const endMs = performance.now() + timeoutMs
    if (this.#firstOffset < 0 || !(await this.visible(timeoutMs))) return undefined
    do {
      const aborted = await this.#abortedFrom(this.#firstOffset)
      if (aborted !== undefined) {
        const isOurs = aborted.some(
          (one) => one.producerId === producerId && one.firstOffset === this.#firstOffset,
        )
        return isOurs ? 'aborted' : 'committed'
      }
      await sleep(PAUSE_MAX_MS)
    } while (performance.now() < endMs)
    return undefined
  }

  async #leader(): Promise<number | undefined> {
    const leader = await this.#requests.leader(this.#topic, { refresh: this.#isStale })
    this.#isStale = leader === undefined
    return leader?.node
  }

  async #stableEnd(): Promise<number | undefined> {
    return this.#ask(async (node) => {
      const parts = [{ topic: this.#topic, at: 'latest' as const }]
      const [found] = await this.#requests.listOffsets(node, { parts, isolation: 'committed' })
      return { errorCode: found!.errorCode, value: found!.offset }
    })
  }

  async #abortedFrom(offset: number) {
    return this.#ask(async (node) => {
      const [found] = await this.#requests.fetch(node, {
        parts: [{ topic: this.#topic, offset, maxBytes: 1 }],
        isolation: 'committed',
        minBytes: 1,
        maxWaitMs: 1_000,
        maxBytes: 1,
        purpose: 'control',
      })
      return { errorCode: found!.errorCode, value: found!.aborted }
    })
  }

  /** Undefined: no answer now. */
  async #ask<T>(
    request: (node: number) => Promise<{ readonly errorCode: number; readonly value: T }>,
  ): Promise<T | undefined> {
    try {
      const node = await this.#leader()
      if (node === undefined) return undefined
      const { errorCode, value } = await request(node)
      if (errorCode === 0) return value
      this.#isStale = isStaleLeader(errorCode)
    } catch (error) {
      if (!(error instanceof KafkaRequestError)) throw error
      this.#isStale = true
    }
    return undefined
  }
}
