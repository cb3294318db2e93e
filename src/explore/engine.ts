/**
 * DuckDB, loaded when the first query comes. Locked: it reads and writes no file but what it spills, installs and loads
 * nothing, and no statement can change that. It has one thread: queries run beside ingestion, not instead of it.
 */
import type { DuckDBConnection, DuckDBInstance, JS } from '@duckdb/node-api'
import type { Bindings } from './column-buffer.ts'
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
  /** For what is not a query's: the tables of streams. */
  readonly #own: Connection
  #working: Promise<unknown> = Promise.resolve()

  private constructor(duckdb: DuckDB, bindings: Bindings, instance: DuckDBInstance, own: Connection) {
    this.duckdb = duckdb
    this.bindings = bindings
    this.#instance = instance
    this.#own = own
  }

  static async open({ memoryBytes, diskBytes, spillFolder }: EngineOptions): Promise<Engine> {
    const duckdb = await import('@duckdb/node-api')
    const { default: bindings } = await import('@duckdb/node-bindings')
    const instance = await duckdb.DuckDBInstance.create(':memory:', {
      threads: '1',
      memory_limit: `${memoryBytes}B`,
      temp_directory: spillFolder,
      max_temp_directory_size: `${diskBytes}B`,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    })
    const own = await instance.connect()
    for (const lock of [
      'CREATE SCHEMA streams',
      'SET allow_community_extensions = false',
      'SET enable_external_access = false',
      'SET lock_configuration = true',
    ]) {
      await own.run(lock)
    }
    return new Engine(duckdb, bindings, instance, own)
  }

  connect(): Promise<Connection> {
    return this.#instance.connect()
  }

  /** One after the other: of two statements at a time on one connection the later makes the earlier fail. */
  run(sql: string): Promise<JS[][]> {
    const run = this.#working.then(async () => (await this.#own.runAndReadAll(sql)).getRowsJS())
    this.#working = run.catch(() => {})
    return run
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
