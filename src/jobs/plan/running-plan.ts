/** The plan of a running aggregate: GROUP BY without a window over rows that are only added. Tables: worker/running.ts. */
import type { DataType } from '../../sql/data-types.ts'

export interface RunningPlan {
  /** The new rows: __ord, g0, g1, … (group keys), v0, v1, … (operands of aggregates, NULL where FILTER excludes the row). */
  readonly input: string
  readonly groups: readonly DataType[]
  readonly values: readonly DataType[]
  readonly aggregates: readonly RunningAggregate[]
  /** Over `merged` with g0, … and a0, … (finished aggregates): c0, c1, …, and __keep BOOLEAN (HAVING; never NULL). */
  readonly select: string
}

export interface RunningAggregate {
  readonly kind: 'count-rows' | 'count' | 'sum' | 'avg' | 'min' | 'max'
  readonly isDistinct: boolean
  /** Index of its operand in `values`; undefined for count-rows. */
  readonly value: number | undefined
  readonly type: DataType
  /** The finished aggregate as SQL over its stored parts, whose names worker/running.ts defines. */
  readonly finish: string
}
