/** Series of jobs: bounded, with values only where they are known. */
import { expect, test } from 'vitest'
import type { JobView } from '../../src/jobs/job.ts'
import { JOB_SERIES, jobsByState } from '../../src/jobs/job-metrics.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'

const source = {
  recordsIn: 10,
  bytesIn: 100,
  recordsBad: 1,
  lagRecords: 5,
  lagMs: 2_500,
  watermarkMs: undefined,
}
const insert = { recordsOut: 7, bytesOut: 70, recordsLate: 2 }
const figures = {
  ...{
    epoch: 1,
    sources: [source, { ...source, lagRecords: undefined, lagMs: 4_000 }],
    inserts: [insert, insert],
  },
  checkpoint: { id: 1, startedMs: 60_000, durationMs: 1, bytes: 1, stateBytes: 4_096 },
  ...{ busyMs: 0, backpressuredMs: 0, idleMs: 0, vertices: [] },
}

function job(jid: string, change: Partial<JobView> = {}): JobView {
  return {
    ...{
      jid,
      namespace: DEFAULT_NAMESPACE,
      name: `job ${jid}`,
      statement: '',
      tableIds: [],
      state: 'RUNNING',
    },
    ...{ startMs: 0, endMs: undefined, enteredMs: {}, attempt: 3, vertices: [], figures, exceptions: [] },
    ...{ badRecords: [], warnings: [], attemptStates: [], ...change },
  }
}

function shown(jobs: readonly JobView[]) {
  return Object.fromEntries(
    JOB_SERIES.map(({ name, values }) => [name, values(jobs, 65_000).map(({ value }) => value)]),
  )
}

test('one job', () => {
  expect(shown([job('a')])).toEqual({
    millrace_job_records_in_total: [20],
    millrace_job_bytes_in_total: [200],
    millrace_job_records_bad_total: [2],
    millrace_job_records_out_total: [14],
    millrace_job_bytes_out_total: [140],
    millrace_job_records_late_total: [4],
    millrace_job_lag_records: [5],
    millrace_job_lag_seconds: [4],
    millrace_job_restarts_total: [3],
    millrace_job_checkpoint_age_seconds: [5],
    millrace_job_state_bytes: [4_096],
  })
})

test('a job without figures has no values, and an unknown lag is not 0', () => {
  const unknown = {
    ...figures,
    sources: [{ ...source, lagRecords: undefined, lagMs: undefined }],
    checkpoint: undefined,
  }
  const values = shown([job('a', { figures: undefined }), job('b', { figures: unknown })])
  expect([values.millrace_job_records_in_total, values.millrace_job_lag_records]).toEqual([[10], []])
  expect([values.millrace_job_lag_seconds, values.millrace_job_checkpoint_age_seconds]).toEqual([[], []])
})

test('labels, and no more than 100 jobs', () => {
  const jobs = Array.from({ length: 150 }, (_, i) => job(`${i}`, { name: 'x'.repeat(1_000) }))
  const values = JOB_SERIES[0]!.values(jobs, 0)
  expect(values.length).toBe(100)
  expect(values[0]!.labels).toEqual({ namespace: 'default', job: '0', name: 'x'.repeat(100) })
})

test('states without jobs are 0', () => {
  const counts = new Map([...jobsByState(new Map([['RUNNING', 2]]))])
  expect([counts.get('RUNNING'), counts.get('FAILED'), counts.size]).toEqual([2, 0, 11])
})
