/** Nodes that replay one topic of records at their own speed, with random changes, write intents and transactions. */
import { describe, expect, test } from 'vitest'
import type { ChangeRecord, IntentRecord, SettleRecord } from '../../../storage/kafka/change-codec.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { hashOf, ReplayingNode, SharedRecords } from '../../support/shared-records.ts'

const SEEDS = Array.from({ length: 8 }, (_, i) => i + 1)

function change(node: ReplayingNode, parts: Partial<ChangeRecord>): ChangeRecord {
  return { kind: 'change', from: node.sender(), reads: [], puts: [], deletes: [], ...parts }
}

function intent(node: ReplayingNode, parts: Partial<IntentRecord>): IntentRecord {
  return {
    kind: 'intent',
    from: node.sender(),
    transaction: `p.${node.id}.0`,
    reads: [],
    writes: [],
    ...parts,
  }
}

function numberAt(node: ReplayingNode, key: string): { value: number; version: number } {
  const found = node.replay.documents.get(key)
  return {
    value: found === undefined ? 0 : (JSON.parse(found.text) as number),
    version: found?.version ?? -1,
  }
}

/** What one node has under way. */
interface Work {
  readonly key: string
  readonly n: number
  /** Of a write with events: the documents that its transaction will change. */
  readonly value?: number
}

interface Run {
  readonly usesGuard: boolean
}

/** Runs three nodes with random changes, then lets each end what it has under way. Returns what they have done. */
function simulate(seed: number, { usesGuard }: Run) {
  const random = seededRandom(seed)
  const topic = new SharedRecords()
  const nodes = ['a', 'b', 'c'].map((id) => new ReplayingNode(id, topic))
  const counts = new Map<string, number>()
  let under: (Work | undefined)[] = nodes.map(() => undefined)
  let mostGuarded = 0
  let producers = 0
  let writesDone = 0
  for (let step = 0; step < 1_000; step++) {
    const i = random.whole(0, nodes.length - 1)
    const node = nodes[i]!
    node.catchUp(random.whole(0, 6))
    mostGuarded = Math.max(mostGuarded, node.replay.documents.list('p').length)
    const work = under[i]
    if (work !== undefined) {
      const outcome = node.outcome(work.n)
      if (outcome === undefined) continue
      if (outcome === 'locked') {
        const value = settle(random, topic, node, work, ++producers)
        if (value === 'aborted')
          topic.add({ kind: 'release', from: node.sender(), lock: { node: node.id, life: 1, n: work.n } })
        under[i] = { ...work, value: 0 }
        node.outcomes.set(work.n, []) // decided again by the settle
        continue
      }
      if (outcome === 'done') {
        if (work.key.startsWith('c/')) counts.set(work.key, (counts.get(work.key) ?? 0) + 1)
        if (work.value !== undefined) writesDone++
      }
      under[i] = undefined
      continue
    }
    under = under.with(i, begin(random, topic, node, usesGuard))
    if (random.whole(0, 3) === 0)
      topic.entries.push(
        random.pick(topic.entries.filter((entry) => !('end' in entry) && entry.producerId === undefined)),
      )
  }
  for (let round = 0; round < 50; round++) {
    for (const [i, node] of nodes.entries()) {
      node.catchUp()
      const work = under[i]
      if (work === undefined) continue
      const outcome = node.outcome(work.n)
      if (outcome === 'locked') {
        settle(random, topic, node, work, ++producers, true)
        node.outcomes.set(work.n, [])
        under[i] = { ...work, value: 0 }
      } else if (outcome !== undefined) {
        if (outcome === 'done' && work.key.startsWith('c/'))
          counts.set(work.key, (counts.get(work.key) ?? 0) + 1)
        under[i] = undefined
      }
    }
  }
  return { topic, nodes, counts, mostGuarded, writesDone, under }
}

function settle(
  random: SeededRandom,
  topic: SharedRecords,
  node: ReplayingNode,
  { key, n }: Work,
  producerId: number,
  commits = random.whole(0, 3) > 0,
): 'done' | 'aborted' {
  const record: SettleRecord = {
    kind: 'settle',
    from: { node: node.id, life: 1, n },
    locked: true,
    puts: [[key, numberAt(node, key).value + 1]],
    deletes: [],
  }
  topic.add(record, producerId)
  topic.end(producerId, commits ? 'commit' : 'abort')
  return commits ? 'done' : 'aborted'
}

function begin(random: SeededRandom, topic: SharedRecords, node: ReplayingNode, usesGuard: boolean): Work {
  const kind = random.whole(0, 9)
  if (kind < 3) {
    // At most one document may begin with 'p/'.
    const own = `p/${node.id}`
    const found = node.replay.documents.list('p')
    // A document of its own is read and written with each of them.
    const { value, version } = numberAt(node, 'guard/p')
    const guard = usesGuard ? { reads: [['guard/p', version] as const] } : {}
    const guarded = usesGuard ? [['guard/p', value + 1] as const] : []
    const record =
      found.length === 0
        ? change(node, { ...guard, puts: [[own, 1], ...guarded] })
        : change(node, { deletes: [`p/${random.pick(found).id}`] })
    topic.add(record)
    return { key: own, n: record.from.n }
  }
  const key = `c/${random.whole(0, 2)}`
  const { value, version } = numberAt(node, key)
  if (kind < 6) {
    const record = intent(node, { reads: [[key, version]], writes: [key] })
    topic.add(record)
    return { key, n: record.from.n }
  }
  const record = change(node, { reads: [[key, version]], puts: [[key, value + 1]] })
  topic.add(record)
  return { key, n: record.from.n }
}

describe('nodes that replay the same records', () => {
  test.each(SEEDS)('agree on everything, and lose no update (seed %i)', (seed) => {
    const { topic, nodes, counts, mostGuarded, writesDone, under } = simulate(seed, { usesGuard: true })
    expect(under).toEqual([undefined, undefined, undefined])
    const late = new ReplayingNode('d', topic)
    late.catchUp()
    const restored = new ReplayingNode('e', topic)
    restored.catchUp(Math.floor(topic.entries.length / 2))
    const copy = new ReplayingNode('f', topic)
    copy.load(restored)
    copy.catchUp()
    const hashes = new Set([...nodes, late, copy].map(({ replay }) => hashOf(replay)))
    expect(hashes.size).toBe(1)
    for (const [key, count] of counts) expect([key, numberAt(late, key).value]).toEqual([key, count])
    expect([...counts.values()].reduce((sum, count) => sum + count, 0)).toBeGreaterThan(50)
    expect(writesDone).toBeGreaterThan(5)
    expect(mostGuarded).toBe(1)
    expect(late.replay.locks()).toEqual([])
  })

  test('without a guard document there is write skew', () => {
    expect(SEEDS.some((seed) => simulate(seed, { usesGuard: false }).mostGuarded > 1)).toBe(true)
  })
})

describe('a lock', () => {
  function locked() {
    const topic = new SharedRecords()
    const [a, b] = [new ReplayingNode('a', topic), new ReplayingNode('b', topic)]
    const record = intent(a, { reads: [['c/x', -1]], writes: ['c/y'] })
    topic.add(record)
    const lock = record.from
    const catchUp = () => {
      a.catchUp()
      b.catchUp()
    }
    const settleNow = (commit: boolean) => {
      topic.add({ kind: 'settle', from: lock, locked: true, puts: [['c/y', 1]], deletes: [] }, 7)
      topic.end(7, commit ? 'commit' : 'abort')
      catchUp()
    }
    const change = (parts: Partial<ChangeRecord>) => {
      const record: ChangeRecord = {
        kind: 'change',
        from: b.sender(),
        reads: [],
        puts: [],
        deletes: [],
        ...parts,
      }
      topic.add(record)
      catchUp()
      return () => b.outcome(record.from.n)
    }
    catchUp()
    return { topic, a, b, lock, settleNow, change, catchUp }
  }

  const waits: { name: string; parts: Partial<ChangeRecord>; decided: string }[] = [
    { name: 'writes what it writes', parts: { puts: [['c/y', 2]] }, decided: 'done' },
    { name: 'deletes what it writes', parts: { deletes: ['c/y'] }, decided: 'done' },
    { name: 'writes what it has read', parts: { puts: [['c/x', 2]] }, decided: 'done' },
    {
      name: 'has read what it writes',
      parts: { reads: [['c/y', -1]], puts: [['c/z', 1]] },
      decided: 'conflict',
    },
  ]
  test.each(waits)('delays a change that $name', ({ parts, decided }) => {
    const { change, settleNow } = locked()
    const outcome = change(parts)
    expect(outcome()).toBeUndefined()
    settleNow(true)
    expect(outcome()).toBe(decided)
  })

  test.each([
    { name: 'reads what it reads', parts: { reads: [['c/x', -1] as const], puts: [['c/z', 1] as const] } },
    { name: 'has other documents', parts: { puts: [['d/y', 1] as const] } },
  ])('does not delay a change that $name', ({ parts }) => {
    expect(locked().change(parts)()).toBe('done')
  })

  test('that is released lets what waits be decided as if it had not been', () => {
    const { topic, b, lock, change, settleNow, catchUp } = locked()
    const outcome = change({ reads: [['c/y', -1]], puts: [['c/z', 1]] })
    settleNow(false)
    expect(outcome()).toBeUndefined()
    topic.add({ kind: 'release', from: b.sender(), lock })
    catchUp()
    expect(outcome()).toBe('done')
    expect(b.replay.documents.get('c/y')).toBeUndefined()
  })

  test('what waits keeps its order, and gives different versions', () => {
    const { b, change, settleNow } = locked()
    const outcomes = [2, 3, 4].map((value) => change({ puts: [['c/y', value]] }))
    const behind = change({
      puts: [
        ['c/z', 1],
        ['c/y', 5],
      ],
    })
    const beside = change({ puts: [['c/w', 1]] })
    expect([...outcomes, behind, beside].map((outcome) => outcome())).toEqual([
      ...Array<undefined>(4).fill(undefined),
      'done',
    ])
    settleNow(true)
    expect([...outcomes, behind].map((outcome) => outcome())).toEqual(Array(4).fill('done'))
    expect(JSON.parse(b.replay.documents.get('c/y')!.text)).toBe(5)
  })

  test('of which the settle was fenced away takes no effect later', () => {
    const { topic, b, lock, settleNow, catchUp } = locked()
    topic.add({ kind: 'release', from: b.sender(), lock })
    catchUp()
    settleNow(true)
    expect(b.replay.documents.get('c/y')).toBeUndefined()
  })
})

test('a record that arrives behind a later one of its node has no effect', () => {
  const topic = new SharedRecords()
  const a = new ReplayingNode('a', topic)
  const early = change(a, { puts: [['c/x', 'early']] })
  topic.add(change(a, { puts: [['c/x', 'late']] }))
  topic.add(early)
  a.catchUp()
  expect(JSON.parse(a.replay.documents.get('c/x')!.text)).toBe('late')
  expect(a.outcome(early.from.n)).toBeUndefined()
  topic.add({ ...change(a, { puts: [['c/x', 'next life']] }), from: { node: 'a', life: 2, n: 1 } })
  topic.add(change(a, { puts: [['c/x', 'life before']] }))
  a.catchUp()
  expect(JSON.parse(a.replay.documents.get('c/x')!.text)).toBe('next life')
})
