/** Answers that need no engine: SHOW TABLES, SHOW DATABASES, SHOW COLUMNS, DESCRIBE. */

import { SqlError } from '../duckdb/sql-error.ts'
import type { Column } from './columns.ts'
import type { ResultColumn } from './hive-types.ts'
import { namePattern } from './name-pattern.ts'
import type { Outline } from './query-worker-protocol.ts'
import { type Result, rowsInMemory } from './result.ts'
import type { StatementKind } from './statement.ts'

/** The names that the reader may know. */
export interface Known {
  readonly namespace: string
  tables(): readonly string[]
  namespaces(): readonly string[]
}

const COLUMNS: Readonly<Partial<Record<StatementKind, readonly string[]>>> = {
  'show-tables': ['tab_name'],
  'show-databases': ['database_name'],
  'show-columns': ['field'],
  'describe-table': ['col_name', 'data_type', 'comment'],
}

/**
 * The columns of such an answer; undefined if the engine has to answer. `table` has the columns of the first table that
 * the statement names. Throws SqlError for another namespace, an unknown column, and a pattern that is too long.
 */
export function ownColumns(
  { kind, isExplain, command }: Outline,
  namespace: string,
  table: readonly Column[] | undefined,
): readonly ResultColumn[] | undefined {
  const names = isExplain ? undefined : COLUMNS[kind]
  if (names === undefined) return undefined
  if (command !== undefined && 'namespace' in command) assertOwn(command.namespace, namespace)
  if (command !== undefined && 'pattern' in command) namePattern(command.pattern)
  if (command?.kind === 'describe-table' && described(table!, command.column).length === 0) {
    throw new SqlError('42S22', `Column not found '${command.column}' in table '${command.table}'`)
  }
  return names.map((name) => ({ name, type: 'STRING' }))
}

/** Undefined whenever `ownColumns` returns undefined. */
export function ownResult(
  outline: Outline,
  columns: readonly ResultColumn[],
  table: readonly Column[] | undefined,
  known: Known,
): Result | undefined {
  const rows = outline.isExplain ? undefined : rowsOf(outline, table ?? [], known)
  return (
    rows &&
    rowsInMemory(
      columns,
      rows.map((row) => row.map((cell) => JSON.stringify(cell))),
    )
  )
}

function rowsOf({ kind, command }: Outline, table: readonly Column[], known: Known): string[][] | undefined {
  const pattern = command !== undefined && 'pattern' in command ? command.pattern : undefined
  switch (kind) {
    case 'show-tables':
      return sorted(known.tables(), pattern)
    case 'show-databases':
      return sorted(known.namespaces(), pattern)
    case 'show-columns':
      return table.map(({ name }) => [name])
    case 'describe-table':
      return described(table, command?.kind === kind ? command.column : undefined).map(
        ({ name, hiveType }) => [name, hiveType.toLowerCase(), 'from deserializer'],
      )
    default:
      return undefined
  }
}

function sorted(names: readonly string[], pattern: string | undefined): string[][] {
  return names
    .filter(namePattern(pattern))
    .sort()
    .map((name) => [name])
}

function described(table: readonly Column[], column: string | undefined): readonly Column[] {
  if (column === undefined) return table
  return table.filter(({ name }) => name.toLowerCase() === column.toLowerCase())
}

function assertOwn(asked: string | undefined, namespace: string): void {
  if (asked === undefined || asked.toLowerCase() === namespace.toLowerCase()) return
  throw new SqlError(
    '42000',
    `a query is about the tables of its own namespace, which is ${namespace}; submit one to namespace '${asked}'`,
  )
}
