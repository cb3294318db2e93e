/** Random expressions of Flink SQL, each with a function that gives its value for a row. */
import type { SeededRandom } from '../../support/seeded-random.ts'
import type { Row } from './input.ts'

export type Value = number | string | boolean | bigint | null
export type Type =
  | 'INT'
  | 'BIGINT'
  | 'STRING'
  | 'DOUBLE'
  | 'TIMESTAMP(3)'
  | 'DECIMAL(38, 2)'
  | 'DECIMAL(38, 6)'

export interface Expression<T extends Value = Value> {
  readonly sql: string
  readonly type: Type
  readonly of: (row: Row) => T
}

export interface Condition {
  readonly sql: string
  /** null: UNKNOWN */
  readonly of: (row: Row) => boolean | null
}

type Int = Expression<number | null>
type Text = Expression<string | null>

export class Expressions {
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  any(): Expression {
    return this.#random.pick<() => Expression>([
      () => this.int(2),
      () => this.int(2),
      () => this.text(2),
      () => this.double(),
    ])()
  }

  int(depth = 1): Int {
    const { pick, whole } = this.#random
    const column = (name: 'h' | 'x' | 'id'): Int => ({ sql: name, type: 'INT', of: (row) => row[name] })
    if (depth === 0) return column(pick(['h', 'x', 'x', 'id']))
    const inner = () => this.int(depth - 1)
    const n = whole(2, 9)
    return pick<() => Int>([
      () => column(pick(['h', 'x', 'x', 'id'])),
      () => both(inner(), inner(), '+', (a, b) => a + b),
      () => both(inner(), inner(), '-', (a, b) => a - b),
      () =>
        each(
          inner(),
          (sql) => `${sql} * ${n}`,
          (a) => a * n,
        ),
      () =>
        each(
          inner(),
          (sql) => `${sql} / ${n}`,
          (a) => Math.trunc(a / n),
        ),
      () =>
        each(
          inner(),
          (sql) => `MOD(${sql}, ${n})`,
          (a) => a % n,
        ),
      () => each(inner(), (sql) => `ABS(${sql})`, Math.abs),
      () => {
        const of = inner()
        return { sql: `COALESCE(${of.sql}, ${n})`, type: 'INT', of: (row) => of.of(row) ?? n }
      },
      () =>
        each(
          inner(),
          (sql) => `NULLIF(${sql}, ${n})`,
          (a) => (a === n ? null : a),
        ),
      () => this.#choice(inner(), inner()),
      () => {
        const of = this.text(depth - 1)
        return {
          sql: `CHAR_LENGTH(${of.sql})`,
          type: 'INT',
          of: (row) => [...(of.of(row) ?? [])].length || (of.of(row) === null ? null : 0),
        }
      },
    ])()
  }

  text(depth = 1): Text {
    const { pick } = this.#random
    const column: Text = { sql: 'k', type: 'STRING', of: ({ k }) => k }
    if (depth === 0) return column
    const inner = () => this.text(depth - 1)
    const of = (
      from: Expression<string | null>,
      sql: (sql: string) => string,
      f: (a: string) => string,
    ): Text => ({
      sql: sql(from.sql),
      type: 'STRING',
      of: (row) => (from.of(row) === null ? null : f(from.of(row)!)),
    })
    return pick<() => Text>([
      () => column,
      () =>
        of(
          inner(),
          (sql) => `UPPER(${sql})`,
          (a) => a.toUpperCase(),
        ),
      () =>
        of(
          inner(),
          (sql) => `SUBSTRING(${sql}, 2, 2)`,
          (a) => [...a].slice(1, 3).join(''),
        ),
      () =>
        of(
          inner(),
          (sql) => `REPLACE(${sql}, 'a', 'oo')`,
          (a) => a.replaceAll('a', 'oo'),
        ),
      () =>
        of(
          inner(),
          (sql) => `REVERSE(${sql})`,
          (a) => [...a].reverse().join(''),
        ),
      () =>
        of(
          inner(),
          (sql) => `TRIM(${sql} || ' ')`,
          (a) => a.trim(),
        ),
      () => {
        const [a, b] = [inner(), this.int(1)]
        return {
          sql: `(${a.sql} || '-' || CAST(${b.sql} AS STRING))`,
          type: 'STRING',
          of: (row) => (a.of(row) === null || b.of(row) === null ? null : `${a.of(row)}-${b.of(row)}`),
        }
      },
      () => {
        const from = inner()
        return { sql: `COALESCE(${from.sql}, 'none')`, type: 'STRING', of: (row) => from.of(row) ?? 'none' }
      },
      () => this.#choice(inner(), inner()),
    ])()
  }

  double(): Expression<number | null> {
    const y = (sql: string, f: (a: number) => number): Expression<number | null> => ({
      sql,
      type: 'DOUBLE',
      of: (row) => (row.y === null ? null : f(row.y)),
    })
    return this.#random.pick<() => Expression<number | null>>([
      () => y('y', (a) => a),
      () => y('y', (a) => a),
      () => y('(y * 2.5e0)', (a) => a * 2.5),
      () => y('(y / 3e0)', (a) => a / 3),
      () => ({
        sql: '(y + x)',
        type: 'DOUBLE',
        of: ({ x, y: a }) => (a === null || x === null ? null : a + x),
      }),
      () => ({ sql: 'CAST(x AS DOUBLE)', type: 'DOUBLE', of: ({ x }) => x }),
      () => ({ sql: 'COALESCE(y, 0e0)', type: 'DOUBLE', of: ({ y: a }) => a ?? 0 }),
    ])()
  }

  condition(depth = 2): Condition {
    const { pick, whole } = this.#random
    if (depth > 0 && this.#random.next() < 0.4) {
      const [a, b] = [this.condition(depth - 1), this.condition(depth - 1)]
      return pick<() => Condition>([
        () => ({ sql: `(${a.sql} AND ${b.sql})`, of: (row) => and(a.of(row), b.of(row)) }),
        () => ({ sql: `(${a.sql} OR ${b.sql})`, of: (row) => not(and(not(a.of(row)), not(b.of(row)))) }),
        () => ({ sql: `(NOT ${a.sql})`, of: (row) => not(a.of(row)) }),
        () => ({ sql: `(${a.sql} IS NOT TRUE)`, of: (row) => a.of(row) !== true }),
      ])()
    }
    const [x, t] = [this.int(1), this.text(1)]
    const [low, high] = [whole(-300, 0), whole(0, 300)]
    const known = (of: Expression, f: (value: never) => boolean) => (row: Row) => {
      const value = of.of(row)
      return value === null ? null : f(value as never)
    }
    return pick<() => Condition>([
      () => ({ sql: `(${x.sql} > ${low})`, of: known(x, (a: number) => a > low) }),
      () => ({ sql: `(${x.sql} <= ${high})`, of: known(x, (a: number) => a <= high) }),
      () => ({ sql: `(${x.sql} <> ${high})`, of: known(x, (a: number) => a !== high) }),
      () => ({
        sql: `(${x.sql} BETWEEN ${low} AND ${high})`,
        of: known(x, (a: number) => a >= low && a <= high),
      }),
      () => ({ sql: `(h IN (1, 2, ${low}))`, of: ({ h }) => (h === null ? null : [1, 2, low].includes(h)) }),
      () => ({ sql: `(${t.sql} = 'a')`, of: known(t, (a: string) => a === 'a') }),
      () => ({ sql: `(${t.sql} < 'b')`, of: known(t, (a: string) => a < 'b') }),
      () => ({ sql: `(${t.sql} LIKE 'a%')`, of: known(t, (a: string) => a.startsWith('a')) }),
      () => ({ sql: `(${t.sql} IS NULL)`, of: (row) => t.of(row) === null }),
      () => ({ sql: `(${x.sql} IS NOT NULL)`, of: (row) => x.of(row) !== null }),
      () => ({ sql: '(y > 0.05)', of: ({ y }) => (y === null ? null : y > 0.05) }),
      () => ({ sql: '(h IS DISTINCT FROM 1)', of: ({ h }) => h !== 1 }),
    ])()
  }

  #choice<T extends number | string | null>(a: Expression<T>, b: Expression<T>): Expression<T> {
    const when = this.condition(0)
    return {
      sql: `CASE WHEN ${when.sql} THEN ${a.sql} ELSE ${b.sql} END`,
      type: a.type,
      of: (row) => (when.of(row) === true ? a.of(row) : b.of(row)),
    }
  }
}

function each(of: Int, sql: (sql: string) => string, f: (a: number) => number | null): Int {
  return {
    sql: `(${sql(of.sql)})`,
    type: 'INT',
    of: (row) => {
      const value = of.of(row)
      const result = value === null ? null : f(value)
      return result === 0 ? 0 : result // not -0
    },
  }
}

function both(a: Int, b: Int, operator: string, f: (a: number, b: number) => number): Int {
  return {
    sql: `(${a.sql} ${operator} ${b.sql})`,
    type: 'INT',
    of: (row) => {
      const [left, right] = [a.of(row), b.of(row)]
      return left === null || right === null ? null : f(left, right)
    },
  }
}

const and = (a: boolean | null, b: boolean | null) =>
  a === false || b === false ? false : a === null || b === null ? null : true
const not = (a: boolean | null) => (a === null ? null : !a)
