/** Figures of jobs as series for Prometheus. */
import { JOB_STATES, type JobView } from './job.ts'
import type { InsertFigures, JobFigures, SourceFigures } from './worker/job-worker-protocol.ts'

/** Jobs with series of their own, the oldest first: each has a dozen. */
const JOBS_MAX = 100
/** Clients choose the names of jobs. */
const NAME_CHARACTERS_MAX = 100

export interface JobSeries {
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  readonly values: (jobs: readonly JobView[], nowMs: number) => readonly JobValue[]
}

export interface JobValue {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

type Read = (job: JobView, figures: JobFigures, nowMs: number) => number | undefined

/** Numbers of jobs by state, each state once, so that a series does not vanish when its last job leaves the state. */
export function jobsByState(
  counts: ReadonlyMap<string, number>,
): Iterable<readonly [state: string, jobs: number]> {
  return JOB_STATES.map((state) => [state, counts.get(state) ?? 0] as const)
}

function sumOf<T>(parts: readonly T[], read: (part: T) => number | undefined): number | undefined {
  let sum: number | undefined
  for (const part of parts) {
    const value = read(part)
    if (value !== undefined) sum = (sum ?? 0) + value
  }
  return sum
}

const ofSources =
  (read: (source: SourceFigures) => number | undefined): Read =>
  (_, { sources }) =>
    sumOf(sources, read)

const ofInserts =
  (read: (insert: InsertFigures) => number): Read =>
  (_, { inserts }) =>
    sumOf(inserts, read)

const lagSeconds: Read = (_, { sources }) => {
  const known = sources.flatMap(({ lagMs }) => lagMs ?? [])
  return known.length === 0 ? undefined : Math.max(...known) / 1000
}

/** A restart of the service takes the counters of a job on from its state. */
const SERIES: readonly (readonly [JobSeries['kind'], name: string, help: string, read: Read])[] = [
  ['counter', 'records_in_total', 'Events that jobs have read', ofSources(({ recordsIn }) => recordsIn)],
  ['counter', 'bytes_in_total', 'Bytes of their bodies', ofSources(({ bytesIn }) => bytesIn)],
  [
    'counter',
    'records_bad_total',
    'Events that could not be read, or that no window takes because they have no time',
    ofSources(({ recordsBad }) => recordsBad),
  ],
  ['counter', 'records_out_total', 'Rows that jobs have written', ofInserts(({ recordsOut }) => recordsOut)],
  ['counter', 'bytes_out_total', 'Bytes of these rows', ofInserts(({ bytesOut }) => bytesOut)],
  [
    'counter',
    'records_late_total',
    'Rows that were too late for their window',
    ofInserts(({ recordsLate }) => recordsLate),
  ],
  ['gauge', 'lag_records', 'Events that wait, where it is known', ofSources(({ lagRecords }) => lagRecords)],
  ['gauge', 'lag_seconds', 'Age of the oldest event that waits', lagSeconds],
  ['counter', 'restarts_total', 'Restarts after errors', ({ attempt }) => attempt],
  [
    'gauge',
    'checkpoint_age_seconds',
    'Time since the last commit of the state',
    (_, { checkpoint }, nowMs) => checkpoint && Math.max(0, nowMs - checkpoint.startedMs) / 1000,
  ],
  ['gauge', 'state_bytes', 'Size of the state file', (_, { checkpoint }) => checkpoint?.stateBytes],
]

export const JOB_SERIES: readonly JobSeries[] = SERIES.map(([kind, name, help, read]) => ({
  ...{ kind, name: `millrace_job_${name}`, help },
  values: (jobs, nowMs) =>
    jobs.slice(0, JOBS_MAX).flatMap((job) => {
      const value = job.figures && read(job, job.figures, nowMs)
      return value === undefined ? [] : [{ labels: labelsOf(job), value }]
    }),
}))

function labelsOf({ jid, namespace, name }: JobView): JobValue['labels'] {
  return { namespace, job: jid, name: name.slice(0, NAME_CHARACTERS_MAX) }
}
