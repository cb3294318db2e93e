/** Writes rows into a table of DuckDB, one column at a time, in chunks as large as DuckDB's vectors. */
import type { DuckDBAppender, DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { type Bindings, CHUNK_ROWS, type ColumnBuffer } from './column-buffer.ts'
import { type ColumnType, columnBuffer, storedType } from './column-types.ts'

/** The library, and a way to open connections to one instance. */
export interface WriterEngine {
  readonly duckdb: typeof import('@duckdb/node-api')
  readonly bindings: Bindings
  connect(): Promise<DuckDBConnection>
}

/** The appender passes its rows to DuckDB once per this many chunks. */
const FLUSH_CHUNKS = 8

export class TableWriter {
  readonly #duckdb: WriterEngine['duckdb']
  readonly #bindings: Bindings
  readonly #connection: DuckDBConnection
  readonly #appender: DuckDBAppender
  readonly #types: readonly DuckDBType[]
  /** The caller sets one value in each of these, at `row`, and then calls `endRow`. */
  readonly columns: readonly ColumnBuffer[]
  row = 0
  #chunks = 0
  /** Memory of the rows, estimated. */
  bytes = 0

  private constructor(
    duckdb: WriterEngine['duckdb'],
    bindings: Bindings,
    connection: DuckDBConnection,
    appender: DuckDBAppender,
    types: readonly ColumnType[],
  ) {
    this.#duckdb = duckdb
    this.#bindings = bindings
    this.#connection = connection
    this.#appender = appender
    this.#types = types.map((type) => storedType(duckdb, type))
    this.columns = types.map((type) => columnBuffer(type))
  }

  /** Opens a writer for a table of this schema whose columns have these types. The writer has a connection of its own. */
  static async open(
    engine: WriterEngine,
    { schema, table }: { readonly schema: string; readonly table: string },
    types: readonly ColumnType[],
  ): Promise<TableWriter> {
    const connection = await engine.connect()
    try {
      const appender = await connection.createAppender(table, schema)
      return new TableWriter(engine.duckdb, engine.bindings, connection, appender, types)
    } catch (error) {
      connection.closeSync()
      throw error
    }
  }

  endRow(): void {
    if (++this.row === CHUNK_ROWS) this.#appendChunk()
  }

  flush(): void {
    if (this.row > 0) this.#appendChunk()
    if (this.#chunks > 0) this.#appender.flushSync()
    this.#chunks = 0
  }

  close(): void {
    try {
      this.#appender.closeSync()
    } finally {
      this.#connection.closeSync()
    }
  }

  #appendChunk(): void {
    const chunk = this.#duckdb.DuckDBDataChunk.create(this.#types, this.row)
    for (const [index, column] of this.columns.entries()) {
      column.flush(this.#bindings, this.#bindings.data_chunk_get_vector(chunk.chunk, index), this.row)
      this.bytes += column.bytes
    }
    this.#appender.appendDataChunk(chunk)
    this.row = 0
    if (++this.#chunks === FLUSH_CHUNKS) {
      this.#appender.flushSync()
      this.#chunks = 0
    }
  }
}
