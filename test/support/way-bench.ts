/**
 * One job with one insert on a real DuckDB with a state file: the test puts rows into the in-tables and reads the outbox,
 * as a tick does. Values are SQL literals on the way in and DuckDB's texts on the way out.
 */
import { DuckDBInstance } from '@duckdb/node-api'
import { quotedName } from '../../src/duckdb/sql-text.ts'
import type { InsertPlan, JobPlan, SourcePlan } from '../../src/jobs/plan/job-plan.ts'
import type { QueryJobResult } from '../../src/jobs/query-result.ts'
import { JobConnection } from '../../src/jobs/worker/job-connection.ts'
import { DISABLED_OPTIMIZERS } from '../../src/jobs/worker/job-database.ts'
import { RefreshWay } from '../../src/jobs/worker/refresh.ts'
import { RunningWay } from '../../src/jobs/worker/running.ts'
import type { Way } from '../../src/jobs/worker/way.ts'
import { type DataType, duckdbType } from '../../src/sql/data-types.ts'
import { encodedName } from '../../src/sql/encoded-name.ts'
import { FLINK_MACROS } from '../../src/sql/flink-macros.ts'

/** op, then the columns of the sink as texts; null for NULL. */
export type OutRow = readonly (string | null)[]

/** Values in the order of the source's columns, as SQL literals. */
export interface InRow {
  readonly source: string
  readonly op?: 'u' | 'd' | 'c'
  readonly values: readonly string[]
}

export interface BenchOptions {
  readonly path: string
  readonly sources: readonly SourcePlan[]
  readonly insert: InsertPlan
  readonly memoryBytes?: number
  /** The job is that of a cached query: each tick reaches a moment. */
  readonly query?: QueryJobResult
}

export function sourceOf(
  relation: string,
  columns: readonly { readonly name: string; readonly type: DataType }[],
  changeKey: readonly string[] = [],
): SourcePlan {
  return {
    relation,
    tableId: relation,
    tableName: relation,
    decoded: columns,
    view: `SELECT ${columns.map(({ name }) => quotedName(name)).join(', ')} FROM in_${relation}`,
    columns,
    watermark: undefined,
    changeKey,
  }
}

/** Making an instance and its functions takes ten times as long as attaching a file, so all jobs share one, as in the worker. */
let shared: Promise<DuckDBInstance> | undefined
let opened = 0

async function sharedInstance(): Promise<DuckDBInstance> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run("SET GLOBAL TimeZone = 'UTC'")
  await connection.run(`SET GLOBAL disabled_optimizers = '${DISABLED_OPTIMIZERS}'`)
  for (const macro of FLINK_MACROS) await connection.run(macro)
  connection.closeSync()
  return instance
}

export class WayBench {
  readonly #options: BenchOptions
  /** The state file in SQL. */
  readonly state: string
  readonly instance: DuckDBInstance
  readonly connection: JobConnection
  readonly #way: Way
  #ord = 0
  #isFirst: boolean

  private constructor(
    options: BenchOptions,
    state: string,
    instance: DuckDBInstance,
    connection: JobConnection,
    way: Way,
    isFirst: boolean,
  ) {
    this.#options = options
    this.state = state
    this.instance = instance
    this.connection = connection
    this.#way = way
    this.#isFirst = isFirst
  }

  static async open(options: BenchOptions): Promise<WayBench> {
    shared ??= sharedInstance()
    const instance = await shared
    const connection = new JobConnection(await instance.connect())
    const state = `j${++opened}`
    await connection.once(`ATTACH '${options.path}' AS ${state}`)
    const [row] = await connection.once(
      `SELECT count(*) FROM duckdb_tables() WHERE database_name = '${state}'`,
    )
    const { sink } = options.insert
    const columns = sink.columns.map(({ type }, index) => `c${index} ${duckdbType(type)}`)
    await connection.once(`CREATE TABLE IF NOT EXISTS ${state}.outbox_0 (op VARCHAR, ${columns.join(', ')})`)
    const plan: JobPlan = {
      signature: '',
      sources: options.sources,
      lookups: [],
      fixed: [],
      inserts: [options.insert],
      vertices: [],
    }
    const { query } = options
    const context = {
      connection,
      plan,
      insert: 0,
      state,
      outbox: `${state}.outbox_0`,
      ...(query && { query }),
    }
    const way = options.insert.way === 'running' ? new RunningWay(context) : new RefreshWay(context)
    const bench = new WayBench(options, state, instance, connection, way, row?.[0] === 0n)
    for (const source of options.sources) await bench.#createInput(source)
    await way.prepare()
    return bench
  }

  async #createInput({ relation, decoded, columns, changeKey, view }: SourcePlan): Promise<void> {
    const op = changeKey.length > 0 ? '__op VARCHAR, ' : ''
    const types = decoded.map(({ name, type }) => `${quotedName(encodedName(name))} ${duckdbType(type)}`)
    await this.connection.once(`CREATE TEMP TABLE in_${relation} (__ord BIGINT, ${op}${types.join(', ')})`)
    await this.connection.once(
      `CREATE TEMP VIEW ${relation} AS ${view.replace('SELECT ', `SELECT __ord, ${changeKey.length > 0 ? '__op, ' : ''}`)}`,
    )
    if (columns.length === 0) throw new Error('a source has columns')
  }

  /** Adds the rows to the in-tables, and runs the way in a transaction. Returns the outbox. */
  async tick(rows: readonly InRow[]): Promise<OutRow[]> {
    for (const { relation, changeKey } of this.#options.sources) {
      const own = rows
        .map((row, index) => ({ row, ord: this.#ord + index }))
        .filter(({ row }) => row.source === relation)
      const tuples = own.map(({ row, ord }) =>
        [String(ord), ...(changeKey.length > 0 ? [`'${row.op ?? 'u'}'`] : []), ...row.values].join(', '),
      )
      if (tuples.length > 0)
        await this.connection.once(
          `INSERT INTO in_${relation} VALUES ${tuples.map((tuple) => `(${tuple})`).join(', ')}`,
        )
    }
    this.#ord += rows.length
    return this.runTick(new Set(rows.map(({ source }) => source)))
  }

  /** Runs the way over what the in-tables hold. */
  async runTick(grown: ReadonlySet<string>): Promise<OutRow[]> {
    await this.connection.once('BEGIN')
    try {
      await this.connection.once(`DELETE FROM ${this.state}.outbox_0`)
      const none = new Map<string, undefined>()
      const moment = this.#options.query && { moment: { lsn: String(this.#ord), txId: 1, timestampMs: 1 } }
      await this.#way.run({
        before: none,
        after: none,
        grown,
        isLast: false,
        isFirst: this.#isFirst,
        ...moment,
      })
      this.#isFirst = false
      await this.connection.once('COMMIT')
    } catch (error) {
      await this.connection.once('ROLLBACK')
      throw error
    } finally {
      for (const { relation } of this.#options.sources)
        await this.connection.once(`DELETE FROM in_${relation}`)
    }
    return this.query(`SELECT * FROM ${this.state}.outbox_0`)
  }

  /** All values as texts. */
  async query(sql: string): Promise<OutRow[]> {
    const rows = await this.connection.once(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${sql})`)
    return rows as OutRow[]
  }

  async close(): Promise<void> {
    await this.connection.once(`DETACH ${this.state}`)
    this.connection.close()
  }
}

/** The table that a reader of the changes has: rows as JSON texts with their number. Throws for a change that does not fit. */
export class ChangedTable {
  readonly rows = new Map<string, number>()

  apply(changes: readonly OutRow[]): void {
    for (const [index, [op, ...values]] of changes.entries()) {
      const row = JSON.stringify(values)
      if (op === 'c' || op === 'u') this.rows.set(row, (this.rows.get(row) ?? 0) + 1)
      if (op === 'b' && changes[index + 1]?.[0] !== 'u')
        throw new Error('a row before an update without the row after it')
      if (op === 'u' && changes[index - 1]?.[0] !== 'b')
        throw new Error('a row after an update without the row before it')
      if (op === 'b' || op === 'd') this.#remove(row)
    }
  }

  #remove(row: string): void {
    const count = this.rows.get(row)
    if (count === undefined) throw new Error(`the change removes ${row}, which is not there`)
    if (count === 1) this.rows.delete(row)
    else this.rows.set(row, count - 1)
  }

  get sorted(): string[] {
    return [...this.rows].flatMap(([row, count]) => Array.from({ length: count }, () => row)).sort()
  }
}

export function sorted(rows: readonly OutRow[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort()
}
