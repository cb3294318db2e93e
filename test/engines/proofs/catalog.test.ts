/**
 * The catalog of three nodes under random conditional changes: no update is lost, a condition on a document that guards several others allows
 * no write skew, and every node ends with the same documents, also one that was away while snapshots were written and records removed.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openKafkaStorage } from '../../../storage/kafka/open.ts'
import type { Storage } from '../../../storage/storage.ts'
import { asIs, documents, put } from '../../contract/catalog.ts'
import { effort, SEED, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { proven } from '../../support/proven.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const CHANGES = effort({ short: 300, long: 20_000 })
/** Changes while one node is away. */
const AWAY_CHANGES = effort({ short: 800, long: 50_000 })
const SNAPSHOT_RECORDS = 200
const COUNTERS = 5
/** At most one document may be there, and each worker adds one only if it sees none. */
const ALONE = 'alone'

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`a catalog of three nodes ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let open: Storage[] = []
  let folders: string[] = []
  beforeAll(async () => {
    kafka = await effort({ short: () => TestKafka.shared(), long: () => TestKafka.start({ brokers: 3 }) })()
  }, 600_000)
  afterAll(() => kafka?.remove())
  afterEach(async () => {
    await Promise.all(open.map((node) => node.close()))
    for (const folder of folders) rmSync(folder, { recursive: true })
    open = []
    folders = []
  })

  async function openNode(prefix: string, folder = mkdtempSync(join(tmpdir(), 'millrace-node-'))) {
    if (!folders.includes(folder)) folders.push(folder)
    const node = await openKafkaStorage({
      access: { brokers: kafka.addresses },
      prefix,
      folder,
      nowMs: Date.now,
      snapshotRecords: SNAPSHOT_RECORDS,
      report: (error) => console.error(error),
    })
    open.push(node)
    return { node, folder }
  }

  const hashOf = async ({ catalog }: Storage) => {
    await catalog.fresh(true)
    const all = [await documents(catalog), await documents(catalog, '', ALONE)]
    return createHash('sha256').update(JSON.stringify(all)).digest('hex')
  }

  /** Random changes on all nodes. Returns how often more than one document was alone, and the increments that were done. */
  async function change(nodes: readonly Storage[], count: number, usesGuard: boolean) {
    const counts = Array.from({ length: COUNTERS }, () => 0)
    let [left, conflicts, skews] = [count, 0, 0]
    const work = async (node: Storage, worker: number) => {
      const random = seededRandom(SEED + worker)
      while (left-- > 0) {
        if (random.whole(0, 3) > 0) {
          const at = random.whole(0, COUNTERS - 1)
          const condition = await asIs(node.catalog, `n${at}`)
          const value = ((await node.catalog.get('c', `n${at}`))?.document as number | undefined) ?? 0
          if ((await node.catalog.commit([put(`n${at}`, value + 1)], [condition])) === 'done') counts[at]!++
          else conflicts++
          continue
        }
        const guard = await asIs(node.catalog, 'guard')
        const found = await documents(node.catalog, '', ALONE)
        if (found.length > 1) skews++
        const id = found[0]?.[0] ?? `w${worker}`
        const document = found.length > 0 ? undefined : worker
        const changes = [put(id, document, ALONE), ...(usesGuard ? [put('guard', { worker, left })] : [])]
        if ((await node.catalog.commit(changes, usesGuard ? [guard] : [])) !== 'done') conflicts++
      }
    }
    await Promise.all(nodes.flatMap((node, i) => [0, 1].map((worker) => work(node, 2 * i + worker))))
    return { counts, conflicts, skews }
  }

  test('changes are not lost, and all nodes show the same', { timeout: 3_600_000 }, async () => {
    const prefix = kafka.newPrefix()
    const [a, b, c] = await Promise.all([openNode(prefix), openNode(prefix), openNode(prefix)])
    const nodes = [a.node, b.node, c.node]
    const first = await change(nodes, CHANGES, true)
    open = open.filter((node) => node !== c.node)
    await c.node.close()
    const second = await change([a.node, b.node], AWAY_CHANGES, true)
    const back = await openNode(prefix, c.folder)
    const total = first.counts.map((count, i) => count + second.counts[i]!)
    const shown: unknown[][] = []
    for (const node of [a.node, b.node, back.node]) {
      await node.catalog.fresh(true)
      const values: unknown[] = []
      for (let i = 0; i < COUNTERS; i++) values.push((await node.catalog.get('c', `n${i}`))?.document ?? 0)
      shown.push(values)
    }
    const hashes = new Set([await hashOf(a.node), await hashOf(b.node), await hashOf(back.node)])
    const done = total.reduce((sum, count) => sum + count, 0)
    const found = (shown[0] as number[]).reduce((sum, count) => sum + count, 0)
    await proven(() => {
      expect(shown).toEqual([total, total, total])
      expect([hashes.size, first.skews + second.skews]).toEqual([1, 0])
    })
    tellProof('catalog of three nodes', {
      acknowledged: done,
      lost: done - found,
      conflicts: first.conflicts + second.conflicts,
      'write skew': first.skews + second.skews,
      'hashes of three nodes': hashes.size,
      'changes while one was away': AWAY_CHANGES,
    })
  })

  test('control: without the guard there is write skew', { timeout: 1_800_000 }, async () => {
    const prefix = kafka.newPrefix()
    const [a, b, c] = await Promise.all([openNode(prefix), openNode(prefix), openNode(prefix)])
    let skews = 0
    let rounds = 0
    for (; rounds < 10 && skews === 0; rounds++)
      skews += (await change([a.node, b.node, c.node], 400, false)).skews
    expect(skews).toBeGreaterThan(0)
    tellProof('control without the guard', { rounds, 'write skew': skews })
  })
})
