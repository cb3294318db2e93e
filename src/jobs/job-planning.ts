/** From the statement of a request to its outline: plans it, checks grants, and contacts the systems of its tables. */
import type { NamespaceName } from '../streams/names.ts'
import type { ContactState, Table } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import type { JobEngine, JobOutline } from './job-engine.ts'
import type { JobGrants } from './job-grants.ts'
import { type JobRecord, tableIdsOf } from './job-record.ts'
import type { JobOwner, JobRequest } from './job-service.ts'
import { assertWritable, connected } from './job-tables.ts'
import type { JobFailure } from './worker/job-worker-protocol.ts'

export interface JobPlanningParts {
  readonly tables: TableService
  readonly engine: JobEngine
  readonly grants: JobGrants
}

export interface PlannedStatement {
  readonly outline: JobOutline
  readonly tables: readonly Table[]
}

type Statement = Omit<JobRequest, 'name'>

export class JobPlanning {
  readonly #parts: JobPlanningParts

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
  async plan(namespace: NamespaceName, { statement, tableIds }: Statement): Promise<PlannedStatement> {
    const { tables, engine } = this.#parts
    const all = tables.list(namespace)
    const listed =
      tableIds.length === 0 ? new Set(all) : new Set(tableIds.map((id) => tables.get(namespace, id)))
    const others = all.filter((table) => !listed.has(table)).map(({ name }) => name)
    const outline = await engine.validate(statement, [...listed], others, namespace)
    for (const id of outline.writes) assertWritable(tables.get(namespace, id), tables)
    return { outline, tables: this.tablesOf(namespace, outline) }
  }

  /** Throws ServiceError 'table_not_found'. */
  tablesOf(
    namespace: NamespaceName,
    { reads, writes }: Pick<JobOutline, 'reads' | 'writes'>,
  ): readonly Table[] {
    return [...new Set([...reads, ...writes])].map((id) => this.#parts.tables.get(namespace, id))
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
