/** The view under whose name a query finds a table: all columns of the table, in their order, whichever are decoded. */
import type { Column } from './columns.ts'
import { quotedName } from './sql-text.ts'

/**
 * `source` is what stands behind FROM. A column that is not `isThere` in it is a NULL of its type, so that names, positions
 * and types are always those of the whole table.
 */
export function viewOf(
  name: string,
  columns: readonly Column[],
  source: string,
  isThere: (column: Column) => boolean = () => true,
): string {
  const list = columns.map((column) => {
    const value = isThere(column) ? column.expression : `NULL::${column.type}`
    return `${value} AS ${quotedName(column.name)}`
  })
  return `CREATE TEMP VIEW ${quotedName(name)} AS SELECT ${list.join(', ')} FROM ${source}`
}
