/**
 * The tables of streams that are kept between queries, so that a query over a growing stream reads only what is new.
 *
 * A table serves a query if it has its log, format, columns and time; else another is made, with the columns of those it
 * replaces. A table in which an event is bad serves only queries for the very same columns: to others that event may be a
 * good one, and what a query answers must not hang on what was asked before. Together they take a bounded part of the engine's memory: those not used for longest go first, and one that is
 * too large by itself goes with its query. A table of a log that is no stream's any more goes with the next query.
 */
import type { Engine } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { type Patience, StreamTable, type Wanted } from './stream-table.ts'

/** A table that stays until it is given back. */
export interface Lease {
  readonly table: StreamTable
  release(): Promise<void>
}

/** A table with more expired rows than others is made anew; below so many rows that is not worth it. */
const EXPIRED_ROWS_MIN = 50_000

export class TableCache {
  readonly #engine: Engine
  readonly #source: EventSource
  readonly #bytesMax: number
  readonly #tables = new Set<StreamTable>()
  #made = 0
  #uses = 0

  constructor(engine: Engine, source: EventSource, bytesMax: number) {
    this.#engine = engine
    this.#source = source
    this.#bytesMax = bytesMax
  }

  /** What the tables take in memory, about. */
  get bytes(): number {
    let bytes = 0
    for (const table of this.#tables) bytes += table.bytes
    return bytes
  }

  /**
   * A table with everything that is wanted, from `earliestMs` on. Rejects with what reading the log and DuckDB reject with.
   */
  async lease(wanted: Wanted, earliestMs: number, patience: Patience): Promise<Lease> {
    await this.#dropStale()
    const startMs = Math.max(wanted.range.startMs, earliestMs)
    const visible = { ...wanted, range: { ...wanted.range, startMs } }
    if (wanted.eventsMax !== undefined) return this.#leaseOnce(visible, patience)
    const lease = await this.#leaseOn(await this.#find(visible, earliestMs), patience)
    if (lease.table.covers(visible)) return lease
    await lease.release() // an event that was just read is bad
    return this.#leaseOn(await this.#find(visible, earliestMs), patience)
  }

  /** On a table for this query alone. */
  async #leaseOnce(wanted: Wanted, patience: Patience): Promise<Lease> {
    const name = `t${++this.#made}`
    const table = await StreamTable.create(this.#engine, this.#source, { ...wanted, name })
    try {
      await table.catchUp(patience)
    } catch (error) {
      await table.drop()
      throw error
    }
    return { table, release: () => table.drop() }
  }

  async #leaseOn(table: StreamTable, patience: Patience): Promise<Lease> {
    table.leases++
    table.usedAt = ++this.#uses
    let released = false
    const release = async () => {
      if (released) return
      released = true
      table.leases--
      await this.#shrink()
    }
    try {
      await table.catchUp(patience)
    } catch (error) {
      // Part of a stretch may be in it and not be counted.
      this.#tables.delete(table)
      table.leases--
      if (table.leases === 0) await table.drop()
      throw error
    }
    return { table, release }
  }

  async #find(wanted: Wanted, earliestMs: number): Promise<StreamTable> {
    for (const table of this.#tables) {
      if (!table.covers(wanted)) continue
      if (!(await this.#isMostlyExpired(table, earliestMs))) return table
      await this.#remove(table)
    }
    // What it replaces: then the next query of either kind finds its columns.
    const replaced = [...this.#tables].filter(
      (table) =>
        table.badEvents === 0 &&
        table.isOf(wanted.log, wanted.format) &&
        table.range.endMs <= wanted.range.endMs &&
        Math.max(table.range.startMs, earliestMs) >= wanted.range.startMs,
    )
    const columns = [...wanted.columns]
    const mayShare = ![...this.#tables].some(
      (table) => table.badEvents > 0 && table.isOf(wanted.log, wanted.format),
    )
    for (const column of mayShare ? replaced.flatMap((table) => table.columns) : []) {
      if (!columns.some(({ keptAs }) => keptAs === column.keptAs)) columns.push(column)
    }
    columns.sort((a, b) => (a.field ?? -1) - (b.field ?? -1))
    const table = await StreamTable.create(this.#engine, this.#source, {
      ...wanted,
      eventsMax: undefined,
      columns,
      name: `t${++this.#made}`,
    })
    this.#tables.add(table)
    for (const old of replaced) await this.#remove(old)
    return table
  }

  async #isMostlyExpired(table: StreamTable, earliestMs: number): Promise<boolean> {
    if (table.rows < EXPIRED_ROWS_MIN || earliestMs <= table.range.startMs || table.leases > 0) return false
    const reader = await this.#engine.own.runAndReadAll(
      `SELECT count(*) FROM streams.${table.name} WHERE ts < ${earliestMs}`,
    )
    return Number(reader.getRows()[0][0]) > table.rows / 2
  }

  async #dropStale(): Promise<void> {
    const tables = [...this.#tables]
    const logs = await this.#source.currentLogs(tables.map(({ id }) => id))
    for (const [i, table] of tables.entries()) if (logs[i] !== table.log) await this.#remove(table)
  }

  async #shrink(): Promise<void> {
    const unused = [...this.#tables].filter(({ leases }) => leases === 0).sort((a, b) => a.usedAt - b.usedAt)
    for (const table of unused) {
      if (this.bytes <= this.#bytesMax) return
      await this.#remove(table)
    }
  }

  /** One that is in use stays until the last that uses it is done: then `#shrink` or `#dropStale` finds it. */
  async #remove(table: StreamTable): Promise<void> {
    if (table.leases > 0) return
    this.#tables.delete(table)
    await table.drop()
  }
}
