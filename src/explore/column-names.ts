/**
 * Names of the columns of an answer, as in Hive: a column of `*` has its table in its name, `stream_x.ts`; a column
 * that the query names keeps that name; an expression without a name is `_c` and its index in the list, from 0, as in
 * `_c0`.
 *
 * This changes names only: values and types are the engine's.
 */
import type { Node } from './statement.ts'

/**
 * `names` are the engine's, by position; `columnsOf` returns the columns of a table by its name in lower case. The
 * columns of a list item that expands to an unknown number of columns keep the engine's names; if there are two such
 * items, all columns do.
 */
export function hiveNames(
  names: readonly string[],
  query: Node,
  columnsOf: (table: string) => readonly string[] | undefined,
): readonly string[] {
  const select = firstSelect(query)
  if (select === undefined) return names
  const tables = tablesOf(select.from_table as Node | null, columnsOf)
  const list = select.select_list as readonly Node[]
  const known = list.map((item, place) =>
    item.type === 'STAR' ? starNames(item, tables) : itemName(item, place),
  )
  const left = names.length - known.reduce((sum, item) => sum + (item?.length ?? 0), 0)
  if (known.filter((item) => item === undefined).length > 1 || left < 0) return names
  const hive = known.flatMap((item) => item ?? new Array<undefined>(left).fill(undefined))
  const isMatch = hive.length === names.length && names.every((name, i) => isNameOf(hive[i], name))
  return isMatch ? names.map((name, i) => hive[i] ?? name) : names
}

/** The SELECT that determines the names of the query's columns. */
function firstSelect(query: Node): Node | undefined {
  let node = query
  while (node.type === 'SET_OPERATION_NODE')
    node = (node.left ?? (node.children as readonly Node[])?.[0]) as Node
  return node?.type === 'SELECT_NODE' ? node : undefined
}

function isNameOf(hive: string | undefined, name: string): boolean {
  if (hive === undefined || hive.startsWith('_c')) return true
  return hive.toLowerCase().endsWith(`.${name.toLowerCase()}`)
}

/**
 * One name per column of the item; undefined for the engine's name. Undefined instead of an array: the number of
 * columns is unknown.
 */
function itemName(item: Node, place: number): (string | undefined)[] | undefined {
  const isNamed = item.type === 'COLUMN_REF' || item.type === 'POSITIONAL_REFERENCE' || item.alias !== ''
  if (standsForColumns(item)) return undefined
  return [isNamed ? undefined : `_c${place}`]
}

/**
 * Whether the item contains `COLUMNS(…)` or `unnest` of a struct. Such an item may become several columns, which the
 * engine names.
 */
function standsForColumns(item: Node): boolean {
  const left: unknown[] = [item]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value !== 'object' || value === null) continue
    const { type, class: kind, function_name: name } = value as Node
    if (kind !== undefined && (type === 'STAR' || name === 'unnest')) return true
    if (type !== 'SUBQUERY') left.push(...Object.values(value))
  }
  return false
}

interface NamedColumns {
  readonly name: string
  readonly columns: readonly string[]
}

function starNames(star: Node, tables: readonly NamedColumns[] | undefined): string[] | undefined {
  if (tables === undefined || !isPlain(star)) return undefined
  const relation = String(star.relation_name).toLowerCase()
  return tables
    .filter(({ name }) => relation === '' || relation === name)
    .flatMap(({ name, columns }) => columns.map((column) => `${name}.${column}`))
}

function tablesOf(
  from: Node | null,
  columnsOf: (table: string) => readonly string[] | undefined,
): NamedColumns[] | undefined {
  if (from?.type === 'BASE_TABLE') {
    const table = String(from.table_name).toLowerCase()
    const columns = columnsOf(table)
    if (columns === undefined || (from.column_name_alias as readonly string[]).length > 0) return undefined
    return [{ name: from.alias === '' ? table : String(from.alias).toLowerCase(), columns }]
  }
  if (from?.type !== 'JOIN') return undefined
  const isUsing = (from.using_columns as readonly string[] | undefined)?.length !== 0
  if (isUsing || from.ref_type === 'NATURAL') return undefined
  const left = tablesOf(from.left as Node, columnsOf)
  const right = tablesOf(from.right as Node, columnsOf)
  return left && right && [...left, ...right]
}

function isPlain(star: Node): boolean {
  const empty = (value: unknown) =>
    value === null || value === undefined || (value as readonly unknown[]).length === 0
  return (
    star.columns === false &&
    empty(star.exclude_list) &&
    empty(star.replace_list) &&
    empty(star.qualified_exclude_list) &&
    empty(star.rename_list)
  )
}
