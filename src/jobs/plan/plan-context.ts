/**
 * What planning a statement that is neither of arrival nor of windows needs: its resolved query, its sink, and the engine.
 *
 * A resolved query is DuckDB's tree of the user's query, in which
 *   every column is qualified by the alias of its relation, and stars are expanded;
 *   tables are relations of the plan: s0 (append), b0 (changing), l0 (lookup), f0 (fixed), each under the user's alias;
 *   names of columns, aliases and CTEs are the encoded names of sql/encoded-name.ts, unique without regard to case;
 *   functions and operators are Flink's: `withMeaning` has not been called.
 * Relations exist without rows in the engine, so that any part can be described.
 */
import type { DataType } from '../../sql/data-types.ts'
import type { SqlProblem } from '../../sql/sql-problem.ts'
import type { SqlNode, TreeEngine } from '../../sql/sql-tree.ts'
import type { LookupPlan, SinkPlan } from './job-plan.ts'

export interface PlanContext extends TreeEngine {
  /** Gives functions and operators of a query node the meaning of Flink. */
  withMeaning(select: SqlNode): Promise<SqlNode>
  /** A refusal at the place of the node in the user's statement; without a node, at that of the whole query. */
  problem(reason: string, node?: SqlNode): SqlProblem
  /** The type of Flink for a type of DuckDB. */
  dataTypeOf(duckdbType: string): DataType
}

export interface PlanRelation {
  /** s0, b0, l0, f0 */
  readonly relation: string
  readonly kind: 'append' | 'changing' | 'lookup' | 'fixed'
  /** The SourcePlan from which a changing or append relation comes: `s0`. Undefined for others. */
  readonly source: string | undefined
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  /** Names of columns. Empty: none is known. */
  readonly primaryKey: readonly string[]
}

/** How a column of the sink is filled. */
export interface SinkValue {
  /** Index in the select list of the query; undefined: the statement does not write the column, it is NULL. */
  readonly output: number | undefined
  /** The expression, cast to the type of the sink with the meaning of Flink. Without an output: a typed NULL. */
  cast(expression: string): string
}

export interface ResolvedQuery {
  readonly query: SqlNode
  readonly relations: readonly PlanRelation[]
  readonly lookups: readonly LookupPlan[]
  readonly sink: SinkPlan
  /** debezium-json, upsert, jdbc with and without PRIMARY KEY: whether and how the sink takes updates. */
  readonly sinkTakes: 'inserts' | 'upserts' | 'retractions'
  /** One for each column of the sink, in its order. */
  readonly values: readonly SinkValue[]
}

// planRunning(query: ResolvedQuery, context: PlanContext): Promise<RunningPlan>    jobs/plan/running.ts
// planRefresh(query: ResolvedQuery, context: PlanContext): Promise<RefreshPlan>    jobs/plan/refresh.ts
// withFlinkMeaning(select: SqlNode, engine: TreeEngine): Promise<SqlNode>          sql/meaning-flink.ts
// Refusals are thrown as SqlProblem, made by `context.problem`.
