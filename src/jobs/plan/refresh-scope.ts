/**
 * Which columns divide a query over one changing table into parts that can run alone (RefreshScope), and whether its result
 * has a unique key. Only chains of SELECTs over one table are examined; for all others the answer is no.
 *
 * A column of the table divides a query if the rows of the table with one value of the column give the rows of the result
 * with this value: each column divides a projection, a grouped column a GROUP BY, a partition column a ROW_NUMBER.
 */
import { quotedName } from '../../duckdb/sql-text.ts'
import { printType } from '../../sql/data-types.ts'
import type { Node } from '../../sql/tree.ts'
import type { PlanRelation, ResolvedQuery } from './plan-context.ts'
import type { RefreshScope } from './refresh-plan.ts'
import { type CteNode, isNode, nodesOf } from './tree-nodes.ts'

interface Division {
  readonly table: PlanRelation
  /** Output of the query -> column of the table that it passes on unchanged. */
  readonly outputs: ReadonlyMap<string, string>
  /** The outputs in order. */
  readonly names: readonly string[]
  /** Columns of the table that divide the query. */
  readonly dividing: ReadonlySet<string>
  /** Columns of the table of which no two rows of the result have the same values. Undefined: none are known. */
  readonly unique: readonly string[] | undefined
}

export function scopeOf(resolved: ResolvedQuery): RefreshScope | undefined {
  const division = divisionOf(resolved)
  if (division === undefined) return undefined
  const { table, dividing, unique } = division
  const passed = passedOn(resolved, division)
  const all = [...passed.keys()].filter((column) => dividing.has(column))
  const isUnique = unique?.every((column) => all.includes(column)) === true
  const keys = isUnique ? unique : all
  if (keys.length === 0) return undefined
  return {
    relation: table.relation,
    keys: keys.map(quotedName),
    isRequired: volatileCall(resolved.query) !== undefined,
    columns: keys.map((column) => passed.get(column)!),
  }
}

const VOLATILE =
  /^(current_timestamp|current_row_timestamp|localtimestamp|now|proctime|current_date|current_time|localtime|uuid|rand|rand_integer)$/

/** A call of a function that gives another value each time. */
export function volatileCall(query: Node): Node | undefined {
  for (const node of nodesOf(query)) {
    if (node.class !== 'FUNCTION') continue
    const name = String(node.function_name).toLowerCase()
    if (VOLATILE.test(name) || (name === 'unix_timestamp' && (node.children as readonly Node[]).length === 0))
      return node
  }
  return undefined
}

export function keyIsUnique(resolved: ResolvedQuery, key: readonly number[]): boolean {
  const division = divisionOf(resolved)
  if (division?.unique === undefined) return false
  const passed = passedOn(resolved, division)
  return division.unique.every((column) => key.includes(passed.get(column) ?? -1))
}

/** Column of the table -> column of the sink that has its value, with the same type. */
function passedOn({ sink, values }: ResolvedQuery, { table, names, outputs }: Division): Map<string, number> {
  const passed = new Map<string, number>()
  for (const [index, { output }] of values.entries()) {
    const name = output === undefined ? undefined : outputs.get(names[output] ?? '')
    const type = table.columns.find((column) => column.name === name)?.type
    if (name === undefined || type === undefined || passed.has(name)) continue
    if (printType(type) === printType(sink.columns[index]!.type)) passed.set(name, index)
  }
  return passed
}

function divisionOf({ query, relations }: ResolvedQuery): Division | undefined {
  const tables = relations.filter(({ kind }) => kind === 'changing')
  const named = [...nodesOf(query)].filter(({ type }) => type === 'BASE_TABLE')
  // A sub-query in an expression, a join and a second use of the table depend on other rows.
  const isChain = [...nodesOf(query)].every(({ type, class: kind }) => type !== 'JOIN' && kind !== 'SUBQUERY')
  const uses = named.filter(({ table_name }) => tables.some(({ relation }) => relation === table_name))
  return isChain && uses.length === 1 ? divisionOfQuery(query, tables, []) : undefined
}

function divisionOfQuery(
  node: Node,
  tables: readonly PlanRelation[],
  outer: readonly CteNode[],
): Division | undefined {
  if (node.type !== 'SELECT_NODE') return undefined
  const ctes = [...outer, ...((node.cte_map as { readonly map?: readonly CteNode[] } | undefined)?.map ?? [])]
  const from = divisionOfFrom(node.from_table as Node, tables, ctes)
  return from === undefined ? undefined : select(node, from)
}

function divisionOfFrom(
  from: Node,
  tables: readonly PlanRelation[],
  ctes: readonly CteNode[],
): Division | undefined {
  const names = (from.column_name_alias ?? []) as readonly unknown[]
  if (names.length > 0) return undefined
  if (from.type === 'SUBQUERY')
    return divisionOfQuery((from.subquery as { readonly node: Node }).node, tables, ctes)
  if (from.type !== 'BASE_TABLE') return undefined
  const table = tables.find(({ relation }) => relation === from.table_name)
  if (table !== undefined) return divisionOfTable(table)
  const definition = ctes.findLast(({ key }) => key === from.table_name)?.value
  if (definition === undefined || (definition.aliases as readonly unknown[]).length > 0) return undefined
  return divisionOfQuery((definition.query as { readonly node: Node }).node, tables, ctes)
}

/** Floating-point numbers have values that are equal and not the same: 0 and -0. */
function divisionOfTable(table: PlanRelation): Division {
  const columns = table.columns.filter(({ type }) => type.kind !== 'FLOAT' && type.kind !== 'DOUBLE')
  return {
    table,
    outputs: new Map(table.columns.map(({ name }) => [name, name])),
    names: table.columns.map(({ name }) => name),
    dividing: new Set(columns.map(({ name }) => name)),
    unique: table.primaryKey,
  }
}

function select(node: Node, from: Division): Division | undefined {
  const modifiers = node.modifiers as readonly Node[]
  const list = node.select_list as readonly Node[]
  const groups = node.group_expressions as readonly Node[]
  const sets = node.group_sets as readonly (readonly number[])[]
  const column = (item: Node) => columnOf(item, from)
  const isGrouped = groups.length > 0 || list.some(hasAggregate) || isNode(node.having)
  let dividing = new Set(from.dividing)
  let unique = from.unique
  const narrow = (items: readonly Node[]) => {
    const kept = new Set(items.map(column))
    dividing = new Set([...dividing].filter((name) => kept.has(name)))
  }
  if (isGrouped) {
    if (sets.length > 1) return undefined
    narrow(groups)
    const grouped = groups.map(column)
    unique = grouped.every((name) => name !== undefined) ? (grouped as string[]) : undefined
  }
  for (const over of list.flatMap((item) => [...nodesOf(item)]).filter((one) => one.class === 'WINDOW'))
    narrow(over.partitions as readonly Node[])
  for (const { type } of modifiers) {
    if (type === 'DISTINCT_MODIFIER') narrow(list)
    else if (type !== 'ORDER_MODIFIER') dividing = new Set()
  }
  const outputs = list.flatMap((item): [string, string][] => {
    const name = column(item)
    return name === undefined ? [] : [[outputName(item), name]]
  })
  return { table: from.table, outputs: new Map(outputs), names: list.map(outputName), dividing, unique }
}

function columnOf(item: Node, { outputs }: Division): string | undefined {
  if (item.class !== 'COLUMN_REF') return undefined
  return outputs.get((item.column_names as readonly string[]).at(-1) ?? '')
}

/** The resolver has given every item an alias. */
function outputName(item: Node): string {
  return item.alias ?? ''
}

const AGGREGATES =
  /^(count|count_star|sum|avg|min|max|listagg|string_agg|bool_and|bool_or|every|stddev|stddev_pop|stddev_samp|var_pop|var_samp|variance|grouping|grouping_id|first_value|last_value|collect|any_value|array_agg)$/

function hasAggregate(item: Node): boolean {
  return [...nodesOf(item)].some(
    (node) => node.class === 'FUNCTION' && AGGREGATES.test(String(node.function_name).toLowerCase()),
  )
}
