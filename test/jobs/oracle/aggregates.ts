/** Random aggregates, each with a function that gives its value for rows in their order. */
import type { SeededRandom } from '../../support/seeded-random.ts'
import { type Expression, Expressions, type Type, type Value } from './expressions.ts'
import type { Row } from './input.ts'

export interface Aggregate {
  readonly sql: string
  readonly type: Type
  readonly of: (rows: readonly Row[]) => Value
}

/** `exact`: no sums of floating-point values, whose last digits depend on the order of additions. */
export function randomAggregate(random: SeededRandom, exact = false): Aggregate {
  const one = plain(random, exact)
  if (random.next() < 0.75) return one
  const when = new Expressions(random).condition(1)
  return {
    ...one,
    sql: `${one.sql} FILTER (WHERE ${when.sql})`,
    of: (rows) => one.of(rows.filter((row) => when.of(row) === true)),
  }
}

function plain(random: SeededRandom, exact: boolean): Aggregate {
  const expressions = new Expressions(random)
  const { pick } = random
  const any = pick<() => Expression>([
    () => expressions.int(),
    () => expressions.text(),
    () => expressions.double(),
  ])()
  const number = exact || random.next() < 0.6 ? expressions.int() : expressions.double()
  const decimal: Expression = { sql: 'd', type: 'DECIMAL(38, 2)', of: ({ d }) => d }
  return pick<() => Aggregate>([
    () => ({ sql: 'COUNT(*)', type: 'BIGINT', of: (rows) => rows.length }),
    () => ({ sql: `COUNT(${any.sql})`, type: 'BIGINT', of: (rows) => known(any, rows).length }),
    () => ({
      sql: `COUNT(DISTINCT ${any.sql})`,
      type: 'BIGINT',
      of: (rows) => new Set(known(any, rows)).size,
    }),
    () => ({
      sql: `SUM(${number.sql})`,
      type: number.type,
      of: (rows) => sum(known(number, rows) as number[]),
    }),
    () => ({
      sql: `AVG(${number.sql})`,
      type: number.type,
      of: (rows) => average(known(number, rows) as number[], number.type),
    }),
    () => {
      const whole = expressions.int()
      return {
        sql: `SUM(DISTINCT ${whole.sql})`,
        type: whole.type,
        of: (rows) => sum([...new Set(known(whole, rows) as number[])]),
      }
    },
    () => ({ sql: `MIN(${any.sql})`, type: any.type, of: (rows) => extreme(known(any, rows), -1) }),
    () => ({ sql: `MAX(${any.sql})`, type: any.type, of: (rows) => extreme(known(any, rows), 1) }),
    () => ({
      sql: 'SUM(d)',
      type: 'DECIMAL(38, 2)',
      of: (rows) => hundredths(known(decimal, rows) as bigint[]),
    }),
    () => ({
      sql: 'AVG(d)',
      type: 'DECIMAL(38, 6)',
      of: (rows) => decimalAverage(known(decimal, rows) as bigint[]),
    }),
  ])()
}

function known(of: Expression, rows: readonly Row[]): Value[] {
  return rows.map((row) => of.of(row)).filter((value) => value !== null)
}

function sum(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((total, value) => total + value)
}

function average(values: readonly number[], type: Type): number | null {
  const total = sum(values)
  if (total === null) return null
  const mean = type === 'INT' ? Math.trunc(total / values.length) : total / values.length
  return mean === 0 ? 0 : mean
}

function extreme(values: readonly Value[], sign: 1 | -1): Value {
  return values.reduce<Value>(
    (best, value) => (best === null || compared(value, best) * sign > 0 ? value : best),
    null,
  )
}

function hundredths(values: readonly bigint[]): number | null {
  return values.length === 0 ? null : Number(values.reduce((total, value) => total + value)) / 100
}

/** Rounded half up to six decimals. */
function decimalAverage(values: readonly bigint[]): number | null {
  if (values.length === 0) return null
  const total = values.reduce((sum, value) => sum + value) * 10_000n
  const n = BigInt(values.length)
  const magnitude = ((total < 0n ? -total : total) * 2n + n) / (2n * n)
  return Number(total < 0n ? -magnitude : magnitude) / 1e6 || 0
}

/** NULL is last. */
export function compared(a: Value, b: Value): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1
  return a < b ? -1 : a > b ? 1 : 0
}
