/**
 * A temporary table of a job's connection that ticks fill from JavaScript: events of a source, rows of a lookup or of a
 * fixed table. Columns of nested types are stored as JSON text under a view that casts them.
 *
 * Deleted rows of a temporary table keep their memory, so the table is created again after RENEW_ROWS rows.
 */
import type { DuckDBAppender, DuckDBType } from '@duckdb/node-api'
import { CHUNK_ROWS, type ColumnBuffer } from '../../duckdb/column-buffer.ts'
import { type ColumnType, columnBuffer, storedName, storedType } from '../../duckdb/column-types.ts'
import { columnTypeOf, storedValue } from '../../duckdb/row-columns.ts'
import { quotedName } from '../../duckdb/sql-text.ts'
import type { Value } from '../../formats/record-reader.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { JobConnection } from './job-connection.ts'
import type { JobDatabase } from './job-database.ts'

/** Less than the rows of one row group of the engine, 122,880. */
const RENEW_ROWS = 100_000
/** The appender passes its rows to the engine once per this many chunks. */
const FLUSH_CHUNKS = 8

export interface BufferedColumn {
  readonly name: string
  readonly type: DataType
}

/** Buffers of columns, shared by all tables of the process, because ticks run one after another. */
export class BufferPool {
  readonly #free = new Map<ColumnType, ColumnBuffer[]>()

  take(type: ColumnType): ColumnBuffer {
    return this.#free.get(type)?.pop() ?? columnBuffer(type)
  }

  /** Only buffers that have been flushed. */
  give(type: ColumnType, buffer: ColumnBuffer): void {
    const free = this.#free.get(type)
    if (free === undefined) this.#free.set(type, [buffer])
    else if (free.length < POOLED_MAX) free.push(buffer)
  }
}

/** Of one type. More columns of one type are rare. */
const POOLED_MAX = 32

export class BufferedTable {
  readonly #database: JobDatabase
  readonly #connection: JobConnection
  readonly #pool: BufferPool
  readonly #name: string
  readonly #columns: readonly BufferedColumn[]
  readonly #types: readonly ColumnType[]
  readonly #engineTypes: readonly DuckDBType[]
  readonly #nested: boolean
  #buffers: readonly ColumnBuffer[] | undefined
  #appender: DuckDBAppender | undefined
  #row = 0
  #chunks = 0
  /** Rows since the table was created, deleted ones too. */
  #rowsEver = 0
  #rows = 0

  constructor(
    database: JobDatabase,
    connection: JobConnection,
    pool: BufferPool,
    name: string,
    columns: readonly BufferedColumn[],
  ) {
    this.#database = database
    this.#connection = connection
    this.#pool = pool
    this.#name = name
    this.#columns = columns
    this.#types = columns.map(({ type }) => columnTypeOf(type))
    this.#engineTypes = this.#types.map((type) => storedType(database.duckdb, type))
    this.#nested = this.#types.includes('JSON')
  }

  async create(): Promise<void> {
    await this.#createTable()
    if (!this.#nested) return
    const columns = this.#columns.map(
      ({ name, type }) => `${storedValue(type, quotedName(name))} AS ${quotedName(name)}`,
    )
    await this.#connection.once(
      `CREATE OR REPLACE TEMP VIEW ${quotedName(this.#name)} AS SELECT ${columns.join(', ')} FROM ${quotedName(this.#stored)}`,
    )
  }

  /** Sets the value of a column in the current row. */
  set(column: number, value: Value): void {
    const buffer = this.#open()[column]!
    if (value === null) buffer.setNull(this.#row)
    else buffer.setValue(this.#row, value)
  }

  endRow(): void {
    if (++this.#row === CHUNK_ROWS) this.#appendChunk()
  }

  /** Opens the appender; call it before the first row. */
  async begin(): Promise<void> {
    this.#appender ??= await this.#connection.native.createAppender(this.#stored, 'main', 'temp')
    this.#open()
  }

  /** Makes all rows visible to statements. */
  flush(): void {
    if (this.#row > 0) this.#appendChunk()
    if (this.#chunks > 0) this.#appender!.flushSync()
    this.#chunks = 0
    const buffers = this.#buffers
    if (buffers === undefined) return
    for (const [index, type] of this.#types.entries()) this.#pool.give(type, buffers[index]!)
    this.#buffers = undefined
  }

  get rows(): number {
    return this.#rows
  }

  /** Removes the rows after a place in the order; the first column is the order. */
  async deleteAfter(order: bigint): Promise<void> {
    this.#rows -= await this.#connection.run(
      `DELETE FROM ${quotedName(this.#stored)} WHERE __ord > $1`,
      order,
    )
  }

  async clear(): Promise<void> {
    if (this.#buffers !== undefined) this.#discard()
    if (this.#rowsEver > RENEW_ROWS) await this.#createTable()
    else if (this.#rows > 0) await this.#connection.run(`DELETE FROM ${quotedName(this.#stored)}`)
    this.#rows = 0
  }

  close(): void {
    this.#discard()
  }

  get #stored(): string {
    return this.#nested ? `raw_${this.#name}` : this.#name
  }

  async #createTable(): Promise<void> {
    this.#discard()
    const columns = this.#columns.map(
      ({ name }, index) => `${quotedName(name)} ${storedName(this.#types[index]!)}`,
    )
    await this.#connection.once(
      `CREATE OR REPLACE TEMP TABLE ${quotedName(this.#stored)} (${columns.join(', ')})`,
    )
    this.#rowsEver = 0
    this.#rows = 0
  }

  /** Forgets rows that have not been flushed. */
  #discard(): void {
    this.#buffers = undefined
    this.#row = 0
    this.#chunks = 0
    this.#appender?.clear()
    this.#appender?.closeSync()
    this.#appender = undefined
  }

  #open(): readonly ColumnBuffer[] {
    this.#buffers ??= this.#types.map((type) => this.#pool.take(type))
    return this.#buffers
  }

  #appendChunk(): void {
    const { bindings, duckdb } = this.#database
    const rows = this.#row
    const chunk = duckdb.DuckDBDataChunk.create(this.#engineTypes, rows)
    for (const [index, buffer] of this.#open().entries())
      buffer.flush(bindings, bindings.data_chunk_get_vector(chunk.chunk, index), rows)
    this.#appender!.appendDataChunk(chunk)
    this.#row = 0
    this.#rows += rows
    this.#rowsEver += rows
    if (++this.#chunks === FLUSH_CHUNKS) {
      this.#appender!.flushSync()
      this.#chunks = 0
    }
  }
}
