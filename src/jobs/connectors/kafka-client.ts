/**
 * The requests to a Kafka cluster that sources and sinks need, over the connections and messages of `@platformatic/kafka`.
 * No other file imports that library. Brokers from 3.1 on understand these versions of the requests.
 *
 * Every call ends in bounded time. Errors are ConnectorErrors and contain no secret. A fetch asks for one partition: the
 * library misreads the optional fields behind a partition that answers with an error, and nothing may follow them.
 */
import { setTimeout } from 'node:timers/promises'
import type * as Kafka from '@platformatic/kafka'
import type { KafkaAccess } from '../../tables/table.ts'
import { ConnectorError } from './connector.ts'
import {
  AUTHENTICATION_FAILED,
  BrokerError,
  isRetriable,
  kafkaProblem,
  messageOf,
  NO_LEADER,
  OFFSET_OUT_OF_RANGE,
  responseCode,
  UNKNOWN_TOPIC,
  Unavailable,
  withinMs,
} from './kafka-problem.ts'

export interface KafkaLimits {
  readonly connectMs: number
  readonly requestMs: number
  /** How long an operation is repeated while the cluster has no leader, or does not know the topic yet. */
  readonly retryMs: number
}

export const KAFKA_LIMITS: KafkaLimits = { connectMs: 5_000, requestMs: 15_000, retryMs: 10_000 }

const RETRY_PAUSE_MS = 200
/** Leaders and partitions are asked for again after this time. */
const METADATA_AGE_MS = 30_000
/** Longest wait of the broker for new records. */
const WAIT_MS = 5_000

export interface KafkaTopic {
  readonly name: string
  /** A topic that is created again has another one. */
  readonly id: string
  /** Node ids of the leaders, by partition; -1: none now. */
  readonly leaders: readonly number[]
}

export interface KafkaRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  /** Null for a tombstone. */
  readonly value: Uint8Array | null
  readonly headers: readonly (readonly [name: string, value: string])[]
}

export interface FetchedRecords {
  readonly records: readonly KafkaRecord[]
  /** The offset after the last one of the fetched bytes. Transaction markers take offsets and are no records. */
  readonly nextOffset: number
  /** The offset after the last record of the partition. */
  readonly endOffset: number
  /** The offset that was asked for is not in the partition: it is before its start, or after its end. */
  readonly isOutOfRange: boolean
}

export interface ProducedRecord {
  readonly key: Uint8Array | undefined
  readonly value: Uint8Array | null
  readonly headers: readonly (readonly [name: string, value: string])[]
}

const EARLIEST = -2n
const LATEST = -1n
const NO_ID = '00000000-0000-0000-0000-000000000000'

export class KafkaClient {
  readonly #access: KafkaAccess
  readonly #limits: KafkaLimits
  readonly #nowMs: () => number
  readonly #integrationId: string | undefined
  readonly #connections = new Map<string, Promise<Kafka.Connection>>()
  #brokers = new Map<number, { readonly host: string; readonly port: number }>()
  #topic: KafkaTopic | undefined
  #topicAtMs = 0
  #closed = false

  /** Errors of the connection itself name the integration. */
  constructor(
    access: KafkaAccess,
    nowMs: () => number,
    limits: KafkaLimits = KAFKA_LIMITS,
    integrationId?: string,
  ) {
    this.#access = access
    this.#nowMs = nowMs
    this.#limits = limits
    this.#integrationId = integrationId
  }

  /** Leaders and partitions. Rejects with a lasting error if the topic does not exist. `create`: if the broker allows it. */
  async topic(name: string, create: boolean): Promise<KafkaTopic> {
    if (this.#topic?.name === name && this.#nowMs() - this.#topicAtMs < METADATA_AGE_MS) return this.#topic
    return this.#repeated(() => this.#readTopic(name, create))
  }

  /** Offsets of the first record, or after the last record, by partition. */
  async offsets(name: string, of: 'earliest' | 'latest'): Promise<number[]> {
    return this.#repeated(async () => {
      const { leaders } = await this.#current(name)
      const offsets: number[] = []
      for (const [partition, leader] of leaders.entries()) {
        const { listOffsetsV7 } = await library()
        const timestamp = of === 'earliest' ? EARLIEST : LATEST
        const topics = [
          { name, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }] },
        ]
        const answer = await this.#send(leader, (connection) =>
          listOffsetsV7.api.async(connection, -1, 0, topics),
        )
        offsets.push(Number(answer.topics[0]!.partitions[0]!.offset))
      }
      return offsets
    })
  }

  /** Records from `offset` on: whole batches, at least one if there is one. */
  async fetch(name: string, partition: number, offset: number, bytesMax: number): Promise<FetchedRecords> {
    return this.#repeated(async () => {
      const { fetchV13 } = await library()
      const topic = await this.#current(name)
      const topics = [{ topicId: topic.id, partitions: [fetchOf(partition, offset, bytesMax)] }]
      try {
        const answer = await this.#send(topic.leaders[partition] ?? -1, (connection) =>
          fetchV13.api.async(connection, 0, 1, bytesMax, 0, 0, -1, topics, [], ''),
        )
        const fetched = answer.responses[0]?.partitions[0]
        if (fetched === undefined) throw new Unavailable('the broker answered without the partition')
        return recordsOf(fetched, offset)
      } catch (error) {
        if (!(error instanceof BrokerError) || error.code !== OFFSET_OUT_OF_RANGE) throw error
        return { records: [], nextOffset: offset, endOffset: offset, isOutOfRange: true }
      }
    })
  }

  /** Resolves when a partition may have records from its offset on, at the latest after some seconds. Never rejects. */
  async grown(name: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    try {
      const { fetchV13 } = await library()
      const topic = await this.#current(name)
      const byLeader = new Map<number, ReturnType<typeof fetchOf>[]>()
      for (const [partition, offset] of offsets) {
        const leader = topic.leaders[partition] ?? -1
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), fetchOf(partition, offset, 1)])
      }
      const waits = [...byLeader].map(([leader, partitions]) =>
        this.#send(
          leader,
          (connection) =>
            fetchV13.api.async(
              connection,
              WAIT_MS,
              1,
              1,
              0,
              0,
              -1,
              [{ topicId: topic.id, partitions }],
              [],
              '',
            ),
          'wait', // a connection answers its requests in order
        ),
      )
      await Promise.race(waits)
      await Promise.race([Promise.allSettled(waits), setTimeout(0)])
    } catch {
      await setTimeout(RETRY_PAUSE_MS) // the next read reports what is wrong
    }
  }

  /** Resolves when all in-sync replicas have the records. After an error they may be there, or be there twice. */
  async produce(
    name: string,
    partition: number,
    records: readonly ProducedRecord[],
    timestampMs: number,
  ): Promise<void> {
    const timestamp = BigInt(timestampMs)
    const messages = records.map(({ key, value, headers }) => ({
      topic: name,
      partition,
      timestamp,
      ...(key !== undefined && { key: bufferOf(key) }),
      value: (value === null ? null : bufferOf(value)) as Buffer,
      ...(headers.length > 0 && {
        headers: new Map(headers.map(([header, text]) => [Buffer.from(header), Buffer.from(text)])),
      }),
    }))
    await this.#repeated(async () => {
      const { produceV9 } = await library()
      const { leaders } = await this.#current(name)
      await this.#send(leaders[partition] ?? -1, (connection) =>
        produceV9.api.async(connection, -1, this.#limits.requestMs, messages),
      )
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    const open = [...this.#connections.values()]
    this.#connections.clear()
    for (const opening of open) opening.then(destroy, () => undefined)
  }

  async #current(name: string): Promise<KafkaTopic> {
    return this.#topic?.name === name ? this.#topic : this.#readTopic(name, false)
  }

  async #readTopic(name: string, create: boolean): Promise<KafkaTopic> {
    const { metadataV12 } = await library()
    const answer = await this.#send('any', (connection) => metadataV12.api.async(connection, [name], create))
    const topic = answer.topics[0]
    if (topic === undefined || topic.topicId === NO_ID) throw new BrokerError(UNKNOWN_TOPIC)
    this.#brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    const leaders: number[] = []
    for (const { partitionIndex, leaderId } of topic.partitions) leaders[partitionIndex] = leaderId
    this.#topic = { name, id: topic.topicId, leaders }
    this.#topicAtMs = this.#nowMs()
    return this.#topic
  }

  /** Repeats an operation while the cluster may become able to do it, with leaders read anew. */
  async #repeated<T>(operation: () => Promise<T>): Promise<T> {
    const endMs = this.#nowMs() + this.#limits.retryMs
    for (;;) {
      try {
        return await operation()
      } catch (error) {
        if (!isRetriable(error) || this.#closed || this.#nowMs() >= endMs)
          throw kafkaProblem(error, this.#access.sasl?.password, this.#integrationId)
        this.#topic = undefined
        await setTimeout(RETRY_PAUSE_MS)
      }
    }
  }

  async #send<T>(
    node: number | 'any',
    request: (connection: Kafka.Connection) => Promise<T>,
    purpose = '',
  ): Promise<T> {
    const broker = await this.#broker(node, purpose)
    try {
      return await withinMs(request(broker.connection), this.#limits.requestMs)
    } catch (error) {
      const code = responseCode(error)
      if (code !== undefined) throw new BrokerError(code)
      this.#connections.delete(broker.name)
      destroy(broker.connection)
      throw new Unavailable(messageOf(error))
    }
  }

  async #broker(
    node: number | 'any',
    purpose: string,
  ): Promise<{ readonly name: string; readonly connection: Kafka.Connection }> {
    if (node !== 'any') {
      const place = this.#brokers.get(node)
      if (place === undefined) throw new BrokerError(NO_LEADER)
      return this.#connection(place.host, place.port, purpose)
    }
    let failure: unknown
    for (const server of this.#access.bootstrapServers) {
      const colon = server.lastIndexOf(':')
      try {
        return await this.#connection(
          server.slice(0, colon).replace(/^\[|\]$/g, ''),
          Number(server.slice(colon + 1)),
          purpose,
        )
      } catch (error) {
        failure = error
      }
    }
    throw failure ?? new ConnectorError('bootstrap_servers names no broker', false)
  }

  async #connection(host: string, port: number, purpose: string) {
    if (this.#closed) throw new ConnectorError('the connector is closed', true)
    const name = `${host}:${port} ${purpose}`
    let opening = this.#connections.get(name)
    if (opening === undefined) {
      opening = this.#connect(host, port)
      this.#connections.set(name, opening)
      opening.then(
        (connection) =>
          connection.on('close', () => {
            if (this.#connections.get(name) === opening) this.#connections.delete(name)
          }),
        () => this.#connections.delete(name),
      )
    }
    return { name, connection: await opening }
  }

  async #connect(host: string, port: number): Promise<Kafka.Connection> {
    const { Connection } = await library()
    const { securityProtocol, sasl, ca, certificate, key } = this.#access
    const isEncrypted = securityProtocol === 'SSL' || securityProtocol === 'SASL_SSL'
    const connection = new Connection('millrace', {
      connectTimeout: this.#limits.connectMs,
      requestTimeout: this.#limits.requestMs,
      ...(isEncrypted && {
        tls: { ...(ca && { ca }), ...(certificate && { cert: certificate }), ...(key && { key }) },
        tlsServerName: host,
      }),
      ...(sasl && securityProtocol.startsWith('SASL') && { sasl }),
    })
    connection.on('error', () => undefined) // the request that was waiting reports it
    try {
      await withinMs(Promise.resolve(connection.connect(host, port)), this.#limits.connectMs)
      return connection
    } catch (error) {
      destroy(connection)
      const text = messageOf(error)
      if (/authentication|SASL/i.test(text)) throw new BrokerError(AUTHENTICATION_FAILED)
      throw new Unavailable(`${host}:${port}: ${text}`)
    }
  }
}

/** Loaded when it is needed: only jobs with a Kafka cluster pay for it. */
function library(): Promise<typeof Kafka> {
  return import('@platformatic/kafka')
}

function fetchOf(partition: number, offset: number, partitionMaxBytes: number) {
  return {
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: BigInt(offset),
    lastFetchedEpoch: -1,
    partitionMaxBytes,
  }
}

/** Bit of the attributes of a batch that holds transaction markers instead of records. */
const IS_CONTROL = 0x20
/** The broker's time counts, not the producer's. */
const IS_APPEND_TIME = 0x08

function recordsOf(
  { records: batches = [], highWatermark }: Kafka.fetchV13.FetchResponsePartition,
  from: number,
): FetchedRecords {
  const records: KafkaRecord[] = []
  let nextOffset = from
  for (const {
    firstOffset,
    lastOffsetDelta,
    attributes,
    firstTimestamp,
    maxTimestamp,
    records: raw,
  } of batches) {
    nextOffset = Math.max(nextOffset, Number(firstOffset) + lastOffsetDelta + 1)
    if ((attributes & IS_CONTROL) !== 0) continue
    for (const { offsetDelta, timestampDelta, key, value, headers } of raw) {
      const offset = Number(firstOffset) + offsetDelta
      if (offset < from) continue // the batch begins before the offset that was asked for
      const timestamp = (attributes & IS_APPEND_TIME) !== 0 ? maxTimestamp : firstTimestamp + timestampDelta
      records.push({
        offset,
        timestampMs: Number(timestamp),
        key,
        value,
        headers: headers.map(([name, text]) => [String(name ?? ''), String(text ?? '')] as const),
      })
    }
  }
  return { records, nextOffset, endOffset: Number(highWatermark), isOutOfRange: false }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function destroy(connection: Kafka.Connection): void {
  connection.socket?.destroy()
  Promise.resolve(connection.close()).catch(() => undefined)
}
