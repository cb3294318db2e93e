/** What the service shows of jobs from the reports of the engine: checkpoints, rates, slots, failures. No time passes. */
import { describe, expect, test } from 'vitest'
import type { JobFigures } from '../../src/jobs/worker/job-worker-protocol.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import { jobsSetup, settled } from '../support/jobs.ts'

const vertex = {
  ...{ recordsIn: 0, recordsOut: 0, bytesIn: 0, bytesOut: 0, busyMs: 0, backpressuredMs: 0, idleMs: 0 },
  ...{ recordsLate: 0, recordsBad: 0, watermarkMs: undefined, pendingRecords: undefined },
}

function figures(epoch: number, recordsIn = 0, busyMs = 0): JobFigures {
  return {
    ...{ epoch, checkpoint: undefined, sources: [], inserts: [], busyMs, backpressuredMs: 0, idleMs: 0 },
    vertices: [{ ...vertex, recordsIn, busyMs }],
  }
}

const commit = (id: number) => ({ id, startedMs: 1, durationMs: 2, bytes: 3, stateBytes: 4 })
const PASSING = { kind: 'passing', message: 'the database is down', vertex: 2 } as const

async function setup() {
  const jobs = await jobsSetup({ jobsMax: 3 })
  const { jid } = await jobs.create()
  const shown = () => ({
    rates: jobs.jobs.rates(DEFAULT_NAMESPACE, jid),
    checkpoints: jobs.jobs.checkpoints(DEFAULT_NAMESPACE, jid),
    view: jobs.jobs.get(DEFAULT_NAMESPACE, jid),
  })
  return { ...jobs, setup: jobs, jid, shown, run: () => jobs.engine.running.get(jid)! }
}

test('a job that has not reported has no figures, rates and checkpoints', async () => {
  const { shown, clock } = await setup()
  await clock.pass(120_000)
  const { rates, checkpoints, view } = shown()
  expect([rates, view.figures]).toEqual([[], undefined])
  expect(checkpoints).toEqual({
    counts: { restored: 0, total: 0, inProgress: 0, completed: 0, failed: 0 },
    ...{ history: [], latest: {}, samples: [] },
  })
})

test('an unknown job', async () => {
  const { setup: jobs } = await setup()
  for (const read of ['rates', 'checkpoints'] as const)
    expect(() => jobs.jobs[read](DEFAULT_NAMESPACE, 'f'.repeat(32))).toThrow('does not exist')
})

test('rates are those of the present attempt; checkpoints go on', async () => {
  const { shown, clock, run, setup: jobs } = await setup()
  run().progress(figures(0))
  await clock.pass(10_000)
  run().progress(figures(2, 50, 5_000), { completed: [commit(1), commit(2)] })
  expect(shown().rates).toMatchObject([{ recordsInPerSecond: 5, busyRatio: 0.5, idleRatio: 0.5 }])
  const failed = { id: 3, startedMs: 1, durationMs: 1, message: PASSING.message }
  run().progress(figures(2, 50, 5_000), { completed: [], failed })
  run().failed(PASSING)
  expect(shown().rates).toEqual([])
  jobs.engine.runsAtOnce = false
  await clock.pass(1_000)
  run().running(2)
  run().progress(figures(2, 50, 0))
  await clock.pass(2_000)
  expect(shown().rates).toMatchObject([{ recordsInPerSecond: 0, busyRatio: 0, idleRatio: 1 }])
  const { counts, latest } = shown().checkpoints
  expect(counts).toEqual({ restored: 1, total: 3, inProgress: 0, completed: 2, failed: 1 })
  expect(latest.restored).toEqual({ id: 2, restoredMs: 1_011_000, isSavepoint: false })
})

test('a failure names its attempt and its operator, and an attempt its states', async () => {
  const { shown, clock, run } = await setup()
  expect(shown().view.attemptStates.map(({ state }) => state)).toEqual(['INITIALIZING', 'CREATED', 'RUNNING'])
  await clock.pass(500)
  run().failed(PASSING)
  await clock.pass(1_000)
  const { exceptions, attemptStates, attempt } = shown().view
  expect(exceptions).toEqual([
    { timestampMs: 1_000_500, message: PASSING.message, isRoot: true, attempt: 0, vertex: 2 },
  ])
  const atMs = 1_001_500
  expect([attempt, attemptStates]).toEqual([1, ['CREATED', 'RUNNING'].map((state) => ({ state, atMs }))])
})

test('a skipped event has the time when it was skipped', async () => {
  const { shown, clock, run } = await setup()
  await clock.pass(700)
  const record = { tableName: 'IN', partition: 0, sequence: 4, timestampMs: 5, reason: 'no json' }
  run().badRecord(record)
  expect(shown().view.badRecords).toEqual([{ ...record, skippedMs: 1_000_700 }])
})

test('slots', async () => {
  const { setup: jobs, jid } = await setup()
  expect(jobs.jobs.slots()).toEqual({ total: 3, available: 2 })
  await jobs.create()
  await jobs.create()
  expect(jobs.jobs.slots()).toEqual({ total: 3, available: 0 })
  await jobs.jobs.cancel(DEFAULT_NAMESPACE, jid)
  await settled()
  expect(jobs.jobs.slots()).toEqual({ total: 3, available: 1 })
})

describe('after the end of a job', () => {
  test('its checkpoints are kept, without samples, and it has no rates', async () => {
    const { shown, clock, run } = await setup()
    run().progress(figures(0))
    await clock.pass(5_000)
    run().progress(figures(1, 9), { completed: [commit(1)] })
    run().finished()
    await settled()
    const { rates, checkpoints, view } = shown()
    expect([view.state, rates, checkpoints.history.length]).toEqual(['FINISHED', [], 1])
    expect([checkpoints.counts.completed, checkpoints.samples]).toEqual([1, []])
  })

  test('after a restart of the service they are not known', async () => {
    const { shown, run, setup: jobs } = await setup()
    run().progress(figures(1), { completed: [commit(1)] })
    run().finished()
    await settled()
    await jobs.restart()
    expect(shown().checkpoints.counts.total).toBe(0)
  })
})

test('an engine without a process has no worker and no threads', async () => {
  const { setup: jobs } = await setup()
  expect([jobs.jobs.worker(), await jobs.jobs.threadDump()]).toEqual([undefined, []])
})

test('a failure is shown without the secrets of the namespace', async () => {
  const { jobs, shown, run } = await setup()
  jobs.hideSecrets = (namespace, text) => text.replaceAll(`secret of ${namespace}`, '***')
  run().failed({ ...PASSING, message: 'there is no database secret of default' })
  expect(shown().view.exceptions).toMatchObject([{ message: 'there is no database ***' }])
})
