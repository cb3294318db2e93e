/** Rows of a query: a page at a time, from any row on, as often as anybody likes. */
import type { DuckDBType } from '@duckdb/node-api'
import { Mutex } from '../../storage/mutex.ts'
import { answerType, answerValue } from './answer-types.ts'
import { cellJson, type ResultColumn } from './cells.ts'
import type { Connection } from './engine.ts'
import { SqlError } from './sql-error.ts'

/** A row is its cells, each JSON. */
export type Row = readonly string[]

export interface Result {
  readonly columns: readonly ResultColumn[]
  readonly rowCount: number
  /** Whoever has the rows: they are gone when it is. Undefined: they are here. */
  readonly holder?: unknown
  /** Fewer than `count` if they are large; none behind the last. */
  page(from: number, count: number): Promise<readonly Row[]>
  close(): void
}

/** Rows that are few. */
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
/** Of the texts in a page: it is held in memory whole. */
const PAGE_BYTES = 8 * 1024 * 1024
/** A row beyond it cannot be sent. */
const ROW_BYTES_MAX = 64 * 1024 * 1024

/** Rows in a table of the connection's own, which goes with it: in the engine's memory, or spilled. */
export class RowsInTable implements Result {
  readonly columns: readonly ResultColumn[]
  readonly rowCount: number
  readonly #connection: Connection
  /** How large the texts of a row are, in SQL; undefined if it has none. */
  readonly #rowBytes: string | undefined
  readonly #reading = new Mutex()

  private constructor(connection: Connection, columns: readonly ResultColumn[], rowCount: number) {
    this.#connection = connection
    this.columns = columns
    this.rowCount = rowCount
    const sizes = columns.flatMap(({ type }, i) => sizeOf(type, `c${i}`))
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
    return new RowsInTable(connection, columns, Number(reader.getRows()[0][0]))
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
    return reader.getRows().map((row) => row.map((value, i) => cellJson(value, this.columns[i])))
  }

  /** How many rows make a page. Throws SqlError '53000' if the first is too large by itself. */
  async #fitting(from: number, count: number): Promise<number> {
    const reader = await this.#connection.runAndReadAll(
      `SELECT ${this.#rowBytes} FROM ${RESULT_TABLE} WHERE rowid >= ${from} AND rowid < ${from + count} ORDER BY rowid`,
    )
    const sizes = reader.getRows().map(([size]) => Number(size))
    if (sizes[0] > ROW_BYTES_MAX) {
      throw new SqlError(
        '53000',
        `row ${from} has ${sizes[0]} bytes, and the most that can be sent is ${ROW_BYTES_MAX}`,
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

/** The query, with its values made ones of the answer's types. */
function cast(sql: string, names: string, types: readonly DuckDBType[]): string {
  if (!types.some((type) => answerType(type).isCast)) return sql
  const values = types.map((type, i) => answerValue(`c${i}`, type))
  return `SELECT ${values.join(', ')} FROM (${sql}\n) AS "(answer)"(${names})`
}

/** What was run has the columns that were bound. Anything else would be cells below wrong names. */
function assertTypes(types: readonly DuckDBType[], columns: readonly ResultColumn[]): void {
  const run = types.map((type) => answerType(type).name)
  if (run.length === columns.length && run.every((name, i) => name === columns[i].type)) return
  const bound = columns.map(({ type }) => type)
  throw new Error(`the query was bound with columns ${bound.join(', ')} and has run with ${run.join(', ')}`)
}

const FIXED_SIZE = /^(?:BOOLEAN|TINYINT|SMALLINT|INT|BIGINT|FLOAT|DOUBLE|DECIMAL|DATE|TIMESTAMP)/

function sizeOf(type: string, column: string): string[] {
  if (FIXED_SIZE.test(type)) return []
  const length = type === 'BINARY' ? `4 * octet_length(${column})` : `strlen(${column}::VARCHAR)`
  return [`coalesce(${length}, 0)`]
}
