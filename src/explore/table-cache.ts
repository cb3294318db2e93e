/**
 * Keeps decoded tables between queries, so that a query over a growing stream decodes only the new events.
 *
 * A query reuses a table of the same log and format if its time range lies inside the table's range and its columns are
 * among the table's columns. A table with a bad event serves only queries for exactly its fields, because that event
 * may be good for other fields.
 *
 * A query that finds no such table creates one with its own range and columns. The bytes and the number of all tables
 * are limited: the tables that were not used for the longest time are dropped first. A table whose stream was truncated
 * or deleted is dropped by the next query.
 */

import type { EventSource } from '../worker/event-source.ts'
import type { Engine } from './engine.ts'
import { type CancelSignal, type Extent, StreamTable, type TableRequest } from './stream-table.ts'

/** A table that is kept until it is released, and the part of it that the query sees. */
export interface Lease {
  readonly table: StreamTable
  readonly extent: Extent
  release(): Promise<void>
}

/** Each table costs the engine some memory that `bytes` does not include, and a comparison per query. */
const TABLES_MAX = 100

export class TableCache {
  readonly #engine: Engine
  readonly #source: EventSource
  readonly #bytesMax: number
  /** Tables that a later query may reuse. Other tables may still be leased; each is dropped with its last lease. */
  readonly #tables = new Set<StreamTable>()
  #made = 0
  #uses = 0

  constructor(engine: Engine, source: EventSource, bytesMax: number) {
    this.#engine = engine
    this.#source = source
    this.#bytesMax = bytesMax
  }

  /** Memory of the tables, estimated. */
  get bytes(): number {
    let bytes = 0
    for (const table of this.#tables) bytes += table.bytes
    return bytes
  }

  /**
   * Returns a table with all requested events from `earliestMs` on. Rejects with the errors of reading the log and of
   * DuckDB.
   */
  async lease(request: TableRequest, earliestMs: number, cancelSignal: CancelSignal): Promise<Lease> {
    await this.#dropStale()
    const startMs = Math.max(request.range.startMs, earliestMs)
    const visible = { ...request, range: { ...request.range, startMs } }
    if (request.eventsMax !== undefined) return this.#caughtUp(this.#make(visible), cancelSignal)
    const lease = await this.#caughtUp(this.#find(visible) ?? this.#keep(visible), cancelSignal)
    if (lease.extent.badEvents === 0 || lease.table.hasFieldsOf(visible)) return lease
    await lease.release() // one of the new events is bad, perhaps only in fields that this query does not read
    // Another table with other fields may not have these events yet, so only one with the same fields is reused.
    return this.#caughtUp(this.#find(visible, 'same fields') ?? this.#keep(visible), cancelSignal)
  }

  #find(
    request: TableRequest,
    fields: 'same fields' | 'more fields' = 'more fields',
  ): StreamTable | undefined {
    const table = [...this.#tables].find(
      (kept) => kept.covers(request) && (fields === 'more fields' || kept.hasFieldsOf(request)),
    )
    if (table !== undefined) this.#use(table)
    return table
  }

  #keep(request: TableRequest): StreamTable {
    const table = this.#make(request)
    this.#tables.add(table)
    return table
  }

  #make(request: TableRequest): StreamTable {
    const table = new StreamTable(this.#engine, this.#source, { ...request, name: `t${++this.#made}` })
    this.#use(table)
    return table
  }

  #use(table: StreamTable): void {
    table.leases++
    table.usedAt = ++this.#uses
  }

  /** The caller must have taken a lease of `table`. */
  async #caughtUp(table: StreamTable, cancelSignal: CancelSignal): Promise<Lease> {
    let released = false
    const release = async () => {
      if (released) return
      released = true
      await this.#release(table)
    }
    try {
      return { table, extent: await table.catchUp(cancelSignal), release }
    } catch (error) {
      this.#tables.delete(table) // it may have some of the events of a failed read
      await release()
      throw error
    }
  }

  async #release(table: StreamTable): Promise<void> {
    table.leases--
    if (!this.#tables.has(table) && table.leases === 0) await table.drop()
    await this.#shrink()
  }

  async #dropStale(): Promise<void> {
    const tables = [...this.#tables]
    const logs = await this.#source.currentLogs(tables.map(({ id }) => id))
    for (const [i, table] of tables.entries()) if (logs[i] !== table.log) await this.#drop(table)
  }

  async #shrink(): Promise<void> {
    const longestUnused = [...this.#tables].sort((a, b) => a.usedAt - b.usedAt)
    for (const table of longestUnused) {
      if (this.bytes <= this.#bytesMax && this.#tables.size <= TABLES_MAX) return
      if (table.leases === 0) await this.#drop(table)
    }
  }

  async #drop(table: StreamTable): Promise<void> {
    if (!this.#tables.delete(table)) return // another call drops it
    if (table.leases === 0) await table.drop()
  }
}
