/**
 * Queries whose tables have changed, are lost, or that another version of the service has planned: their jobs begin anew with another
 * plan, or the queries fail.
 */
import type { CapturedStream, CaptureService, ConnectionStatus } from '../cdc/capture-service.ts'
import { type QueryPlan, QueryProblem, type QueryTable } from '../jobs/plan/query-plan.ts'
import type { ConnectionOrder } from './connection-order.ts'
import type { JobsOfQueries } from './jobs-of-queries.ts'
import type { LiveQuery } from './live-query.ts'
import { jobOf } from './query-creation.ts'
import { differsInUse, queryTable, tableIdOf } from './query-definition.ts'
import type { QueryList } from './query-list.ts'
import type { QueryPlanner } from './query-planner.ts'
import type { QueryRecord } from './query-record.ts'
import type { QueryError } from './query-service.ts'
import { lossOf, tablesOf } from './query-status.ts'

export interface QueryRenewalParts {
  readonly captures: CaptureService
  readonly jobs: JobsOfQueries
  readonly planner: QueryPlanner
  /** Of the service. */
  readonly version: string
  readonly report: (error: unknown) => void
}

export class QueryRenewal {
  readonly #parts: QueryRenewalParts
  readonly #list: QueryList
  readonly #order: ConnectionOrder
  /** Of the connections, as readers of their queries know them. */
  readonly #statuses = new Map<number, ConnectionStatus>()
  readonly #tables = new Map<number, readonly CapturedStream[]>()
  #closed = false

  constructor(parts: QueryRenewalParts, list: QueryList, order: ConnectionOrder) {
    this.#parts = parts
    this.#list = list
    this.#order = order
  }

  close(): void {
    this.#closed = true
  }

  /** The tables of a connection may have changed, its status, or its moment. */
  captured(connection: number): void {
    const { captures } = this.#parts
    const captured = captures.captured(connection)
    const status = captures.get(connection)?.status
    const isNews = status !== this.#statuses.get(connection)
    if (status === undefined) this.#statuses.delete(connection)
    else this.#statuses.set(connection, status)
    const hasOtherTables = this.#hasOtherTables(connection, captured)
    for (const query of this.#list.ofConnection(connection)) {
      if (hasOtherTables) this.followTables(query, captured)
      if (isNews) query.result.wake()
      if (query.result.isAwaited) void query.advance()
    }
  }

  followTables(query: LiveQuery, captured: readonly CapturedStream[]): void {
    const { record } = query
    if (record.state !== 'live' || record.failure !== undefined) return
    const loss = lossOf(record, captured)
    if (loss !== undefined) return void this.fail(query, loss, false)
    const tables = tablesOf(record, captured).map(({ table }) => table)
    if (!query.hasOtherTables(tables) || !differsInUse(record, tables)) return
    const present = new Map(tables.map((table) => [tableIdOf(table), queryTable(table)]))
    void this.#replan(
      query,
      record.tables.map((table) => present.get(table.tableId) ?? table),
    )
  }

  /**
   * Whether the plan of the query is that of this version of the service: it is planned again, and if its state does not fit, another
   * job begins.
   */
  async isPresent(query: LiveQuery): Promise<boolean> {
    const { version } = this.#parts
    const { record } = query
    if (record.version === version) return true
    const { tables, plan: planned } = record
    const plan = await this.#planned(record, tables)
    if (plan.plan.signature !== planned.plan.signature) {
      void this.#replan(query, tables)
      return false
    }
    await this.#list.save(record, { plan, version })
    query.replanned()
    return true
  }

  /** `endsJob` false: the job goes on without a boundary, so that the last rows can be read after a restart, too. */
  async fail(query: LiveQuery, failure: QueryError, endsJob: boolean): Promise<void> {
    const { record } = query
    if (record.failure !== undefined) return
    record.failure = failure
    query.result.wake()
    try {
      await this.#list.save(record, { failure })
      if (endsJob) await this.#parts.jobs.endQuery(record.jid)
    } catch (error) {
      if (!this.#closed) this.#parts.report(error)
    }
  }

  /** Whether a table is another object than at the last call, or is lost since. Writes are frequent, changes of tables are not. */
  #hasOtherTables(connection: number, captured: readonly CapturedStream[]): boolean {
    const before = this.#tables.get(connection) ?? []
    const isSame = ({ table, lost }: CapturedStream, i: number) =>
      table === before[i]?.table && lost === before[i]?.lost
    if (captured.length === before.length && captured.every(isSame)) return false
    if (captured.length === 0) this.#tables.delete(connection)
    else this.#tables.set(connection, captured)
    return true
  }

  async #planned(record: QueryRecord, tables: readonly QueryTable[]): Promise<QueryPlan> {
    const { sqlQuery: sql, models, plan } = record
    return { ...(await this.#parts.planner.planQuery({ sql, tables, models })), warnings: plan.warnings }
  }

  /** Plans the query for its tables as they are now. The state of its job does not fit, so another job begins anew. */
  async #replan(query: LiveQuery, tables: readonly QueryTable[]): Promise<void> {
    const { jobs, version, report } = this.#parts
    const { record } = query
    try {
      await this.#order.run({ namespace: record.namespace, name: record.environment }, async () => {
        if (this.#closed || isStopped(query)) return
        const plan = await this.#planned(record, tables)
        await jobs.endQuery(record.jid, { removes: true })
        await this.#list.replace(query, { jid: this.#list.newJobId(), tables, plan, version })
        query.replanned()
        await jobs.createQuery(jobOf(record), undefined)
      })
    } catch (error) {
      if (this.#closed) return
      if (!(error instanceof QueryProblem)) return report(error)
      const message = `${error.message}; delete the query, and create it again for its tables as they are now`
      await this.fail(query, { code: 'schema_mismatch', message }, false)
    }
  }
}

/** Whether nothing of the query goes on. */
export function isStopped({ record }: LiveQuery): boolean {
  return record.failure !== undefined || record.state === 'deleting'
}
