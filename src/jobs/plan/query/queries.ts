/**
 * Resolves queries: WITH, set operations, ORDER BY and LIMIT. `selects.ts` has the SELECT. Columns that the user has not written
 * follow those of the select list: keys and values of ORDER BY.
 */
import type { QueryRelation } from './from.ts'
import { limitsOf } from './limits.ts'
import type { QueryContext } from './query-context.ts'
import type { Resolved, Scope } from './query-scope.ts'
import {
  type Ctes,
  orderList,
  orderOf,
  ordinalOf,
  type QueryKey,
  type QueryOrder,
  type QueryWishes,
  type ResolvedQuery,
  type Resolver,
} from './resolved-query.ts'
import { resolveSelect } from './selects.ts'
import { listed, quoted, type Sql } from './sql-pieces.ts'
import type { ResolvedSubquery } from './subquery.ts'
import type { Name, Order, Query, SetOperation, Span } from './syntax.ts'

const INNER: QueryWishes = { keys: false, isTop: false }

export class Queries implements Resolver {
  readonly context: QueryContext

  constructor(context: QueryContext) {
    this.context = context
  }

  query(query: Query, outerCtes: Ctes, outer: Scope | undefined, wishes: QueryWishes): ResolvedQuery {
    const { ctes, sql, outer: uses } = this.#ctes(query, outerCtes, outer, wishes)
    const { body } = query
    const resolved =
      body.kind === 'select'
        ? resolveSelect(this, body, query, ctes, outer, wishes)
        : this.#set(body, query, ctes, outer)
    return sql === ''
      ? resolved
      : { ...resolved, sql: [sql, resolved.sql], outer: [...uses, ...resolved.outer] }
  }

  /** A query in FROM. */
  relation(query: Query, ctes: Ctes, outer: Scope | undefined, keys: boolean): QueryRelation {
    return relationOf(this.query(query, ctes, outer, { keys, isTop: false }))
  }

  /** A query in an expression. */
  subquery(query: Query, ctes: Ctes, outer: Scope): ResolvedSubquery {
    const resolved = this.query(query, ctes, outer, INNER)
    return {
      sql: this.#trimmed(resolved),
      columns: resolved.visible,
      outer: resolved.outer.map((one) => ({ ...one, isOfSubquery: true })),
      id: `query ${query.start}`,
    }
  }

  #ctes(
    { ctes: written }: Query,
    outerCtes: Ctes,
    outer: Scope | undefined,
    wishes: QueryWishes,
  ): { readonly ctes: Ctes; readonly sql: Sql; readonly outer: readonly Resolved[] } {
    if (written.length === 0) return { ctes: outerCtes, sql: '', outer: [] }
    const { context } = this
    const ctes = new Map(outerCtes)
    const own = new Set<string>()
    const parts: Sql[] = []
    const uses: Resolved[] = []
    for (const { name, columns, query } of written) {
      if (own.has(name.value))
        throw context.invalid(`WITH query name "${name.value}" specified more than once`, name)
      own.add(name.value)
      const before = context.size
      const { sql, ...relation } = this.relation(query, ctes, outer, wishes.keys)
      const label = context.name('w')
      parts.push([`${label} AS (`, sql, ')'])
      const named = this.#named(name, columns, relation.columns)
      uses.push(...relation.outer)
      ctes.set(name.value, {
        relation: { ...relation, columns: named, sql: label, outer: [] },
        size: context.size - before,
      })
    }
    return { ctes, sql: ['WITH ', listed(parts), ' '], outer: uses }
  }

  #named(name: Name, names: readonly Name[], columns: QueryRelation['columns']): QueryRelation['columns'] {
    const shown = columns.filter(({ isHidden }) => isHidden !== true).length
    if (names.length > shown) {
      throw this.context.invalid(
        `WITH query "${name.value}" has ${shown} columns available but ${names.length} columns specified`,
        name,
      )
    }
    return columns.map((column, at) =>
      names[at] === undefined ? column : { ...column, name: names[at].value },
    )
  }

  #set(set: SetOperation, query: Query, ctes: Ctes, outer: Scope | undefined): ResolvedQuery {
    const { context } = this
    const left = this.query(set.left, ctes, outer, INNER)
    const right = this.query(set.right, ctes, outer, INNER)
    const word = `${set.operator}${set.isAll ? ' ALL' : ''}`
    if (left.visible !== right.visible)
      throw context.invalid(
        `each ${set.operator} query must have the same number of columns`,
        firstItem(set.right),
      )
    const columns = left.columns.slice(0, left.visible)
    const order = query.orderBy.map(
      (one): QueryOrder => ({ ...orderOf(one), column: this.#orderColumn(one, columns) }),
    )
    const all = columns.map((name, column): QueryKey => ({ column, name, table: undefined }))
    const limits = limitsOf(context, query)
    const body: Sql = ['(', this.#trimmed(left), `) ${word} (`, this.#trimmed(right), ')']
    return {
      sql: limits === '' ? body : [body, ' ORDER BY ', orderList(order, all), limits],
      columns,
      visible: columns.length,
      keys: set.isAll ? undefined : all,
      keyIsRow: true,
      order,
      outer: [...left.outer, ...right.outer],
    }
  }

  #orderColumn({ of }: Order, columns: readonly string[]): number {
    const { context } = this
    const place = ordinalOf(context, of, columns.length, 'ORDER BY')
    if (place !== undefined) return place
    if (of.kind === 'column' && of.names.length === 1) {
      const name = of.names[0]!.value
      const found = columns.flatMap((column, at) => (column === name ? [at] : []))
      if (found.length > 1) throw context.invalid(`ORDER BY "${name}" is ambiguous`, of)
      if (found[0] !== undefined) return found[0]
      throw context.invalid(`column "${name}" does not exist`, of)
    }
    throw context.invalid(
      'invalid UNION/INTERSECT/EXCEPT ORDER BY clause; only names and numbers of result columns can be used',
      of,
    )
  }

  /** Without hidden columns. */
  #trimmed({ sql, columns, visible }: ResolvedQuery): Sql {
    if (columns.length === visible) return sql
    const names = columns.slice(0, visible).map((_, at) => `x${at}`)
    const alias = quoted(this.context.name('r'))
    const items = names.map((name) => `${alias}.${name} AS ${name}`).join(', ')
    return [`SELECT ${items} FROM (`, sql, `) AS ${alias}`]
  }
}

export function relationOf({ sql, columns, visible, keys, outer }: ResolvedQuery): QueryRelation {
  return {
    sql,
    columns: columns.map((name, at) => ({
      name,
      sql: `x${at}`,
      ...(at >= visible ? { isHidden: true } : {}),
    })),
    keys: keys?.map(({ column }) => `x${column}`),
    outer,
  }
}

function firstItem({ body }: Query): Span {
  return body.kind === 'set' ? firstItem(body.left) : body.items[0]!
}
