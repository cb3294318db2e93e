/**
 * The queries of a worker, by key. It parses, plans and runs each query with the engine and the tables of streams, and
 * keeps its rows. It has no clock, no clients and no streams. Arguments and results are plain data, so that they can
 * cross a process boundary.
 */

import { onlyRow } from '../duckdb/only-row.ts'
import type { SqlError } from '../duckdb/sql-error.ts'
import type { EventSource } from '../worker/event-source.ts'
import { answerType } from './answer-types.ts'
import { type BadEvents, NO_BAD_EVENTS } from './bad-events.ts'
import { BoundConnections, type BoundTable, type BoundTables, boundTables } from './bound-tables.ts'
import { hiveNames } from './column-names.ts'
import type { Column } from './columns.ts'
import { type Connection, Engine, type EngineOptions } from './engine.ts'
import { type HiveCommand, readCommand } from './hive-commands.ts'
import { behindWords, firstWords, fromHive } from './hive-syntax.ts'
import { type ResultColumn, rowWriter } from './hive-types.ts'
import { closed, Job } from './job.ts'
import { answerColumns, KnownPlans, type Plan, type ReadColumns, readColumns } from './planner.ts'
import type {
  NamedTableRequest,
  Outline,
  QueryKey,
  QueryWorker,
  RunOutcome,
  StrictFailure,
} from './query-worker-protocol.ts'
import { type Result, type Row, RowsInTable, rowsInMemory } from './result.ts'
import { ALL_TIME, readStatement } from './statement.ts'
import { type Lease, TableCache } from './table-cache.ts'
import { viewOf } from './table-view.ts'

/** The part of the engine's memory that tables of streams may use. */
const CACHE_SHARE = 1 / 2
/** The number of bad events that a status lists. */
const LISTED_BAD_EVENTS = 5

/** Indexed by the number of words before the query. */
const EXPLAIN = ['', 'EXPLAIN ', 'EXPLAIN ANALYZE '] as const

export class QueryJobs implements QueryWorker {
  readonly #engine: Engine
  readonly #cache: TableCache
  readonly #connections: BoundConnections
  readonly #plans = new KnownPlans()
  readonly #jobs = new Map<QueryKey, Job>()

  private constructor(engine: Engine, cache: TableCache) {
    this.#engine = engine
    this.#cache = cache
    this.#connections = new BoundConnections(() => engine.connect())
  }

  static async open(options: EngineOptions, source: EventSource): Promise<QueryJobs> {
    const engine = await Engine.open(options)
    return new QueryJobs(engine, new TableCache(engine, source, options.memoryBytes * CACHE_SHARE))
  }

  async read(key: QueryKey, text: string): Promise<Outline> {
    const command = readCommand(text)
    if (command !== undefined) return outlineOf(command)
    const [explain, analyze] = firstWords(text, 2)
    const isExplain = explain === 'EXPLAIN'
    const words = isExplain ? (analyze === 'ANALYZE' ? 2 : 1) : 0
    const sql = fromHive(words === 0 ? text : behindWords(text, words))
    const statement = readStatement(await this.#engine.parse(sql))
    const { kind, tables } = statement
    const select = kind === 'select' ? sql : `FROM (${sql}\n)`
    this.#jobs.set(key, new Job(statement, select, EXPLAIN[words]))
    return { kind, isExplain, tables }
  }

  async bind(key: QueryKey, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]> {
    const job = this.#job(key)
    const { answer, read } = await this.#planned(job, boundTables(tables))
    const names = answer.map(({ name }) => name)
    const columnsOf = (table: string) =>
      tables.find(({ name }) => name === table)?.columns.map((column) => column.name)
    const shown = job.isExplain ? names : hiveNames(names, job.statement.query, columnsOf)
    job.read = read
    job.types = answer.map(({ type }) => type)
    job.columns = answer.map(({ name, type }, i) => ({ name: shown[i] ?? name, type: answerType(type).name }))
    return job.columns
  }

  /** The engine that runs queries also binds them, so that errors are reported before a query runs. */
  async #planned(job: Job, tables: BoundTables): Promise<Plan> {
    const known = this.#plans.find(job.sql, tables)
    if (known !== undefined) return known
    const answer = await job.on(
      () => this.#connections.take(tables),
      (connection) => answerColumns(connection, job.sql),
      (connection) => this.#connections.giveBack(connection, tables),
    )
    // A query that reads all columns needs no plan.
    const readsAll = job.statement.isStar || tables.tables.length === 0
    const plan = { answer, read: readsAll ? undefined : await this.#read(job, tables) }
    this.#plans.add(job.sql, tables, plan)
    return plan
  }

  async #read(job: Job, tables: BoundTables): Promise<ReadColumns> {
    const { connections } = await this.#engine.planner()
    try {
      return await job.on(
        () => connections.take(tables),
        (connection) => readColumns(connection, tables, job.select),
        (connection) => connections.giveBack(connection, tables),
      )
    } catch (error) {
      if (job.cancelled) throw error
      return undefined // some queries cannot be planned without other optimizers
    }
  }

  async run(
    key: QueryKey,
    tables: readonly NamedTableRequest[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure> {
    const job = this.#job(key)
    return job.on(
      () => this.#engine.connect(),
      (connection) => this.#rows(job, connection, tables, strict),
    )
  }

  async #rows(
    job: Job,
    connection: Connection,
    tables: readonly NamedTableRequest[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure> {
    const leases: Lease[] = []
    try {
      let badEvents = NO_BAD_EVENTS
      for (const table of tables) {
        const decoded = table.columns.filter((column) => isRead(column, table.name, job))
        const needed = { ...table, columns: decoded }
        const lease = await job.orCancelled(
          this.#cache.lease(needed, needed.earliestMs, job),
          (late) => void late.release(),
        )
        leases.push(lease)
        badEvents = together(badEvents, await job.orCancelled(badEventsOf(lease, needed, job)))
        await connection.run(viewOn(lease, table, decoded))
      }
      if (strict && badEvents.count > 0) return { badEvents, rowCount: undefined }
      job.assertNotEnded()
      job.result = await resultOf(job)
      return { badEvents, rowCount: job.result.rowCount }
    } finally {
      for (const lease of leases) await lease.release()
    }
  }

  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]> {
    return this.#job(key).result?.page(from, count) ?? Promise.resolve([])
  }

  stop(key: QueryKey): void {
    this.#jobs.get(key)?.stop()
  }

  drop(key: QueryKey): void {
    this.#jobs.get(key)?.drop()
    this.#jobs.delete(key)
  }

  /** Whether a query runs. If so, `interruptAll` can end it. */
  get isBusy(): boolean {
    return [...this.#jobs.values()].some((job) => job.isBusy)
  }

  /** Running queries reject with `reason` as soon as DuckDB can interrupt them. */
  interruptAll(reason: SqlError): void {
    for (const job of this.#jobs.values()) job.stop(reason)
  }

  async close(): Promise<void> {
    const jobs = [...this.#jobs.values()]
    for (const job of jobs) job.stop()
    await Promise.all(jobs.map((job) => job.ended))
    for (const key of [...this.#jobs.keys()]) this.drop(key)
    this.#connections.close()
    await this.#engine.close()
  }

  #job(key: QueryKey): Job {
    const job = this.#jobs.get(key)
    if (job === undefined) throw closed()
    return job
  }
}

function outlineOf(command: HiveCommand): Outline {
  const names = 'table' in command ? [command.table.toLowerCase()] : []
  const tables = names.map((name) => ({ name, range: ALL_TIME, eventsMax: undefined }))
  return { kind: command.kind, isExplain: false, tables, command }
}

/** The time is always read, because it determines the rows that the query may see. */
function isRead({ keptAs }: Column, table: string, { read }: Job): boolean {
  return keptAs === 'ts' || read === undefined || read.get(table)?.has(keptAs) === true
}

async function resultOf({ connection, sql, isExplain, columns, types }: Job): Promise<Result> {
  if (isExplain) {
    const reader = await connection!.runAndReadAll(sql)
    return rowsInMemory(columns, reader.getRows().map(rowWriter(columns)))
  }
  return RowsInTable.fill(connection!, columns, types, sql)
}

/** `rowid` numbers the rows in the order in which they were added. So the query does not see rows added after its lease. */
function viewOn(
  { table, extent }: Lease,
  { name, columns, earliestMs }: NamedTableRequest,
  decoded: readonly Column[],
): string {
  const source = `streams.${table.name} WHERE ts >= ${earliestMs} AND rowid < ${extent.rows}`
  return viewOf(name, columns, source, (column) => decoded.includes(column))
}

async function badEventsOf(
  { table, extent }: Lease,
  { name, range, earliestMs }: NamedTableRequest,
  { connection }: Job,
): Promise<BadEvents> {
  if (extent.badEvents === 0) return NO_BAD_EVENTS
  const startMs = Math.max(range.startMs, earliestMs)
  const { endMs } = range
  const conditions = `bad AND ts >= ${startMs} AND ts < ${endMs} AND rowid < ${extent.rows}`
  const reader = await connection!.runAndReadAll(
    `SELECT count(*) FROM streams.${table.name} WHERE ${conditions}`,
  )
  const first = extent.reasons
    .filter(({ timestampMs }) => timestampMs >= startMs && timestampMs < endMs)
    .map((event) => ({ ...event, table: name }))
  return { count: Number(onlyRow(reader)[0]), first: first.slice(0, LISTED_BAD_EVENTS) }
}

function together(a: BadEvents, b: BadEvents): BadEvents {
  return { count: a.count + b.count, first: [...a.first, ...b.first].slice(0, LISTED_BAD_EVENTS) }
}
