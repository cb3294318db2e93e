/**
 * Records of all partitions of a Kafka topic. A partition is read in order; partitions follow one another in turn.
 * Partitions that are added later are read from their start.
 *
 *   position { topicId, offsets: { "0": next offset, … }, clockMs }
 *
 * Times of records may go back, within a partition and between partitions. Times of events do not: an event has the largest
 * time so far. `timestampsMs` of a block are the times of the records.
 */
import type { EventHeaders, EventRun } from '../../../storage/log.ts'
import type { KafkaAccess, TopicConnector, UpsertTopicConnector } from '../../tables/table.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import {
  ConnectorError,
  type ReadLimits,
  type Source,
  type SourceBatch,
  type SourceBlock,
  type SourcePosition,
} from './connector.ts'
import { KafkaClient, type KafkaLimits, type KafkaRecord } from './kafka-client.ts'
import { NO_TOPIC } from './kafka-problem.ts'

/** Bytes of one fetch; a batch of the producer is fetched whole also if it is larger. */
const FETCH_BYTES = 1024 * 1024

interface KafkaPosition {
  readonly topicId: string
  readonly offsets: Readonly<Record<string, number>>
  readonly clockMs: number
}

export class KafkaSource implements Source {
  readonly isBounded = false
  readonly #table: ConnectedTable
  readonly #connector: TopicConnector | UpsertTopicConnector
  readonly #client: KafkaClient
  readonly #nowMs: () => number
  /** Offsets after the last records, by partition, as the last fetches returned them. */
  readonly #ends = new Map<number, number>()
  #nextPartition = 0

  private constructor(table: ConnectedTable, client: KafkaClient, nowMs: () => number) {
    this.#nowMs = nowMs
    this.#table = table
    this.#connector = table.connector as TopicConnector | UpsertTopicConnector
    this.#client = client
  }

  /** Rejects with ConnectorError if the topic does not exist or no broker answers. */
  static async open(
    table: ConnectedTable,
    access: KafkaAccess,
    nowMs: () => number,
    limits?: KafkaLimits,
  ): Promise<KafkaSource> {
    const source = new KafkaSource(table, new KafkaClient(access, nowMs, limits, table.integrationId), nowMs)
    try {
      await source.#topic()
      return source
    } catch (error) {
      await source.close()
      throw error
    }
  }

  async start(): Promise<SourcePosition> {
    const { id } = await this.#topic()
    const isLatest = this.#connector.kind === 'topic' && this.#connector.startup === 'latest'
    const offsets = await this.#client.offsets(this.#connector.topic, isLatest ? 'latest' : 'earliest')
    return { topicId: id, offsets: Object.fromEntries(offsets.entries()), clockMs: 0 }
  }

  async read(from: SourcePosition, limits: ReadLimits): Promise<SourceBatch> {
    const position = from as unknown as KafkaPosition
    const { id, leaders } = await this.#topic()
    if (id !== position.topicId) {
      throw this.#gone(`topic ${this.#connector.topic} was deleted and created again`)
    }
    const offsets = new Map(leaders.map((_, partition) => [partition, position.offsets[partition] ?? 0]))
    const batch = { clockMs: position.clockMs, isCut: false }
    return {
      blocks: this.#blocks(offsets, limits, batch),
      position: () => ({ topicId: id, offsets: Object.fromEntries(offsets), clockMs: batch.clockMs }),
      hasMore: () => batch.isCut,
    }
  }

  async grown(from: SourcePosition, signal: AbortSignal): Promise<void> {
    const { offsets } = from as unknown as KafkaPosition
    const known = new Map(Object.entries(offsets).map(([partition, offset]) => [Number(partition), offset]))
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
      if (signal.aborted) resolve()
    })
    await Promise.race([this.#client.grown(this.#connector.topic, known), aborted])
  }

  /** Compared with the ends that the last fetches returned. */
  async lag(from: SourcePosition): Promise<{ readonly events: number; readonly ms: number } | undefined> {
    const { offsets, clockMs } = from as unknown as KafkaPosition
    if (this.#ends.size === 0) return undefined
    let events = 0
    for (const [partition, end] of this.#ends) events += Math.max(0, end - (offsets[partition] ?? 0))
    return { events, ms: events === 0 ? 0 : Math.max(0, this.#nowMs() - clockMs) }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  async *#blocks(
    offsets: Map<number, number>,
    { eventsMax, bytesMax }: ReadLimits,
    batch: { clockMs: number; isCut: boolean },
  ): AsyncGenerator<SourceBlock> {
    let [events, bytes] = [0, 0]
    const partitions = this.#inTurn(offsets.size)
    // Partitions with records are asked again until all are read to their ends.
    while (partitions.length > 0) {
      const partition = partitions.shift()!
      if (events >= eventsMax || bytes >= bytesMax) {
        batch.isCut = true
        return
      }
      const offset = offsets.get(partition)!
      const fetched = await this.#fetch(partition, offset, Math.min(FETCH_BYTES, bytesMax - bytes))
      const records = fetched.records.slice(0, eventsMax - events)
      const isWhole = records.length === fetched.records.length
      for (const block of blocksOf(partition, records, batch)) {
        events += block.block.ends.length
        bytes += block.block.bytes.length
        yield block
      }
      const next = isWhole ? fetched.nextOffset : records.at(-1)!.offset + 1
      offsets.set(partition, next)
      if (next < fetched.endOffset) partitions.push(partition)
    }
  }

  async #fetch(partition: number, offset: number, bytesMax: number) {
    const { topic } = this.#connector
    const fetched = await this.#client.fetch(topic, partition, offset, bytesMax)
    if (!fetched.isOutOfRange) {
      this.#ends.set(partition, fetched.endOffset)
      return fetched
    }
    const first = (await this.#client.offsets(topic, 'earliest'))[partition] ?? 0
    const where = `partition ${partition} of topic ${topic}`
    throw this.#gone(
      first > offset
        ? `events ${offset} to ${first - 1} of ${where} have expired`
        : `${where} ends before offset ${offset}: it has gone back`,
    )
  }

  /** Begins with another partition each time, so that a large one cannot keep others waiting. */
  #inTurn(count: number): number[] {
    const first = count === 0 ? 0 : this.#nextPartition++ % count
    return Array.from({ length: count }, (_, index) => (first + index) % count)
  }

  async #topic() {
    try {
      return await this.#client.topic(this.#connector.topic, false)
    } catch (error) {
      if (!(error instanceof ConnectorError) || error.passing || error.message !== NO_TOPIC) throw error
      throw new ConnectorError(
        `topic ${this.#connector.topic} of table ${this.#table.name} does not exist`,
        false,
      )
    }
  }

  #gone(what: string): ConnectorError {
    return new ConnectorError(
      `${what} before table ${this.#table.name} was read so far; create a new job to go on without them`,
      false,
    )
  }
}

const NO_HEADERS: EventHeaders = []

/** Blocks of consecutive offsets: a compacted topic has gaps. */
function* blocksOf(
  partition: number,
  records: readonly KafkaRecord[],
  clock: { clockMs: number },
): Generator<SourceBlock> {
  let begin = 0
  for (let end = 1; end <= records.length; end++) {
    if (end < records.length && records[end]!.offset === records[end - 1]!.offset + 1) continue
    yield blockOf(partition, records.slice(begin, end), clock)
    begin = end
  }
}

function blockOf(
  partition: number,
  records: readonly KafkaRecord[],
  clock: { clockMs: number },
): SourceBlock {
  const starts = new Uint32Array(records.length)
  const ends = new Uint32Array(records.length)
  const bytes = new Uint8Array(records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0))
  const runs: (EventRun & { end: number })[] = []
  let at = 0
  for (const [index, { value, timestampMs, headers }] of records.entries()) {
    starts[index] = at
    if (value !== null) bytes.set(value, at)
    at += value?.length ?? 0
    ends[index] = at
    clock.clockMs = Math.max(clock.clockMs, timestampMs)
    const last = runs.at(-1)
    if (
      last !== undefined &&
      last.timestampMs === clock.clockMs &&
      headers.length === 0 &&
      last.headers === NO_HEADERS
    ) {
      last.end = index + 1
    } else {
      const shared = headers.length === 0 ? NO_HEADERS : headers
      runs.push({ begin: index, end: index + 1, timestampMs: clock.clockMs, headers: shared })
    }
  }
  return {
    block: { firstSequence: records[0]!.offset, bytes, starts, ends, runs },
    partition,
    keys: records.map(({ key }) => key),
    timestampsMs: records.map(({ timestampMs }) => timestampMs),
  }
}
