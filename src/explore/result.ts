/** Rows of a query: a page at a time, from any row on, as often as anybody likes. */
import type { ResultColumn } from './cells.ts'
import { cellJson } from './cells.ts'
import type { Connection } from './engine.ts'

/** A row is its cells, each JSON. */
export type Row = readonly string[]

export interface Result {
  readonly columns: readonly ResultColumn[]
  readonly rowCount: number
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

export const RESULT_TABLE = '_result'

/** Rows in a table of the connection's own, which goes with it: in the engine's memory, or spilled. */
export class RowsInTable implements Result {
  readonly columns: readonly ResultColumn[]
  readonly rowCount: number
  readonly #connection: Connection
  #reading: Promise<unknown> = Promise.resolve()

  constructor(connection: Connection, columns: readonly ResultColumn[], rowCount: number) {
    this.#connection = connection
    this.columns = columns
    this.rowCount = rowCount
  }

  page(from: number, count: number): Promise<readonly Row[]> {
    const sql = `SELECT * FROM ${RESULT_TABLE} WHERE rowid >= ${from} AND rowid < ${from + count} ORDER BY rowid`
    const page = this.#reading.then(async () => (await this.#connection.runAndReadAll(sql)).getRows())
    this.#reading = page.catch(() => {})
    return page.then((rows) => rows.map((row) => row.map((value, i) => cellJson(value, this.columns[i]))))
  }

  close(): void {
    void this.#reading.then(() => this.#connection.closeSync())
  }
}
