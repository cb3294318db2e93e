/**
 * Writes rows to a Kafka topic, at least once: after a failure the rows of an emission may be written again. A batch is sent
 * when the one before it is on all in-sync replicas, so the rows of a partition keep their order. Memory is bounded by one
 * chunk of the outbox and one batch for each partition.
 *
 * A row with a key goes to the partition of the key, as Kafka's own clients choose it. Rows without a key go to one
 * partition for each emission.
 */
import type { Value } from '../../formats/record-reader.ts'
import {
  FormatProblem,
  type KeyWriter,
  openChangeWriter,
  openKeyWriter,
  openRowWriter,
  type RowOptions,
} from '../../formats/rows/index.ts'
import type { KafkaAccess, TopicConnector, UpsertTopicConnector } from '../../tables/table.ts'
import type { SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import {
  ConnectorError,
  type Emitted,
  type Outbox,
  type RecordedEpoch,
  type RowOp,
  type Sink,
} from './connector.ts'
import { KafkaClient, type KafkaLimits, type ProducedRecord } from './kafka-client.ts'
import { partitionOfKey } from './kafka-partition.ts'
import { NO_TOPIC } from './kafka-problem.ts'

/** The default limit of a topic is 1 MiB for a batch with its overhead. */
const BATCH_BYTES = 900 * 1024
const BATCH_RECORDS = 10_000
/** Bytes of a record besides key and value, at most, without headers. */
const RECORD_OVERHEAD = 70

type WriteBody = (op: RowOp, values: readonly Value[]) => Uint8Array | null | undefined

interface PartitionBatch {
  records: ProducedRecord[]
  bytes: number
}

export class KafkaSink implements Sink {
  readonly #client: KafkaClient
  readonly #nowMs: () => number
  readonly #table: ConnectedTable
  readonly #topic: string
  readonly #body: WriteBody
  readonly #key: KeyWriter | undefined
  /** For each column of the table its column in the outbox. */
  readonly #physical: readonly number[]
  readonly #headersColumn: number

  private constructor(table: ConnectedTable, plan: SinkPlan, client: KafkaClient, nowMs: () => number) {
    const connector = table.connector as TopicConnector | UpsertTopicConnector
    const options = rowOptions(table, connector)
    this.#client = client
    this.#nowMs = nowMs
    this.#table = table
    this.#topic = connector.topic
    this.#key = openKeyWriter(options)
    this.#body = bodyWriter(options)
    this.#physical = table.physical.map(({ name }) =>
      plan.columns.findIndex((column) => column.metadata === undefined && column.name === name),
    )
    this.#headersColumn = plan.columns.findIndex(({ metadata }) => metadata === 'headers')
  }

  /** Creates the topic if the broker allows it. Rejects with ConnectorError. */
  static async open(
    table: ConnectedTable,
    plan: SinkPlan,
    access: KafkaAccess,
    nowMs: () => number,
    limits?: KafkaLimits,
  ): Promise<KafkaSink> {
    const sink = new KafkaSink(
      table,
      plan,
      new KafkaClient(access, nowMs, limits, table.integrationId),
      nowMs,
    )
    try {
      await sink.#client.topic(sink.#topic, true)
      return sink
    } catch (error) {
      await sink.close()
      if (error instanceof ConnectorError && error.message === NO_TOPIC) {
        const text = `topic ${sink.#topic} of table ${table.name} does not exist, and the cluster does not create topics by itself`
        throw new ConnectorError(text, false)
      }
      throw error
    }
  }

  async recorded(): Promise<RecordedEpoch> {
    return 'unknowable'
  }

  async emit(epoch: number, outbox: Outbox): Promise<Emitted> {
    const { leaders } = await this.#client.topic(this.#topic, false)
    const batches = new Map<number, PartitionBatch>()
    let bytes = 0
    let written = 0
    for await (const { ops, columns, rowCount } of outbox.chunks()) {
      for (let row = 0; row < rowCount; row++) {
        const record = this.#record(
          ops[row]!,
          columns.map((column) => column[row]!),
        )
        if (record === undefined) continue
        const partition =
          record.key === undefined ? epoch % leaders.length : partitionOfKey(record.key, leaders.length)
        bytes += record.value?.length ?? 0
        written++
        await this.#add(batches, partition, record)
      }
    }
    for (const [partition, { records }] of batches) await this.#send(partition, records)
    return { records: written, bytes }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  async #add(batches: Map<number, PartitionBatch>, partition: number, record: ProducedRecord): Promise<void> {
    const size = sizeOf(record)
    let batch = batches.get(partition)
    if (batch !== undefined && (batch.bytes + size > BATCH_BYTES || batch.records.length >= BATCH_RECORDS)) {
      await this.#send(partition, batch.records)
      batch = undefined
    }
    if (batch === undefined) {
      batch = { records: [], bytes: 0 }
      batches.set(partition, batch)
    }
    batch.records.push(record)
    batch.bytes += size
  }

  async #send(partition: number, records: readonly ProducedRecord[]): Promise<void> {
    if (records.length > 0) await this.#client.produce(this.#topic, partition, records, this.#nowMs())
  }

  #record(op: RowOp, outboxRow: readonly Value[]): ProducedRecord | undefined {
    const values = this.#physical.map((column) => (column < 0 ? null : outboxRow[column]!))
    try {
      const value = this.#body(op, values)
      if (value === undefined) return undefined
      const headers = this.#headersColumn < 0 ? null : outboxRow[this.#headersColumn]!
      return {
        key: this.#key?.write(values),
        value,
        headers: headers instanceof Map ? [...headers].map(([name, text]) => [name, String(text)]) : [],
      }
    } catch (problem) {
      if (!(problem instanceof FormatProblem)) throw problem
      throw new ConnectorError(`table ${this.#table.name}: ${problem.message}`, false)
    }
  }
}

function rowOptions(table: ConnectedTable, connector: TopicConnector | UpsertTopicConnector): RowOptions {
  const { valueFormat, keyFormat, keyFields, valueFieldsInclude } = connector
  return {
    valueFormat,
    keyFormat,
    keyFields: connector.kind === 'upsert-topic' ? table.primaryKey : keyFields,
    valueFieldsInclude,
    columns: table.physical,
  }
}

/** Null deletes the key. */
function bodyWriter(options: RowOptions): WriteBody {
  if (options.valueFormat === 'debezium-json') {
    const writer = openChangeWriter(options)
    return (op, values) => writer.write(op, values)
  }
  const writer = openRowWriter(options)
  return (op, values) => (op === 'b' ? undefined : op === 'd' ? null : writer.write(values))
}

function sizeOf({ key, value, headers }: ProducedRecord): number {
  const headerBytes = headers.reduce((sum, [name, text]) => sum + 3 * (name.length + text.length) + 10, 0)
  return RECORD_OVERHEAD + (key?.length ?? 0) + (value?.length ?? 0) + headerBytes
}
