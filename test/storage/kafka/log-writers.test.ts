/** A log's writer: what becomes of appends for every kind of answer of a broker. */
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { ProducerState } from '../../../storage/kafka/producer-state.ts'
import { NO_PRODUCER, RecordBatchBuilder } from '../../../storage/kafka/record-batch.ts'
import { event } from '../../contract/event-log.ts'
import { LIMITS, writersOn } from '../../support/kafka-writers.ts'
import { type Fate, ScriptedCluster } from '../../support/scripted-cluster.ts'

const TOPIC = 'p.log.1'
let cluster: ScriptedCluster

beforeEach(() => {
  cluster = new ScriptedCluster()
})

const on = (options: Partial<Parameters<typeof writersOn>[0]> = {}) =>
  writersOn({ requests: cluster, prefix: 'p', ...options })

describe('appending', () => {
  test('creates the topic, and answers with the position of the last event', async () => {
    const { writers } = on()
    expect(
      await writers.append(
        1,
        ['a', 'b', 'c'].map((text) => event(text)),
      ),
    ).toEqual({
      sequence: 2,
      timestampMs: 5_000,
    })
    expect(await writers.append(1, [event('d')])).toEqual({ sequence: 3, timestampMs: 5_000 })
    expect(cluster.bodies(TOPIC)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('what waits while a batch is under way shares the next one, in order', async () => {
    const { writers } = on()
    const calls: Promise<{ sequence: number }>[] = []
    for (let i = 0; i < 50; i++) {
      calls.push(writers.append(1, [event(`e${i}`)]))
      if (i === 10) await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await Promise.all(calls)).map(({ sequence }) => sequence)).toEqual(calls.map((_, i) => i))
    expect(cluster.bodies(TOPIC)).toEqual(calls.map((_, i) => `e${i}`))
    expect(cluster.sent).toEqual([`${TOPIC} p1000 e0 s0 x11`, `${TOPIC} p1000 e0 s11 x39`])
  })

  test('batches of several logs share a request', async () => {
    const { writers } = on()
    await Promise.all([1, 2, 3].map((log) => writers.append(log, [event('first')])))
    const before = cluster.produceCalls
    await Promise.all([1, 2, 3].map((log) => writers.append(log, [event('second')])))
    expect(cluster.produceCalls).toBe(before + 1)
  })

  test('more than one batch holds becomes visible by a transaction', async () => {
    const { writers } = on()
    const large = { headers: [], body: Buffer.alloc(6_000_000, 'x') }
    const before = writers.append(1, [event('before')])
    const position = writers.append(1, [large, large, large, event('last')])
    const after = writers.append(1, [event('after')])
    expect((await Promise.all([before, position, after])).map(({ sequence }) => sequence)).toEqual([0, 4, 5])
    expect(cluster.bodies(TOPIC).map(({ length }) => length)).toEqual([6, 6e6, 6e6, 6e6, 4, 5])
    expect(cluster.batchesOf(TOPIC)).toBe(4)
  })

  test('an event that no batch holds is refused', async () => {
    const { writers } = on()
    const body = Buffer.alloc(16 * 1024 * 1024)
    await expect(writers.append(1, [{ headers: [], body }])).rejects.toMatchObject({ code: 'unavailable' })
    expect(cluster.sent).toEqual([])
  })

  test('what waits is bounded', async () => {
    const { writers } = on({ limits: { ...LIMITS, waitingBytesMax: 5_000 } })
    const body = Buffer.alloc(3_000)
    const first = writers.append(1, [{ headers: [], body }])
    await expect(writers.append(2, [{ headers: [], body }])).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(
        /^\d+ bytes of events wait for the brokers, of at most 5000; try again later$/,
      ),
    })
    await first
    expect(writers.waitingBytes).toBe(0)
    await writers.append(2, [{ headers: [], body }])
  })

  test('events of requests that arrive in one iteration of the event loop share a batch', async () => {
    const { writers } = on()
    await writers.append(1, [event('first')])
    const appends: Promise<unknown>[] = []
    const arrived = (text: string) =>
      new Promise<void>((resolve) =>
        setImmediate(() => {
          appends.push(writers.append(1, [event(text)]))
          resolve()
        }),
      )
    await Promise.all(['a', 'b', 'c'].map(arrived))
    await Promise.all(appends)
    expect(cluster.sent.slice(1)).toEqual([`${TOPIC} p1000 e0 s1 x3`])
  })

  test('close waits for what was accepted, and refuses the rest', async () => {
    const { writers } = on()
    const accepted = writers.append(1, [event('a')])
    const closed = writers.close()
    await expect(writers.append(1, [event('b')])).rejects.toMatchObject({ code: 'closed' })
    await Promise.all([accepted, closed])
    expect(cluster.bodies(TOPIC)).toEqual(['a'])
  })
})

describe('an append that brings the catalog up to date', () => {
  test('asks once for each batch, after the calls and beside its request', async () => {
    const asked: number[] = []
    const { writers } = on({ fresh: async () => void asked.push(cluster.produceCalls) })
    await Promise.all(['a', 'b', 'c'].map((text) => writers.append(1, [event(text)], { fresh: true })))
    await writers.append(1, [event('d')], { fresh: true })
    await writers.append(1, [event('e')])
    expect(asked).toEqual([0, 1])
  })

  test('is unknown if the catalog cannot be read; others of the batch and behind it are not', async () => {
    let ask = (_error: Error) => {}
    const asked = new Promise<void>((_, reject) => {
      ask = reject
    })
    const { writers } = on({ fresh: () => asked })
    const fresh = writers.append(1, [event('a')], { fresh: true })
    const plain = writers.append(1, [event('b')])
    expect(await plain.catch(() => 'not yet')).toMatchObject({ sequence: 1 })
    expect(await writers.append(1, [event('c')])).toMatchObject({ sequence: 2 })
    const closed = writers.close()
    const cause = new Error('no leader')
    ask(cause)
    await expect(fresh).rejects.toMatchObject({
      code: 'unknown',
      message: 'the node was cut off from the store, and the write may be stored; send it again',
      cause,
    })
    await closed
    expect(cluster.bodies(TOPIC)).toEqual(['a', 'b', 'c'])
  })

  test('is unknown too if it takes a transaction', async () => {
    const { writers } = on({ fresh: () => Promise.reject(new Error('no leader')) })
    const large = { headers: [], body: Buffer.alloc(9_000_000, 'x') }
    await expect(writers.append(1, [large, large], { fresh: true })).rejects.toMatchObject({
      code: 'unknown',
    })
    expect(cluster.bodies(TOPIC).length).toBe(2)
  })

  test('is rejected as any other if it is not stored', async () => {
    cluster.fateOfAll = 3
    const { hasty } = on({ fresh: async () => {} })
    await expect(hasty.append(1, [event('a')], { fresh: true })).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(hasty.waitingBytes).toBe(0)
  })
})

/** Of the second append: the first is stored before. */
interface Case {
  readonly name: string
  readonly fates: readonly Fate[]
  /** Of every request after `fates`. */
  readonly later?: Fate
  readonly outcome: 'stored' | 'unavailable' | 'unknown'
  /** The stamps that were sent, without topic and id; without resends of the same. */
  readonly sent: readonly string[]
  readonly reports?: number
}

const same = ['e0 s1 x1']
const cases: Case[] = [
  { name: 'the answer is lost', fates: ['answer lost'], outcome: 'stored', sent: same },
  { name: 'the request is lost', fates: ['request lost'], outcome: 'stored', sent: same },
  {
    name: 'answers are lost three times',
    fates: ['answer lost', 'answer lost', 'answer lost'],
    outcome: 'stored',
    sent: same,
  },
  { name: 'no broker is reached', fates: ['not sent'], outcome: 'stored', sent: same },
  ...[3, 5, 6, 19, 74, 75].map(
    (code): Case => ({
      name: `the leader refuses with ${code}`,
      fates: [code, code],
      outcome: 'stored',
      sent: same,
    }),
  ),
  ...[7, 20, 56].map(
    (code): Case => ({ name: `the outcome is ${code}`, fates: [code, code], outcome: 'stored', sent: same }),
  ),
  ...[3, 5, 6, 19, 74, 75].map(
    (code): Case => ({
      name: `the leader always refuses with ${code}`,
      fates: [],
      later: code,
      outcome: 'unavailable',
      sent: same,
    }),
  ),
  ...[7, 20, 56].map(
    (code): Case => ({
      name: `the outcome is always ${code}`,
      fates: [],
      later: code,
      outcome: 'unknown',
      sent: same,
    }),
  ),
  {
    name: 'one request is lost, then all are refused',
    fates: ['request lost'],
    later: 6,
    outcome: 'unknown',
    sent: same,
  },
  { name: 'no broker is ever reached', fates: [], later: 'not sent', outcome: 'unavailable', sent: same },
  { name: 'every request is lost', fates: [], later: 'request lost', outcome: 'unknown', sent: same },
  { name: 'the batch is too large for the topic', fates: [10], outcome: 'unavailable', sent: same },
  { name: 'the topic may not be written to', fates: [29], outcome: 'unavailable', sent: same },
  {
    name: 'the sequence is refused',
    fates: [45],
    outcome: 'stored',
    sent: ['e0 s1 x1', 'e1 s0 x1'],
    reports: 1,
  },
  {
    name: 'the epoch is refused',
    fates: [47],
    outcome: 'stored',
    sent: ['e0 s1 x1', 'e1 s0 x1'],
    reports: 1,
  },
  {
    name: 'the sequence is refused after a request was lost',
    fates: ['request lost', 45],
    outcome: 'unknown',
    sent: same,
    reports: 1,
  },
  {
    name: 'the numbers are always refused',
    fates: [],
    later: 45,
    outcome: 'unavailable',
    sent: ['e0 s1 x1', 'e1 s0 x1', 'e2 s0 x1'],
    reports: 3,
  },
]

describe('an append whose batch meets a failure', () => {
  test.concurrent.each(cases)(
    '$name: $outcome',
    async ({ fates, later = 'stored', outcome, sent, reports: reported = 0 }) => {
      const cluster = new ScriptedCluster()
      const isGivenUp = later !== 'stored' && later !== 45
      const { writers, hasty, reports } = on({ requests: cluster })
      await writers.append(1, [event('first')])
      cluster.sent.length = 0
      cluster.fates.push(...fates)
      cluster.fateOfAll = later
      const result = await (isGivenUp ? hasty : writers).append(1, [event('second')]).then(
        () => 'stored',
        (error) => error.code,
      )
      const stamps = cluster.sent.map((line) => line.replace(/^\S+ \S+ /, ''))
      expect([result, [...new Set(stamps)], reports.length]).toEqual([outcome, sent, reported])

      cluster.fateOfAll = 'stored'
      await writers.append(1, [event('third')])
      expect(cluster.bodies(TOPIC)).toEqual(
        outcome === 'stored' ? ['first', 'second', 'third'] : ['first', 'third'],
      )
      if (outcome !== 'stored') expect(cluster.sent.at(-1)).toMatch(/ e[1-9] s0 x1$/) // of a new epoch
    },
  )

  test('a batch that was given up cannot appear after a later one', async () => {
    const { writers, hasty } = on()
    await writers.append(1, [event('first')])
    cluster.fateOfAll = 'held'
    await expect(hasty.append(1, [event('late')])).rejects.toMatchObject({
      code: 'unknown',
      message: 'topic p.log.1 does not take events: no answer in time; the events may appear later',
    })
    cluster.fateOfAll = 'stored'
    await writers.append(1, [event('next')])
    expect(new Set(cluster.deliverHeld().map(({ errorCode }) => errorCode))).toEqual(new Set([47]))
    expect(cluster.bodies(TOPIC)).toEqual(['first', 'next'])
  })

  test('without a raised epoch it would appear', async () => {
    class Unraised extends ProducerState {
      override abandoned() {}
    }
    const { writers, hasty } = on({ producers: new Unraised(async () => ({ producerId: 7, epoch: 0 })) })
    await writers.append(1, [event('first')])
    cluster.fateOfAll = 'held'
    await expect(hasty.append(1, [event('late')])).rejects.toMatchObject({ code: 'unknown' })
    cluster.fateOfAll = 'stored'
    cluster.deliverHeld()
    // The later one has the numbers of the late one, so the broker takes it for that one, and its event is lost.
    await writers.append(1, [event('next')])
    expect(cluster.bodies(TOPIC)).toEqual(['first', 'late'])
  })

  test('a plain producer would double what it sends again', async () => {
    const { writers } = on()
    await writers.append(1, [event('first')])
    const builder = new RecordBatchBuilder()
    builder.addRecord({ value: Buffer.from('plain') })
    const batch = builder.finish()
    batch.seal(NO_PRODUCER)
    cluster.fates.push('answer lost')
    const request = { parts: [{ topic: TOPIC, batch: [batch.bytes] }], timeoutMs: 1 }
    await expect(cluster.produce(1, request)).rejects.toThrow()
    await cluster.produce(1, request)
    expect(cluster.bodies(TOPIC)).toEqual(['first', 'plain', 'plain'])
  })

  test('a leader that has moved is found', async () => {
    const { writers } = on()
    await writers.append(1, [event('a')])
    cluster.fates.push(6)
    const appended = writers.append(1, [event('b')])
    setTimeout(() => {
      cluster.leaderNode = 2
    }, 5)
    await appended
    expect([cluster.bodies(TOPIC), cluster.nodesAsked]).toEqual([
      ['a', 'b'],
      [1, 1, 2],
    ])
  })

  test('without a leader nothing is sent', async () => {
    const { writers, hasty } = on()
    await writers.append(1, [event('a')])
    cluster.leaderNode = undefined
    await expect(hasty.append(1, [event('b')])).rejects.toMatchObject({
      code: 'unavailable',
      message: 'topic p.log.1 does not take events: it has no leader now',
    })
    expect(cluster.produceCalls).toBe(1)
  })

  test('what has waited behind it for as long is refused with it', async () => {
    const { writers, hasty } = on()
    await writers.append(1, [event('a')])
    cluster.fateOfAll = 'request lost'
    const outcomes = ['b', 'c', 'd'].map(async (text, i) => {
      await sleep(i)
      return hasty.append(1, [event(text)]).catch(({ code }) => code)
    })
    expect(await Promise.all(outcomes)).toEqual(
      ['unknown', 'unavailable', 'unavailable'].map((code, i) =>
        i === 0 ? code : expect.stringMatching(/^un/),
      ),
    )
  })

  test('a topic that cannot be created is unavailable', async () => {
    cluster.createError = 38
    const { writers } = on()
    await expect(writers.append(1, [event('a')])).rejects.toMatchObject({
      code: 'unavailable',
      message: 'topic p.log.1 cannot be created: INVALID_REPLICATION_FACTOR (38): as the script says',
    })
  })
})

describe('a log that is dropped', () => {
  test('stores what was accepted, and refuses the rest', async () => {
    const { writers } = on()
    const appends = [writers.append(1, [event('a')])]
    await sleep(1)
    appends.push(writers.append(1, [event('b')]))
    const dropped = writers.drop(1)
    await expect(writers.append(1, [event('late')])).rejects.toMatchObject({ code: 'dropped' })
    await Promise.all([...appends, dropped])
    expect(cluster.bodies(TOPIC)).toEqual(['a', 'b'])
    await expect(writers.append(1, [event('c')])).rejects.toMatchObject({ code: 'dropped' })
    await expect(writers.inOrder([2, 1], async () => {})).rejects.toMatchObject({ code: 'dropped' })
    await writers.append(2, [event('other')])
  })

  test('by another node is found when its topic is missing', async () => {
    let isUnused = false
    const { writers } = on({ isUnused: () => isUnused })
    await writers.append(1, [event('a')])
    cluster.topics.delete(TOPIC)
    const appended = writers.append(1, [event('b')])
    setTimeout(() => {
      isUnused = true
    }, 20)
    await expect(appended).rejects.toMatchObject({ code: 'dropped' })
    expect(cluster.topics.has(TOPIC)).toBe(false)
  })

  test('but still in use is not created again', async () => {
    const { writers, hasty } = on()
    await writers.append(1, [event('a')])
    cluster.topics.delete(TOPIC)
    await expect(hasty.append(1, [event('b')])).rejects.toMatchObject({ code: 'unavailable' })
    expect(cluster.topics.has(TOPIC)).toBe(false)
  })
})

describe('work in order', () => {
  test('runs after the appends before and ahead of those behind it', async () => {
    const { writers } = on()
    const order: string[] = []
    const note = (text: string) => () => void order.push(text)
    const all = [
      writers.append(1, [event('a')]).then(note('a')),
      writers.append(2, [event('b')]).then(note('b')),
      writers.inOrder([1, 2, 1], async () => {
        await sleep(5)
        order.push('work')
      }),
      writers.append(2, [event('c')]).then(note('c')),
      writers.append(3, [event('other')]),
    ]
    await Promise.all(all)
    expect([order.slice(0, 2).sort(), order.slice(2)]).toEqual([
      ['a', 'b'],
      ['work', 'c'],
    ])
  })

  test('over the same logs in another order does not wait for each other', async () => {
    const { writers } = on()
    let running = 0
    const work = async () => {
      expect(++running).toBe(1)
      await sleep(1)
      running--
    }
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => writers.inOrder(i % 2 === 0 ? [1, 2] : [2, 1], work)),
    )
  })

  test('that fails lets the others continue', async () => {
    const { writers } = on()
    const failed = writers.inOrder([1], async () => {
      throw new Error('no')
    })
    await Promise.all([expect(failed).rejects.toThrow('no'), writers.append(1, [event('a')])])
  })
})
