/**
 * The engine that runs jobs on this machine: a planner process checks and plans statements, and a worker process runs the jobs
 * (job-host.ts). The state of a job is a folder with one DuckDB file.
 */
import type { ClientKey } from '../../fair-share.ts'
import type { ServiceError } from '../../service-error.ts'
import type { TableSchema } from '../../sql/table-schema.ts'
import type { Table, TypedColumn } from '../../tables/table.ts'
import type { JobEngine, JobListener, JobOutline, JobRun, OnContact } from '../job-engine.ts'
import { identityOf } from '../job-tables.ts'
import type { JobPlan, PlannedTable, PlannedView } from '../plan/job-plan.ts'
import type { DescribedQuery } from '../plan/planner-protocol.ts'
import type { QueryJobDefinition, QueryJobResult } from '../query-job.ts'
import type { JobOrder } from '../savepoints/savepoint.ts'
import type { SavepointMetadata } from '../savepoints/savepoint-metadata.ts'
import type { ConnectedTable, JobId } from '../worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from '../worker-view.ts'
import { DatabaseChecks } from './database-checks.ts'
import type { JobHost } from './job-host.ts'
import type { StateFolders } from './state-folders.ts'

/** The client of the planner process (planner-client.ts). */
export interface StatementPlanner {
  /** Rejects with SqlProblem. */
  typesOf(schemaSql: string, schema: TableSchema, client?: ClientKey): Promise<readonly TypedColumn[]>
  /** Rejects with SqlProblem. */
  plan(
    statement: string,
    tables: readonly PlannedTable[],
    otherNames?: readonly string[],
    client?: ClientKey,
    views?: readonly PlannedView[],
  ): Promise<JobPlan & { readonly warnings?: readonly string[]; readonly views?: readonly string[] }>
  /** Rejects with SqlProblem. */
  describe(
    query: string,
    tables: readonly PlannedTable[],
    otherNames?: readonly string[],
    client?: ClientKey,
    views?: readonly PlannedView[],
  ): Promise<DescribedQuery>
  close(): Promise<void>
}

export interface EmbeddedEngineParts {
  readonly planner: StatementPlanner
  readonly host: JobHost
  readonly folders: StateFolders
  /** Limit of the state of one job. */
  readonly stateBytesMax: number
  /** Of one tick. A tick is one transaction, and other jobs wait for it. */
  readonly tickEventsMax: number
  readonly space: { readonly low: boolean; refusal(): ServiceError }
}

/** A tick of large events is bounded by their bytes. */
const TICK_BYTES_MAX = 16 * 1024 * 1024
/** While the disk has too little free space, jobs must not grow their states. */
const SPACE_POLL_MS = 1_000
/** Running steps may end in this time when the service stops. Their states are durable in any case. */
const CLOSE_MS = 1_000

interface Submitted {
  readonly listener: JobListener
  isCancelled: boolean
}

export class EmbeddedEngine implements JobEngine {
  readonly #parts: EmbeddedEngineParts
  readonly #submitted = new Map<JobId, Submitted>()
  readonly #checks = new DatabaseChecks()
  readonly #spaceTimer: NodeJS.Timeout
  #closing: Promise<void> | undefined

  constructor(parts: EmbeddedEngineParts) {
    this.#parts = parts
    this.#spaceTimer = setInterval(() => this.#checkSpace(), SPACE_POLL_MS).unref()
  }

  typesOf(schemaSql: string, schema: TableSchema, client?: ClientKey): Promise<readonly TypedColumn[]> {
    return this.#parts.planner.typesOf(schemaSql, schema, client)
  }

  async validate(
    statement: string,
    tables: readonly Table[],
    otherNames: readonly string[] = [],
    client?: ClientKey,
    views: readonly PlannedView[] = [],
  ): Promise<JobOutline> {
    const { planner } = this.#parts
    const plan = await planner.plan(statement, tables.map(plannedTable), otherNames, client, views)
    const { sources, lookups, fixed, inserts, vertices, signature, warnings = [], views: named = [] } = plan
    const reads = [...sources, ...lookups, ...fixed].map(({ tableId }) => tableId)
    const writes = inserts.map(({ sink }) => sink.tableId)
    return { reads: [...new Set(reads)], writes, vertices, signature, warnings, views: named, plan }
  }

  describe(
    query: string,
    tables: readonly Table[],
    views: readonly PlannedView[],
    client?: ClientKey,
  ): Promise<DescribedQuery> {
    return this.#parts.planner.describe(query, tables.map(plannedTable), [], client, views)
  }

  async checkTables(
    { plan }: JobOutline,
    connected: readonly ConnectedTable[],
    onContact: OnContact,
    client?: ClientKey,
  ): Promise<readonly string[]> {
    return plan === undefined ? [] : this.#checks.run(plan, connected, onContact, client)
  }

  async submit(run: JobRun, listener: JobListener): Promise<void> {
    const { jid, statement, tables, views, connected, order, query, yields = false } = run
    const { checkpointIntervalMs: pauseMs } = run
    const { planner, host, folders, stateBytesMax, tickEventsMax, space } = this.#parts
    if (space.low) throw space.refusal()
    const submitted: Submitted = { listener, isCancelled: false }
    this.#submitted.set(jid, submitted)
    try {
      const plan =
        query?.plan ??
        (await planner.plan(statement, tables.map(plannedTable), [], tables[0]?.namespace, views))
      if (submitted.isCancelled) return
      const stateFolder = await folders.make(jid)
      if (submitted.isCancelled) return
      const limits = { stateBytesMax, tickEventsMax, tickBytesMax: TICK_BYTES_MAX }
      const more = {
        ...(order && { order }),
        ...(query && { query: resultOf(query) }),
        ...(pauseMs && { pauseMs }),
      }
      const start = { jid, plan, stateFolder, tables: connected, ...limits, yields, ...more }
      await host.start(start, this.#ending(jid, submitted))
      if (submitted.isCancelled) await host.cancel(jid)
    } catch (error) {
      this.#forget(jid, submitted)
      throw error
    }
  }

  async cancel(jid: JobId): Promise<void> {
    const submitted = this.#submitted.get(jid)
    if (submitted !== undefined) submitted.isCancelled = true
    this.#submitted.delete(jid)
    await this.#parts.host.cancel(jid)
  }

  async order(jid: JobId, order: JobOrder): Promise<void> {
    const { host, space } = this.#parts
    if (order.kind === 'savepoint' && space.low) throw space.refusal()
    await host.order(jid, order)
  }

  async restoreState(jid: JobId, savepoint: string, metadata: SavepointMetadata): Promise<void> {
    const { folders, space } = this.#parts
    if (space.low) throw space.refusal()
    await folders.restore(jid, savepoint, metadata)
  }

  removeState(jid: JobId): Promise<void> {
    return this.#parts.folders.remove(jid)
  }

  removeOtherStates(live: ReadonlySet<JobId>): Promise<void> {
    return this.#parts.folders.removeOthers(live)
  }

  worker(): WorkerView | undefined {
    return this.#parts.host.worker()
  }

  threadDump(): Promise<readonly ThreadDump[]> {
    return this.#parts.host.threadDump()
  }

  /** Ends the process of jobs, at the latest after `withinMs`, and the planner. */
  close(withinMs = CLOSE_MS): Promise<void> {
    clearInterval(this.#spaceTimer)
    this.#closing ??= this.#close(withinMs)
    return this.#closing
  }

  async #close(withinMs: number): Promise<void> {
    for (const submitted of this.#submitted.values()) submitted.isCancelled = true
    await Promise.all([this.#parts.host.close(withinMs), this.#parts.planner.close()])
  }

  /** The listener of the model, and afterwards this engine forgets the job. */
  #ending(jid: JobId, submitted: Submitted): JobListener {
    const { listener } = submitted
    return {
      running: (epoch) => listener.running(epoch),
      progress: (figures, checkpoints) => listener.progress(figures, checkpoints),
      badRecord: (record) => listener.badRecord(record),
      ordered: (id, outcome) => listener.ordered(id, outcome),
      finished: () => {
        this.#forget(jid, submitted)
        listener.finished()
      },
      failed: (failure) => {
        this.#forget(jid, submitted)
        listener.failed(failure)
      },
    }
  }

  #forget(jid: JobId, submitted: Submitted): void {
    if (this.#submitted.get(jid) === submitted) this.#submitted.delete(jid)
  }

  /** Ends all jobs while the disk has too little free space. They restart when it has enough. */
  #checkSpace(): void {
    const { space, host } = this.#parts
    if (!space.low) return
    const { message } = space.refusal()
    for (const jid of host.jobs()) {
      const submitted = this.#submitted.get(jid)
      if (submitted === undefined || submitted.isCancelled) continue
      void this.cancel(jid).then(() => submitted.listener.failed({ kind: 'passing', message }))
    }
  }
}

function resultOf({ source, key, keyIsRow, visibleColumns }: QueryJobDefinition): QueryJobResult {
  return { source, key, keyIsRow, visibleColumns }
}

function plannedTable(table: Table): PlannedTable {
  const { id, name, definitionSql: schemaSql, connector } = table
  const valueFormat = 'valueFormat' in connector ? connector.valueFormat : undefined
  const problem = connector.kind === 'unusable' ? connector.reason : undefined
  const [identity, isTemporary] = [identityOf(table), table.isTemporary === true]
  const mayLoop = table.own !== undefined && table.own.shown.connector !== 'stream'
  const planned = { id, name, schemaSql, connectorKind: connector.kind, valueFormat, identity }
  return { ...planned, problem, isTemporary, mayLoop }
}
