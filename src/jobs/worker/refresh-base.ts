/**
 * The rows of a changing table: `base_<source>` in the state. A tick applies the last change of each key; a change that
 * clears the table removes all rows, and earlier changes of the tick are without effect.
 *
 * Rows stay in the order of their last change, whatever the size of ticks, so that sums of floating-point values do not
 * depend on it. The changes of a tick are the table in_<source>, in the order of its rows: the decoded columns, __seq,
 * and __op:
 *
 *   u   the row is new or replaces the one with its key
 *   d   the row with this key is gone; other columns may hold anything
 *   t   all rows are gone
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { quotedName } from '../../duckdb/sql-text.ts'
import { duckdbType } from '../../sql/data-types.ts'
import type { SourcePlan } from '../plan/job-plan.ts'
import { allOf } from './changes-sql.ts'

export type BaseSource = Pick<SourcePlan, 'relation' | 'view' | 'columns' | 'changeKey'>

/** What a tick did to a base. */
export type BaseChange =
  | 'none'
  /** `gone` and `come` have the rows that were removed and added. */
  | 'rows'
  /** All earlier rows are gone. */
  | 'cleared'

export class Base {
  readonly #connection: DuckDBConnection
  readonly #source: BaseSource
  /** The table as in SQL. It has the columns of the source's view. */
  readonly table: string
  /** Rows that the last tick removed: __row, and the columns. Exists after a tick that changed rows. */
  readonly gone: string
  /** Rows that the last tick added. */
  readonly come: string
  readonly #last: string
  #change: BaseChange = 'none'

  constructor(connection: DuckDBConnection, schema: string, source: BaseSource) {
    this.#connection = connection
    this.#source = source
    this.table = `${schema}.base_${source.relation}`
    this.gone = `temp.gone_${source.relation}`
    this.come = `temp.come_${source.relation}`
    this.#last = `temp.last_${source.relation}`
  }

  get source(): string {
    return this.#source.relation
  }

  /** What the last `apply` did; 'none' after `clear`. */
  get change(): BaseChange {
    return this.#change
  }

  async open(): Promise<void> {
    const columns = this.#source.columns.map(({ name, type }) => `${quotedName(name)} ${duckdbType(type)}`)
    await this.#connection.run(`CREATE TABLE IF NOT EXISTS ${this.table} (${columns.join(', ')})`)
  }

  /** Applies the changes of the tick in the open transaction. Several inserts of a job share the base: call it once. */
  async apply(): Promise<BaseChange> {
    await this.clear()
    const { relation, view } = this.#source
    const key = this.#source.changeKey.map(quotedName)
    const cleared = await this.#applyClear()
    await this.#make(
      this.#last,
      `SELECT * FROM in_${relation} WHERE rowid > ${cleared}
       QUALIFY row_number() OVER (PARTITION BY ${key.join(', ')} ORDER BY rowid DESC) = 1 ORDER BY rowid`,
    )
    const sameKey = allOf(key.map((name) => `b.${name} = l.${name}`))
    await this.#make(
      this.gone,
      `SELECT b.rowid AS __row, b.* FROM ${this.table} b SEMI JOIN ${this.#last} l ON ${sameKey}`,
    )
    // The view reads in_<source>; here that is the last changes of keys that are not gone.
    await this.#make(
      this.come,
      `WITH in_${relation} AS (SELECT * FROM ${this.#last} WHERE __op = 'u') SELECT * FROM (${view})`,
    )
    await this.#connection.run(`DELETE FROM ${this.table} WHERE rowid IN (SELECT __row FROM ${this.gone})`)
    await this.#connection.run(`INSERT INTO ${this.table} SELECT * FROM ${this.come}`)
    this.#change = cleared >= 0n ? 'cleared' : (await this.#hasRows()) ? 'rows' : 'none'
    return this.#change
  }

  /** Removes the tables of the last tick. */
  async clear(): Promise<void> {
    for (const table of [this.#last, this.gone, this.come])
      await this.#connection.run(`DROP TABLE IF EXISTS ${table}`)
    this.#change = 'none'
  }

  /** Returns the row number of the last change that clears the table, -1 without one. */
  async #applyClear(): Promise<bigint> {
    const reader = await this.#connection.runAndReadAll(
      `SELECT CAST(coalesce(max(rowid), -1) AS BIGINT) FROM in_${this.#source.relation} WHERE __op = 't'`,
    )
    const last = reader.getRows()[0]?.[0] as bigint
    if (last >= 0n) await this.#connection.run(`DELETE FROM ${this.table}`)
    return last
  }

  async #hasRows(): Promise<boolean> {
    const reader = await this.#connection.runAndReadAll(
      `SELECT (SELECT count(*) FROM ${this.gone}) + (SELECT count(*) FROM ${this.come}) > 0`,
    )
    return reader.getRows()[0]?.[0] === true
  }

  async #make(table: string, select: string): Promise<void> {
    await this.#connection.run(`CREATE TABLE ${table} AS ${select}`)
  }
}
