/**
 * DuckDB, loaded when the first query comes, in two locked instances (locked-instance.ts): one that has the tables and runs
 * the queries, and one that only plans them (planner.ts). Each has one thread: queries run beside ingestion, not instead
 * of it.
 */
import type { DuckDBConnection, DuckDBInstance, JS } from '@duckdb/node-api'
import { Mutex } from '../../storage/mutex.ts'
import type { Bindings } from './column-buffer.ts'
import { openLocked } from './locked-instance.ts'
import { Planner } from './planner.ts'
import { SqlError } from './sql-error.ts'
import type { Node } from './statement.ts'

export type DuckDB = typeof import('@duckdb/node-api')
export type Connection = DuckDBConnection

export interface EngineOptions {
  /** For the tables of streams, results, and the work of queries, together; beyond it goes to the disk. */
  readonly memoryBytes: number
  /** For the whole process, with what the engine does not count. */
  readonly processBytes: number
  readonly diskBytes: number
  /** Made when something spills. */
  readonly spillFolder: string
}

/** What the engine may count on, and what its process may take at most. */
export function engineMemory(bytes: number): Pick<EngineOptions, 'memoryBytes' | 'processBytes'> {
  return { memoryBytes: bytes, processBytes: bytes + UNCOUNTED_BYTES }
}

/** Of node and the library, texts that functions make, plans, and what is on its way. */
const UNCOUNTED_BYTES = 384 * 1024 * 1024

/** A statement that parses has a place in it where it does not: 0-based, as DuckDB counts. */
interface SerializedStatement {
  readonly error: boolean
  readonly error_type?: string
  readonly error_message?: string
  readonly position?: string
  readonly statements?: readonly { readonly node: Node }[]
}

export class Engine {
  readonly duckdb: DuckDB
  readonly bindings: Bindings
  readonly #instance: DuckDBInstance
  #planner: Promise<Planner> | undefined
  /** For what is not a query's: the tables of streams. */
  readonly #own: Connection
  readonly #running = new Mutex()

  private constructor(duckdb: DuckDB, bindings: Bindings, instance: DuckDBInstance, own: Connection) {
    this.duckdb = duckdb
    this.bindings = bindings
    this.#instance = instance
    this.#own = own
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const duckdb = await import('@duckdb/node-api')
    const { default: bindings } = await import('@duckdb/node-bindings')
    const { instance, connection: own } = await openLocked(duckdb, options, (connection) =>
      connection.run('CREATE SCHEMA streams'),
    )
    return new Engine(duckdb, bindings, instance, own)
  }

  connect(): Promise<Connection> {
    return this.#instance.connect()
  }

  /** Opened when the first query is bound. */
  planner(): Promise<Planner> {
    this.#planner ??= Planner.open(this.duckdb)
    return this.#planner
  }

  /** One after the other: of two statements at a time on one connection the later makes the earlier fail. */
  run(sql: string): Promise<JS[][]> {
    return this.#running.run(async () => (await this.#own.runAndReadAll(sql)).getRowsJS())
  }

  /** The tree of one SELECT, on a connection of its own: others need not wait. Throws SqlError '42000' for anything else. */
  async parse(sql: string): Promise<Node> {
    const parser = await this.#instance.connect()
    const reader = await parser
      .runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])
      .finally(() => parser.closeSync())
    const parsed = JSON.parse(String(reader.getRows()[0][0])) as SerializedStatement
    if (parsed.error) throw parseError(parsed, sql)
    const statements = parsed.statements ?? []
    if (statements.length !== 1)
      throw new SqlError('42000', `there are ${statements.length} statements; send one`)
    return statements[0].node
  }

  close(): void {
    this.#own.closeSync()
    this.#instance.closeSync()
    this.#planner?.then((planner) => planner.close()).catch(() => {}) // one that did not open is not open
  }
}

function parseError(
  { error_type, error_message = '', position }: SerializedStatement,
  sql: string,
): SqlError {
  if (error_type !== 'parser' && error_type !== 'syntax') {
    return new SqlError(
      '42000',
      'this kind of statement is not allowed; SELECT, WITH, SHOW TABLES, DESCRIBE, EXPLAIN and SUMMARIZE are',
    )
  }
  if (position === undefined) return new SqlError('42000', `Parser Error: ${error_message}`)
  const before = sql.slice(0, Number(position)).split('\n')
  const place = `line ${before.length}, column ${before[before.length - 1].length + 1}`
  return new SqlError('42000', `Parser Error: ${error_message}, ${place}`)
}
