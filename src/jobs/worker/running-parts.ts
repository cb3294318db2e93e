/** The stored parts of running aggregates: how rows become parts, how parts are merged, and their types. */
import { type DataType, duckdbType } from '../../sql/data-types.ts'
import type { RunningPlan } from '../plan/running-plan.ts'

export interface Part {
  /** n0, s0, m0: letter and index of the aggregate. */
  readonly name: string
  /** The type in DuckDB. */
  readonly type: string
  /** The part of a single row whose operand is `v<value>`. */
  readonly ofRow: string
  /** The part of rows that do not belong to the aggregate. */
  readonly ofNone: string
  /** Aggregate over parts, in the order of `__ord`. */
  readonly merge: string
  /** The operand if only distinct values count; undefined otherwise. */
  readonly distinctValue: number | undefined
}

/** All parts of a plan, but `n`. */
export function partsOf(plan: RunningPlan): readonly Part[] {
  return plan.aggregates.flatMap(({ kind, isDistinct, value }, index) => {
    if (value === undefined) return []
    const type = plan.values[value]
    if (type === undefined) throw new Error(`aggregate ${index} has no operand ${value}`)
    const operand = `v${value}`
    const distinctValue = isDistinct ? value : undefined
    if (kind === 'min' || kind === 'max') return [extreme(kind, index, operand, type)]
    const parts: Part[] = []
    if (kind === 'count' || kind === 'avg') parts.push(count(index, operand, distinctValue))
    if (kind === 'sum' || kind === 'avg') parts.push(sum(index, operand, type, distinctValue))
    return parts
  })
}

function count(index: number, operand: string, distinctValue: number | undefined): Part {
  return {
    name: `n${index}`,
    type: 'BIGINT',
    ofRow: `CASE WHEN ${operand} IS NULL THEN 0 ELSE 1 END`,
    ofNone: '0',
    merge: `CAST(sum(n${index}) AS BIGINT)`,
    distinctValue,
  }
}

/**
 * Floating-point values are added one by one in the order of the rows, beginning with the stored sum: so the sum does not
 * depend on the size of ticks.
 */
function sum(index: number, operand: string, value: DataType, distinctValue: number | undefined): Part {
  const type = sumType(value)
  const name = `s${index}`
  return {
    name,
    type,
    ofRow: `CAST(${operand} AS ${type})`,
    ofNone: `CAST(NULL AS ${type})`,
    merge: type === 'DOUBLE' ? `sum(${name} ORDER BY __ord NULLS FIRST, ${name})` : `sum(${name})`,
    distinctValue,
  }
}

/** Duplicates do not change them, so DISTINCT is without effect. */
function extreme(kind: 'min' | 'max', index: number, operand: string, value: DataType): Part {
  const type = duckdbType(value)
  const name = `m${index}`
  return {
    name,
    type,
    ofRow: operand,
    ofNone: `CAST(NULL AS ${type})`,
    merge: `${kind}(${name})`,
    distinctValue: undefined,
  }
}

/** The type in DuckDB in which sums of such values are stored. */
export function sumType(value: DataType): string {
  switch (value.kind) {
    case 'TINYINT':
    case 'SMALLINT':
    case 'INT':
    case 'BIGINT':
      return 'HUGEINT'
    case 'DECIMAL':
      return `DECIMAL(38,${value.scale})`
    default:
      return 'DOUBLE'
  }
}
