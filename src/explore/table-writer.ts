/**
 * Writes rows into a table of DuckDB, a column at a time. A chunk goes over, and is taken, on the event loop: it is small
 * where rows are wide, so that requests wait for about a millisecond and not for DuckDB's largest vectors.
 */
import type { DuckDBAppender, DuckDBType } from '@duckdb/node-api'
import { type Bindings, CHUNK_ROWS, type ColumnBuffer, columnBuffer } from './column-buffer.ts'
import type { KeptType } from './columns.ts'
import type { Connection, DuckDB } from './engine.ts'

/** Values in a chunk, about; a text takes longer than a number. */
const CHUNK_WEIGHT = 16_384
const TEXT_WEIGHT = 4
const CHUNK_ROWS_MIN = 64

export class TableWriter {
  readonly #duckdb: DuckDB
  readonly #bindings: Bindings
  readonly #appender: DuckDBAppender
  readonly #types: readonly DuckDBType[]
  /** Whoever writes puts values into these, at `row`, one in each. */
  readonly columns: readonly ColumnBuffer[]
  row = 0
  readonly #chunkRows: number
  /** About what the rows take in memory. */
  bytes = 0

  private constructor(
    duckdb: DuckDB,
    bindings: Bindings,
    appender: DuckDBAppender,
    types: readonly KeptType[],
  ) {
    this.#duckdb = duckdb
    this.#bindings = bindings
    this.#appender = appender
    this.#types = types.map((type) => duckdb[type === 'JSON' ? 'VARCHAR' : type])
    this.columns = types.map(columnBuffer)
    this.#chunkRows = chunkRows(types)
  }

  /** Into a table of schema `streams`, whose columns have these types. */
  static async open(
    { duckdb, bindings, own }: { duckdb: DuckDB; bindings: Bindings; own: Connection },
    table: string,
    types: readonly KeptType[],
  ): Promise<TableWriter> {
    return new TableWriter(duckdb, bindings, await own.createAppender(table, 'streams'), types)
  }

  endRow(): void {
    if (++this.row === this.#chunkRows) this.flush()
  }

  flush(): void {
    if (this.row === 0) return
    this.#appendChunk()
    this.#appender.flushSync()
  }

  close(): void {
    this.#appender.closeSync()
  }

  #appendChunk(): void {
    const chunk = this.#duckdb.DuckDBDataChunk.create(this.#types, this.row)
    for (const [index, column] of this.columns.entries()) {
      column.flush(this.#bindings, this.#bindings.data_chunk_get_vector(chunk.chunk, index), this.row)
      this.bytes += column.bytes
    }
    this.#appender.appendDataChunk(chunk)
    this.row = 0
  }
}

function chunkRows(types: readonly KeptType[]): number {
  const weights = types.map((type) =>
    type === 'VARCHAR' || type === 'BLOB' || type === 'JSON' ? TEXT_WEIGHT : 1,
  )
  const weight = weights.reduce<number>((sum, one) => sum + one, 0)
  return Math.min(CHUNK_ROWS, Math.max(CHUNK_ROWS_MIN, Math.floor(CHUNK_WEIGHT / weight)))
}
