/** From the statement of a request to its outline: plans it, checks grants, and contacts the systems of its tables. */

import { ServiceError } from '../service-error.ts'
import type { TypedColumn } from '../sql/data-types.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { ViewDefinition } from '../tables/sql-view.ts'
import type { ContactState, Table } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import { JobCatalog } from './job-catalog.ts'
import type { JobEngine, JobOutline } from './job-engine.ts'
import type { JobGrants } from './job-grants.ts'
import { type JobRecord, tableIdsOf } from './job-record.ts'
import type { JobOwner, JobRequest } from './job-service.ts'
import { assertWritable, connected } from './job-tables.ts'
import type { DescribedQuery } from './plan/planner-protocol.ts'
import type { TemporaryDefinition } from './temporary-definition.ts'
import type { JobFailure } from './worker/job-worker-protocol.ts'

export interface JobPlanningParts {
  readonly tables: TableService
  readonly engine: JobEngine
  readonly grants: JobGrants
}

export interface PlannedStatement {
  readonly outline: JobOutline
  readonly tables: readonly Table[]
  readonly catalog: JobCatalog
}

type Statement = Omit<JobRequest, 'name'>

export class JobPlanning {
  readonly #parts: JobPlanningParts
  /** Of jobs that run: their temporary tables are parsed once. */
  readonly #catalogs = new WeakMap<JobRecord, JobCatalog>()

  constructor(parts: JobPlanningParts) {
    this.#parts = parts
  }

  /** Rejects with SqlProblem, and with ServiceError 'table_not_found', 'no_grant', 'overloaded'. */
  async permitted(namespace: NamespaceName, request: Statement, owner: JobOwner): Promise<PlannedStatement> {
    const planned = await this.plan(namespace, request)
    this.#parts.grants.assert(owner?.name, planned.tables, planned.outline)
    return planned
  }

  /** As `permitted`, without the check of grants. */
  async plan(
    namespace: NamespaceName,
    { statement, tableIds, temporary }: Statement,
  ): Promise<PlannedStatement> {
    const { tables, engine } = this.#parts
    const catalog = new JobCatalog(tables, namespace, temporary)
    const all = catalog.list()
    const listed = tableIds.length === 0 ? new Set(all) : new Set(tableIds.map((id) => catalog.get(id)))
    const others = all.filter((table) => !listed.has(table)).map(({ name }) => name)
    const outline = await engine.validate(statement, [...listed], others, namespace, catalog.views())
    for (const id of outline.writes) assertWritable(catalog.get(id), tables)
    return { outline, tables: catalog.tablesOf([...outline.reads, ...outline.writes]), catalog }
  }

  /** The columns of a view, under the names that it gives them. Rejects as `describe`. */
  async typesOfView(
    namespace: NamespaceName,
    { name, columns: names, query }: ViewDefinition,
  ): Promise<readonly TypedColumn[]> {
    const { columns } = await this.describe(namespace, query)
    if (names === undefined) return columns
    if (names.length !== columns.length)
      throw new SqlProblem(`view ${name} names ${names.length} columns, and its query has ${columns.length}`)
    return columns.map((column, i) => ({ ...column, name: names[i] ?? column.name }))
  }

  /** The columns of a SELECT over tables and views of the namespace. Rejects as `permitted`. */
  async describe(
    namespace: NamespaceName,
    query: string,
    temporary: readonly TemporaryDefinition[] = [],
  ): Promise<DescribedQuery> {
    const { tables, engine } = this.#parts
    if (engine.describe === undefined)
      throw new ServiceError('unsupported', 'the engine of jobs describes no queries')
    const catalog = new JobCatalog(tables, namespace, temporary)
    return engine.describe(query, catalog.list(), catalog.views(), namespace)
  }

  /** Throws SqlProblem for temporary tables of the job that cannot be used any more. */
  catalogOf({ namespace, temporary }: Pick<JobRecord, 'namespace' | 'temporary'>): JobCatalog {
    return new JobCatalog(this.#parts.tables, namespace, temporary)
  }

  /** The tables of a job that are there. */
  presentTables(record: JobRecord): readonly Table[] {
    try {
      const catalog = this.#catalogs.get(record) ?? this.catalogOf(record)
      this.#catalogs.set(record, catalog)
      return catalog.present(tableIdsOf(record))
    } catch {
      return [] // its next start says why
    }
  }

  /** Contacts other systems. Returns all warnings of the statement. */
  async contact(namespace: NamespaceName, planned: PlannedStatement): Promise<readonly string[]> {
    const { tables, engine } = this.#parts
    const { outline } = planned
    const connectedTables = planned.tables.map((table) => connected(table, tables))
    const onContact = (id: string, problem: string | undefined) => tables.contacted(id, stateOf(problem))
    const warnings = await engine.checkTables?.(outline, connectedTables, onContact, namespace)
    return [...outline.warnings, ...(warnings ?? [])]
  }

  /** The job runs, so all its systems have answered; or it has failed, perhaps because one of them did not. */
  contacted(record: JobRecord, failure: JobFailure | undefined): void {
    const { tables } = this.#parts
    if (failure === undefined) {
      const used = new Set(tableIdsOf(record))
      for (const { id, integrationId } of tables.list(record.namespace))
        if (used.has(id)) tables.contacted(integrationId, stateOf(undefined))
    } else if (failure.unreachable !== undefined) {
      tables.contacted(failure.unreachable, stateOf(failure.message))
    }
  }
}

function stateOf(problem: string | undefined): ContactState {
  return problem === undefined ? { active: true } : { active: false, state: 'UNREACHABLE', reason: problem }
}
