/** A query after resolving, and what queries and selects need of each other. */

import type { QueryRelation } from './from.ts'
import type { QueryContext } from './query-context.ts'
import type { Resolved, Scope } from './query-scope.ts'
import type { Sql } from './sql-pieces.ts'
import type { ResolvedSubquery } from './subquery.ts'
import type { Order, Query } from './syntax.ts'

export interface Cte {
  readonly relation: QueryRelation
  readonly size: number
}

export type Ctes = ReadonlyMap<string, Cte>

export interface QueryOrder extends Pick<Order, 'isDescending' | 'nullsFirst'> {
  /** Index of the column. */
  readonly column: number
}

export interface QueryKey {
  readonly column: number
  /** Of the column that it comes from. */
  readonly name: string
  /** The table of the column. */
  readonly table: string | undefined
}

export interface ResolvedQuery {
  readonly sql: Sql
  /** `x0`, `x1`, …: their names for users. The first `visible` ones are those of the select list. */
  readonly columns: readonly string[]
  readonly visible: number
  /** Undefined: two rows may be equal. */
  readonly keys: readonly QueryKey[] | undefined
  /** A row is identified by all its columns. */
  readonly keyIsRow: boolean
  readonly order: readonly QueryOrder[]
  /** Columns of the queries around it. */
  readonly outer: readonly Resolved[]
}

export interface QueryWishes {
  /** Columns of keys are added. */
  readonly keys: boolean
  /** The columns of ORDER BY are added, and ORDER BY without LIMIT is left to the reader. */
  readonly isTop: boolean
}

/** Resolves the queries within a SELECT. */
export interface Resolver {
  readonly context: QueryContext
  relation(query: Query, ctes: Ctes, outer: Scope | undefined, keys: boolean): QueryRelation
  subquery(query: Query, ctes: Ctes, outer: Scope): ResolvedSubquery
}

export function orderOf({
  isDescending,
  nullsFirst,
}: Order): Pick<QueryOrder, 'isDescending' | 'nullsFirst'> {
  return { isDescending, nullsFirst }
}

/** By the columns of ORDER BY, then by those that decide between equal rows. */
export function orderList(order: readonly QueryOrder[], ties: readonly QueryKey[]): Sql {
  const items = order.map(
    ({ column, isDescending, nullsFirst }) =>
      `${column + 1}${isDescending ? ' DESC' : ' ASC'}${nullsFirst ? ' NULLS FIRST' : ' NULLS LAST'}`,
  )
  const more = ties.filter(({ column }) => !order.some((one) => one.column === column))
  return [...items, ...more.map(({ column }) => `${column + 1} ASC NULLS LAST`)].join(', ')
}

/** The index of the column that a number in GROUP BY or ORDER BY names. */
export function ordinalOf(
  context: QueryContext,
  of: Order['of'],
  columns: number,
  clause: string,
): number | undefined {
  const isNegative = of.kind === 'unary' && of.operator === '-' && of.of.kind === 'number'
  const number = isNegative ? of.of : of
  if (number.kind === 'number' && /^[0-9]+$/.test(number.value) && Number(number.value) < 2 ** 31) {
    const place = Number(number.value)
    if (!isNegative && place >= 1 && place <= columns) return place - 1
    throw context.invalid(`${clause} position ${isNegative ? '-' : ''}${place} is not in select list`, of)
  }
  if (number.kind === 'number' || of.kind === 'text' || of.kind === 'null' || of.kind === 'boolean')
    throw context.invalid(`non-integer constant in ${clause}`, of)
  return undefined
}
