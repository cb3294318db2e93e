/** A query as the workshop knows it: what it is, and whether it is worked on, given up, or has rows. */
import type { DuckDBType } from '@duckdb/node-api'
import type { Connection } from './engine.ts'
import type { ResultColumn } from './hive-types.ts'
import type { ReadColumns } from './planner.ts'
import { type Result, RowsInTable } from './result.ts'
import { SqlError } from './sql-error.ts'
import type { Statement } from './statement.ts'

/** So often a query is told to stop until it has: one that has not begun yet does not hear it. */
const INTERRUPT_MS = 50

export class Job {
  readonly statement: Statement
  /** What the engine is given: `EXPLAIN`, `EXPLAIN ANALYZE` or nothing, and the query. */
  readonly sql: string
  readonly select: string
  readonly isExplain: boolean
  /** To plan on, then to run on; undefined in between. */
  connection: Connection | undefined
  columns: readonly ResultColumn[] = []
  /** DuckDB's, of the same. */
  types: readonly DuckDBType[] = []
  /** Of its tables. */
  read: ReadColumns
  result: Result | undefined
  ended: Promise<unknown> = Promise.resolve()
  readonly #onGivenUp = new Set<(reason: SqlError) => void>()
  #givenUp: SqlError | undefined
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
    return this.#givenUp !== undefined
  }

  /** Whether it keeps the engine busy. */
  get isBusy(): boolean {
    return this.#isRunning
  }

  /**
   * Works on a connection of its own, and is interrupted when the job is given up. `ended` resolves after it. `keep` has the
   * connection once the work is done; without it, it stays the job's, for the rows.
   */
  async on<T>(
    connect: () => Promise<Connection>,
    work: (connection: Connection) => Promise<T>,
    keep?: (connection: Connection) => void,
  ): Promise<T> {
    this.assertGoesOn()
    this.#isRunning = true
    const working = this.unlessGivenUp(async () => {
      this.connection = await connect()
      this.assertGoesOn()
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

  /** If it rejects because the job was given up, with why. */
  async unlessGivenUp<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.#givenUp ?? error
    }
  }

  /** What `promise` resolves with, unless the job is given up before: then `late` gets it when it comes. */
  orGivenUp<T>(promise: Promise<T>, late: (value: T) => void = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (reason: SqlError) => {
        this.#onGivenUp.delete(giveUp)
        promise.then(late, () => {})
        reject(reason)
      }
      if (this.#givenUp !== undefined) return giveUp(this.#givenUp)
      this.#onGivenUp.add(giveUp)
      promise.then(resolve, reject).finally(() => this.#onGivenUp.delete(giveUp))
    })
  }

  assertGoesOn(): void {
    if (this.#givenUp !== undefined) throw this.#givenUp
    if (this.#isDropped) throw closed()
  }

  /** Does nothing to one that has its rows. */
  stop(reason = new SqlError('57014', 'the query was given up')): void {
    if (this.cancelled || this.result !== undefined) return
    this.#givenUp = reason
    for (const giveUp of this.#onGivenUp) giveUp(reason)
    this.connection?.interrupt()
    if (!this.#isRunning) return
    this.#interrupting = setInterval(() => this.connection?.interrupt(), INTERRUPT_MS)
  }

  drop(): void {
    if (this.#isDropped) return
    this.#isDropped = true
    if (!this.#isRunning) this.#close()
  }

  /** Closing waits for what the connection does. */
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
