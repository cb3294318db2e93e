/** Locks of writes whose node has died, has stopped, or could not end them, on a replay of records. */
import { beforeEach, describe, expect, test } from 'vitest'
import { CatalogReplay } from '../../../storage/kafka/catalog-replay.ts'
import type { CatalogRecord, Sender } from '../../../storage/kafka/change-codec.ts'
import { LockKeeper } from '../../../storage/kafka/lock-keeper.ts'

let replay: CatalogReplay
let alive: string[]
let dead: string[]
let fenced: string[]
let reports: unknown[]
/** Called while transactions are fenced. */
let onFence: () => void
/** Whether records are stored. */
let isReached: boolean
let keeper: LockKeeper
let n: number

beforeEach(() => {
  replay = new CatalogReplay()
  ;[alive, dead, fenced, reports] = [['a', 'b'], [], [], []]
  onFence = () => {}
  isReached = true
  n = 0
  keeper = new LockKeeper({
    nodeId: 'a',
    life: 1,
    nodes: {
      alive: () => alive.map((id) => ({ id, url: undefined })),
      dead: () => dead,
      isAlive: (node) => alive.includes(node),
      isLive: () => true,
    },
    replay: () => replay,
    idsOf: (node) => [`${node}.0`],
    async fence(ids) {
      fenced.push(...ids)
      onFence()
    },
    async mark(make) {
      if (!isReached) throw new Error('no broker')
      return apply(make({ node: 'a', life: 1, n: ++n }))
    },
    report: (error) => reports.push(error),
  })
})

function apply(record: CatalogRecord): number {
  const offset = replay.next
  replay.apply(offset, record)
  return offset
}

/** An intent of a node to write `streams/x`. */
function intend(node: string, life: number, ownN = 1): Sender {
  const from = { node, life, n: ownN }
  const writes = ['streams/x']
  apply({ kind: 'intent', from, transaction: `${node}.0`, reads: [], writes })
  return from
}

const locks = () => replay.locks().map(({ from }) => from)

async function tick(): Promise<void> {
  keeper.tick()
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
}

describe('locks of another node', () => {
  test('that is dead are released behind the end of its transactions', async () => {
    intend('b', 1)
    await tick()
    expect([locks().length, fenced]).toEqual([1, []])
    ;[alive, dead] = [['a'], ['b']]
    await tick()
    await tick()
    expect([locks(), fenced]).toEqual([[], ['b.0']])
  })

  test('that has stopped are released', async () => {
    intend('b', 1)
    alive = ['a']
    await tick()
    expect([locks(), fenced]).toEqual([[], ['b.0']])
  })

  test('that starts again while its earlier life is ended stay', async () => {
    intend('b', 1)
    ;[alive, dead] = [['a'], ['b']]
    const later: Sender[] = []
    onFence = () => {
      apply({ kind: 'release', from: { node: 'b', life: 2, n: 1 }, lock: { node: 'b', life: 1, n: 1 } })
      later.push(intend('b', 2, 2))
    }
    await tick()
    expect(locks()).toEqual(later)
  })

  test('are left to the live node with the lowest id', async () => {
    intend('c', 1)
    ;[alive, dead] = [['0', 'a'], ['c']]
    await tick()
    expect([locks().length, fenced]).toEqual([1, []])
  })
})

describe('the lock of an own write that has failed', () => {
  const outcomes = [
    { name: 'and is over', isOver: true, fences: [] },
    { name: 'and may be committed', isOver: false, fences: ['a.0'] },
  ]
  test.each(outcomes)('$name is released', async ({ isOver, fences }) => {
    n = 1
    await keeper.unlock({ from: intend('a', 1), transaction: 'a.0' }, isOver)
    expect([locks(), fenced]).toEqual([[], fences])
  })

  test('is tried again when the brokers are back', async () => {
    n = 1
    const from = intend('a', 1)
    isReached = false
    await expect(keeper.unlock({ from, transaction: 'a.0' }, true)).rejects.toThrow('no broker')
    expect(locks()).toEqual([from])
    isReached = true
    await expect
      .poll(
        async () => {
          await tick()
          return locks()
        },
        { timeout: 10_000, interval: 100 },
      )
      .toEqual([])
  })

  test('is released also if it gets the lock later', async () => {
    const other = intend('b', 1)
    const from = intend('a', 1)
    n = 1
    await keeper.unlock({ from, transaction: 'a.0' }, true)
    expect(replay.isWaiting(from)).toBe(true)
    apply({ kind: 'release', from: { node: 'b', life: 1, n: 2 }, lock: other })
    expect(locks()).toEqual([from])
    await expect
      .poll(
        async () => {
          await tick()
          return locks()
        },
        { timeout: 10_000, interval: 100 },
      )
      .toEqual([])
  })
})
