/**
 * Where queries are worked on: the engine, the tables of streams, and the rows of every query. It knows no streams but by
 * what is asked of it, no clock and no clients. Everything that goes in and out is plain data, so that it can stand in a
 * thread of its own (remote-workshop.ts).
 */
import { type BadEvents, NO_BAD_EVENTS } from './bad-events.ts'
import { cellJson, type ResultColumn, typeName } from './cells.ts'
import type { Column } from './columns.ts'
import { type Connection, Engine, type EngineOptions } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { RESULT_TABLE, type Result, type Row, RowsInTable, rowsInMemory } from './result.ts'
import { SqlError } from './sql-error.ts'
import { quotedName } from './sql-text.ts'
import type { Node } from './statement.ts'
import type { Wanted } from './stream-table.ts'
import { type Lease, TableCache } from './table-cache.ts'

/** Which query is meant: its submitter counts them. */
export type QueryKey = number

/** A table that a query names, before any event has been read. */
export interface BoundTable {
  readonly name: string
  readonly columns: readonly Column[]
}

/** The same, with what the query needs of it. */
export interface NeededTable extends Wanted {
  readonly name: string
  /** No event before it is visible. */
  readonly earliestMs: number
}

export interface RunRequest {
  readonly sql: string
  readonly isExplain: boolean
  readonly tables: readonly NeededTable[]
  readonly columns: readonly ResultColumn[]
  readonly strict: boolean
}

export interface RunOutcome {
  readonly badEvents: BadEvents
  readonly rowCount: number
}

/** As the next room sees it. Methods reject with SqlError for what is wrong with a query. */
export interface Workshop {
  /** The tree of one SELECT. */
  parse(sql: string): Promise<Node>
  /** Names and types of the columns of a query over these tables. The query is known from now on, until `drop`. */
  bind(key: QueryKey, sql: string, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]>
  /** Resolves once all rows are there. Bad events of a strict query are told before it rejects, by `onBadEvents`. */
  run(key: QueryKey, request: RunRequest): Promise<RunOutcome | StrictFailure>
  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]>
  /** Gives up what runs; `run` rejects soon. */
  stop(key: QueryKey): void
  drop(key: QueryKey): void
  close(): Promise<void>
}

/** A strict query that met bad events. */
export interface StrictFailure {
  readonly badEvents: BadEvents
  readonly rowCount: undefined
}

/** Part of the engine's memory that tables of streams may keep. */
const CACHE_SHARE = 1 / 2
/** Bad events that a status tells. */
const REASONS_TOLD = 5
/** So often a query is told to stop until it has: one that has not begun yet does not hear it. */
const INTERRUPT_MS = 50

interface Job {
  readonly connection: Connection
  cancelled: boolean
  running: boolean
  result: Result | undefined
  interrupting: NodeJS.Timeout | undefined
}

export class LocalWorkshop implements Workshop {
  readonly #engine: Engine
  readonly #cache: TableCache
  readonly #jobs = new Map<QueryKey, Job>()

  private constructor(engine: Engine, cache: TableCache) {
    this.#engine = engine
    this.#cache = cache
  }

  static async open(options: EngineOptions, source: EventSource): Promise<LocalWorkshop> {
    const engine = await Engine.open(options)
    return new LocalWorkshop(engine, new TableCache(engine, source, options.memoryBytes * CACHE_SHARE))
  }

  parse(sql: string): Promise<Node> {
    return this.#engine.parse(sql)
  }

  async bind(key: QueryKey, sql: string, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]> {
    const connection = await this.#engine.connect()
    try {
      for (const { name, columns } of tables) await connection.run(emptyView(name, columns))
      const prepared = await connection.prepare(sql)
      const columns = Array.from({ length: prepared.columnCount }, (_, i) => ({
        name: prepared.columnName(i),
        type: typeName(prepared.columnType(i)),
      }))
      prepared.destroySync()
      const job = { connection, cancelled: false, running: false, result: undefined, interrupting: undefined }
      this.#jobs.set(key, job)
      return columns
    } catch (error) {
      connection.closeSync()
      throw error
    }
  }

  async run(key: QueryKey, request: RunRequest): Promise<RunOutcome | StrictFailure> {
    const job = this.#job(key)
    const leases: Lease[] = []
    job.running = true
    try {
      let badEvents = NO_BAD_EVENTS
      for (const table of request.tables) {
        const lease = await this.#cache.lease(table, table.earliestMs, job)
        leases.push(lease)
        assertGoesOn(job)
        badEvents = together(badEvents, await badEventsOf(lease, table, job.connection))
        await job.connection.run(viewOn(lease, table))
      }
      assertGoesOn(job)
      if (request.strict && badEvents.count > 0) return { badEvents, rowCount: undefined }
      job.result = await resultOf(job.connection, request)
      assertGoesOn(job)
      return { badEvents, rowCount: job.result.rowCount }
    } finally {
      clearInterval(job.interrupting)
      job.running = false
      for (const lease of leases) await lease.release()
      if (!this.#jobs.has(key)) job.connection.closeSync()
    }
  }

  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]> {
    return this.#job(key).result?.page(from, count) ?? Promise.resolve([])
  }

  stop(key: QueryKey): void {
    const job = this.#jobs.get(key)
    if (job === undefined || job.cancelled) return
    job.cancelled = true
    job.connection.interrupt()
    job.interrupting = setInterval(() => job.connection.interrupt(), INTERRUPT_MS)
    if (!job.running) clearInterval(job.interrupting)
  }

  drop(key: QueryKey): void {
    const job = this.#jobs.get(key)
    this.#jobs.delete(key)
    if (job === undefined || job.running) return
    if (job.result instanceof RowsInTable) job.result.close()
    else job.connection.closeSync()
  }

  async close(): Promise<void> {
    for (const key of [...this.#jobs.keys()]) this.drop(key)
    this.#engine.close()
  }

  #job(key: QueryKey): Job {
    const job = this.#jobs.get(key)
    if (job === undefined) throw new SqlError('HY000', 'the query is closed')
    return job
  }
}

function assertGoesOn({ cancelled }: Job): void {
  if (cancelled) throw new SqlError('57014', 'the query was given up')
}

async function resultOf(connection: Connection, { sql, isExplain, columns }: RunRequest): Promise<Result> {
  if (isExplain) {
    const reader = await connection.runAndReadAll(sql)
    return rowsInMemory(
      columns,
      reader.getRows().map((row) => row.map((value, i) => cellJson(value, columns[i]))),
    )
  }
  const reader = await connection.runAndReadAll(`CREATE TEMP TABLE ${RESULT_TABLE} AS ${sql}`)
  return new RowsInTable(connection, columns, Number(reader.getRows()[0][0]))
}

function emptyView(name: string, columns: readonly Column[]): string {
  const list = columns.map((column) => `NULL::${column.type} AS ${quotedName(column.name)}`)
  return `CREATE TEMP VIEW ${quotedName(name)} AS SELECT ${list.join(', ')} WHERE false`
}

function viewOn({ table }: Lease, { name, columns, earliestMs }: NeededTable): string {
  const list = columns.map((column) => `${column.expression} AS ${quotedName(column.name)}`)
  const source = `streams.${table.name} WHERE ts >= ${earliestMs}`
  return `CREATE OR REPLACE TEMP VIEW ${quotedName(name)} AS SELECT ${list.join(', ')} FROM ${source}`
}

async function badEventsOf(
  { table }: Lease,
  { name, range, earliestMs }: NeededTable,
  connection: Connection,
): Promise<BadEvents> {
  if (table.badEvents === 0) return NO_BAD_EVENTS
  const startMs = Math.max(range.startMs, earliestMs)
  const { endMs } = range
  const reader = await connection.runAndReadAll(
    `SELECT count(*) FROM streams.${table.name} WHERE bad AND ts >= ${startMs} AND ts < ${endMs}`,
  )
  const first = table.reasons
    .filter(({ timestampMs }) => timestampMs >= startMs && timestampMs < endMs)
    .map((event) => ({ ...event, table: name }))
  return { count: Number(reader.getRows()[0][0]), first: first.slice(0, REASONS_TOLD) }
}

function together(a: BadEvents, b: BadEvents): BadEvents {
  return { count: a.count + b.count, first: [...a.first, ...b.first].slice(0, REASONS_TOLD) }
}
