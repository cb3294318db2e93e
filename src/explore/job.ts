/** A query as the workshop knows it: what it is, and whether it is worked on, given up, or has rows. */
import type { ResultColumn } from './cells.ts'
import type { Connection } from './engine.ts'
import { type Result, RowsInTable } from './result.ts'
import { SqlError } from './sql-error.ts'
import type { Statement } from './statement.ts'

/** So often a query is told to stop until it has: one that has not begun yet does not hear it. */
const INTERRUPT_MS = 50

export class Job {
  readonly statement: Statement
  /** What the engine is given. */
  readonly sql: string
  readonly isExplain: boolean
  connection: Connection | undefined
  columns: readonly ResultColumn[] = []
  result: Result | undefined
  ended: Promise<unknown> = Promise.resolve()
  readonly #onGivenUp = new Set<(reason: SqlError) => void>()
  #givenUp: SqlError | undefined
  #isRunning = false
  #isDropped = false
  #interrupting: NodeJS.Timeout | undefined

  constructor(statement: Statement, sql: string, isExplain: boolean) {
    this.statement = statement
    this.sql = sql
    this.isExplain = isExplain
  }

  get cancelled(): boolean {
    return this.#givenUp !== undefined
  }

  /** Whether it keeps the engine busy: it runs, or has not been bound yet. */
  get isBusy(): boolean {
    return this.#isRunning || (this.connection !== undefined && this.columns.length === 0)
  }

  connected(connection: Connection): void {
    this.connection = connection
    if (this.#isDropped) connection.closeSync()
    this.assertGoesOn()
  }

  /** `work` is given the connection, and is interrupted when the job is given up. */
  async whileRunning<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.assertGoesOn()
    this.#isRunning = true
    const working = this.unlessGivenUp(() => work(this.connection!))
    this.ended = working.catch(() => {})
    try {
      return await working
    } finally {
      clearInterval(this.#interrupting)
      this.#isRunning = false
      if (this.#isDropped) this.#close()
    }
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
