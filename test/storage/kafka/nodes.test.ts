import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CatalogChange, CatalogCondition } from '../../../storage/catalog.ts'
import { type LeaseDocument, Leases } from '../../../storage/kafka/leases.ts'
import { CUT_OFF_MS, DEAD_MS, Nodes } from '../../../storage/kafka/nodes.ts'

let nowMs: number
let acknowledges: boolean
let nodes: Nodes

beforeEach(async () => {
  nowMs = 1_000_000
  acknowledges = true
  nodes = new Nodes({
    nodeId: 'a',
    url: 'http://a',
    nowMs: () => nowMs,
    beat: () => ({
      from: { node: 'a', life: 1, n: 1 },
      stored: acknowledges
        ? Promise.resolve({ offset: 1, leader: { node: 1, epoch: 1 } })
        : Promise.reject(new Error('no broker')),
    }),
  })
  await nodes.start()
})

afterEach(() => {
  vi.useRealTimers()
})

const state = (applied: number, beat = 5) => ({ life: 1, n: 1, beat, applied, url: undefined })

function wait(ms: number): void {
  nowMs += ms
}

/** The catalog is polled twice a second. */
function pass(ms: number, isAtEnd = true): void {
  for (let passed = 0; passed < ms; passed += 500) {
    nowMs += 500
    nodes.polled(isAtEnd)
  }
}

describe('a node', () => {
  test('is cut off when its last acknowledged heartbeat is too old, and heals', async () => {
    nowMs += CUT_OFF_MS
    expect(nodes.isLive()).toBe(true)
    nowMs += 1
    expect(() => nodes.assertLive()).toThrow(expect.objectContaining({ code: 'unavailable' }))
    acknowledges = false
    nodes.beatNow()
    await Promise.resolve()
    expect(nodes.isLive()).toBe(false)
    acknowledges = true
    await expect
      .poll(() => {
        nodes.beatNow()
        return nodes.isLive()
      })
      .toBe(true)
  })

  test('tells that it is cut off before it is dead for others, although no broker answers', async () => {
    vi.useFakeTimers()
    let answers = true
    const silent = new Nodes({
      nodeId: 'a',
      url: undefined,
      nowMs: () => Date.now(),
      beat: () => ({
        from: { node: 'a', life: 1, n: 1 },
        stored: answers
          ? Promise.resolve({ offset: 1, leader: { node: 1, epoch: 1 } })
          : new Promise(() => {}),
      }),
    })
    await silent.start()
    answers = false
    const beganMs = Date.now()
    let toldMs = Number.POSITIVE_INFINITY
    silent.listen(() => {
      if (!silent.isLive()) toldMs = Math.min(toldMs, Date.now() - beganMs)
    })
    await vi.advanceTimersByTimeAsync(3 * DEAD_MS)
    expect(toldMs).toBeGreaterThan(CUT_OFF_MS)
    expect(toldMs).toBeLessThan(DEAD_MS)
  })

  test('is dead for another one after a silence that it has followed', () => {
    nodes.polled(true)
    nodes.observe('b', state(0))
    pass(DEAD_MS - 500)
    expect(nodes.alive().map(({ id }) => id)).toEqual(['a', 'b'])
    pass(500)
    expect([nodes.alive().map(({ id }) => id), nodes.dead()]).toEqual([['a'], ['b']])
    nodes.observe('b', state(0))
    expect(nodes.isAlive('b')).toBe(true)
  })

  const notFollowed: { name: string; silence: () => void }[] = [
    { name: 'the observer was paused', silence: () => wait(3_600_000) },
    { name: 'the observer has not read the catalog to its end', silence: () => pass(3 * DEAD_MS, false) },
  ]
  test.each(notFollowed)('is not dead because $name', ({ silence }) => {
    nodes.polled(true)
    nodes.observe('b', state(0))
    silence()
    nodes.polled(true)
    expect(nodes.isAlive('b')).toBe(true)
  })

  test('that has said that it stops is neither alive nor dead', () => {
    nodes.observe('b', state(0, -1))
    expect([nodes.isAlive('b'), nodes.dead()]).toEqual([false, []])
  })

  test('all live ones have to apply a change', () => {
    nodes.polled(true)
    nodes.observe('b', state(7))
    expect([nodes.haveApplied(6), nodes.haveApplied(7)]).toEqual([true, false])
    pass(DEAD_MS)
    expect(nodes.haveApplied(7)).toBe(true)
  })
})

describe('a lease', () => {
  let document: LeaseDocument | undefined
  let version = 0
  let isLive: boolean
  let alive: string[]
  let leases: Leases
  let calls: string[]

  beforeEach(() => {
    document = undefined
    isLive = true
    alive = ['a', 'b']
    calls = []
    const found = () => document && { document, version: `${version}` }
    leases = new Leases({
      nodeId: 'a',
      life: 3,
      nodes: {
        isLive: () => isLive,
        isAlive: (node) => alive.includes(node),
        alive: () => alive.map((id) => ({ id, url: undefined })),
      },
      catalog: {
        get: async () => found(),
        async commit([change]: readonly CatalogChange[], [condition]: readonly CatalogCondition[] = []) {
          if (condition!.version !== found()?.version) return 'conflict'
          document = change!.document as LeaseDocument
          version++
          return 'done'
        },
      },
      read: () => document,
      report: (error) => calls.push(`reported ${error}`),
    })
  })

  const want = () =>
    leases.want('task', {
      gained: (term) => void calls.push(`gained ${term}`),
      lost: () => void calls.push('lost'),
    })

  /** The checks that follow heartbeats and polls. */
  async function tick(): Promise<void> {
    leases.tick()
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
  }

  test('is taken when its holder is dead, with a higher term', async () => {
    document = { node: 'b', life: 1, term: 6 }
    want()
    await tick()
    expect([calls, leases.holder('task')?.id]).toEqual([[], 'b'])
    alive = ['a']
    await tick()
    expect([calls, leases.holder('task')?.id]).toEqual([['gained 7'], 'a'])
  })

  test('of an earlier life of the same node is taken anew', async () => {
    document = { node: 'a', life: 2, term: 6 }
    want()
    await tick()
    expect([calls, document]).toEqual([['gained 7'], { node: 'a', life: 3, term: 7 }])
  })

  test('is lost when the node is cut off, and taken anew when it is not any more', async () => {
    want()
    await tick()
    isLive = false
    await tick()
    await tick()
    isLive = true
    await tick()
    expect(calls).toEqual(['gained 1', 'lost', 'gained 2'])
  })

  test('is lost when another node has taken it', async () => {
    want()
    await tick()
    document = { node: 'b', life: 1, term: 2 }
    version++
    await tick()
    expect(calls).toEqual(['gained 1', 'lost'])
  })

  test('is given up by release, and not wanted any more', async () => {
    const claim = want()
    await tick()
    await claim.release()
    await tick()
    expect([calls, document]).toEqual([['gained 1', 'lost'], { node: null, life: 3, term: 1 }])
  })

  test('a holder that throws is reported', async () => {
    leases.want('task', {
      gained() {
        throw new Error('no')
      },
      lost() {},
    })
    await tick()
    expect(calls).toEqual(['reported Error: no'])
  })
})
