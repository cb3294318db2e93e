/**
 * What planning a statement that is neither of arrival nor of windows needs: its resolved query, its sink, and the engine.
 *
 * A resolved query is DuckDB's tree of the user's query (sql/tree.ts), in which
 *   every column is qualified by the alias of its relation, and stars are expanded;
 *   tables are relations of the plan: s0 (append), b0 (changing), l0 (lookup), f0 (fixed), each under the user's alias;
 *   names of aliases and CTEs are the encoded names of sql/encoded-name.ts, unique without regard to case;
 *   functions and operators are Flink's: `withMeaning` has not been called.
 * Relations exist without rows in the engine, so that any part can be described.
 */
import type { DataType, TypedColumn } from '../../sql/data-types.ts'
import type { FlinkQuery } from '../../sql/meaning-flink.ts'
import type { SqlProblem } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import type { LookupPlan, SinkPlan } from './job-plan.ts'

export interface PlanContext {
  /** Gives a query node the meaning of Flink, and types its columns. Nodes that it added keep no place. */
  withMeaning(query: Node): Promise<FlinkQuery>
  /** The text of a query in DuckDB's SQL. Call it with a tree that has Flink's meaning. */
  print(query: Node): Promise<string>
  /** The query node of a SELECT in DuckDB's SQL. */
  parse(sql: string): Promise<Node>
  /** A refusal at the place of the node in the user's statement; without a node, at that of the whole query. */
  problem(reason: string, node?: Node): SqlProblem
}

export interface PlanRelation {
  /** s0, b0, l0, f0 */
  readonly relation: string
  readonly tableName: string
  readonly kind: 'append' | 'changing' | 'lookup' | 'fixed'
  /** The SourcePlan from which an append or changing relation comes: `s0`. Undefined for others. */
  readonly source: string | undefined
  /** Under their encoded names. */
  readonly columns: readonly TypedColumn[]
  /** Encoded names of columns. Empty: none is known. */
  readonly primaryKey: readonly string[]
}

/** How a column of the sink is filled. */
export interface SinkValue {
  /** Index in the select list of the query; undefined: the column is NULL, or the statement does not write it. */
  readonly output: number | undefined
  /** The type of the output; undefined without one. */
  readonly type: DataType | undefined
  /** SQL that casts an expression of that type to the type of the sink. Without an output: a typed NULL. */
  cast(expression: string): string
}

export interface ResolvedQuery {
  readonly query: Node
  readonly relations: readonly PlanRelation[]
  readonly lookups: readonly LookupPlan[]
  readonly sink: SinkPlan
  /** upsert, jdbc with PRIMARY KEY: upserts. debezium-json, print, blackhole: retractions. */
  readonly sinkTakes: 'inserts' | 'upserts' | 'retractions'
  /** One for each column of the sink, in its order. */
  readonly values: readonly SinkValue[]
}

// planRunning(query: ResolvedQuery, context: PlanContext): Promise<RunningPlan>    jobs/plan/running.ts
// planRefresh(query: ResolvedQuery, context: PlanContext): Promise<RefreshPlan>    jobs/plan/refresh.ts
// A refusal is thrown as SqlProblem, made by `context.problem`. The sink takes changes: the planner has checked that.
