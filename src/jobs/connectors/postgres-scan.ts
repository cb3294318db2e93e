/** All rows of a database table as of one moment, in pieces, by a cursor. */
import type { Value } from '../../formats/record-reader.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { PostgresAccess } from '../../tables/table.ts'
import type { Scan } from './connector.ts'
import { POSTGRES_LIMITS, PostgresConnection, type PostgresLimits } from './postgres-connection.ts'
import { describeTable, type PostgresTable, type TablePlace } from './postgres-table.ts'
import { quotedIdentifier, selectedText, TextReader } from './postgres-values.ts'

/** Rows of a piece: with rows of some KiB, some MiB in memory. */
export const SCAN_ROWS = 2_000

export interface ScanOptions extends TablePlace {
  readonly access: PostgresAccess
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  readonly limits?: PostgresLimits
}

export class PostgresScan implements Scan {
  readonly #connection: PostgresConnection
  readonly #table: PostgresTable
  readonly #columns: ScanOptions['columns']

  private constructor(connection: PostgresConnection, table: PostgresTable, { columns }: ScanOptions) {
    this.#connection = connection
    this.#table = table
    this.#columns = columns
  }

  static async open(options: ScanOptions): Promise<PostgresScan> {
    const { access, limits = POSTGRES_LIMITS, integrationId } = options
    const connection = new PostgresConnection(access, limits, integrationId)
    try {
      const needed = options.columns.map((column) => ({ ...column, nullable: true }))
      return new PostgresScan(connection, await describeTable(connection, options, needed), options)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  async *rows(): AsyncIterable<readonly (readonly Value[])[]> {
    const readers = this.#columns.map(({ name, type }) => new TextReader(name, type))
    const selected = this.#columns.map(({ name, type }) => selectedText(type, quotedIdentifier(name)))
    await this.#connection.query('BEGIN TRANSACTION READ ONLY')
    try {
      await this.#connection.query(
        `DECLARE millrace_scan NO SCROLL CURSOR FOR SELECT ${selected.join(', ') || '1'} FROM ${this.#table.sql}`,
      )
      for (;;) {
        const { rows } = await this.#connection.query(`FETCH ${SCAN_ROWS} FROM millrace_scan`)
        if (rows.length === 0) return
        yield rows.map((row) => readers.map((reader, index) => reader.read(row[index]!)))
      }
    } finally {
      await this.#connection.query('ROLLBACK').catch(() => undefined)
    }
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}
