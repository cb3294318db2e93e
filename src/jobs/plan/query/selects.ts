/** Resolves a SELECT: its clauses, the rules of GROUP BY and DISTINCT, the key of its rows, and columns for ORDER BY. */

import { postgresFunction } from '../../../sql/postgres-functions.ts'
import { Expressions, refuseCalls } from './expressions.ts'
import { resolveFrom } from './from.ts'
import { checkGrouping } from './grouping.ts'
import { limitsOf } from './limits.ts'
import { outputName } from './output-names.ts'
import { columnSql, type Entry, findColumn, partsOf, type Resolved, type Scope } from './query-scope.ts'
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
import { listed, type Sql } from './sql-pieces.ts'
import type { Expression, Name, Order, Query, Select, Window } from './syntax.ts'
import { namedWindows } from './windows.ts'

/** As PostgreSQL's limit of a target list. */
const OUTPUTS_MAX = 1_664

interface Output {
  readonly name: string
  readonly resolved: Resolved
}

export function resolveSelect(
  queries: Resolver,
  select: Select,
  query: Query,
  ctes: Ctes,
  outer: Scope | undefined,
  wishes: QueryWishes,
): ResolvedQuery {
  return new SelectResolver(queries, select, query, ctes, outer, wishes).resolve()
}

class SelectResolver {
  readonly #queries: Resolver
  readonly #select: Select
  readonly #query: Query
  readonly #ctes: Ctes
  readonly #outer: Scope | undefined
  readonly #wishes: QueryWishes
  readonly #level: Scope['level']
  /** Columns of the queries around this one. */
  readonly #outerUses: Resolved[] = []
  #windows: ReadonlyMap<string, Window> = new Map()
  #ties: readonly Resolved[] = []

  constructor(
    queries: Resolver,
    select: Select,
    query: Query,
    ctes: Ctes,
    outer: Scope | undefined,
    wishes: QueryWishes,
  ) {
    this.#queries = queries
    this.#select = select
    this.#query = query
    this.#ctes = ctes
    this.#outer = outer
    this.#wishes = wishes
    this.#level = queries.context.newLevel((outer?.level.depth ?? 0) + 1)
  }

  resolve(): ResolvedQuery {
    const { context } = this.#queries
    const select = this.#select
    const hasLimit = this.#query.limit !== undefined || this.#query.offset !== undefined
    const isGrouped = select.groupBy.length > 0 || select.having !== undefined || this.#callsAggregate()
    const needsKeys =
      !isGrouped && !select.isDistinct && (this.#wishes.keys || hasLimit || this.#callsWindow())
    const scope = this.#from(needsKeys)
    const expressions = this.#expressions(scope)
    this.#ties = isGrouped ? [] : keyColumns(this.#queries, scope.entries, this.#level)
    this.#windows = namedWindows(expressions, select.windows)
    const resolved = (expression: Expression) => this.#noted(expressions.resolve(expression))
    const where = select.where === undefined ? undefined : resolved(select.where)
    if (where !== undefined) refuseCalls(context, where, 'WHERE')
    const groups = this.#groups(scope, resolved)
    if (isGrouped) this.#ties = groups.filter(({ kind }) => kind !== 'constant')
    const outputs = this.#outputs(scope, resolved)
    const having = select.having === undefined ? undefined : resolved(select.having)
    if (having !== undefined) refuseCalls(context, having, 'HAVING', ['window'])
    const visible = outputs.length
    const order = this.#orders(outputs, resolved)
    const more = checkGrouping(context, {
      isGrouped,
      groups,
      level: this.#level,
      entries: scope.entries,
      expressions: [...outputs.map((output) => output.resolved), ...(having === undefined ? [] : [having])],
    })
    const keys = this.#keys(outputs, visible, isGrouped, groups, scope, hasLimit)
    const limits = limitsOf(context, this.#query)
    const distinct = select.isDistinct ? 'DISTINCT ' : ''
    const items = outputs.map((output, at): Sql => [output.resolved.sql, ` AS x${at}`])
    const allGroups = [...groups.map(groupSql), ...more.map(({ sql }) => sql)]
    const ties =
      keys ?? outputs.slice(0, visible).map(({ name }, column) => ({ column, name, table: undefined }))
    const sql: Sql = [
      `SELECT ${distinct}`,
      listed(items),
      select.from.length === 0 ? '' : [' FROM ', this.#fromSql],
      where === undefined ? '' : [' WHERE ', where.sql],
      allGroups.length === 0 ? '' : [' GROUP BY ', listed(allGroups)],
      having === undefined ? '' : [' HAVING ', having.sql],
      limits === ''
        ? ''
        : [ties.length + order.length === 0 ? '' : [' ORDER BY ', orderList(order, ties)], limits],
    ]
    return {
      sql,
      columns: outputs.map(({ name }) => name),
      visible,
      keys,
      keyIsRow: select.isDistinct || keys === undefined,
      order,
      outer: this.#outerUses,
    }
  }

  #fromSql: Sql = ''

  #from(keys: boolean): Scope {
    const { context } = this.#queries
    const outer = this.#outer
    const level = this.#level
    const from = resolveFrom(
      {
        context,
        level,
        outer,
        query: (query) => {
          const relation = this.#queries.relation(query, this.#ctes, outer, keys)
          for (const use of relation.outer) this.#noted(use)
          return relation
        },
        cte: (name) => {
          const cte = this.#ctes.get(name.value)
          if (cte !== undefined) context.countReference(cte.size, name)
          return cte?.relation
        },
        expressions: (scope) => this.#noting(scope),
      },
      this.#select.from,
    )
    this.#fromSql = from.sql
    return { level, entries: from.entries, visible: from.visible, others: [], outer }
  }

  /** Expressions of ON, whose columns of outer queries are noted as others are. */
  #noting(scope: Scope): Expressions {
    const expressions = this.#expressions(scope)
    const { resolve } = expressions
    let depth = 0
    expressions.resolve = (expression) => {
      depth++
      const one = resolve(expression)
      depth--
      return depth === 0 ? this.#noted(one) : one
    }
    return expressions
  }

  #expressions(scope: Scope): Expressions {
    const windows = () => ({ named: this.#windows, ties: this.#ties })
    return new Expressions(this.#queries.context, scope, windows, (query, within) =>
      this.#queries.subquery(query, this.#ctes, within),
    )
  }

  #noted(resolved: Resolved): Resolved {
    for (const part of partsOf(resolved)) {
      if (part.use !== undefined && part.use.level !== this.#level) this.#outerUses.push(part)
    }
    return resolved
  }

  #outputs(scope: Scope, resolved: (expression: Expression) => Resolved): Output[] {
    const outputs: Output[] = []
    for (const { of, alias } of this.#select.items) {
      if (of.kind === 'star') outputs.push(...this.#star(scope, of))
      else outputs.push({ name: alias?.value ?? nameOf(of, scope), resolved: resolved(of) })
      if (outputs.length > OUTPUTS_MAX)
        throw this.#queries.context.invalid(`a SELECT can have at most ${OUTPUTS_MAX} columns`, of)
    }
    return outputs
  }

  #star(scope: Scope, star: Expression & { readonly kind: 'star' }): Output[] {
    const { context } = this.#queries
    if (star.of.length === 0) {
      if (scope.entries.length === 0)
        throw context.invalid('SELECT * with no tables specified is not valid', star)
      return scope.visible.map(({ name, uses }) => ({ name, resolved: this.#columns(uses, star) }))
    }
    const table = star.of.at(-1)!
    const entry = entryNamed(scope, star.of)
    if (entry === undefined)
      throw context.invalid(`missing FROM-clause entry for table "${table.value}"`, star)
    return entry.entry.columns
      .filter(({ isHidden }) => isHidden !== true)
      .map((column) => ({
        name: column.name,
        resolved: this.#noted(columnOf(this.#queries, { ...entry, column }, star)),
      }))
  }

  #columns(uses: Scope['visible'][number]['uses'], at: Expression): Resolved {
    const { context } = this.#queries
    const columns = uses.map((use) => columnOf(this.#queries, { ...use, level: this.#level }, at))
    if (columns.length === 1) return columns[0]!
    return context.resolved(
      'coalesce',
      ['"coalesce"(', listed(columns.map(({ sql }) => sql)), ')'],
      columns,
      at,
    )
  }

  /** A name is that of a column of FROM, else that of an item of the select list; a number is the place of an item. */
  #groups(scope: Scope, resolved: (expression: Expression) => Resolved): Resolved[] {
    const { context } = this.#queries
    const { items, groupBy } = this.#select
    const groups = groupBy.map((group) => {
      const isStar = items.some(({ of }) => of.kind === 'star')
      const outputs = isStar ? this.#outputs(scope, resolved) : undefined
      const place = ordinalOf(context, group, outputs?.length ?? items.length, 'GROUP BY')
      if (place !== undefined) return outputs?.[place]?.resolved ?? resolved(items[place]!.of)
      return this.#groupName(scope, group, resolved) ?? resolved(group)
    })
    for (const group of groups) refuseCalls(context, group, 'GROUP BY')
    return groups.filter(({ id }, at) => groups.findIndex((one) => one.id === id) === at)
  }

  #groupName(
    scope: Scope,
    group: Expression,
    resolved: (expression: Expression) => Resolved,
  ): Resolved | undefined {
    if (group.kind !== 'column' || group.names.length !== 1) return undefined
    const { value } = group.names[0]!
    if (scope.visible.some(({ name }) => name === value)) return undefined
    const named = this.#select.items.filter(
      ({ of, alias }) => of.kind !== 'star' && (alias?.value ?? outputName(of, undefined)) === value,
    )
    const found = named.map(({ of }) => resolved(of))
    if (new Set(found.map(({ id }) => id)).size > 1)
      throw this.#queries.context.invalid(`GROUP BY "${value}" is ambiguous`, group)
    return found[0]
  }

  /** Adds the expressions that are not in the select list to `outputs`. */
  #orders(outputs: Output[], resolved: (expression: Expression) => Resolved): QueryOrder[] {
    const visible = outputs.length
    const isKept = this.#wishes.isTop || this.#query.limit !== undefined || this.#query.offset !== undefined
    const order = this.#query.orderBy.map((one): QueryOrder => {
      const place = this.#orderPlace(one, outputs.slice(0, visible))
      if (place !== undefined) return { ...orderOf(one), column: place }
      const expression = resolved(one.of)
      return { ...orderOf(one), column: added(outputs, expression, '?order?') }
    })
    if (this.#select.isDistinct && outputs.length > visible)
      throw this.#queries.context.invalid(
        'for SELECT DISTINCT, ORDER BY expressions must appear in select list',
        outputs[visible]!.resolved,
      )
    if (!isKept) return []
    return order.filter(({ column }, at) => order.findIndex((one) => one.column === column) === at)
  }

  #orderPlace({ of }: Order, outputs: readonly Output[]): number | undefined {
    const { context } = this.#queries
    const place = ordinalOf(context, of, outputs.length, 'ORDER BY')
    if (place !== undefined) return place
    if (of.kind !== 'column' || of.names.length !== 1) return undefined
    const { value } = of.names[0]!
    const found = outputs.flatMap(({ name }, at) => (name === value ? [at] : []))
    if (new Set(found.map((at) => outputs[at]!.resolved.id)).size > 1)
      throw context.invalid(`ORDER BY "${value}" is ambiguous`, of)
    return found[0]
  }

  /** Adds the columns of the key to `outputs`. */
  #keys(
    outputs: Output[],
    visible: number,
    isGrouped: boolean,
    groups: readonly Resolved[],
    scope: Scope,
    hasLimit: boolean,
  ): QueryKey[] | undefined {
    const all = () =>
      outputs.slice(0, visible).map(({ name }, column) => ({ column, name, table: undefined }))
    if (this.#select.isDistinct) return all()
    if (!this.#wishes.keys && !hasLimit) return undefined
    const key = (resolved: Resolved): QueryKey => {
      const name = resolved.use?.column.name ?? '?column?'
      const column = added(outputs, resolved, name)
      return {
        column,
        name: column < visible ? outputs[column]!.name : name,
        table: resolved.use?.entry.name,
      }
    }
    if (isGrouped) return groups.filter(({ kind }) => kind !== 'constant').map(key)
    if (scope.entries.some(({ keys }) => keys === undefined)) return undefined
    return keyColumns(this.#queries, scope.entries, this.#level).map(key)
  }

  #callsAggregate(): boolean {
    const { items } = this.#select
    const all = [...items.map(({ of }) => of), ...this.#query.orderBy.map(({ of }) => of)]
    return all.some((one) =>
      calls(one, (name, isOver) => !isOver && postgresFunction(name)?.kind === 'aggregate'),
    )
  }

  #callsWindow(): boolean {
    const all = [...this.#select.items.map(({ of }) => of), ...this.#query.orderBy.map(({ of }) => of)]
    return all.some((one) => calls(one, (_, isOver) => isOver))
  }
}

/** Whether the expression has such a call, not counting those in sub-queries. */
function calls(value: unknown, is: (name: string, isOver: boolean) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some((one) => calls(one, is))
  if ('body' in value) return false
  const one = value as Partial<Expression & { readonly kind: 'call' }>
  if (one.kind === 'call' && is(one.names!.at(-1)!.value, one.over !== undefined)) return true
  return Object.values(value).some((inner) => calls(inner, is))
}

/** A number in GROUP BY would be a place for DuckDB's parser. */
function groupSql(group: Resolved): Sql {
  return group.kind === 'constant' ? ['CAST(', group.sql, ' AS "text")'] : group.sql
}

function columnOf(
  queries: Resolver,
  { entry, column, level }: NonNullable<Resolved['use']>,
  at: { readonly start: number; readonly end: number },
): Resolved {
  column.use?.()
  const sql = columnSql({ entry, column })
  return queries.context.resolved(sql, sql, [], at, { kind: 'column', use: { entry, column, level } })
}

function keyColumns(queries: Resolver, entries: readonly Entry[], level: Scope['level']): Resolved[] {
  if (entries.some(({ keys }) => keys === undefined)) return []
  return entries.flatMap((entry) =>
    entry.keys!.map((column) => columnOf(queries, { entry, column, level }, { start: 0, end: 1 })),
  )
}

function entryNamed(scope: Scope, names: readonly Name[]) {
  for (let one: Scope | undefined = scope; one !== undefined; one = one.outer) {
    const { level } = one
    const entry = one.entries.find(
      ({ name, schema }) => name === names.at(-1)?.value && (names.length < 2 || schema === names[0]?.value),
    )
    if (entry !== undefined) return { entry, level }
  }
  return undefined
}

function added(outputs: Output[], resolved: Resolved, name: string): number {
  const known = outputs.findIndex((output) => output.resolved.id === resolved.id)
  return known !== -1 ? known : outputs.push({ name, resolved }) - 1
}

function nameOf(of: Expression, scope: Scope): string {
  let inner: Expression = of
  while (inner.kind === 'cast') inner = inner.of
  const found = inner.kind === 'column' ? findColumn(inner.names, scope) : undefined
  return outputName(of, typeof found === 'object' ? found.label : undefined)
}
