/** What APIs do with jobs. `src/jobs/jobs.ts` implements it. */
import type { Client } from '../auth/tokens.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { CheckpointHistory } from './checkpoint-history.ts'
import type { JobState, JobView } from './job.ts'
import type { VertexRates } from './job-rates.ts'
import type { Operation, SavepointRequest, StopRequest } from './savepoints/savepoint.ts'
import type { JobId } from './worker/job-worker-protocol.ts'
import type { WorkerView } from './worker-view.ts'

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
   * ServiceError 'table_not_found', 'no_grant', 'job_slots'.
   */
  create(namespace: NamespaceName, request: JobRequest, owner: JobOwner): Promise<JobView>
  /** The checks of `create`, without a job. */
  validate(namespace: NamespaceName, request: Omit<JobRequest, 'name'>): Promise<void>
  /** Newest first, terminal ones included. */
  list(namespace: NamespaceName): readonly { readonly jid: JobId; readonly state: JobState }[]
  /** Throws ServiceError 'job_not_found'. */
  get(namespace: NamespaceName, jid: string): JobView
  /** A job of any namespace; undefined if there is none. */
  find(jid: string): JobView | undefined
  /** Jobs of these namespaces, of all if undefined; newest first, terminal ones included. */
  all(namespaces?: ReadonlySet<NamespaceName>): Iterable<JobView>
  /** Resolves when CANCELLING is recorded. No effect on a terminal job. */
  cancel(namespace: NamespaceName, jid: string): Promise<void>
  /**
   * Resolves with the trigger id once the operation has begun. The same trigger id again: the same operation. Rejects with
   * ServiceError 'job_not_found', and 'savepoint_outside' for a folder outside of the roots.
   */
  savepoint(namespace: NamespaceName, jid: string, request: SavepointRequest): Promise<string>
  /** Savepoint, then FINISHED. */
  stop(namespace: NamespaceName, jid: string, request: StopRequest): Promise<string>
  /** Asks for a checkpoint now. */
  checkpoint(namespace: NamespaceName, jid: string, triggerId: string | undefined): Promise<string>
  /** Throws ServiceError 'operation_not_found'. Kept 5 minutes after its end. */
  operation(namespace: NamespaceName, jid: string, triggerId: string): Operation
  disposeSavepoint(location: string): Promise<string>
  /** Throws ServiceError 'operation_not_found'. */
  disposal(triggerId: string): Operation
  checkpoints(namespace: NamespaceName, jid: string): CheckpointHistory
  /** In the order of the job's vertices; empty before the first sample. */
  rates(namespace: NamespaceName, jid: string): readonly VertexRates[]
  /** The process that runs jobs; undefined while none runs. */
  worker(): WorkerView | undefined
  threadDump(): Promise<readonly { readonly name: string; readonly text: string }[]>
  slots(): { readonly total: number; readonly available: number }
}
