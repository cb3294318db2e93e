/** States of jobs as a table: every state with every event, and the delays of restarts. */
import { describe, expect, test } from 'vitest'
import { isTerminal, JOB_STATES, type JobState } from '../../src/jobs/job.ts'
import { type JobEvent, RestartPolicy, stateAfter } from '../../src/jobs/job-states.ts'

const EVENTS: readonly JobEvent[] = [
  'slot',
  'running',
  'passing',
  'retry',
  'lasting',
  'cancel',
  'ended',
  'finished',
  'recover',
]

/** State, then what each of EVENTS leads to; `-`: no effect. */
const TABLE: readonly string[] = [
  //              slot    running passing    retry   lasting cancel     ended    finished recover
  'INITIALIZING   CREATED -       -          -       FAILING CANCELLING -        -        INITIALIZING',
  'CREATED        -       RUNNING RESTARTING -       FAILING CANCELLING -        FINISHED INITIALIZING',
  'RUNNING        -       -       RESTARTING -       FAILING CANCELLING -        FINISHED INITIALIZING',
  'RESTARTING     -       -       -          CREATED FAILING CANCELLING -        -        INITIALIZING',
  'FAILING        -       -       -          -       -       -          FAILED   -        FAILED',
  'CANCELLING     -       -       -          -       -       -          CANCELED -        CANCELED',
  'FAILED         -       -       -          -       -       -          -        -        -',
  'CANCELED       -       -       -          -       -       -          -        -        -',
  'FINISHED       -       -       -          -       -       -          -        -        -',
  'SUSPENDED      -       -       -          -       -       -          -        -        -',
  'RECONCILING    -       -       -          -       -       -          -        -        -',
]

describe('states', () => {
  test('the table has every state of Flink', () => {
    expect(TABLE.map((row) => row.split(/ +/)[0]).sort()).toEqual([...JOB_STATES].sort())
  })

  test.each(TABLE)('%s', (row) => {
    const [state, ...expected] = row.split(/ +/)
    expect(EVENTS.map((event) => stateAfter(state as JobState, event) ?? '-')).toEqual(expected)
  })

  test('three states are terminal', () => {
    expect(JOB_STATES.filter(isTerminal)).toEqual(['FAILED', 'CANCELED', 'FINISHED'])
  })
})

describe('restarts', () => {
  const MINUTE_MS = 60_000

  test('delays double from 1 s to 60 s, without end', () => {
    const policy = new RestartPolicy()
    const delays = Array.from({ length: 9 }, () => policy.failed('passing', 0))
    expect(delays).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000))
  })

  test.each([
    { ranMs: 10 * MINUTE_MS - 1, delayMs: 8_000 },
    { ranMs: 10 * MINUTE_MS, delayMs: 1_000 },
  ])('after running for $ranMs ms the delay is $delayMs ms', ({ ranMs, delayMs }) => {
    const policy = new RestartPolicy()
    for (let i = 0; i < 3; i++) policy.failed('passing', 0)
    policy.running(5_000)
    expect(policy.failed('passing', 5_000 + ranMs)).toBe(delayMs)
  })

  test('time in which the job did not run does not count', () => {
    const policy = new RestartPolicy()
    policy.running(0)
    policy.failed('passing', 1)
    expect(policy.failed('passing', 100 * MINUTE_MS)).toBe(2_000)
  })

  test('the fourth conversion error is lasting', () => {
    const policy = new RestartPolicy()
    const delays = Array.from({ length: 4 }, () => policy.failed('conversion', 0))
    expect(delays).toEqual([1_000, 2_000, 4_000, 'never'])
  })

  test('conversion errors count anew after 10 minutes of running', () => {
    const policy = new RestartPolicy()
    for (let i = 0; i < 3; i++) policy.failed('conversion', 0)
    policy.running(0)
    expect(policy.failed('conversion', 10 * MINUTE_MS)).toBe(1_000)
  })

  test('the end of the process because of another job does not raise the delay', () => {
    const policy = new RestartPolicy()
    const delays = Array.from({ length: 10 }, () => policy.failed('foreign', 0))
    expect([...delays, policy.failed('passing', 0)]).toEqual([
      ...Array.from({ length: 10 }, () => 200),
      1_000,
    ])
  })

  test.each([
    { cause: 'process', errors: 2 },
    { cause: 'memory', errors: 3 },
    { cause: 'time', errors: 5 },
  ] as const)('error $errors of $cause without progress between is lasting', ({ cause, errors }) => {
    const policy = new RestartPolicy()
    const delays = Array.from({ length: errors }, () => policy.failed(cause, 0, 7))
    expect(delays.map((delay) => delay === 'never')).toEqual(delays.map((_, i) => i === errors - 1))
  })

  test('with progress between, the tenth error that stops others is lasting', () => {
    const policy = new RestartPolicy()
    const delays = Array.from({ length: 10 }, (_, epoch) => policy.failed('process', 0, epoch))
    expect(delays.indexOf('never')).toBe(9)
  })

  test('a job yields after an error that stopped others, until it makes progress', () => {
    const policy = new RestartPolicy()
    expect(policy.wasCostly(3)).toBe(false)
    policy.failed('passing', 0, 3)
    expect(policy.wasCostly(3)).toBe(false)
    policy.failed('foreign', 0, 3)
    expect(policy.wasCostly(3)).toBe(false)
    policy.failed('process', 0, 3)
    expect([policy.wasCostly(3), policy.wasCostly(4)]).toEqual([true, false])
  })
})
