/** Shows the catalog: SHOW, DESCRIBE, USE. Rows are texts. */

import { ServiceError } from '../service-error.ts'
import { printType } from '../sql/data-types.ts'
import { printFlinkTable, printFlinkView } from '../sql/flink-ddl.ts'
import { FLINK_FUNCTION_NAMES } from '../sql/functions.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import { isProcessingTime, type SchemaColumn, type TableSchema } from '../sql/table-schema.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { SqlView } from '../tables/sql-view.ts'
import type { Table, TypedColumn } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import { matchesPattern } from './like-pattern.ts'
import { DEFAULT, fullName, plainName } from './object-names.ts'
import type { ScriptRows } from './sql-script-service.ts'
import type { Describe, ObjectName, Show, ShowList, Use } from './statements.ts'

export type Command = Show | Describe | Use

type ShownTables = Pick<TableService, 'find' | 'list' | 'views' | 'sql'>

/** Throws SqlProblem and ServiceError. */
export function runCommand(tables: ShownTables, namespace: NamespaceName, command: Command): ScriptRows {
  switch (command.kind) {
    case 'show':
      return shownList(tables, namespace, command)
    case 'show-current':
      return rows([`current ${command.what} name`], [[DEFAULT]])
    case 'show-create':
      return rows(['result'], [[created(tables, namespace, command.what, plainName(command.name))]])
    case 'describe':
      return described(tables, namespace, plainName(command.name))
    case 'use':
      assertDefault(command)
      return undefined
  }
}

/** The header of each list. */
const HEADERS: Readonly<Record<ShowList, string>> = {
  tables: 'table name',
  views: 'view name',
  databases: 'database name',
  catalogs: 'catalog name',
  functions: 'function name',
}

function shownList(
  tables: ShownTables,
  namespace: NamespaceName,
  { what, from, like }: Show & { readonly kind: 'show' },
): ScriptRows {
  if (from !== undefined) assertIsDatabase(from)
  const names = namesOf(tables, namespace, what).filter(
    (name) => like === undefined || matchesPattern(name, like.pattern) !== like.isNegated,
  )
  return rows(
    [HEADERS[what]],
    names.map((name) => [name]),
  )
}

/** In the order of their characters. */
function namesOf(tables: ShownTables, namespace: NamespaceName, what: ShowList): readonly string[] {
  const views = tables.views(namespace).map(({ name }) => name)
  switch (what) {
    case 'tables':
      return [...tables.list(namespace).map(({ name }) => name), ...views].sort()
    case 'views':
      return views.sort()
    case 'functions':
      return FLINK_FUNCTION_NAMES
    case 'databases':
    case 'catalogs':
      return [DEFAULT]
  }
}

function created(
  tables: ShownTables,
  namespace: NamespaceName,
  what: 'table' | 'view',
  name: string,
): string {
  const table = tables.find(namespace, name)
  const view = tables.sql.findView(namespace, name)
  const path = [DEFAULT, DEFAULT, name]
  if (what === 'table' && table !== undefined) {
    const { comment, partitionedBy } = table
    return printFlinkTable(path, table.schema, tables.sql.optionsOf(table), {
      comment,
      partitionedBy: namesIn(partitionedBy),
    })
  }
  if (what === 'view' && view !== undefined)
    return printFlinkView(path, view.columns, view.query, view.comment)
  if (table === undefined && view === undefined) throw notFound(name)
  const found = what === 'table' ? 'a view; use SHOW CREATE VIEW' : 'a table; use SHOW CREATE TABLE'
  throw new ServiceError('invalid_table', `${fullName(name)} is ${found}`)
}

/** The columns of PARTITIONED BY; none for what other APIs keep under that name. */
function namesIn(partitionedBy: unknown): readonly string[] {
  const isList = Array.isArray(partitionedBy) && partitionedBy.every((one) => typeof one === 'string')
  return isList ? partitionedBy : []
}

const DESCRIBED = ['name', 'type', 'null', 'key', 'extras', 'watermark']

function described(tables: ShownTables, namespace: NamespaceName, name: string): ScriptRows {
  const table = tables.find(namespace, name)
  if (table !== undefined) return rows(DESCRIBED, describedTable(table))
  const view = tables.sql.findView(namespace, name)
  if (view === undefined) throw notFound(name)
  return rows(DESCRIBED, describedView(view))
}

function describedTable({ columns, schema }: Table): readonly (readonly string[])[] {
  const { primaryKey, watermark } = schema
  const key = `PRI(${primaryKey.join(', ')})`
  return columns.map((column) => {
    const definition = schema.columns.find(({ name }) => name === column.name)
    return [
      column.name,
      typeOf(column, definition, schema),
      String(column.nullable),
      primaryKey.includes(column.name) ? key : '',
      extrasOf(definition),
      watermark?.column === column.name ? watermark.expression : '',
    ]
  })
}

function describedView({ types }: SqlView): readonly (readonly string[])[] {
  return types.map(({ name, type, nullable }) => [name, printType(type), String(nullable), '', '', ''])
}

/** Columns with a time that moves are marked, as Flink marks them. */
function typeOf(
  { name, type }: TypedColumn,
  definition: SchemaColumn | undefined,
  { watermark }: TableSchema,
): string {
  if (watermark?.column === name) return `${printType(type)} *ROWTIME*`
  return definition !== undefined && isProcessingTime(definition)
    ? `${printType(type)} *PROCTIME*`
    : printType(type)
}

function extrasOf(column: SchemaColumn | undefined): string {
  if (column?.kind === 'computed') return `AS ${column.expression}`
  if (column?.kind !== 'metadata') return ''
  const from = column.key === column.name ? '' : ` FROM '${column.key}'`
  return `METADATA${from}${column.isVirtual ? ' VIRTUAL' : ''}`
}

function assertDefault({ what, name }: Use): void {
  if (what === 'database') {
    assertIsDatabase(name)
    return
  }
  const { database, name: catalog, place } = name
  if (database === undefined && catalog === DEFAULT) return
  const shown = database === undefined ? catalog : `${database}.${catalog}`
  throw new SqlProblem(`catalog '${shown}' does not exist; the catalog is ${DEFAULT}`, place)
}

/** `default`, or `default.default`. */
function assertIsDatabase({ catalog, database, name, place }: ObjectName): void {
  if (catalog !== undefined) throw new SqlProblem('the name of a database has two parts at most', place)
  if (database !== undefined && database !== DEFAULT)
    throw new SqlProblem(`catalog '${database}' does not exist; the catalog is ${DEFAULT}`, place)
  if (name !== DEFAULT)
    throw new SqlProblem(`database '${name}' does not exist; the database is ${DEFAULT}`, place)
}

function notFound(name: string): ServiceError {
  return new ServiceError(
    'table_not_found',
    `Table or view with identifier '${fullName(name)}' does not exist.`,
  )
}

function rows(headers: readonly string[], cells: readonly (readonly string[])[]): ScriptRows {
  return { headers, rows: cells }
}
