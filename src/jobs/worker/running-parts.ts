/**
 * The stored parts of running aggregates: how rows become parts, how parts are merged and finished. By index i of the
 * aggregate:
 *
 *   count-rows   n          rows of the group, BIGINT
 *   count        n<i>       values that are not NULL, BIGINT
 *   sum          s<i>       their sum, of the type `sumType`; NULL without values
 *   avg          n<i>, s<i>
 *   min, max     m<i>       of the type of the operand; NULL without values
 */
import type { RunningAggregate } from '../plan/running-plan.ts'

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

/** All parts but `n`. `types` are those of the operands in DuckDB. */
export function partsOf(aggregates: readonly RunningAggregate[], types: readonly string[]): readonly Part[] {
  return aggregates.flatMap(({ kind, isDistinct, value }, index) => {
    if (value === undefined) return []
    const type = types[value]
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

/** The aggregate as SQL over its parts. */
export function finished({ kind }: RunningAggregate, index: number): string {
  switch (kind) {
    case 'count-rows':
      return 'n'
    case 'count':
      return `n${index}`
    case 'sum':
      return `s${index}`
    case 'avg':
      return `CAST(s${index} AS DOUBLE) / n${index}`
    default:
      return `m${index}`
  }
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
function sum(index: number, operand: string, value: string, distinctValue: number | undefined): Part {
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
function extreme(kind: 'min' | 'max', index: number, operand: string, type: string): Part {
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

/** The type of DuckDB's sum of such values. */
function sumType(value: string): string {
  const decimal = /^DECIMAL\(\d+,(\d+)\)$/.exec(value)
  if (decimal !== null) return `DECIMAL(38,${decimal[1]})`
  return value === 'FLOAT' || value === 'DOUBLE' ? 'DOUBLE' : 'HUGEINT'
}
