/** What cached queries need of the planner. */
import type { SchemaPlan, SchemaSource } from '../jobs/plan/prisma/plan-with-schema.ts'
import type { QueryPlan, QuerySource } from '../jobs/plan/query-plan.ts'

/** `client` shares the planner with the others. Calls reject with QueryProblem, and with ServiceError 'overloaded'. */
export interface QueryPlanner {
  planWithSchema(source: SchemaSource, client?: string): Promise<SchemaPlan>
  planQuery(source: QuerySource, client?: string): Promise<QueryPlan>
}
