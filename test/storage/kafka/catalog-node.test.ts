/** Nodes that share a catalog's topic in memory: lost answers, late batches, cuts, snapshots. */
import { afterEach, describe, expect, test } from 'vitest'
import { CatalogReplay } from '../../../storage/kafka/catalog-replay.ts'
import { CatalogSnapshots } from '../../../storage/kafka/catalog-snapshots.ts'
import { encodeRecord } from '../../../storage/kafka/change-codec.ts'
import { type OpenedCatalog, openCatalog } from '../../../storage/kafka/opened-catalog.ts'
import { asIs, documents, put } from '../../contract/catalog.ts'
import { type Fate, MemoryCatalogTopic, sealedBatch } from '../../support/memory-catalog-topic.ts'
import { hashOf } from '../../support/shared-records.ts'

let open: OpenedCatalog[] = []

afterEach(async () => {
  await Promise.all(open.map((node) => node.close()))
  open = []
})

async function openNode(
  topic: MemoryCatalogTopic,
  nodeId: string,
  options: {
    snapshots?: MemoryCatalogTopic
    snapshotRecords?: number
    retryMs?: number
    reports?: unknown[]
  } = {},
): Promise<OpenedCatalog> {
  const { snapshots = new MemoryCatalogTopic(), reports = [], ...rest } = options
  const node = await openCatalog({
    topic,
    snapshots,
    nodeId,
    nextLife: async (seen) => seen + 1,
    url: `http://${nodeId}`,
    transactionsOf: () => [],
    fence: async () => {},
    replication: () => ({ replicationFactor: 3, inSyncReplicas: 3, minInSyncReplicas: 2, problems: [] }),
    nowMs: () => performance.now(),
    report: (error) => void reports.push(error),
    ...rest,
  })
  open.push(node)
  return node
}

/** Two nodes that have applied the same records have the same state. */
async function agree(a: OpenedCatalog, b: OpenedCatalog): Promise<void> {
  await expect.poll(() => hashOf(a.follower.replay) === hashOf(b.follower.replay), { interval: 1 }).toBe(true)
}

describe('a commit', () => {
  const fates: { name: string; fates: Fate[] }[] = [
    { name: 'was stored and its answer lost', fates: ['answer lost'] },
    { name: 'was stored three times', fates: ['answer lost', 'answer lost'] },
    { name: 'was refused at first', fates: ['refused', 'refused'] },
    { name: 'was lost at first', fates: ['request lost'] },
    { name: 'arrives a second time behind others', fates: ['late'] },
  ]
  test.each(fates)('that $name is applied once, and seen alike by all', async ({ fates }) => {
    const topic = new MemoryCatalogTopic()
    const [a, b] = [await openNode(topic, 'a'), await openNode(topic, 'b')]
    await a.catalog.commit([put('x', 1)])
    topic.fates = [...fates]
    expect(await a.catalog.commit([put('x', 2)], [await asIs(a.catalog, 'x')])).toBe('done')
    const version = (await a.catalog.get('c', 'x'))?.version
    expect(await b.catalog.commit([put('x', 3)], [{ collection: 'c', id: 'x', version }])).toBe('done')
    topic.deliverLate()
    for (const { catalog } of [a, b]) {
      await catalog.fresh(true)
      expect(await documents(catalog)).toEqual([['x', 3]])
    }
    await agree(a, b)
  })

  test('whose outcome was in doubt is not stored once a later record is, also if it arrives then', async () => {
    const topic = new MemoryCatalogTopic()
    const a = await openNode(topic, 'a', { retryMs: 100 })
    topic.fateOf = (records) => (records.includes('"lost"') ? 'late' : undefined)
    await expect(a.catalog.commit([put('x', 'lost')])).rejects.toMatchObject({ code: 'unavailable' })
    topic.deliverLate()
    await a.catalog.commit([put('y', 1)])
    expect(await documents(a.catalog)).toEqual([['y', 1]])
  })

  test('whose outcome stays in doubt is unknown, and observed if it is stored', async () => {
    const topic = new MemoryCatalogTopic()
    const a = await openNode(topic, 'a', { retryMs: 50 })
    const seen: unknown[] = []
    a.catalog.watch(({ collection, id }) => {
      if (collection === 'c') seen.push(id)
    })
    await a.catalog.fresh(true)
    topic.fateOf = (records) => (records.includes('"c/x"') ? 'late' : 'request lost')
    await expect(a.catalog.commit([put('x', 1)])).rejects.toMatchObject({ code: 'unknown' })
    topic.deliverLate()
    await expect.poll(() => seen).toEqual(['x'])
    topic.fateOf = () => undefined
  })

  test('that is too large is refused', async () => {
    const a = await openNode(new MemoryCatalogTopic(), 'a')
    await expect(a.catalog.commit([put('x', 'x'.repeat(9_000_000))])).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('change fewer documents at once'),
    })
  })
})

test('a node stops at a record of a later format, and says what to do', async () => {
  const topic = new MemoryCatalogTopic()
  const a = await openNode(topic, 'a')
  const record = encodeRecord({ kind: 'barrier', from: { node: 'b', life: 1, n: 1 }, ask: false })
  await topic.store(sealedBatch([Buffer.from(record.toString('utf8').replace('"v":1', '"v":2'))]))
  await expect
    .poll(() => a.failure()?.message)
    .toMatch(/has format 2, .* install the version of the other nodes/)
  expect(() => a.cluster.assertLive()).toThrow(expect.objectContaining({ code: 'unavailable' }))
  await expect(a.catalog.get('c', 'x')).rejects.toMatchObject({ code: 'format' })
})

test('a node whose folder was copied stops', async () => {
  const topic = new MemoryCatalogTopic()
  const a = await openNode(topic, 'a')
  await openNode(topic, 'a')
  await expect.poll(() => a.failure()?.code).toBe('locked')
})

test('snapshots hold everything, and a node that was away loads one', async () => {
  const topic = new MemoryCatalogTopic()
  const snapshots = new MemoryCatalogTopic()
  const a = await openNode(topic, 'a', { snapshots, snapshotRecords: 50 })
  const long = 'ü'.repeat(200_000)
  for (let i = 0; i < 160; i++) await a.catalog.commit([put(`${i % 40}`, i < 5 ? long : i)])
  await expect.poll(() => topic.begin(), { timeout: 10_000 }).toBeGreaterThan(0)
  const b = await openNode(topic, 'b', { snapshots })
  await b.catalog.fresh(true)
  await a.catalog.fresh(true)
  await agree(a, b)
  expect(await documents(b.catalog)).toEqual(await documents(a.catalog))
})

test('the newest snapshot counts, also if an older one was completed behind it', async () => {
  const topic = new MemoryCatalogTopic()
  const snapshots = new CatalogSnapshots(topic)
  const at = (offset: number) => {
    const replay = new CatalogReplay()
    replay.skipTo(offset)
    return replay
  }
  await snapshots.write(at(500), 'b')
  await snapshots.write(at(100), 'a')
  const found = await snapshots.read()
  expect(found.map(({ id, upTo }) => [id, upTo])).toEqual([
    ['a', 100],
    ['b', 500],
  ])
  const observer = { decided() {}, beat() {}, asked() {} }
  expect(found.at(-1)!.replay(observer).next).toBe(500)
})
