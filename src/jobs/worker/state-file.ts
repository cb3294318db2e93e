/**
 * The state of one job: a database file of its own, attached to the engine under a name that no statement knows.
 *
 *   meta        one row: format, signature, epoch (number of commits), counters (JSON)
 *   positions   source, position (JSON), watermark in ms
 *   emission    sink, last: epoch of the last outbox with rows, previous: that of the one before it
 *   outbox_<k>  rows for sink k of the last commit: op, c0, c1, …
 *   others      tables of the ways: kept_<window> and those of running.ts and refresh.ts
 *
 * No table has an index or a PRIMARY KEY. A commit is durable when `begin`, `committed` or `markEmitted` resolves
 * (state-log.ts). A file has its name only when its tables are durable, so one without them is damaged. `format` is the
 * version of these tables; a file with a higher one is refused.
 */
import { existsSync, statSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '../../../storage/sync-folder.ts'
import { duckdbType } from '../../sql/data-types.ts'
import type { SourcePosition } from '../connectors/connector.ts'
import type { InsertPlan, JobPlan } from '../plan/job-plan.ts'
import { type Counters, noCounts, storedCounts } from './counters.ts'
import type { JobConnection } from './job-connection.ts'
import type { JobDatabase } from './job-database.ts'
import { JobError } from './job-error.ts'
import { cutTornLog, logOf, StateLog } from './state-log.ts'

export const STATE_FILE = 'state.duckdb'
export const STATE_FORMAT = 1

export interface SourceState {
  readonly position: SourcePosition
  readonly watermarkMs: number | undefined
}

/** Epochs of the last two outboxes of a sink that had rows; 0: none. */
export interface Emission {
  readonly last: number
  readonly previous: number
}

export interface StateChange {
  /** By relation. Sources that are missing are unchanged. */
  readonly sources: ReadonlyMap<string, SourceState>
  readonly counters: Counters
  /** Rows in the outbox of each sink. */
  readonly outboxRows: readonly number[]
}

export interface StateOptions {
  readonly folder: string
  readonly plan: JobPlan
  readonly bytesMax: number
  /** Name of the schema, unique among all jobs of the process. */
  readonly schema: string
}

export class StateFile {
  readonly #database: JobDatabase
  readonly #connection: JobConnection
  readonly #options: StateOptions
  readonly #path: string
  readonly #log: StateLog
  readonly sources = new Map<string, SourceState>()
  epoch = 0
  counters: Counters
  readonly emissions: Emission[]
  /** Bytes of the file and its log after the last commit. */
  bytes = 0
  #logBytes = 0

  private constructor(database: JobDatabase, connection: JobConnection, options: StateOptions) {
    this.#database = database
    this.#connection = connection
    this.#options = options
    this.#path = join(options.folder, STATE_FILE)
    this.#log = new StateLog(this.#path)
    this.counters = noCounts(options.plan)
    this.emissions = options.plan.inserts.map(() => ({ last: 0, previous: 0 }))
  }

  /** Opens the file or creates it. Rejects with JobError 'lasting' if it does not belong to the plan or is damaged. */
  static async open(
    database: JobDatabase,
    connection: JobConnection,
    options: StateOptions,
  ): Promise<StateFile> {
    const file = new StateFile(database, connection, options)
    await mkdir(options.folder, { recursive: true })
    try {
      if (!existsSync(file.#path)) await file.#create()
      await file.#attach()
      await file.#load()
      await syncFolder(options.folder)
      await file.#log.sync()
    } catch (error) {
      await database.detach(options.schema).catch(() => {})
      throw file.#openError(error)
    }
    file.#measure()
    return file
  }

  get schema(): string {
    return this.#options.schema
  }

  outbox(insert: number): string {
    return `${this.schema}.outbox_${insert}`
  }

  /** Commits where sources start, by relation. This is no epoch: nothing has been read. */
  async begin(positions: ReadonlyMap<string, SourcePosition>): Promise<void> {
    const { schema } = this
    const run = (sql: string, ...values: string[]) => this.#connection.run(sql, ...values)
    await run('BEGIN')
    try {
      for (const [relation, position] of positions)
        await run(`INSERT INTO ${schema}.positions VALUES ($1, $2, NULL)`, relation, JSON.stringify(position))
      await run('COMMIT')
    } catch (error) {
      await run('ROLLBACK').catch(() => {}) // the failed statement has ended the transaction
      throw error
    }
    await this.#log.sync()
    for (const [relation, position] of positions)
      this.sources.set(relation, { position, watermarkMs: undefined })
    this.#measure()
  }

  /** Adds what a tick changes to its transaction. Call `committed` after the commit. */
  async write(change: StateChange): Promise<void> {
    const { schema } = this
    for (const [relation, { position, watermarkMs }] of change.sources) {
      const sql = this.sources.has(relation)
        ? `UPDATE ${schema}.positions SET position = $2, watermark = $3 WHERE source = $1`
        : `INSERT INTO ${schema}.positions VALUES ($1, $2, $3)`
      await this.#connection.run(sql, relation, JSON.stringify(position), watermarkMs ?? null)
    }
    for (const [sink, rows] of change.outboxRows.entries()) {
      if (rows === 0) continue
      const sql = `UPDATE ${schema}.emission SET previous = last, last = $2 WHERE sink = $1`
      await this.#connection.run(sql, sink, this.epoch + 1)
    }
    const counters = JSON.stringify(change.counters)
    await this.#connection.run(
      `UPDATE ${schema}.meta SET epoch = $1, counters = $2`,
      this.epoch + 1,
      counters,
    )
  }

  /** Call it after the commit and before anything that relies on it. Resolves with the bytes that the commit has written. */
  async committed(change: StateChange): Promise<number> {
    await this.#log.sync()
    this.epoch++
    this.counters = change.counters
    for (const [relation, source] of change.sources) this.sources.set(relation, source)
    for (const [sink, rows] of change.outboxRows.entries()) {
      const { last } = this.emissions[sink]!
      if (rows > 0) this.emissions[sink] = { last: this.epoch, previous: last }
    }
    const logBytes = this.#logBytes
    const bytes = this.bytes
    this.#measure()
    return this.#logBytes >= logBytes ? this.#logBytes - logBytes : Math.max(0, this.bytes - bytes)
  }

  /** Throws JobError 'lasting' if the file is larger than it may be. */
  assertSize(): void {
    const { bytesMax } = this.#options
    if (this.bytes <= bytesMax) return
    const text = `state needs ${gibibytes(this.bytes)}, and ${gibibytes(bytesMax)} are allowed; a window keeps its rows until it closes`
    throw new JobError(text, 'lasting')
  }

  /** Marks the outbox of a sink that keeps no record as emitted, together with the counts. */
  async markEmitted(sink: number): Promise<void> {
    const { schema } = this
    await this.#connection.run('BEGIN')
    try {
      await this.#connection.run(`DELETE FROM ${this.outbox(sink)}`)
      await this.#connection.run(`UPDATE ${schema}.meta SET counters = $1`, JSON.stringify(this.counters))
      await this.#connection.run('COMMIT')
    } catch (error) {
      await this.#connection.run('ROLLBACK').catch(() => {}) // the failed statement has ended the transaction
      throw error
    }
    await this.#log.sync()
  }

  async outboxRows(insert: number): Promise<number> {
    const [row] = await this.#connection.rows(`SELECT count(*) FROM ${this.outbox(insert)}`)
    return Number(row![0])
  }

  async close(): Promise<void> {
    await this.#database.detach(this.schema)
  }

  /** Creates the file under another name, and gives it its own when all of it is durable. */
  async #create(): Promise<void> {
    const { schema, plan, folder } = this.#options
    const path = `${this.#path}.new`
    for (const left of [path, logOf(path), logOf(this.#path)]) await rm(left, { force: true })
    await this.#database.attach(path, schema)
    await this.#createTables(plan)
    await this.#connection.once(`CHECKPOINT ${schema}`)
    await this.#database.detach(schema)
    await rename(path, this.#path)
    await syncFolder(folder)
  }

  async #createTables(plan: JobPlan): Promise<void> {
    const { schema } = this
    const run = (sql: string) => this.#connection.once(sql)
    await run('BEGIN')
    await run(
      `CREATE TABLE ${schema}.meta (format INTEGER, signature VARCHAR, epoch BIGINT, counters VARCHAR)`,
    )
    await run(`CREATE TABLE ${schema}.positions (source VARCHAR, position VARCHAR, watermark BIGINT)`)
    await run(`CREATE TABLE ${schema}.emission (sink INTEGER, last BIGINT, previous BIGINT)`)
    for (const [sink, insert] of plan.inserts.entries()) {
      await run(`CREATE TABLE ${this.outbox(sink)} (op VARCHAR${outboxColumns(insert)})`)
      await run(`INSERT INTO ${schema}.emission VALUES (${sink}, 0, 0)`)
    }
    await this.#connection.run(
      `INSERT INTO ${schema}.meta VALUES ($1, $2, 0, $3)`,
      STATE_FORMAT,
      plan.signature,
      JSON.stringify(this.counters),
    )
    await run('COMMIT')
  }

  async #attach(): Promise<void> {
    const { schema } = this.#options
    try {
      await this.#database.attach(this.#path, schema)
    } catch (error) {
      if (!(await cutTornLog(this.#path, error))) throw error
      await this.#database.attach(this.#path, schema)
    }
  }

  async #load(): Promise<void> {
    const { schema } = this
    const rows = (sql: string) => this.#connection.rows(sql)
    const [meta] = await rows(`SELECT format, signature, epoch, counters FROM ${schema}.meta`)
    if (meta === undefined) throw damaged(this.#path, 'it has no first row')
    const [format, signature, epoch, counters] = meta
    if (Number(format) > STATE_FORMAT) {
      const text = `the state file ${this.#path} has format ${format}, and this version reads up to ${STATE_FORMAT}; run the version that has written it`
      throw new JobError(text, 'lasting')
    }
    if (signature !== this.#options.plan.signature) {
      const text = `the state file ${this.#path} is of another statement (signature ${String(signature).slice(0, 12)}, wanted ${this.#options.plan.signature.slice(0, 12)}); create a new job`
      throw new JobError(text, 'lasting')
    }
    this.epoch = Number(epoch)
    const outboxRows: number[] = []
    for (const sink of this.#options.plan.inserts.keys()) outboxRows.push(await this.outboxRows(sink))
    this.counters = storedCounts(String(counters), this.#options.plan, outboxRows)
    for (const [source, position, watermark] of await rows(
      `SELECT source, position, watermark FROM ${schema}.positions`,
    )) {
      const watermarkMs = watermark === null ? undefined : Number(watermark)
      this.sources.set(String(source), { position: JSON.parse(String(position)), watermarkMs })
    }
    for (const [sink, last, previous] of await rows(`SELECT sink, last, previous FROM ${schema}.emission`))
      this.emissions[Number(sink)] = { last: Number(last), previous: Number(previous) }
  }

  /** The error of a statement, as JobError 'lasting' if it has met damaged bytes of the file. */
  explained(error: unknown): unknown {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof JobError || INVALIDATED.test(message)) return error
    return DAMAGED_BLOCK.test(message) ? damaged(this.#path, message, error) : error
  }

  #openError(error: unknown): unknown {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof JobError || INVALIDATED.test(message)) return error
    return DAMAGE.test(message) ? damaged(this.#path, message, error) : error
  }

  #measure(): void {
    this.#logBytes = sizeOf(`${this.#path}.wal`)
    this.bytes = sizeOf(this.#path) + this.#logBytes
  }
}

/** What the engine says about a file whose bytes are not those that it has written. */
const DAMAGE =
  /corrupt|checksum|not a valid DuckDB database|replaying WAL|Serialization Error|version number|INTERNAL Error|Could not read/i

/** Blocks are read when a statement needs them, so damage may be found while the job runs. */
const DAMAGED_BLOCK = /corrupt database file|checksum .*does not match/i
/** The engine had failed before, and the file is not the cause. */
const INVALIDATED = /database has been invalidated/

function damaged(path: string, reason: string, cause?: unknown): JobError {
  const text = `the state file ${path} is damaged: ${reason.slice(0, 300)}; restore it together with the store from a backup, or create a new job`
  return new JobError(text, 'lasting', undefined, { cause })
}

function outboxColumns({ sink }: InsertPlan): string {
  return sink.columns.map(({ type }, index) => `, c${index} ${duckdbType(type)}`).join('')
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function gibibytes(bytes: number): string {
  return bytes < 1024 ** 3 ? `${(bytes / 1024 ** 2).toFixed(1)} MiB` : `${(bytes / 1024 ** 3).toFixed(1)} GiB`
}
