/**
 * Runs queries, each in its turn, in the process of queries.
 *
 * A query ends after the time it may take. When the process ends, or has no memory left, the query that is to blame fails;
 * the others have handed out no rows yet, and run again. Rows that are few are kept here, so that they outlive the process.
 */
import { ServiceError } from '../service-error.ts'
import type { ResultColumn } from './cells.ts'
import type { EngineOptions } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { FairSemaphore, type Task, type Verdict } from './fair-semaphore.ts'
import type { Penalties } from './penalties.ts'
import { culpritOf, isCollective, ProcessEnded } from './process-ended.ts'
import type { Query } from './query.ts'
import { QueryProcess } from './query-process.ts'
import type {
  BoundTable,
  NamedTableRequest,
  QueryKey,
  QueryWorker,
  RunOutcome,
  StrictFailure,
} from './query-worker.ts'
import type { RemoteQueryWorker } from './remote-query-worker.ts'
import { type Result, rowsInMemory } from './result.ts'
import { isEngineError, type SqlError, sqlErrorOf } from './sql-error.ts'

export interface QueryRunnerOptions {
  readonly engine: EngineOptions
  readonly source: EventSource
  readonly report: (error: unknown) => void
  readonly penalties: Penalties
  readonly runMs: number
  /** A process has ended with what it had. */
  readonly onLost: (queryWorker: QueryWorker, why: SqlError) => void
}

/** What is to run for a query that has passed every check. */
export interface Plan {
  readonly statement: string
  readonly bound: readonly BoundTable[]
  readonly strict: boolean
  readonly columns: readonly ResultColumn[]
  /** Asked for when it begins: which events are visible changes while it waits. */
  readonly needed: () => Promise<readonly NamedTableRequest[]>
  /** Throws SqlError if this outcome is none. */
  readonly accept: (outcome: RunOutcome | StrictFailure) => RunOutcome
}

/** Two for everybody, each with a thread of its own, and one more for a client that has none. */
const CONCURRENT_QUERIES_MAX = 3
/** A query whose process ended so often, each time for another one, fails all the same. */
const TRIES_MAX = 5
/** Rows that are kept here: as many as clients ask for at a time, */
const KEPT_ROWS_MAX = 100
/** … and as large. */
const KEPT_CHARS_MAX = 128 * 1024

export class QueryRunner {
  readonly #options: QueryRunnerOptions
  readonly #process: QueryProcess
  readonly #semaphore: FairSemaphore
  readonly #runs = new Map<QueryKey, Run>()
  readonly #running = new Set<Promise<void>>()
  #keys: QueryKey = 0
  #closed = false

  constructor(options: QueryRunnerOptions) {
    this.#options = options
    this.#semaphore = new FairSemaphore(CONCURRENT_QUERIES_MAX, options.penalties)
    this.#process = new QueryProcess({
      engine: options.engine,
      source: options.source,
      report: options.report,
      limitsChecks: false,
      onEnded: (ended, queryWorker) => this.#ended(ended, queryWorker),
    })
  }

  /** Has the process started, if it is not there, while something else is done. */
  prepare(): void {
    this.#process.opened().catch(() => {}) // the query that needs it is told
  }

  /** Its status tells how it goes. */
  start(query: Query, plan: Plan): void {
    this.#wait(new Run(query, plan, (run) => this.#begin(run)))
  }

  giveDiskBack(): Promise<void> {
    return this.#process.giveDiskBack()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#semaphore.close()
    await this.#process.close()
    await Promise.allSettled([...this.#running])
  }

  #wait(run: Run, first = false): void {
    run.query.waits(() => this.#semaphore.leave(run))
    this.#semaphore.ask(run, first)
  }

  #begin(run: Run): void {
    const running = this.#run(run).finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  async #run(run: Run): Promise<void> {
    const { query } = run
    run.tries++
    const since = performance.now()
    const timer = setTimeout(() => query.end(tooLong(this.#options.runMs)), this.#options.runMs - run.ranMs)
    let runsAgain = false
    try {
      query.runs(() => {}) // nothing to stop yet
      const queryWorker = await this.#process.opened()
      if (query.isUnderWay) query.finished(await this.#rows(run, queryWorker))
    } catch (error) {
      runsAgain = query.isUnderWay && !this.#closed && this.#runsAgain(run, error)
      if (!runsAgain) this.#fail(run, error)
    } finally {
      clearTimeout(timer)
      run.ranMs += performance.now() - since
      this.#semaphore.leave(run)
    }
    if (runsAgain) this.#wait(run, true)
  }

  async #rows(run: Run, queryWorker: RemoteQueryWorker): Promise<Result> {
    const { query, plan } = run
    const key = ++this.#keys
    this.#runs.set(key, run)
    const stop = () => queryWorker.stop(key)
    query.runs(stop)
    run.gaveWay = false
    run.stop = stop
    let isKept = false
    try {
      await queryWorker.read(key, plan.statement)
      await queryWorker.bind(key, plan.bound)
      const outcome = await queryWorker.run(key, await plan.needed(), plan.strict)
      query.badEvents = outcome.badEvents
      const { rowCount } = plan.accept(outcome)
      const few =
        rowCount > KEPT_ROWS_MAX ? undefined : await fewRows(queryWorker, key, plan.columns, rowCount)
      isKept = few === undefined
      return few ?? rowsOf(queryWorker, key, plan.columns, rowCount)
    } finally {
      if (!isKept) queryWorker.drop(key)
      this.#runs.delete(key)
      run.stop = () => {}
    }
  }

  #runsAgain(run: Run, error: unknown): boolean {
    if (run.gaveWay) return true
    if (!isCollective(error)) return false
    if (run.verdict === undefined) this.#semaphore.judge() // more memory than there is, and this is the first to say so
    return run.verdict === 'innocent' && run.tries < TRIES_MAX
  }

  #fail({ query }: Run, error: unknown): void {
    if (!isEngineError(error) && !(error instanceof ServiceError) && !this.#closed)
      this.#options.report(error)
    const { message, sqlState } = sqlErrorOf(error)
    query.failed({ message, sqlState })
  }

  #ended(ended: ProcessEnded, queryWorker: RemoteQueryWorker): void {
    if (isCollective(ended)) this.#semaphore.judge(culpritOf(ended, this.#runs))
    this.#options.onLost(queryWorker, ended)
  }
}

/** A query on its way to its rows. */
class Run implements Task {
  readonly query: Query
  readonly plan: Plan
  readonly #onBegin: (run: Run) => void
  suspect = false
  verdict: Verdict | undefined
  /** Stopped for others, to run again. */
  gaveWay = false
  tries = 0
  ranMs = 0
  stop: () => void = () => {}

  constructor(query: Query, plan: Plan, onBegin: (run: Run) => void) {
    this.query = query
    this.plan = plan
    this.#onBegin = onBegin
  }

  get client() {
    return this.query.client
  }

  begin(): void {
    this.verdict = undefined
    this.#onBegin(this)
  }

  preempt(): void {
    if (this.gaveWay) return
    this.gaveWay = true
    this.stop()
  }
}

/** The rows, if they are small enough to be kept here. */
async function fewRows(
  queryWorker: QueryWorker,
  key: QueryKey,
  columns: readonly ResultColumn[],
  rowCount: number,
): Promise<Result | undefined> {
  const rows = rowCount === 0 ? [] : await queryWorker.page(key, 0, rowCount).catch(unlessEnded)
  if (rows === undefined || rows.length < rowCount) return undefined
  const chars = rows.reduce((sum, row) => row.reduce((ofRow, cell) => ofRow + cell.length, sum), 0)
  return chars > KEPT_CHARS_MAX ? undefined : rowsInMemory(columns, rows)
}

/** Rows that cannot be read are told so to whoever asks for them; those that are gone with their process are not there. */
function unlessEnded(error: unknown): undefined {
  if (error instanceof ProcessEnded) throw error
}

/** Rows that are in the process of queries. */
function rowsOf(
  queryWorker: QueryWorker,
  key: QueryKey,
  columns: readonly ResultColumn[],
  rowCount: number,
): Result {
  return {
    columns,
    rowCount,
    holder: queryWorker,
    page: (from, count) => queryWorker.page(key, from, count),
    close: () => queryWorker.drop(key),
  }
}

function tooLong(runMs: number) {
  return {
    sqlState: '57014' as const,
    message: `the query ran for ${runMs / 1000} seconds, which is as long as one may (--max-query-seconds); ask for less at a time`,
  }
}
