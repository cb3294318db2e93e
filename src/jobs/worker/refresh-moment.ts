/**
 * The moment of the database that the result of a cached query shows: `moment_<insert>` in the state, one row. It is written in the
 * transaction of the refresh, so that an outbox that is emitted again says the same moment.
 */
import type { ResultMoment } from '../query-result.ts'
import type { JobConnection } from './job-connection.ts'
import type { Refreshed } from './result-publisher.ts'
import type { WayContext } from './way.ts'

export class RefreshMoment {
  readonly #connection: JobConnection
  readonly #table: string
  #last: Refreshed | undefined
  #isBehind = true

  constructor({ connection, state, insert }: WayContext) {
    this.#connection = connection
    this.#table = `${state}.moment_${insert}`
  }

  /** The last refresh; undefined before the first one. */
  get last(): Refreshed | undefined {
    return this.#last
  }

  /** The bases have changes that the result does not show. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  async open(): Promise<void> {
    await this.#connection.once(
      `CREATE TABLE IF NOT EXISTS ${this.#table} (lsn VARCHAR, tx_id BIGINT, timestamp_ms BIGINT, refresh_ms DOUBLE, is_behind BOOLEAN)`,
    )
    const [row] = await this.#connection.rows(
      `SELECT lsn, tx_id, timestamp_ms, refresh_ms, is_behind FROM ${this.#table}`,
    )
    if (row === undefined) {
      await this.#connection.once(`INSERT INTO ${this.#table} VALUES (NULL, NULL, NULL, NULL, TRUE)`)
      return
    }
    const [lsn, txId, timestampMs, refreshMs, isBehind] = row
    this.#isBehind = isBehind === true
    if (lsn === null) return
    const moment = {
      lsn: String(lsn),
      txId: txId === null ? undefined : Number(txId),
      timestampMs: Number(timestampMs),
    }
    this.#last = { moment, refreshMs: Number(refreshMs) }
  }

  /** The bases have changed, and the result has not. */
  async behind(): Promise<void> {
    if (this.#isBehind) return
    await this.#connection.run(`UPDATE ${this.#table} SET is_behind = TRUE`)
    this.#isBehind = true
  }

  /** The result shows this moment. */
  async reached(moment: ResultMoment, refreshMs: number): Promise<void> {
    const { lsn, txId, timestampMs } = moment
    await this.#connection.run(
      `UPDATE ${this.#table} SET lsn = $1, tx_id = $2, timestamp_ms = $3, refresh_ms = CAST($4 AS DOUBLE), is_behind = FALSE`,
      ...[lsn, txId ?? null, timestampMs, String(refreshMs)],
    )
    this.#last = { moment, refreshMs }
    this.#isBehind = false
  }
}
