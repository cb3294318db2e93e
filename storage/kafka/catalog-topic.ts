/** The requests that the catalog makes to its topic. Tests hand in a topic in memory. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Offset } from './change-codec.ts'
import type { KafkaCluster, Leader } from './cluster.ts'
import { errorName, isStaleLeader, KAFKA_ERRORS, KafkaRequestError, produceOutcome } from './error-codes.ts'
import { fetch } from './fetch.ts'
import { listOffsets } from './list-offsets.ts'
import { produce } from './produce.ts'
import type { UnsealedBatch } from './record-batch.ts'
import { markerOf, readBatches, readRecords } from './record-batch-reader.ts'
import { deleteRecords } from './topic-requests.ts'

/** 'refused': certainly not stored by this request. 'lost': it may be stored, now or later. */
export type StoreOutcome =
  | { readonly kind: 'stored'; readonly offset: Offset; readonly leader: Leader }
  | { readonly kind: 'refused' | 'lost'; readonly problem: string; readonly isLasting: boolean }

/** What follows an offset in the topic. */
export type TopicEntry =
  | {
      readonly kind: 'record'
      readonly offset: Offset
      readonly value: Buffer | null
      readonly transaction?: ProducerOf
    }
  | {
      readonly kind: 'end'
      readonly offset: Offset
      readonly producerId: number
      readonly outcome: 'commit' | 'abort'
    }

interface ProducerOf {
  readonly producerId: number
  readonly epoch: number
}

export type PollResult =
  | {
      readonly kind: 'entries'
      readonly entries: readonly TopicEntry[]
      /** Where the next poll begins. */
      readonly next: Offset
      /** Whether no entry was left behind. */
      readonly isAtEnd: boolean
    }
  /** Records at this offset have been removed. */
  | { readonly kind: 'trimmed' }

export interface TopicEnd {
  readonly offset: Offset
  readonly leader: Leader
}

export interface CatalogTopic {
  /** Sends a sealed batch once. */
  store(batch: UnsealedBatch): Promise<StoreOutcome>
  /** Waits up to `waitMs` for entries. Rejects with an error if no leader answers, and with StorageError. */
  poll(from: Offset, waitMs: number, signal: AbortSignal): Promise<PollResult>
  /** The offset of the next record, as the leader says. Rejects if no leader answers in this time. */
  end(timeoutMs: number): Promise<TopicEnd>
  /** The offset of the first record. Rejects if no leader answers. */
  begin(): Promise<Offset>
  /** Removes the records before this offset. Rejects if no leader answers. */
  trim(before: Offset): Promise<void>
}

const POLL_BYTES = 4 * 1024 * 1024
/** How long the leader waits for its replicas before it answers. */
const REPLICA_MS = 3_000
const RETRY_MS = 10_000
const PAUSE_MIN_MS = 10
const PAUSE_MAX_MS = 250

export class KafkaCatalogTopic implements CatalogTopic {
  readonly #cluster: KafkaCluster
  readonly #topic: string
  readonly #onTime: (appendTimeMs: number) => void
  #isStale = false

  /** `onTime` receives the time of each record that was stored, as its leader answers. */
  constructor(cluster: KafkaCluster, topic: string, onTime: (appendTimeMs: number) => void = () => {}) {
    this.#cluster = cluster
    this.#topic = topic
    this.#onTime = onTime
  }

  async store({ bytes }: UnsealedBatch): Promise<StoreOutcome> {
    try {
      const leader = await this.#leader()
      const [answer] = await produce(this.#cluster, leader.node, {
        parts: [{ topic: this.#topic, batch: [bytes] }],
        timeoutMs: REPLICA_MS,
        purpose: 'catalog',
      })
      const { errorCode, baseOffset, appendTimeMs } = answer!
      this.#isStale = isStaleLeader(errorCode)
      const problem = errorName(errorCode)
      switch (produceOutcome(errorCode)) {
        case 'stored':
          this.#onTime(appendTimeMs)
          return { kind: 'stored', offset: baseOffset, leader }
        case 'unknown':
          return { kind: 'lost', problem, isLasting: false }
        case 'refused':
          return { kind: 'refused', problem, isLasting: false }
        default:
          return { kind: 'refused', problem, isLasting: true }
      }
    } catch (error) {
      this.#isStale = true
      if (!(error instanceof KafkaRequestError)) throw error
      const { outcome, message, isLasting } = error
      return { kind: outcome === 'not-sent' ? 'refused' : 'lost', problem: message, isLasting }
    }
  }

  async poll(from: Offset, waitMs: number, signal: AbortSignal): Promise<PollResult> {
    // Its callers poll again.
    return this.#asking(0, async ({ node }) => {
      const [answer] = await fetch(this.#cluster, node, {
        parts: [{ topic: this.#topic, offset: from, maxBytes: POLL_BYTES }],
        isolation: 'uncommitted',
        minBytes: 1,
        maxWaitMs: waitMs,
        maxBytes: POLL_BYTES,
        purpose: 'catalog-poll',
        signal,
      })
      const { errorCode, records, highWatermark, logStartOffset } = answer!
      if (errorCode === KAFKA_ERRORS.offsetOutOfRange) return { kind: 'trimmed' }
      this.#check(errorCode)
      if (from < logStartOffset) return { kind: 'trimmed' }
      const entries = entriesOf(records, this.#topic, from)
      const next = Math.max(from, entries.next)
      return { kind: 'entries', entries: entries.found, next, isAtEnd: next >= highWatermark }
    })
  }

  end(timeoutMs: number): Promise<TopicEnd> {
    return this.#asking(timeoutMs, async (leader) => {
      const [answer] = await listOffsets(this.#cluster, leader.node, {
        parts: [{ topic: this.#topic, at: 'latest' }],
        isolation: 'uncommitted',
        purpose: 'catalog',
        timeoutMs,
      })
      this.#check(answer!.errorCode)
      return { offset: answer!.offset, leader }
    })
  }

  begin(): Promise<Offset> {
    return this.#asking(RETRY_MS, async ({ node }) => {
      const [answer] = await listOffsets(this.#cluster, node, {
        parts: [{ topic: this.#topic, at: 'earliest' }],
        isolation: 'uncommitted',
        purpose: 'catalog',
      })
      this.#check(answer!.errorCode)
      return answer!.offset
    })
  }

  trim(before: Offset): Promise<void> {
    return this.#asking(RETRY_MS, async ({ node }) => {
      const parts = [{ topic: this.#topic, before }]
      const [answer] = await deleteRecords(this.#cluster, node, { parts, timeoutMs: REPLICA_MS })
      this.#check(answer!.errorCode)
    })
  }

  /** Asks again for up to `retryMs`: a broker needs a moment until it is the leader of a new topic, or of one whose leader has died. */
  async #asking<T>(retryMs: number, ask: (leader: Leader) => Promise<T>): Promise<T> {
    const endMs = performance.now() + retryMs
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        return await ask(await this.#leader())
      } catch (error) {
        if (!(error instanceof KafkaRequestError)) throw error
        this.#isStale = true
        if (error.isLasting || performance.now() + pauseMs > endMs) throw error
      }
      await sleep(pauseMs)
    }
  }

  #check(errorCode: number): void {
    if (errorCode === KAFKA_ERRORS.none) return
    this.#isStale ||= isStaleLeader(errorCode)
    throw new KafkaRequestError('not-sent', `topic ${this.#topic} cannot be read: ${errorName(errorCode)}`)
  }

  async #leader(): Promise<Leader> {
    const leader = await this.#cluster.leader(this.#topic, { refresh: this.#isStale })
    if (leader === undefined)
      throw new KafkaRequestError('not-sent', `topic ${this.#topic} has no leader now`)
    this.#isStale = false
    return leader
  }
}

function entriesOf(
  records: Buffer,
  topic: string,
  from: Offset,
): { readonly found: readonly TopicEntry[]; readonly next: Offset } {
  const found: TopicEntry[] = []
  let next = from
  for (const batch of readBatches(records, topic)) {
    next = batch.lastOffset + 1
    const { producerId, producerEpoch: epoch, lastOffset } = batch
    if (batch.isControl) {
      const outcome = markerOf(batch, topic)
      if (outcome !== undefined) found.push({ kind: 'end', offset: lastOffset, producerId, outcome })
      continue
    }
    for (const { offset, value } of readRecords(batch, topic)) {
      if (offset < from) continue
      const transaction = batch.isTransactional && { transaction: { producerId, epoch } }
      found.push({ kind: 'record', offset, value: value && Buffer.from(value), ...(transaction || {}) })
    }
  }
  return { found, next }
}
