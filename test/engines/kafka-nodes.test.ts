/** Several nodes on one broker: their catalog, writes, leases, snapshots, and the death of one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../storage/kafka/access.ts'
import { KafkaCatalogTopic } from '../../storage/kafka/catalog-topic.ts'
import { type CatalogRecord, encodeRecord } from '../../storage/kafka/change-codec.ts'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { openKafkaStorage } from '../../storage/kafka/open.ts'
import { NO_PRODUCER, RecordBatchBuilder, type UnsealedBatch } from '../../storage/kafka/record-batch.ts'
import { type KafkaStorageOptions, topicNames } from '../../storage/kafka/settings.ts'
import { describeConfigs, incrementalAlterConfigs } from '../../storage/kafka/topic-requests.ts'
import { Transactions } from '../../storage/kafka/transaction.ts'
import { writeRequests } from '../../storage/kafka/write-requests.ts'
import type { Storage } from '../../storage/storage.ts'
import type { StoreCluster } from '../../storage/store-cluster.ts'
import { asIs, documents, put } from '../contract/catalog.ts'
import { bodies, event, readAll, whole } from '../contract/event-log.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'

const missing = await fetchKafka()

type Node = Storage & { readonly cluster: StoreCluster }

describe.skipIf(missing !== undefined)(`nodes on a broker ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let prefix: string
  let folders: string[]
  let open: Node[]

  beforeAll(async () => {
    kafka = await TestKafka.shared()
  })
  afterAll(() => kafka?.remove())
  beforeEach(() => {
    prefix = kafka.newPrefix()
    folders = []
    open = []
  })
  afterEach(async () => {
    await Promise.all(open.map((node) => node.close()))
    for (const folder of folders) rmSync(folder, { recursive: true })
  })

  async function openNode(options: Partial<KafkaStorageOptions> = {}): Promise<Node> {
    let { folder } = options
    if (folder === undefined) {
      folder = mkdtempSync(join(tmpdir(), 'millrace-node-'))
      folders.push(folder)
    }
    const node = (await openKafkaStorage({
      access: { brokers: kafka.addresses },
      prefix,
      nowMs: Date.now,
      insecure: true,
      report: (error) => console.error(error),
      ...options,
      folder,
    })) as Node
    open.push(node)
    return node
  }

  const openNodes = (count: number) => Promise.all(Array.from({ length: count }, () => openNode()))

  async function close(node: Node): Promise<void> {
    open = open.filter((other) => other !== node)
    await node.close()
  }

  async function number(node: Node, id: string): Promise<number> {
    return ((await node.catalog.get('c', id))?.document as number | undefined) ?? 0
  }

  test('lose no update of contended documents, with events and without', async () => {
    const nodes = await openNodes(3)
    const counts = { commits: 0, writes: 0 }
    async function increment(node: Node, round: number): Promise<void> {
      for (;;) {
        const condition = await asIs(node.catalog, 'n')
        const changes = [put('n', (await number(node, 'n')) + 1)]
        if (round % 3 === 0) {
          const appends = [{ log: 1, events: [event(`${changes[0]!.document}`)] }]
          const { outcome } = await node.write({ appends, changes, conditions: [condition] })
          if (outcome === 'conflict') continue
          counts.writes++
        } else {
          if ((await node.catalog.commit(changes, [condition])) === 'conflict') continue
          counts.commits++
        }
        return
      }
    }
    await Promise.all(
      nodes.flatMap((node) =>
        [0, 1].map(async (worker) => {
          for (let round = 0; round < 12; round++) await increment(node, round + worker)
        }),
      ),
    )
    expect(counts.commits + counts.writes).toBe(72)
    for (const node of nodes) {
      await node.catalog.fresh()
      expect(await number(node, 'n')).toBe(72)
    }
    const written = (await bodies(nodes[1]!.log, 1)).map(Number)
    expect(written).toHaveLength(counts.writes)
    expect(written).toEqual([...new Set(written)].sort((a, b) => a - b))
  })

  test('see with a barrier what another node has just done, and miss some of it without', async () => {
    const [a, b] = (await openNodes(2)) as [Node, Node]
    const missed = { without: 0, with: 0, certain: 0 }
    for (let i = 0; i < 60; i++) {
      await a.catalog.commit([put(`${i}`, i)])
      if ((await b.catalog.get('c', `${i}`)) === undefined) missed.without++
      await b.catalog.fresh(i % 2 === 0)
      if ((await b.catalog.get('c', `${i}`)) === undefined) missed[i % 2 === 0 ? 'certain' : 'with']++
    }
    expect({ ...missed, without: missed.without > 0 }).toEqual({ without: true, with: 0, certain: 0 })
  })

  test('observe the changes of the others in their order, and not their own', async () => {
    const [a, b] = (await openNodes(2)) as [Node, Node]
    const seen: unknown[] = []
    a.catalog.watch(({ collection, id, document }) => {
      if (collection === 'c') seen.push([id, document])
    })
    await a.catalog.commit([put('own', 1)])
    await b.catalog.commit([put('x', 1), put('y', 1)])
    await b.write({ appends: [{ log: 1, events: [event('e')] }], changes: [put('x', 2), put('own', 2)] })
    await b.catalog.commit([put('y', undefined)])
    await b.cluster.appliedEverywhere()
    expect(seen).toEqual([
      ['x', 1],
      ['y', 1],
      ['x', 2],
      ['own', 2],
      ['y', undefined],
    ])
  })

  test('hand a lease over when its holder stops', async () => {
    const [a, b] = (await openNodes(2)) as [Node, Node]
    const calls: string[] = []
    const holder = (name: string) => ({
      gained: (term: number) => void calls.push(`${name} gained ${term}`),
      lost: () => void calls.push(`${name} lost`),
    })
    a.cluster.want('task', holder('a'))
    await expect.poll(() => calls).toEqual(['a gained 1'])
    const claim = b.cluster.want('task', holder('b'))
    await b.catalog.fresh(true)
    expect(b.cluster.holder('task')?.id).toBe(a.cluster.nodeId)
    await close(a)
    await expect.poll(() => calls).toEqual(['a gained 1', 'a lost', 'b gained 2'])
    expect(b.cluster.nodes().map(({ id }) => id)).toEqual([b.cluster.nodeId])
    await claim.release()
    expect([calls.at(-1), b.cluster.holder('task')]).toEqual(['b lost', undefined])
  })

  test('continue from a snapshot after records have been removed', async () => {
    const a = await openNode({ snapshotRecords: 200 })
    const away = await openNode()
    const folder = folders[1]!
    await close(away)
    for (let round = 0; round < 6; round++) {
      await Promise.all(
        Array.from({ length: 120 }, (_, i) => a.catalog.commit([put(`${i}`, `${round}.${i}`)])),
      )
      await a.catalog.commit([put('0', undefined)])
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    const topic = new KafkaCatalogTopic(
      await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS),
      topicNames(prefix).catalog,
    )
    await expect.poll(() => topic.begin(), { timeout: 20_000 }).toBeGreaterThan(200)
    const wanted = await documents(a.catalog)
    expect(wanted).toHaveLength(119)
    for (const node of [await openNode({ folder }), await openNode()]) {
      expect(await documents(node.catalog)).toEqual(wanted)
      const condition = await asIs(node.catalog, '7')
      expect(condition).toEqual(await asIs(a.catalog, '7'))
    }
  })

  describe('when one has died', () => {
    const DEAD = 'f00df00df00df00d'

    /** What a node has written that is gone now: a heartbeat, and the intent of a write, maybe its transaction. */
    async function deadNode(transaction: 'none' | 'open' | 'committed'): Promise<void> {
      const cluster = await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS)
      const names = topicNames(prefix)
      const topic = new KafkaCatalogTopic(cluster, names.catalog)
      const id = names.transactionalId(DEAD, 0)
      const from = (n: number) => ({ node: DEAD, life: 1, n })
      const store = async (record: CatalogRecord) => {
        const batch = batchOf(record)
        batch.seal(NO_PRODUCER)
        expect(await topic.store(batch)).toMatchObject({ kind: 'stored' })
      }
      await store({ kind: 'beat', from: from(1), applied: 0, url: undefined, bye: false })
      const writes = ['c/x']
      await store({
        kind: 'intent',
        from: from(2),
        transaction: id,
        reads: [['c/x', -1]],
        writes,
      })
      if (transaction === 'none') return
      const transactions = new Transactions({ requests: writeRequests(cluster), ids: [id], report() {} })
      const never = new Promise(() => {})
      let added = () => {}
      const isAdded = new Promise<void>((resolve) => {
        added = resolve
      })
      const running = transactions.run(1_000, async (open) => {
        const puts = [['c/x', 'of the dead']] as const
        await open.add(names.catalog, [
          batchOf({ kind: 'settle', from: from(2), locked: true, puts, deletes: [] }),
        ])
        added()
        if (transaction === 'open') await never
      })
      await (transaction === 'open' ? isAdded : running)
    }

    function batchOf(record: CatalogRecord): UnsealedBatch {
      const builder = new RecordBatchBuilder()
      builder.addRecord({ value: encodeRecord(record) })
      return builder.finish()
    }

    test.each([
      { transaction: 'none', found: undefined },
      { transaction: 'open', found: undefined },
      { transaction: 'committed', found: 'of the dead' },
    ] as const)(
      'in a write with its transaction $transaction, its lock ends, and others continue',
      async ({ transaction, found }) => {
        const [a, b] = (await openNodes(2)) as [Node, Node]
        await deadNode(transaction)
        await b.catalog.fresh()
        expect(b.cluster.nodes()).toHaveLength(3)
        await b.catalog.commit([put('beside', 1)])
        expect((await b.catalog.get('c', 'x'))?.document).toBe(found)
        const outcome = await b.catalog.commit(
          [put('x', 'of b')],
          [{ collection: 'c', id: 'x', version: undefined }],
        )
        expect(outcome).toBe(found === undefined ? 'done' : 'conflict')
        for (const node of [a, b]) {
          await node.catalog.fresh()
          expect((await node.catalog.get('c', 'x'))?.document).toBe(found ?? 'of b')
        }
        await expect.poll(() => a.cluster.nodes().length, { timeout: 30_000 }).toBe(2)
        await a.cluster.appliedEverywhere()
      },
    )
  })

  describe('the settings of topics', () => {
    async function settingsOf(cluster: KafkaCluster, name: string) {
      const [answer] = await describeConfigs(cluster, await cluster.controller(), {
        resources: [{ type: 'topic', name }],
      })
      return Object.fromEntries([...answer!.settings].map(([setting, { value }]) => [setting, value]))
    }

    test('are set, and corrected with the next opening', async () => {
      const node = await openNode()
      await node.log.append(1, [event('e')])
      const cluster = await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS)
      const names = topicNames(prefix)
      const wanted = {
        'retention.ms': '-1',
        'retention.bytes': '-1',
        'cleanup.policy': 'delete',
        'compression.type': 'uncompressed',
        'message.timestamp.type': 'LogAppendTime',
      }
      const topics = [names.catalog, names.log(1)]
      for (const topic of topics) expect(await settingsOf(cluster, topic)).toMatchObject(wanted)
      expect(await settingsOf(cluster, names.totals)).toMatchObject({ 'cleanup.policy': 'compact' })
      await incrementalAlterConfigs(cluster, {
        topics: topics.map((topic) => ({
          topic,
          set: { 'retention.ms': '3600000', 'cleanup.policy': 'compact' },
        })),
      })
      await close(node)
      await openNode()
      for (const topic of topics) expect(await settingsOf(cluster, topic)).toMatchObject(wanted)
      await cluster.close()
    })

    test('of a log that another node restores stay those of a restore until its end', async () => {
      const node = await openNode()
      const restore = node.log.restore(1)
      const body = 'x'.repeat(700_000)
      for (const timeMs of [1_000, 2_000, 3_000]) await restore.add(whole(body), [], timeMs)
      const cluster = await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS)
      const topic = topicNames(prefix).log(1)
      const set = { 'retention.ms': '3600000' }
      await incrementalAlterConfigs(cluster, { topics: [{ topic, set }] })
      await openNode()
      expect(await settingsOf(cluster, topic)).toMatchObject({
        'message.timestamp.type': 'CreateTime',
        'retention.ms': '-1',
      })
      for (const timeMs of [4_000, 5_000]) await restore.add(whole(body), [], timeMs)
      await restore.finish()
      const times = (await readAll(node.log, 1)).map(({ timestampMs }) => timestampMs)
      expect(times).toEqual([1_000, 2_000, 3_000, 4_000, 5_000])
      await openNode()
      expect(await settingsOf(cluster, topic)).toMatchObject({ 'message.timestamp.type': 'LogAppendTime' })
      await cluster.close()
    })

    test('that can lose acknowledged events are refused without insecure', async () => {
      await expect(openNode({ insecure: false })).rejects.toMatchObject({
        code: 'format',
        message: expect.stringMatching(
          /has 1 replica, .* use a cluster of at least 3 brokers.*--insecure-kafka/,
        ),
      })
      const node = await openNode()
      expect(node.remarks).toEqual([expect.stringContaining('has 1 replica')])
      expect(node.cluster.facts()).toMatchObject({
        replicationFactor: 1,
        inSyncReplicas: 1,
        minInSyncReplicas: 1,
        problems: node.remarks,
        isLive: true,
      })
    })
  })

  test('an append to a log that another node drops is answered with dropped, at once', async () => {
    const [a, b] = (await openNodes(2)) as [Node, Node]
    await b.log.append(1, [event('e')])
    await b.log.append(2, [event('e')])
    await a.log.maintain({ logs: [], dropped: [1], mayRewrite: false, onError() {} })
    const sinceMs = performance.now()
    await expect(b.log.append(1, [event('late')])).rejects.toMatchObject({ code: 'dropped' })
    expect(performance.now() - sinceMs).toBeLessThan(5_000)
    await b.log.append(2, [event('other')])
    expect(await b.log.logs()).toEqual([2])
  })

  test('the clock of the log is that of the brokers, however wrong the clocks of nodes are', async () => {
    for (const wrongMs of [3_600_000, -3_600_000]) {
      const node = await openNode({ nowMs: () => Date.now() + wrongMs })
      const apart = () => Math.abs(node.log.nowMs() - Date.now())
      expect(apart()).toBeLessThan(10_000)
      const { timestampMs } = await node.log.append(1, [event('e')])
      expect(node.log.nowMs()).toBeGreaterThanOrEqual(timestampMs)
      expect(apart()).toBeLessThan(10_000)
    }
  })

  test('a folder is open once, and a prefix is a name of topics', async () => {
    const node = await openNode()
    expect(node.promises.shared).toBe(true)
    await expect(openNode({ folder: folders[0]! })).rejects.toMatchObject({ code: 'locked' })
    await expect(openNode({ prefix: 'a/b' })).rejects.toMatchObject({ code: 'format' })
  })
})
