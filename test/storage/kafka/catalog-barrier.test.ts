import { beforeEach, expect, test } from 'vitest'
import { CatalogBarrier } from '../../../storage/kafka/catalog-barrier.ts'
import type { Leader } from '../../../storage/kafka/cluster.ts'
import { KafkaRequestError } from '../../../storage/kafka/error-codes.ts'

let nowMs: number
let calls: string[]

beforeEach(() => {
  nowMs = 100_000
  calls = []
})

const ONE = { node: 1, epoch: 4 }

interface Case {
  readonly beatAgeMs?: number
  readonly beatLeader?: Leader
  readonly answerLeader?: Leader
  readonly tookMs?: number
  readonly fails?: boolean
}

function barrier({ beatAgeMs = 500, beatLeader = ONE, answerLeader = ONE, tookMs = 5, fails = false }: Case) {
  const beat = { sentAtMs: nowMs - beatAgeMs, leader: beatLeader }
  return new CatalogBarrier({
    nowMs: () => nowMs,
    lastBeat: () => beat,
    async end() {
      calls.push('end')
      await Promise.resolve()
      nowMs += tookMs
      if (fails) throw new KafkaRequestError('lost', 'no answer')
      return { offset: 8, leader: answerLeader }
    },
    async write() {
      calls.push('write')
      await Promise.resolve()
      return 20
    },
    async reached(offset) {
      calls.push(`reached ${offset}`)
    },
  })
}

const cases: ({ name: string; calls: string[] } & Case)[] = [
  { name: 'the leader of a fresh heartbeat answers soon', calls: ['end', 'reached 7'] },
  { name: 'the last heartbeat is old', beatAgeMs: 3_001, calls: ['write', 'reached 20'] },
  {
    name: 'the heartbeat becomes old meanwhile',
    beatAgeMs: 2_500,
    tookMs: 600,
    calls: ['end', 'write', 'reached 20'],
  },
  {
    name: 'another broker answers',
    answerLeader: { node: 2, epoch: 4 },
    calls: ['end', 'write', 'reached 20'],
  },
  {
    name: 'another epoch answers',
    answerLeader: { node: 1, epoch: 5 },
    calls: ['end', 'write', 'reached 20'],
  },
  { name: 'the answer is late', beatAgeMs: 0, tookMs: 2_001, calls: ['end', 'write', 'reached 20'] },
  { name: 'no broker answers', fails: true, calls: ['end', 'write', 'reached 20'] },
]
test.each(cases)('when $name', async ({ calls: wanted, ...rest }) => {
  await barrier(rest).fresh(false)
  expect(calls).toEqual(wanted)
})

test('a certain barrier is a write; calls made together share one, and those during it the next one', async () => {
  const one = barrier({})
  const together = [one.fresh(true), one.fresh(true)]
  await new Promise<void>((resolve) => process.nextTick(resolve))
  expect(calls).toEqual(['write'])
  await Promise.all([...together, one.fresh(true), one.fresh(true)])
  expect(calls).toEqual(['write', 'reached 20', 'write', 'reached 20'])
})
