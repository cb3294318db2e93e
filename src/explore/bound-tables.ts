/**
 * Tables without rows, to which queries are bound. They have all columns, under the names that queries use, and the
 * same view as the real tables. A connection keeps its tables for a while, so that the next query over the same tables
 * can use them.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { storedName } from '../duckdb/column-types.ts'
import type { Column } from './columns.ts'
import { viewOf } from './table-view.ts'

export interface BoundTable {
  readonly name: string
  readonly columns: readonly Column[]
}

export interface BoundTables {
  readonly tables: readonly BoundTable[]
  /** Equal for the same tables with the same columns. */
  readonly key: string
}

export function boundTables(tables: readonly BoundTable[]): BoundTables {
  const names = tables.map(({ name, columns }) => [
    name,
    columns.map((column) => [column.name, column.keptAs, column.type]),
  ])
  return { tables, key: JSON.stringify(names) }
}

const IDLE_MAX = 8

/** A pool of connections that have such tables. One query uses a connection at a time. */
export class BoundConnections {
  readonly #connect: () => Promise<DuckDBConnection>
  /** The last used connection is at the end. */
  readonly #idle: { readonly key: string; readonly connection: DuckDBConnection }[] = []
  #closed = false

  constructor(connect: () => Promise<DuckDBConnection>) {
    this.#connect = connect
  }

  /** The caller must give the connection back or close it. */
  async take({ tables, key }: BoundTables): Promise<DuckDBConnection> {
    const at = this.#idle.findLastIndex((idle) => idle.key === key)
    const [idle] = at === -1 ? [] : this.#idle.splice(at, 1)
    if (idle !== undefined) return idle.connection
    const connection = await this.#connect()
    try {
      await createTables(connection, tables)
      return connection
    } catch (error) {
      connection.closeSync()
      throw error
    }
  }

  giveBack(connection: DuckDBConnection, { key }: BoundTables): void {
    this.#idle.push({ key, connection })
    while (this.#idle.length > (this.#closed ? 0 : IDLE_MAX)) this.#idle.shift()!.connection.closeSync()
  }

  close(): void {
    this.#closed = true
    for (const { connection } of this.#idle.splice(0)) connection.closeSync()
  }
}

/** Temporary tables: closing the connection drops them. */
async function createTables(connection: DuckDBConnection, tables: readonly BoundTable[]): Promise<void> {
  for (const [i, { name, columns }] of tables.entries()) {
    const list = columns.map(({ keptAs, keptType }) => `${keptAs} ${storedName(keptType)}`)
    await connection.run(`CREATE TEMP TABLE "${baseName(i)}" (${list.join(', ')})`)
    await connection.run(viewOf(name, columns, `"${baseName(i)}"`))
  }
}

/** The name of the table below the view, by its index among the tables. No table of a stream has such a name. */
export function baseName(index: number): string {
  return `(${index})`
}
