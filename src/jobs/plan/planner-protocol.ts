/** The messages between the service and the planner process. A call has a number and one answer. */
import type { TypedColumn } from '../../sql/data-types.ts'
import type { Place } from '../../sql/sql-problem.ts'
import type { TableSchema } from '../../sql/table-schema.ts'
import type { JobPlan, PlannedTable, PlannedView } from './job-plan.ts'
import type { SchemaPlan, SchemaSource } from './prisma/plan-with-schema.ts'
import type { QueryPlan, QueryProblem, QuerySource } from './query-plan.ts'

/** Rejects with SqlProblem. */
export interface StatementPlanning {
  /**
   * `tables` are those that the statement may name; `otherNames` are names of tables that exist besides. The place of a problem
   * is in the statement.
   */
  plan(
    statement: string,
    tables: readonly PlannedTable[],
    otherNames?: readonly string[],
    views?: readonly PlannedView[],
  ): Promise<PlannedJob>
  /** What a SELECT gives. The place of a problem is in the query. */
  describe(
    query: string,
    tables: readonly PlannedTable[],
    otherNames?: readonly string[],
    views?: readonly PlannedView[],
  ): Promise<DescribedQuery>
  /** The types of all columns of a schema. The place of a problem is in `schemaSql`. */
  typesOf(schemaSql: string, schema: TableSchema): Promise<readonly TypedColumn[]>
  /** Rejects with QueryProblem, whose place is in the SQL of the query. */
  planQuery(source: QuerySource): Promise<QueryPlan>
  /** Rejects with QueryProblem, whose place is in the schema if its code is 'invalid_schema'. */
  planWithSchema(source: SchemaSource): Promise<SchemaPlan>
}

export interface DescribedQuery {
  readonly columns: readonly TypedColumn[]
  /** How its rows come about. */
  readonly kind: 'fixed' | 'append' | 'window' | 'running' | 'changing'
  /** Names of the tables that it reads, in its order. */
  readonly tables: readonly string[]
}

export interface PlannedJob extends JobPlan {
  /** Names of views whose queries it has. */
  readonly views: readonly string[]
  /** Sentences about what the user should know. */
  readonly warnings: readonly string[]
}

export type PlanningMethod = keyof StatementPlanning

/** SqlProblem as a message, or QueryProblem, which has a code; `isSql` false for an error of the planner. */
export interface PlanningFailure {
  readonly isSql: boolean
  readonly code?: QueryProblem['code']
  readonly reason: string
  readonly place: Place | undefined
  /** Of a SqlProblem. */
  readonly isSyntax?: boolean
  readonly definition?: string | undefined
}

export type ToPlanner =
  | { readonly kind: 'open'; readonly processBytes: number }
  | {
      readonly kind: 'call'
      readonly call: number
      readonly method: PlanningMethod
      readonly args: readonly unknown[]
    }

export type FromPlanner =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly failure: PlanningFailure }
  /** The process is above its memory limit: end it. */
  | { readonly kind: 'out-of-memory' }
