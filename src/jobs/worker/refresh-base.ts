/**
 * The rows of a changing table: `base_<insert>_<source>` in the state. A tick applies the last change of each key; a change that
 * clears the table removes all rows, and earlier changes of the tick are without effect.
 *
 * Rows stay in the order of their last change, whatever the size of ticks, so that sums of floating-point values do not
 * depend on it. The changes of a tick are in_<source> (way.ts).
 *
 * Of a captured table, `unfit_<insert>_<source>` has the keys whose last event cannot be read: the base lacks their rows. A later event of
 * the key, or one that clears the table, removes them.
 */
import { quotedName } from '../../duckdb/sql-text.ts'
import { duckdbType } from '../../sql/data-types.ts'
import { decodedName } from '../../sql/encoded-name.ts'
import type { SourcePlan } from '../plan/job-plan.ts'
import { allOf, stateColumn } from './changes-sql.ts'
import type { JobConnection } from './job-connection.ts'
import { JobError } from './job-error.ts'
import { PLANNED_ROWS_MAX, TickTable } from './tick-table.ts'

export type BaseSource = Pick<SourcePlan, 'relation' | 'tableName' | 'view' | 'columns' | 'changeKey'>

/** What a tick did to a base. */
export type BaseChange =
  | 'none'
  /** `gone` and `come` have the rows that were removed and added. */
  | 'rows'
  /** All earlier rows are gone. */
  | 'cleared'

export class Base {
  readonly #connection: JobConnection
  readonly #source: BaseSource
  /** The table as in SQL. It has the columns of the source's view. */
  readonly table: string
  readonly #gone: TickTable
  /** The last change of each key. */
  readonly #last: TickTable
  /** Of a captured table. */
  readonly #unfit: string | undefined
  #hasUnfit = false
  #change: BaseChange = 'none'
  /** Rows that the last tick added. */
  #come = 0
  /** Rows of the table. */
  #rows = 0
  /** Those for which statements were planned. */
  #plannedRows = 0

  constructor(
    connection: JobConnection,
    state: string,
    insert: number,
    source: BaseSource,
    isCaptured = false,
  ) {
    const name = `${insert}_${source.relation}`
    this.#connection = connection
    this.#source = source
    this.table = `${state}.base_${name}`
    this.#gone = new TickTable(connection, `gone_${name}`)
    this.#last = new TickTable(connection, `last_${name}`)
    this.#unfit = isCaptured ? `${state}.unfit_${name}` : undefined
  }

  get source(): string {
    return this.#source.relation
  }

  /** The table of the rows that the last tick removed. It exists after a tick that changed rows. */
  get gone(): string {
    return this.#gone.table
  }

  /** The rows that the last tick added, as a SELECT in brackets. The view reads in_<source>; here that is the last changes of keys. */
  get come(): string {
    const { relation, view } = this.#source
    return `(WITH in_${relation} AS (SELECT * FROM ${this.#last.table} WHERE __op = 'u') SELECT * FROM (${view}))`
  }

  get rows(): number {
    return this.#rows
  }

  /** Rows that the last tick removed and added. */
  get changedRows(): number {
    return this.#gone.rows + this.#come
  }

  /** Whether these expressions are the columns of the primary key. */
  isKey(expressions: readonly string[]): boolean {
    const key = new Set(this.#source.changeKey.map(quotedName))
    return expressions.length === key.size && expressions.every((expression) => key.has(expression))
  }

  /** What the last `apply` did; 'none' after `clear`. */
  get change(): BaseChange {
    return this.#change
  }

  async open(): Promise<void> {
    const columns = this.#source.columns.map(({ name, type }) =>
      stateColumn(quotedName(name), duckdbType(type)),
    )
    await this.#connection.once(`CREATE TABLE IF NOT EXISTS ${this.table} (${columns.join(', ')})`)
    const [row] = await this.#connection.once(`SELECT count(*) FROM ${this.table}`)
    this.#rows = Number(row?.[0])
    this.#plannedRows = this.#rows
    if (this.#unfit === undefined) return
    const key = columns.filter((_, i) => this.#source.changeKey.includes(this.#source.columns[i]!.name))
    const all = [...key, stateColumn('__unfit', 'VARCHAR')]
    await this.#connection.once(`CREATE TABLE IF NOT EXISTS ${this.#unfit} (${all.join(', ')})`)
    await this.#countUnfit()
  }

  /** Throws JobError if rows are missing because their events cannot be read. */
  async refuseUnfit(): Promise<void> {
    if (!this.#hasUnfit) return
    const { changeKey, tableName } = this.#source
    const key = changeKey.map((name) => `CAST(${quotedName(name)} AS VARCHAR)`)
    const [row] = await this.#connection.rows(
      `SELECT __unfit, ${key.join(', ')} FROM ${this.#unfit} ORDER BY rowid LIMIT 1`,
    )
    const [reason, ...values] = row!
    const shown = changeKey.map(
      (name, i) => `${decodedName(name)} = ${values[i] === null ? 'unknown' : values[i]}`,
    )
    throw new JobError(
      `the row (${shown.join(', ')}) of table ${tableName} has a value that cannot be read here: ${reason}; ` +
        'change the value in the database, or leave its column out of the query',
      'lasting',
    )
  }

  /** Applies the changes of the tick in the open transaction. */
  async apply(): Promise<BaseChange> {
    const { relation } = this.#source
    const key = this.#source.changeKey.map(quotedName)
    const { cleared, unfit } = await this.#applyClear()
    const changes = await this.#last.fill(
      `SELECT * FROM in_${relation} WHERE ${cleared === undefined ? 'TRUE' : `__ord > ${cleared}`}
       QUALIFY row_number() OVER (PARTITION BY ${key.join(', ')} ORDER BY __ord DESC) = 1 ORDER BY __ord`,
      cleared === undefined,
    )
    const isSmall = changes <= PLANNED_ROWS_MAX
    const sameKey = allOf(key.map((name) => `b.${name} = l.${name}`))
    const gone = await this.#deleteLast(sameKey, isSmall)
    const insert = `INSERT INTO ${this.table} SELECT * FROM ${this.come}`
    this.#come = await (isSmall ? this.#connection.run(insert) : this.#connection.runOnce(insert))
    this.#resize(this.#rows + this.#come - gone)
    if (unfit > 0 || this.#hasUnfit) await this.#applyUnfit(key)
    const hasRows = unfit > 0 || this.changedRows > 0
    this.#change = cleared !== undefined ? 'cleared' : hasRows ? 'rows' : 'none'
    return this.#change
  }

  /**
   * Moves the old rows of changed keys to `gone`. A join of rows that are the only ones of their keys: over large bases it needs
   * half the time of IN and SEMI JOIN. RETURNING reads single rows. For a few rows this needs less time than a join that reads all
   * columns of the base.
   */
  async #deleteLast(sameKey: string, isSmall: boolean): Promise<number> {
    const { table } = this
    const deletion = `DELETE FROM ${table} b USING ${this.#last.table} l WHERE ${sameKey}`
    if (isSmall) return this.#gone.fillReturned(`${deletion} RETURNING b.*`, `SELECT * FROM ${table}`)
    await this.#gone.fill(`SELECT b.* FROM ${table} b JOIN ${this.#last.table} l ON ${sameKey}`, false)
    return this.#connection.runOnce(deletion)
  }

  /** Empties the tables of the last tick. */
  async clear(): Promise<void> {
    for (const table of [this.#last, this.#gone]) await table.clear()
    this.#change = 'none'
  }

  /** Returns the place of the last change that clears the table, and the number of events that cannot be read. */
  async #applyClear(): Promise<{ readonly cleared: unknown; readonly unfit: number }> {
    const [row] = await this.#connection.rows(
      `SELECT max(__ord) FILTER (__op = 'c'), count(*) FILTER (__op = 'x') FROM in_${this.#source.relation}`,
    )
    const cleared = row?.[0] ?? undefined
    if (cleared !== undefined) {
      await this.#connection.run(`DELETE FROM ${this.table}`)
      this.#resize(0)
      if (this.#hasUnfit) await this.#connection.run(`DELETE FROM ${this.#unfit}`)
    }
    return { cleared, unfit: Number(row?.[1] ?? 0) }
  }

  /** The last change of a key says whether its row can be read. */
  async #applyUnfit(key: readonly string[]): Promise<void> {
    const sameKey = allOf(key.map((name) => `u.${name} = l.${name}`))
    const columns = [...key, '__unfit'].join(', ')
    await this.#connection.script([
      `DELETE FROM ${this.#unfit} u USING ${this.#last.table} l WHERE ${sameKey}`,
      `INSERT INTO ${this.#unfit} (${columns}) SELECT ${columns} FROM ${this.#last.table} WHERE __op = 'x'`,
    ])
    await this.#countUnfit()
  }

  async #countUnfit(): Promise<void> {
    const [row] = await this.#connection.rows(`SELECT count(*) FROM ${this.#unfit}`)
    this.#hasUnfit = Number(row![0]) > 0
  }

  /** A plan for a small table may be a bad one for a large table. */
  #resize(rows: number): void {
    this.#rows = rows
    if (rows <= this.#plannedRows * RESIZE && this.#plannedRows <= rows * RESIZE) return
    this.#plannedRows = rows
    this.#connection.forget()
  }
}

/** Statements are planned again when a table has become this many times as large or as small. */
const RESIZE = 4
