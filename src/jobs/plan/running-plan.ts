/**
 * The plan of a running aggregate: GROUP BY without a window over rows that are only added. worker/running.ts keeps one
 * row for each group in the state, and adds the new rows of each tick to it.
 */

export interface RunningPlan {
  /**
   * The new rows: __ord, then g0, g1, … (group keys), then v0, v1, … (operands of aggregates, NULL where FILTER excludes the
   * row). The worker takes their types from the engine.
   */
  readonly input: string
  /** Number of group keys; 0 for an aggregate over all rows. */
  readonly groups: number
  /** Number of operands. */
  readonly values: number
  readonly aggregates: readonly RunningAggregate[]
  /**
   * Over the relation `merged` with the columns __key, g0, … and a0, … (aggregates): __key, c0, c1, …. At most one row for each
   * row of `merged`, none where HAVING excludes it.
   */
  readonly select: string
}

/** An aggregate of DuckDB, with the type that DuckDB gives it: the sum of INTEGER is HUGEINT, avg is DOUBLE. */
export interface RunningAggregate {
  readonly kind: 'count-rows' | 'count' | 'sum' | 'avg' | 'min' | 'max'
  readonly isDistinct: boolean
  /** Index of its operand; undefined for count-rows. */
  readonly value: number | undefined
}
