/** The rows of a query, in pages. A page may begin at any row and may be read again. */
import type { DuckDBType } from '@duckdb/node-api'
import { Mutex } from '../../storage/mutex.ts'
import { onlyRow } from '../duckdb/only-row.ts'
import { SqlError } from '../duckdb/sql-error.ts'
import { answerType, answerValue } from './answer-types.ts'
import type { Connection } from './engine.ts'
import { type ResultColumn, rowWriter, sizeOf } from './hive-types.ts'

/** A row is its cells, each JSON. */
export type Row = readonly string[]

export interface Result {
  readonly columns: readonly ResultColumn[]
  readonly rowCount: number
  /** The worker that has the rows; they are lost when it ends. Undefined: the rows are in this process. */
  readonly holder?: unknown
  /** Returns fewer than `count` rows if they are large, and no rows after the last one. */
  page(from: number, count: number): Promise<readonly Row[]>
  close(): void
}

/** A result with few rows, which stay in this process. */
export function rowsInMemory(columns: readonly ResultColumn[], rows: readonly Row[]): Result {
  return {
    columns,
    rowCount: rows.length,
    page: async (from, count) => rows.slice(from, from + count),
    close() {},
  }
}

/** No table of a stream has such a name. */
const RESULT_TABLE = '"(rows)"'
/** Limit for the texts of a page, because the whole page is in memory. */
const PAGE_BYTES = 8 * 1024 * 1024
/** A larger row cannot be sent. */
const ROW_BYTES_MAX = 64 * 1024 * 1024

/** Rows in a temporary table of a connection: in the engine's memory, or spilled. Closing the connection drops them. */
export class RowsInTable implements Result {
  readonly columns: readonly ResultColumn[]
  readonly rowCount: number
  readonly #connection: Connection
  /** The size of a row's texts, as an SQL expression; undefined if the row has no texts. */
  readonly #rowBytes: string | undefined
  readonly #reading = new Mutex()

  private constructor(connection: Connection, columns: readonly ResultColumn[], rowCount: number) {
    this.#connection = connection
    this.columns = columns
    this.rowCount = rowCount
    const sizes = columns.flatMap((column, i) => sizeExpression(column, `c${i}`))
    this.#rowBytes = sizes.length === 0 ? undefined : sizes.join(' + ')
  }

  /** Runs the query. `types` are those that DuckDB gives its columns, by position. */
  static async fill(
    connection: Connection,
    columns: readonly ResultColumn[],
    types: readonly DuckDBType[],
    sql: string,
  ): Promise<RowsInTable> {
    const names = columns.map((_, i) => `c${i}`).join(', ')
    const reader = await connection.runAndReadAll(
      `CREATE TEMP TABLE ${RESULT_TABLE} (${names}) AS ${cast(sql, names, types)}`,
    )
    return new RowsInTable(connection, columns, Number(onlyRow(reader)[0]))
  }

  page(from: number, count: number): Promise<readonly Row[]> {
    return this.#reading.run(() => this.#read(from, count))
  }

  close(): void {
    void this.#reading.run(async () => this.#connection.closeSync())
  }

  async #read(from: number, count: number): Promise<readonly Row[]> {
    const end = from + (this.#rowBytes === undefined ? count : await this.#fitting(from, count))
    const reader = await this.#connection.runAndReadAll(
      `SELECT * FROM ${RESULT_TABLE} WHERE rowid >= ${from} AND rowid < ${end} ORDER BY rowid`,
    )
    assertTypes(reader.columnTypes(), this.columns)
    return reader.getRows().map(rowWriter(this.columns))
  }

  /** How many rows fit into a page. Rejects with SqlError '53000' if the first row alone is too large. */
  async #fitting(from: number, count: number): Promise<number> {
    const reader = await this.#connection.runAndReadAll(
      `SELECT ${this.#rowBytes} FROM ${RESULT_TABLE} WHERE rowid >= ${from} AND rowid < ${from + count} ORDER BY rowid`,
    )
    const sizes = reader.getRows().map(([size]) => Number(size))
    const [firstSize = 0] = sizes
    if (firstSize > ROW_BYTES_MAX) {
      throw new SqlError(
        '53000',
        `row ${from} has ${firstSize} bytes, and the most that can be sent is ${ROW_BYTES_MAX}`,
      )
    }
    let bytes = 0
    const tooMany = sizes.findIndex((size) => {
      bytes += size
      return bytes > PAGE_BYTES
    })
    return tooMany === -1 ? count : Math.max(1, tooMany)
  }
}

/** The query, with its values converted to the types of the answer. */
function cast(sql: string, names: string, types: readonly DuckDBType[]): string {
  if (!types.some((type) => answerType(type).isCast)) return sql
  const values = types.map((type, i) => answerValue(`c${i}`, type))
  return `SELECT ${values.join(', ')} FROM (${sql}\n) AS "(answer)"(${names})`
}

/** Asserts that the query ran with the columns with which it was bound. Otherwise cells would get wrong names. */
function assertTypes(types: readonly DuckDBType[], columns: readonly ResultColumn[]): void {
  const run = types.map((type) => answerType(type).name)
  if (run.length === columns.length && columns.every(({ type }, i) => type === run[i])) return
  const bound = columns.map(({ type }) => type)
  throw new Error(`the query was bound with columns ${bound.join(', ')} and has run with ${run.join(', ')}`)
}

/** The size of a value's text, in SQL. Empty for a type whose values are small. */
function sizeExpression(column: ResultColumn, name: string): string[] {
  const size = sizeOf(column)
  if (size === 'fixed') return []
  const length = size === 'bytes' ? `4 * octet_length(${name})` : `strlen(${name}::VARCHAR)`
  return [`coalesce(${length}, 0)`]
}
