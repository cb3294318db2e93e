/** Source and sink of a real Kafka broker: round trips, partitions, gaps, a broker that is paused or not there. */

import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Value } from '../../../src/formats/record-reader.ts'
import { openChangeReader, openRowReader, type ReadOptions } from '../../../src/formats/rows/index.ts'
import type { RowChange } from '../../../src/formats/rows/row-format.ts'
import type { Outbox, RowOp, SourcePosition } from '../../../src/jobs/connectors/connector.ts'
import { KafkaClient } from '../../../src/jobs/connectors/kafka-client.ts'
import { KafkaSink } from '../../../src/jobs/connectors/kafka-sink.ts'
import { KafkaSource } from '../../../src/jobs/connectors/kafka-source.ts'
import type { SinkPlan } from '../../../src/jobs/plan/job-plan.ts'
import type { ConnectedTable } from '../../../src/jobs/worker/job-worker-protocol.ts'
import type { KafkaAccess, TopicConnector, UpsertTopicConnector } from '../../../src/tables/table.ts'
import { freePort } from '../../support/free-port.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { proven } from '../../support/proven.ts'

const missing = await fetchKafka()
const nowMs = () => Date.now()
const FAST = { connectMs: 1_000, requestMs: 2_000, retryMs: 2_000 }
const MANY = { eventsMax: 100_000, bytesMax: 16 * 2 ** 20 }

let broker: TestKafka
let admin: Admin
let access: KafkaAccess
let topics = 0

async function newTopic(partitions = 1): Promise<string> {
  const topic = `topic-${++topics}`
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  return topic
}

const COLUMNS = [
  { name: 'k', type: { kind: 'INT' }, nullable: false },
  { name: 'v', type: { kind: 'STRING' }, nullable: true },
] as const

function tableOf(
  topic: string,
  more: Partial<TopicConnector> | Partial<UpsertTopicConnector> = {},
): ConnectedTable {
  const connector = {
    kind: 'topic',
    topic,
    startup: 'earliest',
    valueFormat: 'json',
    keyFormat: undefined,
    keyFields: [],
    valueFieldsInclude: 'ALL',
    ...more,
  } as TopicConnector
  return { id: 't', name: 'T', connector, access, physical: COLUMNS, primaryKey: ['k'], stream: undefined }
}

const PLAN: SinkPlan = { tableId: 't', tableName: 'T', columns: COLUMNS, primaryKey: ['k'] }

const outboxOf = (rows: readonly (readonly [RowOp, ...Value[]])[]): Outbox => ({
  rowCount: rows.length,
  columns: [],
  async *chunks() {
    const columns = [0, 1].map((column) => rows.map((row) => row[column + 1] as Value))
    if (rows.length > 0) yield { ops: rows.map(([op]) => op), columns, rowCount: rows.length }
  },
})

/** All events from a position on, read in pieces of at most `eventsMax`. */
async function readAll(source: KafkaSource, from: SourcePosition, eventsMax = MANY.eventsMax) {
  const events: { body: string; key: string | null; partition: number; offset: number }[] = []
  let position = from
  for (;;) {
    const batch = await source.read(position, { eventsMax, bytesMax: MANY.bytesMax })
    for await (const { block, partition, keys } of batch.blocks) {
      for (let index = 0; index < block.ends.length; index++) {
        const body = Buffer.from(block.bytes.subarray(block.starts[index], block.ends[index])).toString()
        const key = keys?.[index] ?? null
        events.push({
          body,
          key: key && Buffer.from(key).toString(),
          partition,
          offset: block.firstSequence + index,
        })
      }
    }
    position = JSON.parse(JSON.stringify(batch.position())) as SourcePosition
    if (!batch.hasMore()) return { events, position }
  }
}

describe.skipIf(missing !== undefined)(`Kafka${missing === undefined ? '' : `: ${missing}`}`, () => {
  beforeAll(async () => {
    broker = await TestKafka.start()
    access = { kind: 'kafka', bootstrapServers: [`127.0.0.1:${broker.port}`], securityProtocol: 'PLAINTEXT' }
    admin = new Admin({ clientId: 'tests', bootstrapBrokers: [`127.0.0.1:${broker.port}`] })
  }, 180_000)

  afterAll(async () => {
    await admin?.close()
    await broker?.remove()
  })

  test('rows of a sink are read by a source, in order, by pieces of any size', async () => {
    const topic = await newTopic()
    const sink = await KafkaSink.open(tableOf(topic), PLAN, access, nowMs)
    const rows = Array.from(
      { length: 25_000 },
      (_, k) => ['c', k, `value ${k} ${'x'.repeat(k % 100)}`] as const,
    )
    await sink.emit(1, outboxOf(rows))
    await sink.emit(2, outboxOf([]))
    expect(await sink.recorded()).toBe('unknowable')
    const source = await KafkaSource.open(tableOf(topic), access, nowMs)
    for (const eventsMax of [100_000, 777]) {
      const { events, position } = await readAll(source, await source.start(), eventsMax)
      expect(events.map(({ body }) => body)).toEqual(rows.map(([, k, v]) => JSON.stringify({ k, v })))
      expect(events.map(({ offset }) => offset)).toEqual(rows.map(([, k]) => k))
      expect(position).toMatchObject({ offsets: { 0: 25_000 } })
    }
    await Promise.all([sink.close(), source.close()])
  })

  test('keys choose partitions, and their order is kept; a delete is a null value', async () => {
    const topic = await newTopic(3)
    const table = tableOf(topic, { kind: 'upsert-topic', keyFormat: 'json' } as never)
    const sink = await KafkaSink.open(table, PLAN, access, nowMs)
    const rows = Array.from({ length: 300 }, (_, n) => ['c', n % 30, `${n}`] as const)
    await sink.emit(1, outboxOf([...rows, ['b', 3, 'x'], ['u', 3, 'y'], ['d', 4, 'z']]))
    const source = await KafkaSource.open(table, access, nowMs)
    const { events } = await readAll(source, await source.start(), 50)
    expect(new Set(events.map(({ partition }) => partition)).size).toBe(3)
    for (let k = 0; k < 30; k++) {
      const ofKey = events.filter(({ key }) => key === `{"k":${k}}`)
      expect(new Set(ofKey.map(({ partition }) => partition)).size).toBe(1)
      const expected = rows.filter(([, key]) => key === k).map(([, key, v]) => JSON.stringify({ k: key, v }))
      if (k === 3) expected.push('{"k":3,"v":"y"}')
      if (k === 4) expected.push('')
      expect(ofKey.map(({ body }) => body)).toEqual(expected)
    }
    await Promise.all([sink.close(), source.close()])
  })

  test('what is read fits the readers of rows: keys beside the body', async () => {
    const topic = await newTopic()
    const table = tableOf(topic, { keyFormat: 'json', keyFields: ['k'], valueFieldsInclude: 'EXCEPT_KEY' })
    const sink = await KafkaSink.open(table, PLAN, access, nowMs)
    await sink.emit(1, outboxOf([['c', 7, 'é']]))
    const source = await KafkaSource.open(table, access, nowMs)
    const batch = await source.read(await source.start(), MANY)
    const options: ReadOptions = {
      valueFormat: 'json',
      keyFormat: 'json',
      keyFields: ['k'],
      valueFieldsInclude: 'EXCEPT_KEY',
      columns: COLUMNS,
      wanted: [0, 1],
    }
    for await (const { block, keys, timestampsMs } of batch.blocks) {
      const into: Value[] = []
      expect(
        openRowReader(options).read(
          block.bytes,
          block.starts[0]!,
          block.ends[0]!,
          block.runs[0]!.headers,
          into,
          keys![0],
        ),
      ).toBeUndefined()
      expect(into).toEqual([7, 'é'])
      const changes: RowChange[] = []
      openChangeReader({ ...options, primaryKey: ['k'] }).read(block.bytes, 0, 0, [], changes, keys![0])
      expect(changes).toEqual([{ op: 'delete', values: [7, null] }])
      expect(Math.abs(timestampsMs![0]! - nowMs())).toBeLessThan(60_000)
    }
    await Promise.all([sink.close(), source.close()])
  })

  test('latest-offset begins after what is there; grown resolves with a new record', async () => {
    const topic = await newTopic(2)
    const sink = await KafkaSink.open(tableOf(topic), PLAN, access, nowMs)
    await sink.emit(1, outboxOf([['c', 1, 'old']]))
    await sink.emit(2, outboxOf([['c', 1, 'old']]))
    const source = await KafkaSource.open(tableOf(topic, { startup: 'latest' }), access, nowMs)
    const start = await source.start()
    expect((await readAll(source, start)).events).toEqual([])
    const grown = source.grown(start, new AbortController().signal)
    await sink.emit(3, outboxOf([['c', 2, 'new']]))
    await grown
    expect((await readAll(source, start)).events.map(({ body }) => body)).toEqual(['{"k":2,"v":"new"}'])
    const stop = new AbortController()
    const waiting = source.grown(start, stop.signal)
    stop.abort()
    await waiting
    await Promise.all([sink.close(), source.close()])
  })

  test('a topic that does not exist, and one that is deleted, are errors that stay', async () => {
    await expect(KafkaSource.open(tableOf('missing'), access, nowMs, FAST)).rejects.toMatchObject({
      message: 'topic missing of table T does not exist',
      passing: false,
    })
    await expect(KafkaSink.open(tableOf('missing'), PLAN, access, nowMs, FAST)).rejects.toMatchObject({
      passing: false,
    })
    const topic = await newTopic()
    const source = await KafkaSource.open(tableOf(topic), access, nowMs, FAST)
    const start = await source.start()
    await admin.deleteTopics({ topics: [topic] })
    await expect(readAll(source, start)).rejects.toMatchObject({ passing: false })
    await source.close()
  })

  test('a topic that was created again is a gap, and so are records that have expired', async () => {
    const topic = await newTopic()
    const sink = await KafkaSink.open(tableOf(topic), PLAN, access, nowMs)
    await sink.emit(1, outboxOf(Array.from({ length: 10 }, (_, k) => ['c', k, 'v'] as const)))
    const source = await KafkaSource.open(tableOf(topic), access, nowMs, FAST)
    const start = await source.start()
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 5n }] }] })
    await expect(readAll(source, start)).rejects.toMatchObject({
      message: `events 0 to 4 of partition 0 of topic ${topic} have expired before table T was read so far; create a new job to go on without them`,
      passing: false,
    })
    expect((await readAll(source, { ...start, offsets: { 0: 5 } })).events).toHaveLength(5)
    await expect(readAll(source, { ...start, offsets: { 0: 50 } })).rejects.toMatchObject({
      message: expect.stringContaining('ends before offset 50'),
      passing: false,
    })
    await expect(readAll(source, { ...start, topicId: 'another' })).rejects.toMatchObject({
      message: expect.stringContaining('was deleted and created again'),
      passing: false,
    })
    await Promise.all([sink.close(), source.close()])
  })

  test('partitions that are added are read from their start', async () => {
    const topic = await newTopic()
    const source = await KafkaSource.open(tableOf(topic), access, nowMs, FAST)
    const start = await source.start()
    await source.close()
    await admin.createPartitions({ topics: [{ name: topic, count: 3 }] })
    const sink = await KafkaSink.open(tableOf(topic), PLAN, access, nowMs)
    for (const epoch of [1, 2, 3]) await sink.emit(epoch, outboxOf([['c', epoch, 'v']]))
    const later = await KafkaSource.open(tableOf(topic), access, nowMs, FAST)
    const { events, position } = await readAll(later, start)
    expect(events.map(({ partition }) => partition).sort()).toEqual([0, 1, 2])
    expect(position).toMatchObject({ offsets: { 0: 1, 1: 1, 2: 1 } })
    await Promise.all([sink.close(), later.close()])
  })

  test('a record that is larger than the topic allows is an error that stays', async () => {
    const topic = await newTopic()
    const sink = await KafkaSink.open(tableOf(topic), PLAN, access, nowMs)
    await expect(sink.emit(1, outboxOf([['c', 1, 'x'.repeat(2 ** 21)]]))).rejects.toMatchObject({
      message: expect.stringContaining('larger than the topic allows'),
      passing: false,
    })
    await sink.close()
  })

  test('brokers that do not answer are errors that pass, within bounded time and without secrets', async () => {
    const closed: KafkaAccess = {
      kind: 'kafka',
      bootstrapServers: [`127.0.0.1:${await freePort()}`],
      securityProtocol: 'SASL_PLAINTEXT',
      sasl: { mechanism: 'SCRAM-SHA-256', username: 'u', password: 'secret-word' },
    }
    const startMs = performance.now()
    const opening = KafkaSource.open(tableOf('t'), closed, nowMs, FAST)
    await expect(opening).rejects.toMatchObject({
      message: expect.not.stringContaining('secret-word'),
      passing: true,
    })
    const wrong = KafkaSource.open(
      tableOf('t'),
      { ...closed, bootstrapServers: access.bootstrapServers },
      nowMs,
      FAST,
    )
    await expect(wrong).rejects.toMatchObject({
      name: 'ConnectorError',
      message: expect.not.stringContaining('secret-word'),
    })
    expect(performance.now() - startMs).toBeLessThan(20_000)
  })

  test('a paused broker: errors that pass; afterwards source and sink go on', async () => {
    const topic = await newTopic()
    const sink = await KafkaSink.open(tableOf(topic), PLAN, access, nowMs, FAST)
    const source = await KafkaSource.open(tableOf(topic), access, nowMs, FAST)
    const start = await source.start()
    await sink.emit(1, outboxOf([['c', 1, 'v']]))
    broker.pause()
    try {
      const startMs = performance.now()
      await expect(sink.emit(2, outboxOf([['c', 2, 'v']]))).rejects.toMatchObject({ passing: true })
      await expect(readAll(source, start)).rejects.toMatchObject({ passing: true })
      expect(performance.now() - startMs).toBeLessThan(30_000)
    } finally {
      broker.continue()
    }
    await expect
      .poll(() => sink.emit(3, outboxOf([['c', 3, 'v']])).catch(() => undefined), { timeout: 90_000 })
      .toBeDefined()
    const { events } = await readAll(source, start)
    const bodies = events.map(({ body }) => body)
    expect([bodies[0], bodies.at(-1)]).toEqual(['{"k":1,"v":"v"}', '{"k":3,"v":"v"}'])
    await Promise.all([sink.close(), source.close()])
  })

  test('no acknowledged record is lost while clients write at the same time', async () => {
    const topic = await newTopic(2)
    const clients = Array.from({ length: 4 }, () => new KafkaClient(access, nowMs))
    const writes = clients.flatMap((client, c) =>
      Array.from({ length: 25 }, (_, n) =>
        client.produce(
          topic,
          n % 2,
          [{ key: undefined, value: Buffer.from(`${c}/${n}`), headers: [['h', 'x']] }],
          nowMs(),
        ),
      ),
    )
    await Promise.all(writes)
    const source = await KafkaSource.open(tableOf(topic), access, nowMs)
    const { events } = await readAll(source, await source.start())
    const ours = new Set(events.map(({ body }) => body))
    await proven(() => expect([ours.size, events.length]).toEqual([100, 100]))
    await Promise.all([source.close(), ...clients.map((client) => client.close())])
  })
})
