/** The row of a statement that always returns exactly one, such as `SELECT count(*)`. */
import type { DuckDBResultReader, DuckDBValue } from '@duckdb/node-api'

export function onlyRow(reader: DuckDBResultReader): readonly [DuckDBValue, ...DuckDBValue[]] {
  return reader.getRows()[0] as [DuckDBValue, ...DuckDBValue[]]
}
