/** A job as the APIs show it. States are those of Flink's JobStatus. */
import type { NamespaceName } from '../streams/names.ts'
import type { VertexPlan } from './plan/job-plan.ts'
import type { BadRecord, JobFigures, JobId } from './worker/job-worker-protocol.ts'

export const JOB_STATES = [
  'INITIALIZING',
  'CREATED',
  'RUNNING',
  'FAILING',
  'FAILED',
  'CANCELLING',
  'CANCELED',
  'FINISHED',
  'RESTARTING',
  'SUSPENDED',
  'RECONCILING',
] as const
export type JobState = (typeof JOB_STATES)[number]

const TERMINAL: ReadonlySet<JobState> = new Set(['FAILED', 'CANCELED', 'FINISHED'])

export function isTerminal(state: JobState): boolean {
  return TERMINAL.has(state)
}

/** A failure of the job, newest last in the history. */
export interface JobException {
  readonly timestampMs: number
  readonly message: string
  /** The job went on after it: a restart, or a skipped event. */
  readonly isRoot: boolean
  readonly record?: BadRecord
  /** The attempt that it ended. Missing in documents of older versions. */
  readonly attempt?: number
  /** The operator in which it arose, as an index into `vertices`; missing where it is not known. */
  readonly vertex?: number
}

/** When the job entered a state. */
export interface StateEntry {
  readonly state: JobState
  readonly atMs: number
}

/** The savepoint from which the state of the job was made. */
export interface RestoredFrom {
  /** Of the checkpoint that the savepoint holds. */
  readonly id: number
  readonly restoredMs: number
  readonly location: string
}

/** The stop with which a job has ended. */
export interface StoppedWith {
  /** Of the operation. */
  readonly triggerId: string
  /** Of its savepoint, as answered to clients. */
  readonly location: string
}

/** What has become of the state of a job that retains it. */
export type RetainedState = { readonly location: string } | { readonly failure: string }

export interface JobView {
  readonly jid: JobId
  readonly namespace: NamespaceName
  readonly name: string
  readonly statement: string
  readonly tableIds: readonly string[]
  readonly state: JobState
  readonly startMs: number
  /** Undefined while the job is not terminal. */
  readonly endMs: number | undefined
  /** When each state was entered last; states that were not entered are missing. */
  readonly enteredMs: Readonly<Partial<Record<JobState, number>>>
  /** Restarts so far. */
  readonly attempt: number
  /** The states of the present attempt, or of the last one, in order. An attempt begins with INITIALIZING or CREATED. */
  readonly attemptStates: readonly StateEntry[]
  readonly vertices: readonly VertexPlan[]
  /** Undefined before the first report. */
  readonly figures: JobFigures | undefined
  readonly exceptions: readonly JobException[]
  /** The first five skipped events. */
  readonly badRecords: readonly BadRecord[]
  readonly warnings: readonly string[]
  readonly restored?: RestoredFrom | undefined
  /** Part of the document that has the end of the job: a job that was stopped has a savepoint, and the other way round. */
  readonly stopped?: StoppedWith | undefined
  /** If it fails or is cancelled, its last state becomes a savepoint. */
  readonly retains?: true
  /** Undefined before that has ended, and for a job that has never run. */
  readonly retained?: RetainedState | undefined
  /** It keeps the result of a cached query (query-job.ts). */
  readonly isQuery?: true
}
