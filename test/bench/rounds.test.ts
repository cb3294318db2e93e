import { performance } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { type Measuring, measureSuite } from '../../bench/rounds.ts'
import type { Case, Round, Sample } from '../../bench/sample.ts'
import { complaintsOf } from '../../bench/soundness.ts'
import { ratio } from '../../bench/targets.ts'

const SAMPLE: Sample = { seconds: 1, answers: 1, events: 100, bytes: 1000, failures: {} }

/** Its `log` lists the rounds as they were run; `+` where a case was asked to verify. */
function bench(cases: Record<string, Sample | Error>, options: Partial<Measuring> = {}) {
  const log: string[] = []
  const suite = {
    name: 'suite',
    about: '',
    cases: Object.entries(cases).map(
      ([name, gives]): Case => ({ name, about: '', run: async () => take(gives) }),
    ),
    targets: [ratio('a', 'b', 'eventsPerSecond')],
  }
  const measuring: Measuring = {
    rounds: 3,
    deadlineMs: Infinity,
    progress: () => {},
    async withRound(name, verify, work) {
      log.push(`${name}${verify ? '+' : ''}`)
      return work({} as Round)
    },
    ...options,
  }
  return { log, suite, measured: (changes = {}) => measureSuite({ ...suite, ...changes }, measuring) }
}

function take(gives: Sample | Error): Sample {
  if (gives instanceof Error) throw gives
  return gives
}

test('cases are measured in turn, and verified in the last round', async () => {
  const { log, measured } = bench({ a: SAMPLE, b: { ...SAMPLE, events: 200 } })
  const { verdicts } = await measured()
  expect(log.join(' ')).toBe('suite-a-1 suite-b-1 suite-a-2 suite-b-2 suite-a-3+ suite-b-3+')
  expect(verdicts).toEqual([
    { row: 'a / b, events/s', value: 0.5, lowest: 0.5, highest: 0.5, outcome: 'no target' },
  ])
})

test('a case that fails is not tried again, and its rows say why', async () => {
  const { log, measured } = bench({ a: SAMPLE, b: new Error('the disk is full') })
  const { cases, verdicts } = await measured()
  expect(log.join(' ')).toBe('suite-a-1 suite-b-1 suite-a-2 suite-a-3+')
  expect(cases[1]).toMatchObject({ problem: 'the disk is full', samples: [] })
  expect(verdicts[0]).toMatchObject({ outcome: 'not measured', reason: 'b: the disk is full' })
})

test('a case that cannot be measured here is not tried', async () => {
  const { log, suite, measured } = bench({ a: SAMPLE })
  const cases = [{ ...suite.cases[0]!, unavailable: async () => 'a is not installed' }]
  const result = await measured({ cases })
  expect(log).toEqual([])
  expect(result.cases[0]).toMatchObject({ problem: 'a is not installed' })
  expect(result.verdicts[0]).toMatchObject({ reason: 'a: a is not installed' })
})

test.each([{ optional: true as const, complaints: [] }, { complaints: ['a is not installed'] }])(
  'that is a complaint unless the case is optional: $complaints',
  async ({ complaints, ...optional }) => {
    const { suite, measured } = bench({ a: SAMPLE })
    const one = { ...suite.cases[0]!, ofService: true as const, ...optional }
    const result = await measured({ cases: [{ ...one, unavailable: async () => 'a is not installed' }] })
    expect(complaintsOf(result.cases[0]!)).toEqual(complaints)
    const failed = await measured({ cases: [{ ...one, run: () => Promise.reject(new Error('it failed')) }] })
    expect(complaintsOf(failed.cases[0]!)).toEqual(['it failed'])
  },
)

test('what the cases of a suite have started is ended, also after a failure', async () => {
  const { log, measured } = bench({ a: new Error('the disk is full') })
  await measured({ end: async () => log.push('end') })
  expect(log).toEqual(['suite-a-1', 'end'])
})

test('after the deadline no case begins, and that is no error', async () => {
  const { log, suite, measured } = bench({ a: SAMPLE }, { deadlineMs: performance.now() - 1 })
  const [late] = (await measured({ cases: [{ ...suite.cases[0]!, ofService: true }] })).cases
  expect(late!.problem).toBe('the time was over')
  expect(complaintsOf(late!)).toEqual([])
  expect(log).toEqual([])
})

test('a suite may have fewer rounds', async () => {
  const { log, measured } = bench({ a: SAMPLE })
  expect((await measured({ roundsMost: 1 })).rounds).toBe(1)
  expect(log).toEqual(['suite-a-1+'])
})

const unsound = [
  { name: 'a refusal', sample: { ...SAMPLE, failures: { 503: 2 } }, complaint: 'no success: 503 (2)' },
  {
    name: 'a lost event',
    sample: { ...SAMPLE, acknowledged: 10, stored: 9 },
    complaint: 'LOST 1 of 10 acknowledged events',
  },
]

test.each(unsound)('$name makes a row unbelievable', async ({ sample, complaint }) => {
  const { measured } = bench({ a: sample })
  expect(complaintsOf((await measured()).cases[0]!)).toEqual([complaint])
})

test('more stored than acknowledged is no loss: the last answers were not received', async () => {
  const { measured } = bench({ a: { ...SAMPLE, acknowledged: 10, stored: 12 } })
  expect(complaintsOf((await measured()).cases[0]!)).toEqual([])
})
