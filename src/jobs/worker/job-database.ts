/**
 * The engine of all jobs: one instance with one thread, whose statements reach no file but those of the jobs' folder, and
 * no setting. Each job has a connection of its own for its temporary tables and views, and its state file is attached as a
 * schema of its own. Connections see the schemas of other jobs, so plan-guard.ts checks what a statement names.
 */
import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { DuckDBConnection, DuckDBPreparedStatement } from '@duckdb/node-api'
import { Mutex } from '../../../storage/mutex.ts'
import type { Bindings } from '../../duckdb/column-buffer.ts'
import { type DuckDB, loadBindings, loadDuckDb } from '../../duckdb/load-duckdb.ts'
import { openLocked } from '../../duckdb/locked-instance.ts'
import type { OpenInstance } from '../../duckdb/open-instance.ts'
import { registerScalars } from '../../duckdb/scalar-functions.ts'
import type { SqlScalar } from '../../sql/postgres-scalars.ts'
import { newJobId } from '../job-id.ts'
import { JobConnection } from './job-connection.ts'
import type { WorkerOptions } from './job-worker-protocol.ts'

/**
 * Plans are made once and run in every tick. These steps of the optimizer rely on the smallest and largest values that the tables
 * have when the plan is made: later values would be cut off, or pass a filter that was left out.
 */
export const DISABLED_OPTIMIZERS = 'statistics_propagation,compressed_materialization'

/** The settings that give arithmetic the meaning of Flink. DuckDB's log of a state file is folded into it at this size. */
const SETTINGS = [
  'SET GLOBAL ieee_floating_point_ops = true',
  'SET GLOBAL integer_division = false',
  'SET GLOBAL preserve_insertion_order = true',
  "SET GLOBAL checkpoint_threshold = '8MB'",
  `SET GLOBAL disabled_optimizers = '${DISABLED_OPTIMIZERS}'`,
]

export class JobDatabase {
  readonly duckdb: DuckDB
  readonly bindings: Bindings
  readonly #instance: OpenInstance
  /** Attaches and detaches. */
  readonly #own: DuckDBConnection
  readonly #attaching = new Mutex()
  readonly #schemas = new Set<string>()
  #memory: DuckDBPreparedStatement | undefined
  #closed = false

  private constructor(duckdb: DuckDB, bindings: Bindings, instance: OpenInstance, own: DuckDBConnection) {
    this.duckdb = duckdb
    this.bindings = bindings
    this.#instance = instance
    this.#own = own
  }

  /** `macros` are statements that create functions of Flink and PostgreSQL; `scalars` are computed in JavaScript. */
  static async open(
    options: WorkerOptions,
    macros: readonly string[],
    scalars: readonly SqlScalar[] = [],
  ): Promise<JobDatabase> {
    await mkdir(options.jobsFolder, { recursive: true })
    const duckdb = loadDuckDb()
    const bindings = loadBindings()
    const { instance, connection } = await openLocked(
      duckdb,
      options,
      async (first) => {
        await first.run(`SET allowed_directories = [${quotedText(options.jobsFolder)}]`)
        for (const setting of SETTINGS) await first.run(setting)
        registerScalars(duckdb, first, scalars)
      },
      macros,
    )
    return new JobDatabase(duckdb, bindings, instance, connection)
  }

  async connect(statementMsMax?: number, onStuck?: () => void): Promise<JobConnection> {
    return new JobConnection(await this.#instance.connect(), statementMsMax, onStuck)
  }

  /** A name that no statement contains by chance and no other job has, until `detach`. */
  newSchema(random: () => number): string {
    const schema = `j_${newJobId(random, (id) => this.#schemas.has(`j_${id}`))}`
    this.#schemas.add(schema)
    return schema
  }

  /**
   * `schema` is one of `newSchema`. The engine takes the beginning of a relative path, such as `md:`, for the name of an
   * extension, and a question mark for the end of a name: the file of its log would be elsewhere.
   */
  async attach(file: string, schema: string): Promise<void> {
    const path = resolve(file)
    if (path.includes('?'))
      throw new Error(
        "the path of the data folder contains '?', which the SQL engine cannot open; stop the service and move the folder",
      )
    await this.#attaching.run(() => this.#own.run(`ATTACH ${quotedText(path)} AS ${schema}`))
  }

  async detach(schema: string): Promise<void> {
    await this.#attaching.run(() => this.#own.run(`DETACH DATABASE IF EXISTS ${schema}`))
    this.#schemas.delete(schema)
  }

  /** Why the engine runs no statement any more; undefined if it does. */
  async failure(): Promise<string | undefined> {
    if (this.#closed) return undefined
    try {
      await this.#attaching.run(() => this.#own.run('SELECT 1'))
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  /** Bytes that the engine holds in memory; undefined after it was closed. */
  async memoryBytes(): Promise<number | undefined> {
    return this.#attaching.run(async () => {
      if (this.#closed) return undefined
      this.#memory ??= await this.#own.prepare(
        'SELECT CAST(sum(memory_usage_bytes) AS DOUBLE) FROM duckdb_memory()',
      )
      const [row] = await (await this.#memory.run()).getRows()
      return Number(row?.[0] ?? 0)
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#attaching.run(async () => {}) // a connection must not be closed while it runs a statement
    this.#memory?.destroySync()
    this.#own.closeSync()
    await this.#instance.close()
  }
}

export function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
