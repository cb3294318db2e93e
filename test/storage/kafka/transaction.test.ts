/** Transactions: what is visible for every way in which a commit may end. */
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { RecordBatchBuilder, type UnsealedBatch } from '../../../storage/kafka/record-batch.ts'
import { fenceTransactions } from '../../../storage/kafka/transaction.ts'
import { event } from '../../contract/event-log.ts'
import { SHORT_LIMITS, writersOn } from '../../support/kafka-writers.ts'
import { type Fate, ScriptedCluster } from '../../support/scripted-cluster.ts'

const [A, B] = ['p.log.1', 'p.log.2']
let cluster: ScriptedCluster
let parts: ReturnType<typeof writersOn>

beforeEach(async () => {
  cluster = new ScriptedCluster()
  parts = writersOn({ requests: cluster, prefix: 'p', visibleMs: 150, limits: SHORT_LIMITS })
  await Promise.all([parts.topics.ensure(1), parts.topics.ensure(2)])
})

function batch(...texts: string[]): UnsealedBatch {
  const builder = new RecordBatchBuilder()
  for (const text of texts) builder.addRecord({ value: Buffer.from(text) })
  return builder.finish()
}

const contents = () => [cluster.bodies(A), cluster.bodies(B)]

/** Two topics, two batches in the first. */
const write = () =>
  parts.transactions.run(100, async (transaction) => [
    await transaction.add(A, [batch('a', 'b'), batch('c')]),
    await transaction.add(B, [batch('x')]),
    await transaction.add(B, []),
  ])

test('batches of several topics become visible together, with their positions', async () => {
  await parts.writers.append(1, [event('before')])
  const positions = await parts.transactions.run(100, async (transaction) => {
    const first = await transaction.add(A, [batch('a', 'b'), batch('c')])
    expect(contents()).toEqual([['before'], []])
    return [first, await transaction.add(B, [batch('x')])]
  })
  expect(positions).toEqual([
    { sequence: 3, timestampMs: 5_000 },
    { sequence: 0, timestampMs: 5_000 },
  ])
  expect(contents()).toEqual([['before', 'a', 'b', 'c'], ['x']])
})

test('work that fails stores nothing, and its error is the result', async () => {
  const failed = parts.transactions.run(100, async (transaction) => {
    await transaction.add(A, [batch('a')])
    throw new Error('no')
  })
  await expect(failed).rejects.toThrow('no')
  await write()
  expect(contents()).toEqual([['a', 'b', 'c'], ['x']])
  expect(parts.reports).toEqual([])
})

test('an abort that is not acknowledged is reported, and the next transaction of the id does it', async () => {
  cluster.endFateOfAll = 'request lost'
  for (let i = 0; i < 2; i++) {
    const failed = parts.transactions.run(100, async (transaction) => {
      await transaction.add(A, [batch('a')])
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
  }
  expect(parts.reports).toEqual([
    'transaction p.node.1 was not aborted: no answer in time',
    'transaction p.node.1 was not aborted: no answer in time',
  ])
  cluster.endFateOfAll = 'stored'
  await write()
  expect(contents()).toEqual([['a', 'b', 'c'], ['x']])
})

test('a transaction without batches is nothing', async () => {
  expect(await parts.transactions.run(0, async (transaction) => transaction.add(A, []))).toBeUndefined()
})

interface Case {
  readonly name: string
  readonly fates?: readonly Fate[]
  readonly endFates?: readonly Fate[]
  readonly endLater?: Fate
  readonly outcome: 'done' | 'unavailable' | 'unknown'
}

const cases: Case[] = [
  { name: 'answers of batches are lost', fates: ['answer lost', 'answer lost'], outcome: 'done' },
  { name: 'a batch is lost', fates: ['stored', 'request lost'], outcome: 'done' },
  { name: 'the leader has moved', fates: [6, 6], outcome: 'done' },
  { name: 'the producer is fenced', fates: ['stored', 47], outcome: 'unavailable' },
  { name: 'a batch is too large', fates: ['stored', 10], outcome: 'unavailable' },
  { name: 'the answer of the commit is lost', endFates: ['answer lost'], outcome: 'done' },
  { name: 'the commit is lost once', endFates: ['request lost'], outcome: 'done' },
  { name: 'the coordinator has moved', endFates: [16, 14, 51], outcome: 'done' },
  { name: 'the commit is never answered, but done', endLater: 'answer lost', outcome: 'done' },
  { name: 'the commit never arrives', endLater: 'request lost', outcome: 'unavailable' },
  { name: 'another node has fenced it before the commit', endFates: [90], outcome: 'unavailable' },
]

describe('a transaction', () => {
  test.each(cases)('$name: $outcome', async ({ fates = [], endFates = [], endLater = 'stored', outcome }) => {
    if (endLater === 'stored') parts = writersOn({ requests: cluster, prefix: 'p', visibleMs: 5_000 })
    await Promise.all([parts.topics.ensure(1), parts.topics.ensure(2)])
    cluster.fates.push(...fates)
    cluster.endFates.push(...endFates)
    cluster.endFateOfAll = endLater
    const result = await write().then(
      () => 'done',
      (error) => error.code,
    )
    const visible = contents()
    expect([result, visible]).toEqual([outcome, outcome === 'done' ? [['a', 'b', 'c'], ['x']] : [[], []]])
    cluster.endFateOfAll = 'stored'
    await write()
    expect(contents()).toEqual(visible.map((bodies, i) => [...bodies, ...[['a', 'b', 'c'], ['x']][i]!]))
  })

  test('whose outcome cannot be read is unknown', async () => {
    cluster.endFateOfAll = 'answer lost'
    cluster.listOffsets = async (_node, { parts: asked }) =>
      asked.map(({ topic }) => ({ topic, errorCode: 6, offset: -1, timestampMs: -1, leaderEpoch: -1 }))
    await expect(write()).rejects.toMatchObject({
      code: 'unknown',
      message:
        'the commit of transaction p.node.1 was not acknowledged: no answer in time; the events may appear later',
    })
  })

  test('is done although an older one of another node is open', async () => {
    const { producerId, epoch } = await cluster.initProducerId(1, { transactionalId: 'other' })
    const identity = { transactionalId: 'other', producerId, epoch }
    await cluster.addPartitionsToTxn(1, { ...identity, topics: [A] })
    const open = batch('open')
    open.seal({ producerId, epoch, baseSequence: 0, isTransactional: true })
    const request = { parts: [{ topic: A, batch: [open.bytes] }], transactionalId: 'other', timeoutMs: 1 }
    await cluster.produce(1, request)
    await write()
    expect(contents()).toEqual([['a', 'b', 'c'], ['x']])
  })

  test('is one of a few: the others wait', async () => {
    let open = 0
    let most = 0
    const all = Array.from({ length: 8 }, (_, i) =>
      parts.transactions.run(1, async (transaction) => {
        most = Math.max(most, ++open)
        await transaction.add(A, [batch(`${i}`)])
        open--
      }),
    )
    await Promise.all(all)
    expect([most, cluster.bodies(A).sort()]).toEqual([2, ['0', '1', '2', '3', '4', '5', '6', '7']])
  })
})

describe('fencing', () => {
  test('ends a transaction whose work goes on, and what its node does then', async () => {
    const ended = parts.transactions.run(1, async (transaction) => {
      await transaction.add(A, [batch('a')])
      await fenceTransactions(cluster, [transaction.id], 1_000)
      return transaction.add(B, [batch('b')])
    })
    await expect(ended).rejects.toMatchObject({ code: 'unavailable' })
    expect(contents()).toEqual([[], []])
  })

  test('before the first batch ends it, too', async () => {
    const ended = parts.transactions.run(1, async (transaction) => {
      await fenceTransactions(cluster, parts.ids, 1_000)
      return transaction.add(A, [batch('a')])
    })
    await expect(ended).rejects.toMatchObject({ code: 'unavailable' })
    expect(contents()).toEqual([[], []])
  })

  test('at the start ends what an earlier life left open', async () => {
    cluster.endFateOfAll = 'request lost'
    const failed = parts.transactions.run(1, async (transaction) => {
      await transaction.add(A, [batch('a')])
      throw new Error('killed')
    })
    await expect(failed).rejects.toThrow('killed')
    cluster.endFateOfAll = 'stored'
    await writersOn({ requests: cluster, prefix: 'p' }).transactions.recover()
    expect([...cluster.transactionalIds.values()].map(({ transaction }) => transaction)).toEqual([
      undefined,
      undefined,
    ])
    expect(contents()).toEqual([[], []])
  })
})

test.each([
  { name: 'a small one', bytes: 1_000, ms: 60_000 },
  { name: 'a large one, at 1 MB a second', bytes: 300_000_000, ms: 300_000 },
  { name: 'the largest that brokers allow', bytes: 2 ** 30, ms: 900_000 },
])('brokers leave $name open for as long as it may take', async ({ bytes, ms }) => {
  const asked = vi.spyOn(cluster, 'initProducerId')
  await parts.transactions.run(bytes, (transaction) => transaction.add(A, [batch('a')]))
  expect(asked.mock.calls.map(([, { transactionTimeoutMs }]) => transactionTimeoutMs)).toEqual([ms])
})
