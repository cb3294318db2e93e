/** The requests of the engine against a real broker: what they do, and what the broker refuses. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../storage/kafka/access.ts'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { isRetriable, KAFKA_ERRORS } from '../../storage/kafka/error-codes.ts'
import { fetch } from '../../storage/kafka/fetch.ts'
import { listOffsets } from '../../storage/kafka/list-offsets.ts'
import { produce } from '../../storage/kafka/produce.ts'
import { type BatchSeal, NO_PRODUCER, RecordBatchBuilder } from '../../storage/kafka/record-batch.ts'
import {
  AbortedBatches,
  markerOf,
  readBatches,
  readRecords,
} from '../../storage/kafka/record-batch-reader.ts'
import {
  createTopics,
  deleteRecords,
  deleteTopics,
  describeConfigs,
  incrementalAlterConfigs,
} from '../../storage/kafka/topic-requests.ts'
import {
  addPartitionsToTxn,
  endTxn,
  initProducerId,
  type ProducerIdentity,
} from '../../storage/kafka/transaction-requests.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'

const missing = await fetchKafka()
const TIMEOUT_MS = 20_000

describe.skipIf(missing !== undefined)(`requests to a broker (${missing ?? 'real'})`, () => {
  let kafka: TestKafka
  let cluster: KafkaCluster
  let prefix: string
  let topics = 0

  beforeAll(async () => {
    kafka = await TestKafka.shared()
    prefix = kafka.newPrefix()
    cluster = await KafkaCluster.open(
      { brokers: kafka.addresses },
      { ...CLUSTER_LIMITS, requestMs: TIMEOUT_MS },
    )
  }, 240_000)
  afterAll(async () => {
    if (cluster !== undefined) {
      const names = await cluster.listTopics(prefix)
      if (names.length > 0) await deleteTopics(cluster, { topics: names, timeoutMs: TIMEOUT_MS })
      await cluster.close()
    }
    await kafka?.remove()
  })

  /** The leader of a new topic. */
  async function newTopic(settings: Record<string, string> = {}): Promise<{ topic: string; node: number }> {
    const topic = `${prefix}.${++topics}`
    const all = { 'message.timestamp.type': 'LogAppendTime', ...settings }
    const created = await createTopics(cluster, {
      topics: [{ topic, replicas: -1, settings: all }],
      timeoutMs: TIMEOUT_MS,
    })
    expect(created).toEqual([{ topic, errorCode: 0, message: undefined }])
    for (;;) {
      const leader = await cluster.leader(topic, { refresh: true })
      if (leader !== undefined) {
        const [bound] = await listOffsets(cluster, leader.node, {
          parts: [{ topic, at: 'latest' }],
          isolation: 'committed',
        })
        if (bound!.errorCode === 0) return { topic, node: leader.node }
      }
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  function batchOf(values: readonly string[], seal: BatchSeal = NO_PRODUCER, timestampMs = 0): Uint8Array[] {
    const builder = new RecordBatchBuilder()
    for (const value of values) builder.addRecord({ value: Buffer.from(value), timestampMs })
    const batch = builder.finish()
    batch.seal(seal)
    return [batch.bytes.subarray(0, 30), batch.bytes.subarray(30)]
  }

  const send = async (
    { topic, node }: { topic: string; node: number },
    batch: Uint8Array[],
    transactionalId?: string,
  ) => {
    const [answer] = await produce(cluster, node, {
      parts: [{ topic, batch }],
      timeoutMs: TIMEOUT_MS,
      ...(transactionalId !== undefined && { transactionalId }),
    })
    return answer!
  }

  const read = async (
    { topic, node }: { topic: string; node: number },
    isolation: 'committed' | 'uncommitted' = 'committed',
    offset = 0,
  ) => {
    const [part] = await fetch(cluster, node, {
      parts: [{ topic, offset, maxBytes: 2 ** 20 }],
      isolation,
      minBytes: 1,
      maxWaitMs: 100,
      maxBytes: 2 ** 20,
      purpose: 'fetch',
    })
    const aborted = new AbortedBatches(part!.aborted)
    const batches = readBatches(part!.records, topic)
    const events = batches
      .filter((batch) => !aborted.has(batch, topic) && !batch.isControl)
      .flatMap((batch) => readRecords(batch, topic))
      .map((record) => [record.offset, record.value?.toString()])
    return { part: part!, batches, events }
  }

  /** Repeats a call while the coordinator starts, or ends the transaction before. */
  async function settled<T extends { readonly errorCode: number }>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      const answer = await call()
      if (!isRetriable(answer.errorCode)) return answer
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const sealOf = (
    { producerId, epoch }: ProducerIdentity,
    baseSequence: number,
    isTransactional = false,
  ) => ({
    producerId,
    epoch,
    baseSequence,
    isTransactional,
  })

  test('a topic is made once, with its settings, which can be changed and read', async () => {
    const { topic, node } = await newTopic({ 'retention.ms': '-1' })
    const again = await createTopics(cluster, {
      topics: [
        { topic, replicas: -1, settings: {} },
        { topic: `${prefix}.no name`, replicas: -1, settings: {} },
        { topic: `${prefix}.replicas`, replicas: 9, settings: {} },
        { topic: `${prefix}.settings`, replicas: -1, settings: { 'retention.ms': 'x' } },
      ],
      timeoutMs: TIMEOUT_MS,
    })
    expect(again.map(({ errorCode }) => errorCode)).toEqual([
      KAFKA_ERRORS.topicAlreadyExists,
      KAFKA_ERRORS.invalidTopic,
      KAFKA_ERRORS.invalidReplicationFactor,
      KAFKA_ERRORS.invalidConfig,
    ])
    const names = ['retention.ms', 'max.message.bytes']
    const settings = async () => {
      const [answer] = await describeConfigs(cluster, node, {
        resources: [{ type: 'topic', name: topic }],
        names,
      })
      return Object.fromEntries(answer!.settings)
    }
    expect(await settings()).toMatchObject({
      'retention.ms': { value: '-1', isOwn: true },
      'max.message.bytes': { isOwn: false },
    })
    const altered = await incrementalAlterConfigs(cluster, {
      topics: [
        { topic, set: { 'max.message.bytes': '2000000' }, remove: ['retention.ms'] },
        { topic: `${prefix}.absent`, set: { 'retention.ms': '1' } },
      ],
    })
    expect(altered.map(({ errorCode }) => errorCode)).toEqual([0, KAFKA_ERRORS.unknownTopicOrPartition])
    await expect.poll(settings).toMatchObject({
      'retention.ms': { isOwn: false },
      'max.message.bytes': { value: '2000000', isOwn: true },
    })
    expect(await cluster.replicationOf(topic)).toEqual({ replicas: 1, inSync: 1 })
    expect(await cluster.replicationOf(`${prefix}.absent`)).toBeUndefined()
    expect(await cluster.leader(`${prefix}.absent`)).toBeUndefined()
  })

  test('settings of a broker', async () => {
    const [node] = cluster.nodes()
    const [answer] = await describeConfigs(cluster, node!, {
      resources: [{ type: 'broker', name: String(node) }],
      names: ['message.max.bytes', 'log.dirs'],
    })
    expect(answer!.settings.get('message.max.bytes')?.value).toMatch(/^\d+$/)
    expect(answer!.settings.get('log.dirs')?.isOwn).toBe(true)
  })

  test('batches for several topics in one request; offsets, times and bounds', async () => {
    const [first, second] = [await newTopic(), await newTopic()]
    const answers = await produce(cluster, first.node, {
      parts: [
        { topic: first.topic, batch: batchOf(['a', 'b']) },
        { topic: `${prefix}.absent`, batch: batchOf(['x']) },
        { topic: second.topic, batch: batchOf(['c']) },
      ],
      timeoutMs: TIMEOUT_MS,
    })
    expect(answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual([
      [0, 0],
      [KAFKA_ERRORS.unknownTopicOrPartition, -1],
      [0, 0],
    ])
    expect((await send(first, batchOf(['d']))).baseOffset).toBe(2)
    const { events, part, batches } = await read(first)
    expect(events).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'd'],
    ])
    expect(part).toMatchObject({ highWatermark: 3, lastStableOffset: 3, logStartOffset: 0 })
    expect(batches.map(({ maxTimestampMs }) => maxTimestampMs)[0]).toBe(answers[0]!.appendTimeMs)
    const at = answers[0]!.appendTimeMs
    const found = await listOffsets(cluster, first.node, {
      parts: [
        { topic: first.topic, at: 'earliest' },
        { topic: first.topic, at: 'latest' },
        { topic: first.topic, at },
        { topic: first.topic, at: at + 3_600_000 },
        { topic: second.topic, at: 'latest' },
      ],
      isolation: 'committed',
    })
    expect(found.map(({ offset, timestampMs }) => [offset, timestampMs])).toEqual([
      [0, -1],
      [3, -1],
      [0, at],
      [-1, -1],
      [1, -1],
    ])
  })

  test('a batch of 16 MiB', async () => {
    const topic = await newTopic({ 'max.message.bytes': '17825792' })
    const builder = new RecordBatchBuilder(2 ** 24)
    const value = Buffer.alloc(2 ** 20, 'x')
    for (let i = 0; i < 15; i++) builder.addRecord({ value })
    const batch = builder.finish()
    batch.seal(NO_PRODUCER)
    expect(await send(topic, [batch.bytes])).toMatchObject({ errorCode: 0, baseOffset: 0 })
    const { part } = await read(topic) // asks for 1 MiB: the first batch comes whole
    const [read16, ...others] = readBatches(part.records, topic.topic)
    expect([read16!.count, others.length, part.records.length]).toEqual([15, 0, batch.bytes.length])
    expect(await send(await newTopic(), [batch.bytes])).toMatchObject({
      errorCode: KAFKA_ERRORS.messageTooLarge,
    })
  })

  test('a batch with a wrong checksum is refused', async () => {
    const topic = await newTopic()
    const [head, rest] = batchOf(['a'])
    const wrong = [head!, Uint8Array.from(rest!, (byte, i) => (i === rest!.length - 2 ? byte ^ 1 : byte))]
    expect((await send(topic, wrong)).errorCode).toBe(KAFKA_ERRORS.corruptMessage)
  })

  test('the same batch sent again is stored once; a gap and an older epoch are refused', async () => {
    const topic = await newTopic()
    const me = await settled(() => initProducerId(cluster, topic.node, {}))
    expect(me.errorCode).toBe(0)
    expect(await send(topic, batchOf(['a', 'b'], sealOf(me, 0)))).toMatchObject({
      errorCode: 0,
      baseOffset: 0,
    })
    expect(await send(topic, batchOf(['a', 'b'], sealOf(me, 0)))).toMatchObject({
      errorCode: 0,
      baseOffset: 0,
    })
    expect(await send(topic, batchOf(['x'], sealOf(me, 7)))).toMatchObject({
      errorCode: KAFKA_ERRORS.outOfOrderSequenceNumber,
    })
    const next = { ...me, epoch: me.epoch + 1 }
    expect(await send(topic, batchOf(['c'], sealOf(next, 0)))).toMatchObject({ errorCode: 0, baseOffset: 2 })
    expect(await send(topic, batchOf(['late'], sealOf(me, 2)))).toMatchObject({
      errorCode: KAFKA_ERRORS.invalidProducerEpoch,
    })
    expect((await read(topic)).events).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ])
  })

  test('transactions: invisible until the commit, then all; never after an abort', async () => {
    const topic = await newTopic()
    const transactionalId = `${prefix}.transactions`
    const begin = async () => {
      const node = await cluster.coordinator(transactionalId)
      const me = await settled(() =>
        initProducerId(cluster, node, { transactionalId, transactionTimeoutMs: 60_000 }),
      )
      expect(me.errorCode).toBe(0)
      const added = await settled(
        async () =>
          (await addPartitionsToTxn(cluster, node, { ...me, transactionalId, topics: [topic.topic] }))[0]!,
      )
      expect(added).toEqual({ topic: topic.topic, errorCode: 0 })
      return { node, me }
    }
    const first = await begin()
    await send(topic, batchOf(['aborted'], sealOf(first.me, 0, true)), transactionalId)
    await send(topic, batchOf(['plain']))
    const open = await read(topic)
    expect([open.events, open.part.highWatermark, open.part.lastStableOffset]).toEqual([[], 2, 0])
    expect((await read(topic, 'uncommitted')).events.length).toBe(2)
    const abort = () => endTxn(cluster, first.node, { ...first.me, transactionalId, commit: false })
    expect(await settled(abort)).toEqual({ errorCode: 0 })
    await expect.poll(async () => (await read(topic)).events).toEqual([[1, 'plain']])

    const second = await begin()
    await send(topic, batchOf(['committed', 'too'], sealOf(second.me, 0, true)), transactionalId)
    const commit = () => endTxn(cluster, second.node, { ...second.me, transactionalId, commit: true })
    expect(await settled(commit)).toEqual({ errorCode: 0 })
    expect(await settled(commit)).toEqual({ errorCode: 0 }) // the answer was lost: asked again
    await expect
      .poll(async () => (await read(topic)).events)
      .toEqual([
        [1, 'plain'],
        [3, 'committed'],
        [4, 'too'],
      ])
    const { batches, part } = await read(topic)
    expect(part.aborted).toEqual([{ producerId: first.me.producerId, firstOffset: 0 }])
    expect(batches.map((batch) => markerOf(batch, topic.topic))).toEqual([
      undefined,
      undefined,
      'abort',
      undefined,
      'commit',
    ])
    // A later life fences this one.
    await begin()
    expect((await settled(commit)).errorCode).not.toBe(0)
  })

  test('records are removed up to an offset', async () => {
    const topic = await newTopic()
    for (const value of ['a', 'b', 'c']) await send(topic, batchOf([value]))
    const answers = await deleteRecords(cluster, topic.node, {
      parts: [{ topic: topic.topic, before: 2 }],
      timeoutMs: TIMEOUT_MS,
    })
    expect(answers).toEqual([{ topic: topic.topic, errorCode: 0, logStartOffset: 2 }])
    expect((await read(topic, 'committed', 1)).part).toMatchObject({
      errorCode: KAFKA_ERRORS.offsetOutOfRange,
    })
    expect((await read(topic, 'committed', 2)).events).toEqual([[2, 'c']])
  })

  test('a topic with the times of its records', async () => {
    const topic = await newTopic({ 'message.timestamp.type': 'CreateTime' })
    await send(topic, batchOf(['old'], NO_PRODUCER, 1_000))
    await send(topic, batchOf(['older'], NO_PRODUCER, 500))
    const { batches } = await read(topic)
    expect(batches.map(({ isAppendTime, maxTimestampMs }) => [isAppendTime, maxTimestampMs])).toEqual([
      [false, 1_000],
      [false, 500],
    ])
  })

  test('a topic that is deleted is gone', async () => {
    const { topic } = await newTopic()
    const answers = await deleteTopics(cluster, {
      topics: [topic, `${prefix}.absent`],
      timeoutMs: TIMEOUT_MS,
    })
    expect(answers.map(({ errorCode }) => errorCode)).toEqual([0, KAFKA_ERRORS.unknownTopicOrPartition])
    await expect.poll(() => cluster.leader(topic, { refresh: true })).toBeUndefined()
    expect(await cluster.listTopics(topic)).toEqual([])
  })

  test('a long poll waits, and ends when an event is there', async () => {
    const topic = await newTopic()
    const poll = fetch(cluster, topic.node, {
      parts: [{ topic: topic.topic, offset: 0, maxBytes: 1 }],
      isolation: 'committed',
      minBytes: 1,
      maxWaitMs: 20_000,
      maxBytes: 1,
      purpose: 'long-poll',
    })
    await send(topic, batchOf(['a'])) // not held up by the poll
    expect((await poll)[0]!.highWatermark).toBe(1)
  })
})
