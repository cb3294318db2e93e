/** What the checks of a query need of the reader of Prisma schemas and of the planner. */
import type { DescribedTable } from '../cdc/capture-service.ts'
import type { TableName } from '../cdc/captured-table.ts'
import type { QueryPlan, QuerySource, QueryTable } from '../jobs/plan/query-plan.ts'

export interface SchemaOfDatabase {
  readonly models: QuerySource['models']
  /** The tables as the schema describes them. */
  readonly tables: readonly QueryTable[]
  /**
   * The tables as the database has them. Throws QueryProblem 'schema_mismatch' for one that differs from the schema in what the query
   * uses, and CaptureError for one that cannot be captured.
   */
  check(plan: QueryPlan, described: readonly DescribedTable[]): readonly QueryTable[]
}

export interface QuerySchemas {
  /** Throws QueryProblem 'invalid_schema'. */
  read(schema: string): SchemaOfDatabase
}

export interface QueryPlanner {
  /** `client` shares the planner with the others. Rejects with QueryProblem, and with ServiceError 'overloaded'. */
  planQuery(source: QuerySource, client?: string): Promise<QueryPlan>
}

/** The tables that a plan reads. */
export function namesOf(plan: QueryPlan, tables: readonly QueryTable[]): TableName[] {
  const used = new Set(plan.tables)
  return tables.filter(({ tableId }) => used.has(tableId)).map(({ schema, table }) => ({ schema, table }))
}
