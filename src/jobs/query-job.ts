/**
 * A job that keeps the result of a query over captured tables. It runs in the worker as other jobs do, with two differences: its
 * ticks end at boundaries of the database's transactions, and its result is sent to those who read it.
 *
 * `QueryJobSource` is what the model of jobs needs of the module that owns the queries; it is passed in, so that jobs do not
 * depend on capture.
 */
import type { NamespaceName } from '../streams/names.ts'
import type { JobState } from './job.ts'
import type { JobPlan } from './plan/job-plan.ts'
import type {
  QueryBoundary,
  QueryJobResult,
  ResultChange,
  ResultMoment,
  ResultUpdate,
} from './query-result.ts'
import type { ConnectedTable, JobId } from './worker/job-worker-protocol.ts'

export interface QueryJobDefinition extends QueryJobResult {
  readonly plan: JobPlan
  /** Of the plan: the captured tables, and the table of the result, which is its sink. */
  readonly tables: readonly ConnectedTable[]
}

export interface QueryJobSource {
  /** Undefined if the query does not exist any more. */
  definition(jid: JobId): Promise<QueryJobDefinition | undefined>
  /** Undefined while a snapshot is not complete. */
  boundary(jid: JobId): Promise<QueryBoundary | undefined>
  /** The sender waits until this has returned. It may throw: then the job starts again, and sends the whole result. */
  publish(jid: JobId, update: ResultUpdate): void
  /** The job has entered a state: FAILED, or CANCELED by a client of Flink's API, for example. */
  stateChanged(jid: JobId, state: JobState): void
}

/** A job to be created. Its query must be durable before: `definition` is asked for it at each start of the job. */
export interface NewQueryJob {
  readonly namespace: NamespaceName
  /** `env1-q2` */
  readonly name: string
  /** The SQL of the query, which is shown. */
  readonly statement: string
  readonly plan: Pick<JobPlan, 'vertices'>
  /** Undefined: a new one. */
  readonly jid?: JobId
}

export type { QueryBoundary, QueryJobResult, ResultChange, ResultMoment, ResultUpdate }
