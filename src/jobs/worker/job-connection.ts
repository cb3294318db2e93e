/**
 * The connection of one job to the engine. Statements are prepared once and kept by their text, because preparing costs
 * more than running a statement over one event. One statement at a time: a second one would make the first one fail.
 */
import type {
  DuckDBConnection,
  DuckDBMaterializedResult,
  DuckDBPreparedStatement,
  DuckDBResult,
} from '@duckdb/node-api'
import { SqlError } from '../../duckdb/sql-error.ts'

/** Numbers are bound as BIGINT, strings as VARCHAR. */
export type Parameter = number | bigint | string | null

/** No statement of a job runs longer. */
export const STATEMENT_MS_MAX = 30_000
/** A statement that runs on for this time after it was interrupted cannot be interrupted. */
const INTERRUPT_MS_MAX = 5_000

export class JobConnection {
  readonly #connection: DuckDBConnection
  readonly #prepared = new Map<string, DuckDBPreparedStatement>()
  readonly #statementMsMax: number
  #interruption: SqlError | undefined
  #running = 0
  readonly #onStuck: () => void
  #stuckTimer: NodeJS.Timeout | undefined

  /** `onStuck` is called for a statement that cannot be interrupted. */
  constructor(
    connection: DuckDBConnection,
    statementMsMax = STATEMENT_MS_MAX,
    onStuck: () => void = () => {},
  ) {
    this.#connection = connection
    this.#onStuck = onStuck
    this.#statementMsMax = statementMsMax
  }

  get isBusy(): boolean {
    return this.#running > 0
  }

  /** For appenders. */
  get native(): DuckDBConnection {
    return this.#connection
  }

  /** Runs a statement with parameters $1, $2, …; returns the number of rows that it changed. */
  async run(sql: string, ...parameters: readonly Parameter[]): Promise<number> {
    return (await this.#execute(sql, parameters)).rowsChanged
  }

  /** All rows of a SELECT, as DuckDB's values. */
  async rows(sql: string, ...parameters: readonly Parameter[]): Promise<readonly (readonly unknown[])[]> {
    return (await this.#execute(sql, parameters)).getRows()
  }

  /** The rows of a SELECT in chunks of the engine. */
  async result(sql: string, ...parameters: readonly Parameter[]): Promise<DuckDBResult> {
    return this.#execute(sql, parameters)
  }

  /** As `run`, of a statement that is run once. */
  async runOnce(sql: string): Promise<number> {
    return (await this.#limited(() => this.#connection.run(sql))).rowsChanged
  }

  /** As `result`, but the engine makes the chunks as they are read. No other statement may run meanwhile. */
  stream(sql: string): Promise<DuckDBResult> {
    return this.#limited(() => this.#connection.stream(sql))
  }

  /** A statement that is run once, so it is not kept. */
  async once(sql: string): Promise<readonly (readonly unknown[])[]> {
    return (await this.#limited(() => this.#connection.run(sql))).getRows()
  }

  /** Statements that are run once, one after another. In one call: each call costs about 1 ms. Up to the first one that fails. */
  async script(statements: readonly string[]): Promise<void> {
    await this.once(statements.join(';\n'))
  }

  /** Forgets prepared statements, for example when their tables have other columns. */
  forget(): void {
    for (const statement of this.#prepared.values()) statement.destroySync()
    this.#prepared.clear()
  }

  /** Ends the running statement with this error. */
  interrupt(reason: SqlError): void {
    if (this.#running === 0) return
    this.#interruption ??= reason
    this.#connection.interrupt()
    this.#stuckTimer ??= setTimeout(this.#onStuck, INTERRUPT_MS_MAX)
  }

  close(): void {
    this.forget()
    this.#connection.closeSync()
  }

  async #execute(sql: string, parameters: readonly Parameter[]): Promise<DuckDBMaterializedResult> {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) {
      statement = await this.#connection.prepare(sql)
      this.#prepared.set(sql, statement)
    }
    for (const [index, value] of parameters.entries()) bind(statement, index + 1, value)
    return this.#limited(() => statement.run())
  }

  async #limited<T>(run: () => Promise<T>): Promise<T> {
    const timer = setTimeout(
      () =>
        this.interrupt(new SqlError('57014', `a statement ran longer than ${this.#statementMsMax / 1000} s`)),
      this.#statementMsMax,
    )
    this.#running++
    try {
      return await run()
    } catch (error) {
      throw this.#interruption ?? error
    } finally {
      clearTimeout(timer)
      clearTimeout(this.#stuckTimer)
      this.#stuckTimer = undefined
      this.#running--
      this.#interruption = undefined
    }
  }
}

function bind(statement: DuckDBPreparedStatement, index: number, value: Parameter): void {
  if (value === null) statement.bindNull(index)
  else if (typeof value === 'string') statement.bindVarchar(index, value)
  else statement.bindBigInt(index, BigInt(value))
}
