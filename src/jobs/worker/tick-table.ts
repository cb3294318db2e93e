/**
 * A temporary table that a tick fills, once, and empties at its end. Creating it in each tick would change the catalog of the
 * engine, and prepared statements would be planned again.
 *
 * Deleted rows of a temporary table keep their memory, so the table is created again after RENEW_ROWS rows.
 */
import type { JobConnection } from './job-connection.ts'

/** Statements over more rows are planned in each tick, for the rows that there are. */
export const PLANNED_ROWS_MAX = 2_048
const RENEW_ROWS = 20_000

export class TickTable {
  readonly #connection: JobConnection
  readonly #name: string
  /** The table as in SQL. */
  readonly table: string
  /** The present tick has created it, and may be rolled back. */
  #isNew = false
  #exists = false
  #rows = 0
  /** Rows since the table was created, deleted ones too. */
  #rowsEver = 0

  constructor(connection: JobConnection, name: string) {
    this.#connection = connection
    this.#name = name
    this.table = `temp.${name}`
  }

  get rows(): number {
    return this.#rows
  }

  /** Adds the rows of a SELECT. `isPlanned`: its plan is kept for later ticks. Returns their number. */
  async fill(select: string, isPlanned: boolean): Promise<number> {
    this.#rows = 0
    if (!this.#exists) return this.#create(select)
    const insert = `INSERT INTO ${this.table} ${select}`
    return this.#added(await (isPlanned ? this.#connection.run(insert) : this.#connection.runOnce(insert)))
  }

  /**
   * Adds the rows that a DELETE … RETURNING returns: it cannot be part of a SELECT. Its plan is kept. `columns`: a SELECT with the columns of the
   * table.
   */
  async fillReturned(statement: string, columns: string): Promise<number> {
    this.#rows = 0
    if (!this.#exists) await this.#create(`${columns} LIMIT 0`)
    const { native } = this.#connection
    const result = await this.#connection.result(statement)
    let appender: Awaited<ReturnType<typeof native.createAppender>> | undefined
    let rows = 0
    try {
      for (;;) {
        const chunk = await result.fetchChunk()
        if (chunk === null || chunk.rowCount === 0) break
        appender ??= await native.createAppender(this.#name, 'main', 'temp')
        appender.appendDataChunk(chunk)
        rows += chunk.rowCount
      }
      appender?.flushSync()
    } finally {
      appender?.closeSync()
    }
    return this.#added(rows)
  }

  /** Removes all rows. */
  async clear(): Promise<void> {
    if (!this.#isNew && !this.#exists) return
    const isOld = this.#rowsEver > RENEW_ROWS
    if (isOld) await this.#connection.once(`DROP TABLE ${this.table}`)
    else if (this.#rows > 0) await this.#connection.run(`DELETE FROM ${this.table}`)
    this.#exists = !isOld
    this.#isNew = false
    this.#rows = 0
  }

  async #create(select: string): Promise<number> {
    const [row] = await this.#connection.once(`CREATE OR REPLACE TEMP TABLE ${this.#name} AS ${select}`)
    this.#isNew = true
    this.#exists = false
    this.#rowsEver = 0
    return this.#added(Number(row?.[0]))
  }

  #added(rows: number): number {
    this.#rows += rows
    this.#rowsEver += rows
    return rows
  }
}
