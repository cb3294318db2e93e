/** What APIs do with jobs. `src/jobs/jobs.ts` implements it. */
import type { Client } from '../auth/tokens.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { CheckpointHistory } from './checkpoint-history.ts'
import type { JobState, JobView } from './job.ts'
import type { VertexRates } from './job-rates.ts'
import type { JobSettings } from './job-settings.ts'
import type { DescribedQuery } from './plan/planner-protocol.ts'
import type { RestoreRequest } from './savepoints/restore.ts'
import type { Operation, SavepointRequest, StopRequest } from './savepoints/savepoint.ts'
import type { TemporaryDefinition } from './temporary-definition.ts'
import type { JobId } from './worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from './worker-view.ts'

export interface JobRequest {
  readonly statement: string
  /** Empty: the whole catalog of the namespace. */
  readonly tableIds: readonly string[]
  /** Undefined: `insert-into_<table>`. */
  readonly name: string | undefined
  /** Tables and views of this job alone. They hide those of the catalog that have the same names. */
  readonly temporary?: readonly TemporaryDefinition[] | undefined
  /** The job starts with the state of a savepoint. */
  readonly restore?: RestoreRequest | undefined
  readonly settings?: JobSettings | undefined
  /** If the job fails or is cancelled, its last state becomes a savepoint in the default directory: `retained` of its view. */
  readonly retains?: boolean | undefined
  /** The wanted id. Undefined: a new one. */
  readonly jid?: JobId | undefined
}

/** What is known of a job that is not created. */
export type JobOutlineView = Pick<JobView, 'name' | 'vertices'>

/** The name of the token, whose grants the job uses; undefined where the service asks for none. */
export type JobOwner = Client | undefined

export interface JobService {
  /**
   * Resolves when the job is durably recorded. Rejects with SqlProblem for a statement that is refused, and with
   * ServiceError 'table_not_found', 'no_grant', 'invalid_table', 'job_slots', 'overloaded', 'job_exists', 'savepoint_outside',
   * 'savepoint_unreadable', 'state_not_restorable'.
   */
  create(namespace: NamespaceName, request: JobRequest, owner: JobOwner): Promise<JobView>
  /** The checks of `create`, those of grants and databases too, but that of slots: a job is not created. */
  validate(namespace: NamespaceName, request: Omit<JobRequest, 'name'>, owner: JobOwner): Promise<void>
  /** What the job would be. Checks the statement and its tables alone. Rejects as `create`. */
  outline(namespace: NamespaceName, request: JobRequest): Promise<JobOutlineView>
  /** What a SELECT gives: its columns, and how its rows come about. Rejects as `outline`. */
  describe(
    namespace: NamespaceName,
    query: string,
    temporary?: readonly TemporaryDefinition[],
  ): Promise<DescribedQuery>
  /**
   * Whether the state of the job fits another statement, so that a savepoint of the job can be restored by it. Rejects as `outline`, and with
   * ServiceError 'job_not_found'.
   */
  fits(namespace: NamespaceName, jid: string, request: JobRequest): Promise<boolean>
  /**
   * Resolves when the present state of the job is durable, so that a restart of the service does not take it back. Rejects with ServiceError
   * 'job_not_found', and if the store refuses.
   */
  settled(namespace: NamespaceName, jid: string): Promise<void>
  /** Newest first, terminal ones included; without those of cached queries. */
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
   * Writes a savepoint. Resolves with the trigger id when the operation has begun; the same id again is the same operation.
   * Rejects with ServiceError 'job_not_found', 'savepoint_outside', 'invalid_parameter' for a trigger id, 'overloaded'.
   */
  savepoint(namespace: NamespaceName, jid: string, request: SavepointRequest): Promise<string>
  /** Savepoint, then FINISHED. As `savepoint`; goes on after a restart of the service. */
  stop(namespace: NamespaceName, jid: string, request: StopRequest): Promise<string>
  /** Commits the state now. */
  checkpoint(namespace: NamespaceName, jid: string, triggerId: string | undefined): Promise<string>
  /** Kept 5 minutes after its end. Throws ServiceError 'job_not_found', 'operation_not_found'. */
  operation(namespace: NamespaceName, jid: string, triggerId: string): Operation
  /** Deletes a savepoint. Rejects with ServiceError 'savepoint_outside', 'overloaded'. */
  disposeSavepoint(location: string): Promise<string>
  /** Throws ServiceError 'operation_not_found'. */
  disposal(triggerId: string): Operation
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
