/**
 * The contract between the job model and an engine that runs jobs. The embedded engine (embedded/) runs them in a worker
 * process with DuckDB; another engine runs them on a Flink cluster. The model decides about states, restarts, grants and
 * history; the engine plans and runs, and reports.
 */
import type { ClientKey } from '../fair-share.ts'
import type { ExpressionTyper, Table } from '../tables/table.ts'
import type { JobPlan, PlannedView, VertexPlan } from './plan/job-plan.ts'
import type { DescribedQuery } from './plan/planner-protocol.ts'
import type { QueryJobDefinition } from './query-job.ts'
import type { JobOrder, OrderOutcome } from './savepoints/savepoint.ts'
import type { SavepointMetadata } from './savepoints/savepoint-metadata.ts'
import type {
  BadRecord,
  CheckpointReport,
  ConnectedTable,
  JobFailure,
  JobFigures,
  JobId,
} from './worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from './worker-view.ts'

/** What is known of a statement after it has been checked. */
export interface JobOutline {
  /** Tables that the statement reads and writes, by id. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly vertices: readonly VertexPlan[]
  readonly signature: string
  /** Sentences about what the user should know, for example a weaker guarantee of a sink. */
  readonly warnings: readonly string[]
  /** Names of views whose queries it has. */
  readonly views?: readonly string[]
  /** For `checkTables` of the same engine. */
  readonly plan?: JobPlan
}

/** Takes the outcome of a contact with the system of an integration. `problem`: why there is no connection; undefined if there is. */
export type OnContact = (integrationId: string, problem: string | undefined) => void

export interface JobRun {
  readonly jid: JobId
  readonly statement: string
  readonly tables: readonly Table[]
  readonly views?: readonly PlannedView[]
  readonly connected: readonly ConnectedTable[]
  /** The job of a cached query, whose plan is made already. */
  readonly query?: QueryJobDefinition
  /** Done before the job goes on: a stop that was accepted in an earlier run. */
  readonly order?: JobOrder
  /** The least time between two commits. */
  readonly checkpointIntervalMs?: number
  /** The last step has stopped other jobs, too, and the job has made no progress since: they go first. */
  readonly yields?: boolean
}

/** Called by the engine, in order. After `finished` or `failed` the engine does nothing more for the job. */
export interface JobListener {
  /** `epoch`: number of commits of the state from which the job goes on; undefined for a new state. */
  running(epoch?: number): void
  /** `checkpoints`: those since the last report; undefined if there are none. */
  progress(figures: JobFigures, checkpoints?: CheckpointReport): void
  badRecord(record: BadRecord): void
  /** What has become of an order. Orders that have no outcome when the run ends have not been done. */
  ordered(id: string, outcome: OrderOutcome): void
  finished(): void
  failed(failure: JobFailure): void
}

export interface JobEngine extends ExpressionTyper {
  /**
   * Rejects with SqlProblem for a statement that this engine refuses. Tables are those that the statement may name; `otherNames`
   * are names of tables that exist besides. Clients share the engine's time for checks.
   */
  validate(
    statement: string,
    tables: readonly Table[],
    otherNames?: readonly string[],
    client?: ClientKey,
    views?: readonly PlannedView[],
  ): Promise<JobOutline>
  /** What a SELECT gives. Rejects as `validate`, with places in the query. */
  describe?(
    query: string,
    tables: readonly Table[],
    views: readonly PlannedView[],
    client?: ClientKey,
  ): Promise<DescribedQuery>
  /**
   * Checks tables in other systems, as far as those answer, before a job is created. Returns warnings. Rejects with ServiceError
   * 'invalid_table' for a table that does not exist or does not fit, and with 'overloaded'. Clients share the connections.
   */
  checkTables?(
    outline: JobOutline,
    connected: readonly ConnectedTable[],
    onContact: OnContact,
    client?: ClientKey,
  ): Promise<readonly string[]>
  /** Starts a job, or goes on with it from its state. Resolves when the engine has taken it over. */
  submit(run: JobRun, listener: JobListener): Promise<void>
  /** Ends a job at the end of its running step. The embedded engine interrupts the step after 10 s. Resolves when nothing of it runs any more. */
  cancel(jid: JobId): Promise<void>
  /** Orders a job that runs. Resolves when it has taken the order; the listener gets the outcome. Rejects if it does not run. */
  order?(jid: JobId, order: JobOrder): Promise<void>
  /**
   * Makes the savepoint in this folder the state of a new job. Rejects with MetadataProblem if it is damaged. `removeState` takes
   * it back.
   */
  restoreState?(jid: JobId, savepoint: string, metadata: SavepointMetadata): Promise<void>
  /** Removes the state of a job that does not run. */
  removeState(jid: JobId): Promise<void>
  /** Removes states of all other jobs: of those that were removed while the service did not run to the end. */
  removeOtherStates?(live: ReadonlySet<JobId>): Promise<void>
  /** The process that runs jobs; undefined while none runs. */
  worker?(): WorkerView | undefined
  threadDump?(): Promise<readonly ThreadDump[]>
  close(): Promise<void>
}

export type { JobPlan }
