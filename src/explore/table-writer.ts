/** Writes rows into a table of DuckDB, a column at a time, in chunks as large as DuckDB's vectors. */
import type { DuckDBAppender, DuckDBType } from '@duckdb/node-api'
import type { Value } from '../formats/record-reader.ts'
import { valueJson } from '../formats/value-json.ts'
import type { KeptType } from './columns.ts'
import type { Connection, DuckDB } from './engine.ts'

/** DuckDB's vector size. */
const CHUNK_ROWS = 2048
/** So often DuckDB takes over what was appended: a little at a time, for it happens on the event loop. */
const FLUSH_CHUNKS = 8
/** What DuckDB keeps for a value beside its text: pointer and length. */
const TEXT_OVERHEAD_BYTES = 16
const WIDTHS: Readonly<Record<KeptType, number>> = {
  BOOLEAN: 1,
  INTEGER: 4,
  FLOAT: 4,
  BIGINT: 8,
  DOUBLE: 8,
  BLOB: TEXT_OVERHEAD_BYTES,
  VARCHAR: TEXT_OVERHEAD_BYTES,
  JSON: TEXT_OVERHEAD_BYTES,
}

type Kept = null | boolean | number | bigint | string | Uint8Array

export class TableWriter {
  readonly #duckdb: DuckDB
  readonly #appender: DuckDBAppender
  readonly #types: readonly KeptType[]
  readonly #duckdbTypes: readonly DuckDBType[]
  readonly #columns: Kept[][]
  #rows = 0
  #chunks = 0
  /** About what the rows take in memory. */
  bytes = 0

  private constructor(duckdb: DuckDB, appender: DuckDBAppender, types: readonly KeptType[]) {
    this.#duckdb = duckdb
    this.#appender = appender
    this.#types = types
    this.#duckdbTypes = types.map((type) => duckdbType(duckdb, type))
    this.#columns = types.map(() => [])
  }

  /** Into a table of schema `streams`, whose columns have these types. */
  static async open(
    duckdb: DuckDB,
    connection: Connection,
    table: string,
    types: readonly KeptType[],
  ): Promise<TableWriter> {
    return new TableWriter(duckdb, await connection.createAppender(table, 'streams'), types)
  }

  /** Sets a value of the row that is being made. */
  set(column: number, value: Value): void {
    this.#columns[column].push(this.#kept(column, value))
  }

  setKept(column: number, value: Kept): void {
    this.#columns[column].push(value)
  }

  endRow(): void {
    if (++this.#rows === CHUNK_ROWS) this.#appendChunk()
  }

  flush(): void {
    if (this.#rows > 0) this.#appendChunk()
    if (this.#chunks > 0) this.#appender.flushSync()
    this.#chunks = 0
  }

  close(): void {
    this.#appender.closeSync()
  }

  #kept(column: number, value: Value): Kept {
    if (value === null) return null
    switch (this.#types[column]) {
      case 'BIGINT':
        return BigInt(value as number | bigint)
      case 'JSON':
        return valueJson(value)
      default:
        return value as Kept
    }
  }

  #appendChunk(): void {
    const { DuckDBDataChunk } = this.#duckdb
    const rows = this.#rows
    const chunk = DuckDBDataChunk.create(this.#duckdbTypes, rows)
    for (let column = 0; column < this.#columns.length; column++) {
      const values = this.#columns[column]
      const vector = chunk.getColumnVector(column) as unknown as {
        setItem(index: number, value: unknown): void
        flush(): void
      }
      let textBytes = 0
      for (let row = 0; row < rows; row++) {
        const value = values[row]
        vector.setItem(row, value)
        if (typeof value === 'string' || value instanceof Uint8Array) textBytes += value.length
      }
      vector.flush()
      this.bytes += rows * WIDTHS[this.#types[column]] + textBytes
      values.length = 0
    }
    this.#appender.appendDataChunk(chunk)
    this.#rows = 0
    if (++this.#chunks === FLUSH_CHUNKS) {
      this.#appender.flushSync()
      this.#chunks = 0
    }
  }
}

function duckdbType(duckdb: DuckDB, type: KeptType): DuckDBType {
  return duckdb[type === 'JSON' ? 'VARCHAR' : type]
}
