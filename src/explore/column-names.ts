/**
 * Names of the columns of a result, as Hive gives them: what a star stands for is named with its table, `stream_x.ts`; what
 * is asked for by name is named so.
 */
import type { Node } from './statement.ts'

/** `columnsOf` tells the columns of a table by its name in lower case. Where it cannot be told, names stay as they are. */
export function hiveNames(
  names: readonly string[],
  query: Node,
  columnsOf: (table: string) => readonly string[] | undefined,
): readonly string[] {
  if (query.type !== 'SELECT_NODE') return names
  const tables = tablesOf(query.from_table as Node | null, columnsOf)
  if (tables === undefined) return names
  const hive: string[] = []
  for (const item of query.select_list as readonly Node[]) {
    if (item.type !== 'STAR') {
      hive.push(names[hive.length])
      continue
    }
    if (!isPlain(item)) return names
    const relation = String(item.relation_name).toLowerCase()
    for (const table of tables) {
      if (relation !== '' && relation !== table.name) continue
      for (const column of table.columns) hive.push(`${table.name}.${column}`)
    }
  }
  return hive.length === names.length ? hive : names
}

interface NamedColumns {
  readonly name: string
  readonly columns: readonly string[]
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
