/**
 * Runs queries in the query worker, each while it holds a permit.
 *
 * A query is ended at its time limit. When the worker's process ends or runs out of memory, the responsible query
 * fails; the others have not returned any rows yet and run again. The service itself keeps small results, so that they
 * survive the process.
 */

import { isEngineError, type SqlError, sqlErrorOf } from '../duckdb/sql-error.ts'
import { FairSemaphore, type Task, type Verdict } from '../fair-semaphore.ts'
import type { Penalties } from '../penalties.ts'
import { ServiceError } from '../service-error.ts'
import type { EventSource } from '../worker/event-source.ts'
import type { BoundTable } from './bound-tables.ts'
import type { EngineOptions } from './engine.ts'
import type { ResultColumn } from './hive-types.ts'
import type { Query } from './query.ts'
import { type QueryWorkerClient, RestartingQueryWorker } from './query-worker-client.ts'
import type {
  NamedTableRequest,
  QueryKey,
  QueryWorker,
  RunOutcome,
  StrictFailure,
} from './query-worker-protocol.ts'
import { type Result, rowsInMemory } from './result.ts'
import { culpritOf, isCollective, ProcessEnded } from './worker-failure.ts'

export interface QueryRunnerOptions {
  readonly engine: EngineOptions
  readonly source: EventSource
  readonly report: (error: unknown) => void
  readonly penalties: Penalties
  readonly runMs: number
  /** The worker's process has ended; rows in it are lost. */
  readonly onLost: (queryWorker: QueryWorker, why: SqlError) => void
}

/** A query that has passed all checks. */
export interface Plan {
  readonly statement: string
  readonly bound: readonly BoundTable[]
  readonly strict: boolean
  readonly columns: readonly ResultColumn[]
  /** Called when the query starts to run, because the visible events may change while it waits. */
  readonly requests: () => Promise<readonly NamedTableRequest[]>
  /** Throws SqlError if the outcome is a failure. */
  readonly accept: (outcome: RunOutcome | StrictFailure) => RunOutcome
}

/** Each query has its own thread. One client may run all but one. */
const CONCURRENT_QUERIES_MAX = 3
/** A query fails when its process has ended this many times, even if other queries were responsible. */
const TRIES_MAX = 5
/** The service keeps the rows of a query if there are not more than this, as many as clients usually read at a time … */
const KEPT_ROWS_MAX = 100
/** … and they are not larger. */
const KEPT_CHARS_MAX = 128 * 1024

export class QueryRunner {
  readonly #options: QueryRunnerOptions
  readonly #worker: RestartingQueryWorker
  readonly #semaphore: FairSemaphore
  readonly #runs = new Map<QueryKey, Run>()
  readonly #running = new Set<Promise<void>>()
  #keys: QueryKey = 0
  #closed = false

  constructor(options: QueryRunnerOptions) {
    this.#options = options
    this.#semaphore = new FairSemaphore(CONCURRENT_QUERIES_MAX, options.penalties)
    this.#worker = new RestartingQueryWorker({
      engine: options.engine,
      source: options.source,
      report: options.report,
      limitsChecks: false,
      onEnded: (ended, queryWorker) => this.#ended(ended, queryWorker),
    })
  }

  /** Starts the process in the background if it does not run. */
  prepare(): void {
    this.#worker.opened().catch(() => {}) // the query that needs the process gets the error
  }

  /** The status of the query shows the progress. */
  start(query: Query, plan: Plan): void {
    this.#wait(new Run(query, plan, (run) => this.#begin(run)))
  }

  releaseDisk(): Promise<void> {
    return this.#worker.releaseDisk()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#semaphore.close()
    await this.#worker.close()
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
      query.runs(() => {}) // there is nothing to stop yet
      const queryWorker = await this.#worker.opened()
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

  async #rows(run: Run, queryWorker: QueryWorkerClient): Promise<Result> {
    const { query, plan } = run
    const key = ++this.#keys
    this.#runs.set(key, run)
    const stop = () => queryWorker.stop(key)
    query.runs(stop)
    run.preempted = false
    run.stop = stop
    let isKept = false
    try {
      await queryWorker.read(key, plan.statement)
      await queryWorker.bind(key, plan.bound)
      const outcome = await queryWorker.run(key, await plan.requests(), plan.strict)
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
    if (run.preempted) return true
    if (!isCollective(error)) return false
    if (run.verdict === undefined) this.#semaphore.judge() // out of memory, and this query is the first to report it
    return run.verdict === 'innocent' && run.tries < TRIES_MAX
  }

  #fail({ query }: Run, error: unknown): void {
    if (!isEngineError(error) && !(error instanceof ServiceError) && !this.#closed)
      this.#options.report(error)
    const { message, sqlState } = sqlErrorOf(error)
    query.failed({ message, sqlState })
  }

  #ended(ended: ProcessEnded, queryWorker: QueryWorkerClient): void {
    if (isCollective(ended)) this.#semaphore.judge(culpritOf(ended, this.#runs))
    this.#options.onLost(queryWorker, ended)
  }
}

/** A query from its first permit until its rows are complete. */
class Run implements Task {
  readonly query: Query
  readonly plan: Plan
  readonly #onBegin: (run: Run) => void
  suspect = false
  verdict: Verdict | undefined
  /** The query was stopped so that another client can run; it runs again. */
  preempted = false
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
    if (this.preempted) return
    this.preempted = true
    this.stop()
  }
}

/** The rows, if the service can keep them. */
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

/** Other errors of reading rows are reported to the request that reads the rows. */
function unlessEnded(error: unknown): undefined {
  if (error instanceof ProcessEnded) throw error
}

/** Rows in the worker. */
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
