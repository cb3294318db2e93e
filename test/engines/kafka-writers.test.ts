/**
 * The write path on a real broker, behind a proxy that swallows answers, cuts connections and delays requests. The controls show
 * that the proxy does what the tests are about: a plain producer doubles, and a new producer id lets a late batch appear.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { KafkaLogRestore } from '../../storage/kafka/log-restore.ts'
import { produce } from '../../storage/kafka/produce.ts'
import { requestIdentity } from '../../storage/kafka/producer-identity.ts'
import { ProducerState } from '../../storage/kafka/producer-state.ts'
import { NO_PRODUCER, RecordBatchBuilder } from '../../storage/kafka/record-batch.ts'
import { topicSettings } from '../../storage/kafka/settings.ts'
import { Spool } from '../../storage/kafka/spool.ts'
import { KafkaStagedBatch } from '../../storage/kafka/staged-batch.ts'
import { StagingArea } from '../../storage/kafka/staging-area.ts'
import type { ProducerIdentity } from '../../storage/kafka/transaction-requests.ts'
import { type WriteRequests, writeRequests } from '../../storage/kafka/write-requests.ts'
import type { LogId } from '../../storage/log.ts'
import { event, lines, whole } from '../contract/event-log.ts'
import { committedBodies, committedRecords } from '../support/committed.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'
import { API, KafkaProxy } from '../support/kafka-proxy.ts'
import { type WritersOptions, writersOn } from '../support/kafka-writers.ts'

const missing = await fetchKafka()
const SAFETY = { flush: false, minInSyncReplicas: 1 }
const LIMITS = { retryMs: 30_000, replicaMs: 1_000, waitingBytesMax: 64 * 1024 * 1024 }
const MIB = 1024 * 1024
/** Of each log, behind answers that are missing. */
const EVENTS = 8

/** A producer id for each use: what a process without epochs would do. */
class NewIdInstead extends ProducerState {
  readonly #newIdentity: () => Promise<ProducerIdentity>
  #inner: ProducerState
  constructor(newIdentity: () => Promise<ProducerIdentity>) {
    super(newIdentity)
    this.#newIdentity = newIdentity
    this.#inner = new ProducerState(newIdentity)
  }
  override next(log: LogId) {
    return this.#inner.next(log)
  }
  override stored(log: LogId, count: number) {
    this.#inner.stored(log, count)
  }
  override abandoned() {
    this.#inner = new ProducerState(this.#newIdentity)
  }
}

describe.skipIf(missing !== undefined)(`writing to Kafka ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let proxy: KafkaProxy
  /** Through the proxy. */
  let cluster: KafkaCluster
  /** Beside it. */
  let direct: KafkaCluster
  let requests: WriteRequests
  let prefix: string

  beforeAll(async () => {
    kafka = await TestKafka.shared()
    const limits = { connectMs: 10_000, requestMs: 10_000, metadataAgeMs: 60_000 }
    direct = await KafkaCluster.open({ brokers: kafka.addresses }, limits)
  })
  afterAll(async () => {
    await direct?.close()
    await kafka?.remove()
  })

  beforeEach(async () => {
    proxy = await KafkaProxy.start(kafka.port)
    const brokers = [{ host: '127.0.0.1', port: proxy.port }]
    const limits = { connectMs: 5_000, requestMs: 700, metadataAgeMs: 60_000 }
    cluster = await KafkaCluster.open({ brokers }, limits)
    requests = writeRequests(cluster)
    prefix = kafka.newPrefix()
  })
  afterEach(async () => {
    await cluster.close()
    await proxy.close()
  })

  const topicOf = (log: number) => `${prefix}.log.${log}`
  const on = (options: Partial<WritersOptions> = {}) =>
    writersOn({
      requests,
      prefix,
      limits: LIMITS,
      settings: topicSettings('log', SAFETY),
      visibleMs: 10_000,
      ...options,
    })

  /** Treats every n-th request of this kind. */
  function every(n: number, kind: number, treatment: ReturnType<KafkaProxy['treat']>): void {
    let count = 0
    proxy.treat = (api) => (api === kind && ++count % n === 0 ? treatment : 'pass')
  }

  for (const treatment of ['swallow answer', 'cut answer', 'drop'] as const) {
    test(`every third request meets '${treatment}': each event is there once, in order`, async () => {
      const { writers, reports } = on({ limits: { ...LIMITS, replicaMs: 100 } })
      await Promise.all([1, 2, 3].map((log) => writers.append(log, [event('first')])))
      every(3, API.produce, treatment)
      const positions = await Promise.all(
        [1, 2, 3].map(async (log) => {
          const own = []
          for (let i = 0; i < EVENTS; i++) {
            const two = [writers.append(log, [event(`${i}a`)]), writers.append(log, [event(`${i}b`)])]
            own.push(...(await Promise.all(two)))
          }
          return own
        }),
      )
      expect(proxy.treated).toBeGreaterThan(3)
      const expected = ['first', ...Array.from({ length: EVENTS }, (_, i) => [`${i}a`, `${i}b`]).flat()]
      for (const [i, log] of [1, 2, 3].entries()) {
        const records = await committedRecords(direct, topicOf(log))
        expect(records.map(({ body }) => body)).toEqual(expected)
        const places = records.slice(1).map(({ offset, timestampMs }) => ({ sequence: offset, timestampMs }))
        expect(positions[i]).toEqual(places)
      }
      expect(reports).toEqual([])
    })
  }

  test('a plain producer doubles behind the same proxy', async () => {
    const { writers } = on()
    await writers.append(1, [event('first')])
    every(3, API.produce, 'cut answer')
    for (let i = 0; i < 9; i++) {
      const builder = new RecordBatchBuilder()
      builder.addRecord({ value: Buffer.from(`${i}`) })
      const batch = builder.finish()
      batch.seal(NO_PRODUCER)
      for (let isStored = false; !isStored; ) {
        const { node } = (await cluster.leader(topicOf(1)))!
        isStored = await produce(cluster, node, {
          parts: [{ topic: topicOf(1), batch: [batch.bytes] }],
          timeoutMs: 1_000,
        }).then(
          () => true,
          () => false,
        )
      }
    }
    expect((await committedBodies(direct, topicOf(1))).length).toBeGreaterThan(10)
  })

  /** An append whose request is held until it is given up; then another one; then the held one arrives. */
  async function lateBatch(producers: ProducerState): Promise<string[]> {
    const { writers, topics } = on({ producers, limits: { ...LIMITS, retryMs: 1_500 } })
    await topics.ensure(1)
    await writers.append(1, [event('first')])
    proxy.treat = (api) => (api === API.produce ? 'hold' : 'pass')
    await expect(writers.append(1, [event('late')])).rejects.toMatchObject({ code: 'unknown' })
    proxy.treat = () => 'pass'
    await sleep(2_500) // the request that is under way ends
    await writers.append(1, [event('next')])
    proxy.release()
    await sleep(500)
    await writers.append(1, [event('last')])
    return committedBodies(direct, topicOf(1))
  }

  test('a batch that was given up does not appear after a later one', async () => {
    const producers = new ProducerState(() => requestIdentity(requests, 30_000))
    expect(await lateBatch(producers)).toEqual(['first', 'next', 'last'])
  })

  test('with a new producer id in place of a raised epoch it does', async () => {
    const bodies = await lateBatch(new NewIdInstead(() => requestIdentity(requests, 30_000)))
    expect(bodies.indexOf('late')).toBeGreaterThan(bodies.indexOf('next'))
  })

  describe('a transaction', () => {
    const batch = (text: string) => {
      const builder = new RecordBatchBuilder()
      builder.addRecord({ value: Buffer.from(text) })
      return builder.finish()
    }

    async function opened(retryMs = 30_000) {
      const parts = on({ limits: { ...LIMITS, retryMs } })
      await Promise.all([1, 2].map((log) => parts.topics.ensure(log)))
      await parts.transactions.recover(60_000)
      const write = () =>
        parts.transactions.run(1, async (transaction) => {
          await transaction.add(topicOf(1), [batch('a'), batch('b')])
          await transaction.add(topicOf(2), [batch('x')])
        })
      const contents = async () => [
        await committedBodies(direct, topicOf(1)),
        await committedBodies(direct, topicOf(2)),
      ]
      return { ...parts, write, contents }
    }

    test('is visible when it has resolved, and each batch is there once', async () => {
      const { write, contents } = await opened()
      every(2, API.produce, 'cut answer')
      for (let i = 1; i <= 3; i++) {
        await write()
        expect(await contents()).toEqual([
          Array.from({ length: i }, () => ['a', 'b']).flat(),
          Array.from({ length: i }, () => 'x'),
        ])
      }
    })

    test('whose commit is answered to no one is found to be done', async () => {
      const { write, contents } = await opened(2_500)
      await write()
      proxy.treat = (api) => (api === API.endTxn ? 'cut answer' : 'pass')
      await write()
      expect(proxy.treated).toBeGreaterThan(1)
      expect(await contents()).toEqual([
        ['a', 'b', 'a', 'b'],
        ['x', 'x'],
      ])
    })

    test('whose commit never arrives is found to be aborted', async () => {
      const { write, contents } = await opened(2_500)
      await write()
      proxy.treat = (api) => (api === API.endTxn ? 'drop' : 'pass')
      await expect(write()).rejects.toMatchObject({ code: 'unavailable' })
      proxy.treat = () => 'pass'
      await write()
      expect(await contents()).toEqual([
        ['a', 'b', 'a', 'b'],
        ['x', 'x'],
      ])
    })

    test('that a process left open is ended by its next life', async () => {
      const { transactions, contents, write } = await opened()
      let isOpen = () => {}
      const open = new Promise<void>((resolve) => {
        isOpen = resolve
      })
      void transactions.run(1, async (transaction) => {
        await transaction.add(topicOf(1), [batch('lost')])
        isOpen()
        await new Promise(() => {})
      })
      await open
      const { writers, transactions: next } = on()
      await writers.append(1, [event('behind')])
      expect(await contents()).toEqual([[], []])
      await next.recover(60_000)
      await expect.poll(contents).toEqual([['behind'], []])
      await write()
    })
  })

  describe('large batches', () => {
    let folder: string
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
    })
    afterEach(() => rmSync(folder, { recursive: true }))

    test.each([
      { name: 'one record batch', parts: 40 },
      { name: 'a transaction', parts: 80 },
    ])('in $name: all or nothing, beside appends', async ({ parts }) => {
      const { writers } = on({ requests: writeRequests(direct) }) // with more time for a request
      const spool = await Spool.open({ folder, bytesMax: 100 * MIB })
      const area = new StagingArea({ writers, spool, memoryBytesMax: 0 })
      const part = Array.from({ length: 300 }, (_, i) => `line ${i} `.padEnd(1_000, '.'))
      const batch = new KafkaStagedBatch(area, 1)
      for (let i = 0; i < parts; i++) await batch.add(lines(part.join('\n')), [['n', '1']])
      await writers.append(1, [event('before')])
      expect(await committedBodies(direct, topicOf(1))).toEqual(['before'])
      const [position] = await Promise.all([batch.commit(), writers.append(1, [event('beside')])])
      const records = await committedRecords(direct, topicOf(1))
      const ofBatch = records.filter(({ body }) => body !== 'before' && body !== 'beside')
      expect(ofBatch.map(({ body }) => body)).toEqual(Array.from({ length: parts }, () => part).flat())
      expect(ofBatch.at(-1)).toMatchObject({ offset: position!.sequence, timestampMs: position!.timestampMs })
      expect([records.length, spool.bytes]).toEqual([300 * parts + 2, 0])
    })
  })

  test('restored events keep their times, and later ones have those of the broker', async () => {
    const { topics, writers, producers } = on()
    const restoredSettings = topicSettings('restored-log', SAFETY)
    const restore = new KafkaLogRestore({ requests, topics, writers, producers, restoredSettings }, 1)
    const times = [5, 5, 1_000_000, 1_600_000_000_000]
    for (const [i, timeMs] of times.entries()) await restore.add(whole(`e${i}`), [], timeMs)
    await restore.finish()
    const beforeMs = Date.now()
    const { timestampMs } = await writers.append(1, [event('now')])
    const records = await committedRecords(direct, topicOf(1))
    expect(records.map(({ body, timestampMs, offset }) => [offset, timestampMs, body])).toEqual([
      ...times.map((timeMs, i) => [i, timeMs, `e${i}`]),
      [4, timestampMs, 'now'],
    ])
    expect(timestampMs).toBeGreaterThanOrEqual(beforeMs - 5_000)
  })
})
