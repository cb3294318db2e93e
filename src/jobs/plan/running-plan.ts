/**
 * The plan of a running aggregate: GROUP BY without a window over rows that are only added. worker/running.ts keeps one
 * row for each group in the state, and adds the new rows of each tick to it.
 */
import type { DataType } from '../../sql/data-types.ts'

export interface RunningPlan {
  /**
   * The new rows: __ord, then g0, g1, … (group keys), then v0, v1, … (operands of aggregates, NULL where FILTER excludes the
   * row).
   */
  readonly input: string
  /** Types of g0, g1, …; empty for an aggregate over all rows. */
  readonly groups: readonly DataType[]
  /** Types of v0, v1, … */
  readonly values: readonly DataType[]
  readonly aggregates: readonly RunningAggregate[]
  /**
   * Over the relation `merged` with the columns __key, g0, … and a0, … (finished aggregates): __key, c0, c1, …, and __keep
   * BOOLEAN (HAVING; NULL counts as false). One row for each row of `merged`.
   */
  readonly select: string
}

/**
 * One aggregate. Its stored parts, by index i of the aggregate:
 *
 *   count-rows   n     rows of the group, BIGINT
 *   count        n<i>  values that are not NULL, BIGINT
 *   sum          s<i>  their sum, of type `sumType` (worker/running-parts.ts); NULL without values
 *   avg          n<i>, s<i>
 *   min, max     m<i>  of the type of the operand; NULL without values
 */
export interface RunningAggregate {
  readonly kind: 'count-rows' | 'count' | 'sum' | 'avg' | 'min' | 'max'
  readonly isDistinct: boolean
  /** Index of its operand in `values`; undefined for count-rows. */
  readonly value: number | undefined
  readonly type: DataType
  /** The finished aggregate, of `type`, as SQL over its stored parts. */
  readonly finish: string
}
