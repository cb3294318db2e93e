/**
 * The tables of streams that are kept between queries, so that a query over a growing stream reads only what is new.
 *
 * A table serves a query if it has its log, format, columns and time; else another is made, with the columns of those it
 * replaces. A table in which an event is bad serves only queries for the very same columns: to others that event may be a
 * good one, and what a query answers must not hang on what was asked before. Together they take a bounded part of the
 * engine's memory: those not used for longest go first, and one that is too large by itself goes with its query. A table of
 * a log that is no stream's any more goes with the next query.
 */
import type { Engine } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { type CancelSignal, type Extent, StreamTable, type TableRequest } from './stream-table.ts'

/** A table that stays until it is given back, and what of it may be seen. */
export interface Lease {
  readonly table: StreamTable
  readonly extent: Extent
  release(): Promise<void>
}

/** A table with more expired rows than others is made anew; below so many rows that is not worth it. */
const EXPIRED_ROWS_MIN = 50_000

export class TableCache {
  readonly #engine: Engine
  readonly #source: EventSource
  readonly #bytesMax: number
  /** Those that the next query may use. Others may be in use still: they go with the last that uses them. */
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
  async lease(request: TableRequest, earliestMs: number, cancelSignal: CancelSignal): Promise<Lease> {
    await this.#dropStale()
    const startMs = Math.max(request.range.startMs, earliestMs)
    const visible = { ...request, range: { ...request.range, startMs } }
    if (request.eventsMax !== undefined) return this.#caughtUp(this.#make(visible), cancelSignal)
    const lease = await this.#caughtUp(await this.#take(visible, earliestMs, false), cancelSignal)
    if (lease.extent.badEvents === 0 || lease.table.hasFieldsOf(visible)) return lease
    await lease.release() // an event that was just read is bad
    return this.#caughtUp(await this.#take(visible, earliestMs, true), cancelSignal)
  }

  /** `table` is in use by the caller already. */
  async #caughtUp(table: StreamTable, cancelSignal: CancelSignal): Promise<Lease> {
    let released = false
    const release = async () => {
      if (released) return
      released = true
      await this.#giveBack(table)
    }
    try {
      return { table, extent: await table.catchUp(cancelSignal), release }
    } catch (error) {
      this.#tables.delete(table) // part of a stretch may be in it
      await release()
      throw error
    }
  }

  /** A table that covers it, in use. `isExact`: it has no other fields. */
  async #take(request: TableRequest, earliestMs: number, isExact: boolean): Promise<StreamTable> {
    for (const table of this.#tables) {
      if (!table.covers(request) || (isExact && !table.hasFieldsOf(request))) continue
      this.#use(table) // before anybody else may remove it
      if (!(await this.#isMostlyExpired(table, earliestMs))) return table
      this.#tables.delete(table)
      await this.#giveBack(table)
      break
    }
    const ofThese = [...this.#tables].filter((table) => table.isOf(request.log, request.format))
    // What it replaces: then the next query of either kind finds its columns.
    const replaced = ofThese.filter(
      (table) =>
        table.badEvents === 0 &&
        table.range.endMs <= request.range.endMs &&
        Math.max(table.range.startMs, earliestMs) >= request.range.startMs,
    )
    const columns = [...request.columns]
    const mayShare = !isExact && ofThese.every((table) => table.badEvents === 0)
    for (const column of mayShare ? replaced.flatMap((table) => table.columns) : []) {
      if (!columns.some(({ keptAs }) => keptAs === column.keptAs)) columns.push(column)
    }
    columns.sort((a, b) => (a.field ?? -1) - (b.field ?? -1))
    const table = this.#make({ ...request, columns })
    this.#tables.add(table)
    if (mayShare) for (const old of replaced) await this.#remove(old)
    return table
  }

  /** One that nobody else finds. */
  #make(request: TableRequest): StreamTable {
    const table = new StreamTable(this.#engine, this.#source, { ...request, name: `t${++this.#made}` })
    this.#use(table)
    return table
  }

  #use(table: StreamTable): void {
    table.leases++
    table.usedAt = ++this.#uses
  }

  async #giveBack(table: StreamTable): Promise<void> {
    table.leases--
    if (!this.#tables.has(table) && table.leases === 0) await table.drop()
    await this.#shrink()
  }

  async #isMostlyExpired(table: StreamTable, earliestMs: number): Promise<boolean> {
    if (table.rows < EXPIRED_ROWS_MIN || earliestMs <= table.range.startMs || table.leases > 1) return false
    const [[expired]] = await this.#engine.run(
      `SELECT count(*) FROM streams.${table.name} WHERE ts < ${earliestMs}`,
    )
    return Number(expired) > table.rows / 2
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
      if (table.leases === 0) await this.#remove(table)
    }
  }

  async #remove(table: StreamTable): Promise<void> {
    if (!this.#tables.delete(table)) return // somebody else does
    if (table.leases === 0) await table.drop()
  }
}
