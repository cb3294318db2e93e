/** The tables of a state that belong to its ways: what a savepoint holds as Parquet. */
import type { SavedColumn } from '../savepoints/savepoint-metadata.ts'
import type { JobConnection } from './job-connection.ts'

export interface StateTable {
  readonly name: string
  readonly columns: readonly SavedColumn[]
}

/** `_metadata` has what these hold; outboxes are emitted. */
const OWN = /^(meta|positions|emission|outbox_\d+)$/
/** Parquet has no integers of 128 bits: the engine would write DOUBLE. */
const AS_TEXT = /^U?HUGEINT$/

export async function stateTables(connection: JobConnection, schema: string): Promise<readonly StateTable[]> {
  const rows = await connection.rows(
    `SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = $1
     ORDER BY table_name, column_index`,
    schema,
  )
  const tables = new Map<string, SavedColumn[]>()
  for (const [table, name, type] of rows) {
    if (OWN.test(String(table))) continue
    const columns = tables.get(String(table)) ?? []
    columns.push({ name: String(name), type: String(type) })
    tables.set(String(table), columns)
  }
  return [...tables].map(([name, columns]) => ({ name, columns }))
}

export function savedColumns(columns: readonly SavedColumn[]): readonly SavedColumn[] {
  return columns.map((column) => (AS_TEXT.test(column.type) ? { ...column, text: true } : column))
}
