/** Captured tables compared with the catalog as it is now. */
import { type CapturedTable, printedTable } from '../captured-table.ts'
import { describeTables } from './catalog.ts'
import type { DatabaseSession } from './database-session.ts'

export interface LostTable {
  readonly table: CapturedTable
  readonly message: string
}

/**
 * Tables that cannot be captured any more: dropped, renamed, without a key or with another one. Changed columns are not seen here:
 * the stream of changes shows them in their place.
 */
export async function lostTables(
  session: DatabaseSession,
  tables: readonly CapturedTable[],
): Promise<readonly LostTable[]> {
  if (tables.length === 0) return []
  const described = await describeTables(session, tables)
  const lost: LostTable[] = []
  for (const table of tables) {
    const name = printedTable(table)
    const found = described.find((each) => each.schema === table.schema && each.table === table.table)
    if (found?.captured?.oid === table.oid) {
      const { key } = found.captured
      if (key.join('\n') === table.key.join('\n')) continue
      if (table.key.every((column) => found.captured!.columns.some((each) => each.name === column))) {
        const message = `the key of table ${name} is ${key.join(', ')} now; it was ${table.key.join(', ')}`
        lost.push({ table, message })
      }
      continue // a column of the key was renamed: the stream shows it
    }
    const [now] = await session.query(
      'SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid',
      [String(table.oid)],
    )
    if (now === undefined) lost.push({ table, message: `table ${name} was dropped` })
    else if (now[0] !== table.schema || now[1] !== table.table) {
      lost.push({ table, message: `table ${name} was renamed to ${now[0]}.${now[1]}` })
    } else
      lost.push({ table, message: found?.problem?.message ?? `table ${name} cannot be captured any more` })
  }
  return lost
}
