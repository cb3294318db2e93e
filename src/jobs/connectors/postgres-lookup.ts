/** Rows of a database table for keys: one statement for up to 10,000 keys, which the index of the table can answer. */
import type { Value } from '../../formats/record-reader.ts'
import type { DataType, TypedColumn } from '../../sql/data-types.ts'
import type { PostgresAccess } from '../../tables/table.ts'
import { ConnectorError, type Lookup } from './connector.ts'
import { POSTGRES_LIMITS, PostgresConnection, type PostgresLimits } from './postgres-connection.ts'
import { describeTable, type PostgresTable, type TablePlace } from './postgres-table.ts'
import { keyComparison, quotedIdentifier, selectedText, TextReader, TextWriter } from './postgres-values.ts'

export const LOOKUP_KEYS_MAX = 10_000
/** Rows for the keys of one statement. They are in memory, so a key that is not selective must not return a whole table. */
const LOOKUP_ROWS_MAX = 500_000

export interface LookupOptions extends TablePlace {
  readonly access: PostgresAccess
  /** The columns to return, in order. */
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  /** Columns of the key, in the order of its values. */
  readonly keyColumns: readonly TypedColumn[]
  readonly limits?: PostgresLimits
  /** Default: 500,000. */
  readonly rowsMax?: number
}

export class PostgresLookup implements Lookup {
  readonly #connection: PostgresConnection
  readonly #readers: readonly TextReader[]
  readonly #writers: readonly TextWriter[]
  readonly #sql: string
  readonly #rowsMax: number
  readonly #tableName: string
  /** Indexes of key columns that are uuid: keys that are none match no row, and PostgreSQL would reject them. */
  readonly #uuids: readonly number[]

  private constructor(connection: PostgresConnection, table: PostgresTable, options: LookupOptions) {
    const { columns, keyColumns } = options
    this.#rowsMax = options.rowsMax ?? LOOKUP_ROWS_MAX
    this.#tableName = options.connector.tableName
    this.#connection = connection
    this.#readers = columns.map(({ name, type }) => new TextReader(name, type))
    this.#writers = keyColumns.map(({ name, type }) => new TextWriter(name, type, table.columns.get(name)!))
    this.#uuids = keyColumns.flatMap(({ name }, index) =>
      table.columns.get(name)!.type === 'uuid' ? [index] : [],
    )
    const selected = columns.map(({ name, type }) => selectedText(type, `t.${quotedIdentifier(name)}`))
    this.#sql = `SELECT ${selected.join(', ')} FROM ${table.sql} AS t ${comparison(table, keyColumns)} LIMIT ${this.#rowsMax + 1}`
  }

  static async open(options: LookupOptions): Promise<PostgresLookup> {
    const { access, limits = POSTGRES_LIMITS, integrationId } = options
    const connection = new PostgresConnection(access, limits, integrationId)
    try {
      const needed = [
        ...options.keyColumns,
        ...options.columns.map((column) => ({ ...column, nullable: true })),
      ]
      return new PostgresLookup(connection, await describeTable(connection, options, needed), options)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  async fetch(keys: readonly (readonly Value[])[]): Promise<readonly (readonly Value[])[]> {
    const found: Value[][] = []
    for (let start = 0; start < keys.length; start += LOOKUP_KEYS_MAX) {
      for (const row of await this.#fetch(keys.slice(start, start + LOOKUP_KEYS_MAX))) found.push(row)
    }
    return found
  }

  async #fetch(keys: readonly (readonly Value[])[]): Promise<Value[][]> {
    const possible = keys.filter((key) => this.#uuids.every((index) => UUID.test(String(key[index]))))
    if (possible.length === 0) return []
    const parameters = this.#writers.map((writer, index) =>
      possible.map((key) => keyText(writer.write(key[index]!))),
    )
    const { rows } = await this.#connection.query(this.#sql, parameters)
    if (rows.length > this.#rowsMax) {
      throw new ConnectorError(
        `relation "${this.#tableName}" has more than ${this.#rowsMax} rows for ${possible.length} keys; join on columns that select fewer`,
        false,
      )
    }
    return rows.map((row) => this.#readers.map((reader, index) => reader.read(row[index]!)))
  }

  close(): Promise<void> {
    return this.#connection.close()
  }
}

/** A text with a NUL character is in no column of PostgreSQL, and it would reject the parameter. */
function keyText(text: string | null): string | null {
  return text?.includes('\0') ? null : text
}

/** The form that PostgreSQL writes. Keys of another form equal no text of the column. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function comparison(table: PostgresTable, keyColumns: readonly TypedColumn[]): string {
  const parts = keyColumns.map(({ name, type }) =>
    keyComparison(type, table.columns.get(name)!, `t.${quotedIdentifier(name)}`),
  )
  const [only] = parts
  if (parts.length === 1) return `WHERE ${only!.left} = ANY (CAST($1::text[] AS ${only!.cast}[]))`
  const arrays = parts.map(({ cast }, index) => `CAST($${index + 1}::text[] AS ${cast}[])`)
  const names = parts.map((_, index) => `k${index}`)
  const equal = parts.map(({ left }, index) => `${left} = k.k${index}`)
  return `JOIN unnest(${arrays.join(', ')}) AS k(${names.join(', ')}) ON ${equal.join(' AND ')}`
}
