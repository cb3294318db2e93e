/** A query in a worker: its statement, its state (waiting, busy, cancelled, has rows) and its connection. */
import type { DuckDBType } from '@duckdb/node-api'
import { SqlError } from '../duckdb/sql-error.ts'
import type { Connection } from './engine.ts'
import type { ResultColumn } from './hive-types.ts'
import type { ReadColumns } from './planner.ts'
import { type Result, RowsInTable } from './result.ts'
import type { Statement } from './statement.ts'

/**
 * Interval of interrupts until the query has ended. They are repeated because a query that has not started yet ignores
 * an interrupt.
 */
const INTERRUPT_INTERVAL_MS = 50

export class Job {
  readonly statement: Statement
  /** The text for the engine: `EXPLAIN`, `EXPLAIN ANALYZE` or nothing, and the query. */
  readonly sql: string
  readonly select: string
  readonly isExplain: boolean
  /** Set while the query is planned, runs, or has rows in a table; otherwise undefined. */
  connection: Connection | undefined
  columns: readonly ResultColumn[] = []
  /** DuckDB's types of the columns of the answer. */
  types: readonly DuckDBType[] = []
  /** The columns that the query reads of its tables. */
  read: ReadColumns
  result: Result | undefined
  ended: Promise<unknown> = Promise.resolve()
  readonly #onCancelled = new Set<(reason: SqlError) => void>()
  #reason: SqlError | undefined
  #isRunning = false
  #isDropped = false
  #interrupting: NodeJS.Timeout | undefined

  constructor(statement: Statement, select: string, explain: string) {
    this.statement = statement
    this.sql = `${explain}${select}`
    this.select = select
    this.isExplain = explain !== ''
  }

  get cancelled(): boolean {
    return this.#reason !== undefined
  }

  /** Whether the engine executes a statement of this query. */
  get isBusy(): boolean {
    return this.#isRunning
  }

  /**
   * Runs `work` on a connection, and interrupts it when the job is cancelled. `ended` resolves after `work` has ended.
   * If `work` succeeds, `keep` receives the connection; without `keep` the job holds it until `drop`, for the rows.
   */
  async on<T>(
    connect: () => Promise<Connection>,
    work: (connection: Connection) => Promise<T>,
    keep?: (connection: Connection) => void,
  ): Promise<T> {
    this.assertNotEnded()
    this.#isRunning = true
    const working = this.#orReason(async () => {
      this.connection = await connect()
      this.assertNotEnded()
      return work(this.connection)
    })
    this.ended = working.catch(() => {})
    let isDone = false
    try {
      const result = await working
      isDone = true
      return result
    } finally {
      clearInterval(this.#interrupting)
      this.#isRunning = false
      if (this.#isDropped) this.#close()
      else if (keep !== undefined) this.#handOver(isDone && !this.cancelled ? keep : closeConnection)
    }
  }

  #handOver(to: (connection: Connection) => void): void {
    const { connection } = this
    this.connection = undefined
    if (connection !== undefined) to(connection)
  }

  /** If the job was cancelled, rejects with the reason of the cancellation. */
  async #orReason<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#reason ?? error
    }
  }

  /**
   * Settles like `promise`, or rejects earlier if the job is cancelled. In that case `late` receives the value when it
   * arrives.
   */
  orCancelled<T>(promise: Promise<T>, late: (value: T) => void = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const cancel = (reason: SqlError) => {
        this.#onCancelled.delete(cancel)
        promise.then(late, () => {})
        reject(reason)
      }
      if (this.#reason !== undefined) return cancel(this.#reason)
      this.#onCancelled.add(cancel)
      promise.then(resolve, reject).finally(() => this.#onCancelled.delete(cancel))
    })
  }

  assertNotEnded(): void {
    if (this.#reason !== undefined) throw this.#reason
    if (this.#isDropped) throw closed()
  }

  /** Has no effect on a job that has its rows. */
  stop(reason = new SqlError('57014', 'the query was cancelled')): void {
    if (this.cancelled || this.result !== undefined) return
    this.#reason = reason
    for (const cancel of this.#onCancelled) cancel(reason)
    this.connection?.interrupt()
    if (!this.#isRunning) return
    this.#interrupting = setInterval(() => this.connection?.interrupt(), INTERRUPT_INTERVAL_MS)
  }

  drop(): void {
    if (this.#isDropped) return
    this.#isDropped = true
    if (!this.#isRunning) this.#close()
  }

  /** Closing a connection waits for the end of its statement. */
  #close(): void {
    if (this.result instanceof RowsInTable) this.result.close()
    else this.connection?.closeSync()
  }
}

export function closed(): SqlError {
  return new SqlError('HY000', 'the query is closed')
}

function closeConnection(connection: Connection): void {
  connection.closeSync()
}
