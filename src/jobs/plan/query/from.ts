/** Resolves FROM: tables, sub-queries and joins, and which columns can be named without their table. */

import { refuseCalls } from './expressions.ts'
import type { QueryContext } from './query-context.ts'
import {
  columnSql,
  type Entry,
  type Level,
  type Resolved,
  type Scope,
  type VisibleColumn,
  visibleOf,
} from './query-scope.ts'
import type { Resolving } from './resolving.ts'
import { placed, quoted, type Sql } from './sql-pieces.ts'
import type { Alias, Expression, FromItem, Name, Query, Span } from './syntax.ts'
import { renamed, tableEntry } from './table-lookup.ts'

/** A query as a relation: `x0`, `x1`, … are its columns. */
export interface QueryRelation {
  readonly sql: Sql
  readonly columns: readonly { readonly name: string; readonly sql: string; readonly isHidden?: boolean }[]
  /** Names in `sql` of columns of which no two rows have the same values. */
  readonly keys: readonly string[] | undefined
  /** Columns of the queries around it. */
  readonly outer: readonly Resolved[]
}

export interface FromWork {
  readonly context: QueryContext
  readonly level: Level
  readonly outer: Scope | undefined
  readonly query: (query: Query) => QueryRelation
  readonly cte: (name: Name) => QueryRelation | undefined
  readonly expressions: (scope: Scope) => Resolving
}

export interface ResolvedFrom {
  readonly sql: Sql
  readonly entries: readonly Entry[]
  readonly visible: readonly VisibleColumn[]
}

const NOTHING: ResolvedFrom = { sql: '', entries: [], visible: [] }

export function resolveFrom(work: FromWork, items: readonly FromItem[]): ResolvedFrom {
  let all = NOTHING
  for (const [index, item] of items.entries()) {
    const next = resolveItem(work, item, all.entries)
    checkNames(work.context, all.entries, next.entries, item)
    all = {
      sql:
        index === 0
          ? next.sql
          : [all.sql, ' CROSS JOIN ', item.kind === 'join' ? ['(', next.sql, ')'] : next.sql],
      entries: [...all.entries, ...next.entries],
      visible: [...all.visible, ...next.visible],
    }
  }
  return all
}

function resolveItem(work: FromWork, item: FromItem, others: readonly Entry[]): ResolvedFrom {
  switch (item.kind) {
    case 'table':
      return resolveTable(work, item.names, item.alias, item)
    case 'query': {
      const alias = item.alias!
      const relation = work.query(item.query)
      return queryFrom(work, ['(', relation.sql, ')'], relation, alias.name.value, alias)
    }
    case 'join':
      return resolveJoin(work, item, others)
  }
}

function resolveTable(
  work: FromWork,
  names: readonly Name[],
  alias: Alias | undefined,
  at: Span,
): ResolvedFrom {
  const cte = names.length === 1 ? work.cte(names[0]!) : undefined
  if (cte !== undefined)
    return queryFrom(work, placed(cte.sql as string, at), cte, alias?.name.value ?? names[0]!.value, alias)
  const { entry, base } = tableEntry(work.context, names, alias)
  return { sql: placed(`${base} AS ${quoted(entry.sql)}`, at), entries: [entry], visible: visibleOf(entry) }
}

function queryFrom(
  { context }: FromWork,
  sql: Sql,
  relation: QueryRelation,
  name: string,
  alias: Alias | undefined,
): ResolvedFrom {
  const shown = relation.columns.filter(({ isHidden }) => isHidden !== true)
  const columns = [
    ...renamed(context, shown, alias),
    ...relation.columns.filter(({ isHidden }) => isHidden === true),
  ]
  const keys = relation.keys?.map((key) => columns.find((column) => column.sql === key)!)
  const entry: Entry = { name, schema: undefined, sql: context.name('r'), columns, table: undefined, keys }
  return { sql: [sql, ` AS ${quoted(entry.sql)}`], entries: [entry], visible: visibleOf(entry) }
}

/** Tables of two schemas may have one name if none of them has an alias. */
function checkNames(context: QueryContext, left: readonly Entry[], right: readonly Entry[], at: Span): void {
  for (const entry of right) {
    const same = left.find(
      ({ name, schema }) =>
        name === entry.name &&
        (schema === undefined || entry.schema === undefined || schema === entry.schema),
    )
    if (same !== undefined) throw context.invalid(`table name "${entry.name}" specified more than once`, at)
  }
}

type Join = FromItem & { readonly kind: 'join' }

function resolveJoin(work: FromWork, join: Join, others: readonly Entry[]): ResolvedFrom {
  const left = resolveItem(work, join.left, others)
  const right = resolveItem(work, join.right, [...others, ...left.entries])
  checkNames(work.context, left.entries, right.entries, join.right)
  const entries = [...left.entries, ...right.entries]
  const { visible, equal } = merged(work.context, join, left, right)
  const operands: Sql = [
    left.sql,
    ` ${join.type} JOIN `,
    join.right.kind === 'join' ? ['(', right.sql, ')'] : right.sql,
  ]
  if (join.type === 'CROSS') return { sql: operands, entries, visible }
  const scope: Scope = {
    level: work.level,
    entries,
    visible: [...left.visible, ...right.visible],
    others,
    outer: work.outer,
  }
  const condition = join.on === undefined ? equal : conditionOf(work, scope, join.on).sql
  return { sql: [operands, ' ON ', condition], entries, visible }
}

function conditionOf(work: FromWork, scope: Scope, on: Expression): Resolved {
  const condition = work.expressions(scope).resolve(on)
  refuseCalls(work.context, condition, 'JOIN conditions')
  return condition
}

/** The columns of USING and NATURAL come first, once; then those of both sides. */
function merged(
  context: QueryContext,
  join: Join,
  left: ResolvedFrom,
  right: ResolvedFrom,
): { readonly visible: readonly VisibleColumn[]; readonly equal: Sql } {
  const natural = join.isNatural
    ? left.visible
        .filter(({ name }) => right.visible.some((other) => other.name === name))
        .map(({ name }) => ({ value: name, start: join.start, end: join.end }))
    : []
  const names = [...join.using, ...natural]
  const seen = new Set<string>()
  const pairs = names.map((name) => {
    if (seen.has(name.value))
      throw context.invalid(`column name "${name.value}" appears more than once in USING clause`, name)
    seen.add(name.value)
    return {
      name: name.value,
      one: side(context, name, left, 'left'),
      other: side(context, name, right, 'right'),
    }
  })
  const first = pairs.map(({ name, one, other }): VisibleColumn => {
    const uses = { RIGHT: other.uses, FULL: [...one.uses, ...other.uses] }[join.type as string] ?? one.uses
    return { name, uses }
  })
  const rest = [...left.visible, ...right.visible].filter(
    (column) => !pairs.some(({ one, other }) => column === one || column === other),
  )
  const equalities = pairs.map(({ one, other }): Sql => [mergedSql(one), ' = ', mergedSql(other)])
  const equal =
    equalities.length === 0 ? 'TRUE' : equalities.flatMap((part, at) => (at === 0 ? [part] : [' AND ', part]))
  return { visible: [...first, ...rest], equal: ['(', equal, ')'] }
}

function side(
  context: QueryContext,
  name: { readonly value: string } & Span,
  { visible }: ResolvedFrom,
  which: 'left' | 'right',
): VisibleColumn {
  const found = visible.filter((column) => column.name === name.value)
  if (found.length > 1)
    throw context.invalid(`common column name "${name.value}" appears more than once in ${which} table`, name)
  if (found[0] === undefined)
    throw context.invalid(
      `column "${name.value}" specified in USING clause does not exist in ${which} table`,
      name,
    )
  return found[0]
}

function mergedSql({ uses }: VisibleColumn): Sql {
  for (const { column } of uses) column.use?.()
  const columns = uses.map(columnSql)
  return columns.length === 1 ? columns[0]! : `"coalesce"(${columns.join(', ')})`
}
