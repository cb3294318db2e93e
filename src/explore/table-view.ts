/** The view through which a query reads a table: all columns of the table in their order, decoded or not. */

import { quotedName } from '../duckdb/sql-text.ts'
import type { Column } from './columns.ts'

/**
 * `source` is the text after FROM. A column that is not decoded is a NULL of its type, so that names, positions and
 * types are always those of the whole table.
 */
export function viewOf(
  name: string,
  columns: readonly Column[],
  source: string,
  isDecoded: (column: Column) => boolean = () => true,
): string {
  const list = columns.map((column) => {
    const value = isDecoded(column) ? column.expression : `NULL::${column.type}`
    return `${value} AS ${quotedName(column.name)}`
  })
  return `CREATE TEMP VIEW ${quotedName(name)} AS SELECT ${list.join(', ')} FROM ${source}`
}
