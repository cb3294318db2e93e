/** What APIs do with jobs. `src/jobs/jobs.ts` implements it. */
import type { Client } from '../auth/tokens.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { CheckpointHistory } from './checkpoint-history.ts'
import type { JobState, JobView } from './job.ts'
import type { VertexRates } from './job-rates.ts'
import type { JobId } from './worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from './worker-view.ts'

export interface JobRequest {
  readonly statement: string
  /** Empty: the whole catalog of the namespace. */
  readonly tableIds: readonly string[]
  /** Undefined: `insert-into_<table>`. */
  readonly name: string | undefined
}

/** The name of the token, whose grants the job uses; undefined where the service asks for none. */
export type JobOwner = Client | undefined

export interface JobService {
  /**
   * Resolves when the job is durably recorded. Rejects with SqlProblem for a statement that is refused, and with
   * ServiceError 'table_not_found', 'no_grant', 'invalid_table', 'job_slots', 'overloaded'.
   */
  create(namespace: NamespaceName, request: JobRequest, owner: JobOwner): Promise<JobView>
  /** The checks of `create`, those of grants and databases too, but that of slots: a job is not created. */
  validate(namespace: NamespaceName, request: Omit<JobRequest, 'name'>, owner: JobOwner): Promise<void>
  /** Newest first, terminal ones included. */
  list(namespace: NamespaceName): readonly { readonly jid: JobId; readonly state: JobState }[]
  /** Throws ServiceError 'job_not_found'. */
  get(namespace: NamespaceName, jid: string): JobView
  /** Resolves when CANCELLING is recorded. No effect on a terminal job. */
  cancel(namespace: NamespaceName, jid: string): Promise<void>
  /**
   * The checkpoints of a job since the service started. None for a job that had ended before, and for those that ended long
   * ago. Throws ServiceError 'job_not_found'.
   */
  checkpoints(namespace: NamespaceName, jid: string): CheckpointHistory
  /**
   * In the order of the vertices of the job; empty while it does not run, and before there is a measured time. Throws
   * ServiceError 'job_not_found'.
   */
  rates(namespace: NamespaceName, jid: string): readonly VertexRates[]
  /** The process that runs jobs; undefined while none runs. */
  worker(): WorkerView | undefined
  /** What each worker is doing. Takes up to a second. */
  threadDump(): Promise<readonly ThreadDump[]>
  slots(): { readonly total: number; readonly available: number }
}
