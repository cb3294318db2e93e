/**
 * DuckDB, loaded with the first query, in two locked instances (locked-instance.ts). One has the tables and runs the
 * queries; the other only plans them (planner.ts). Each has one thread, so that queries leave processor time for
 * ingestion.
 */
import type { DuckDBConnection, JS } from '@duckdb/node-api'
import { Mutex } from '../../storage/mutex.ts'
import type { Bindings } from '../duckdb/column-buffer.ts'
import { type DuckDB, loadBindings, loadDuckDb } from '../duckdb/load-duckdb.ts'
import { openLocked } from '../duckdb/locked-instance.ts'
import { onlyRow } from '../duckdb/only-row.ts'
import type { OpenInstance } from '../duckdb/open-instance.ts'
import { SqlError } from '../duckdb/sql-error.ts'
import { HIVE_FUNCTIONS } from './hive-functions.ts'
import { Planner } from './planner.ts'
import type { Node } from './statement.ts'

export type Connection = DuckDBConnection

export interface EngineOptions {
  /** For tables of streams, rows and running queries together. The engine spills data above this limit. */
  readonly memoryBytes: number
  /** For the whole process, including memory that the engine does not count. */
  readonly processBytes: number
  readonly diskBytes: number
  /** The engine creates the folder when it spills. */
  readonly spillFolder: string
}

/** The limits of an engine with this much memory. */
export function engineMemory(bytes: number): Pick<EngineOptions, 'memoryBytes' | 'processBytes'> {
  return { memoryBytes: bytes, processBytes: bytes + UNCOUNTED_BYTES }
}

/** For node and the library, texts that functions return, plans, and events between the processes. */
const UNCOUNTED_BYTES = 384 * 1024 * 1024

/** The answer of `json_serialize_sql`. `position` is the 0-based index at which a statement cannot be parsed. */
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
  readonly #instance: OpenInstance
  #planner: Promise<Planner> | undefined
  /** For the tables of streams. */
  readonly #own: Connection
  readonly #running = new Mutex()

  private constructor(duckdb: DuckDB, bindings: Bindings, instance: OpenInstance, own: Connection) {
    this.duckdb = duckdb
    this.bindings = bindings
    this.#instance = instance
    this.#own = own
  }

  static async open(options: EngineOptions): Promise<Engine> {
    const duckdb = loadDuckDb()
    const bindings = loadBindings()
    const { instance, connection: own } = await openLocked(
      duckdb,
      options,
      (connection) => connection.run('CREATE SCHEMA streams'),
      HIVE_FUNCTIONS,
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

  /** Runs statements one after another: a second statement on a connection would make the first one fail. */
  run(sql: string): Promise<JS[][]> {
    return this.#running.run(async () => (await this.#own.runAndReadAll(sql)).getRowsJS())
  }

  /**
   * The tree of one SELECT. Rejects with SqlError '42000' for other statements. It uses a connection of its own, so no
   * other statement waits.
   */
  async parse(sql: string): Promise<Node> {
    const parser = await this.#instance.connect()
    const reader = await parser
      .runAndReadAll('SELECT json_serialize_sql($1::VARCHAR)', [sql])
      .finally(() => parser.closeSync())
    const parsed = JSON.parse(String(onlyRow(reader)[0])) as SerializedStatement
    if (parsed.error) throw parseError(parsed, sql)
    const [statement, ...others] = parsed.statements ?? []
    if (statement === undefined || others.length > 0)
      throw new SqlError('42000', `there are ${parsed.statements?.length ?? 0} statements; send one`)
    return statement.node
  }

  async close(): Promise<void> {
    this.#own.closeSync()
    await this.#instance.close()
    await this.#planner?.then((planner) => planner.close()).catch(() => {}) // it did not open
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
  const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`
  return new SqlError('42000', `Parser Error: ${error_message}, ${place}`)
}
