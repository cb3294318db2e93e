/**
 * The way `window`: rows wait in their windows, and the rest of the query runs over the windows that close. A window closes
 * when the watermark has passed its last millisecond; a row that comes later is late, is dropped and counted. A row without a
 * time is in no window. Rows whose last window is closed are deleted.
 *
 * If a query joins several windows, all of them close at the smallest of their watermarks.
 */

import { quotedName } from '../../duckdb/sql-text.ts'
import { duckdbType } from '../../sql/data-types.ts'
import { decodedName } from '../../sql/encoded-name.ts'
import type { InsertPlan, SourcePlan, WindowPlan } from '../plan/job-plan.ts'
import type { Watermarks, Way, WayContext, WayResult, WayTick } from './way.ts'
import {
  arrivedAlone,
  arrivedRows,
  closedRows,
  END_OF_TIME,
  keptColumns,
  mayEndWithin,
  NO_WATERMARK,
  untimedOrders,
} from './window-sql.ts'

interface Arrival {
  readonly insert: string
  /** Gives the numbers of rows that are late, and of those without a time. */
  readonly countDropped: string
}

interface Kept {
  readonly window: WindowPlan
  readonly sources: readonly SourcePlan[]
  readonly table: string
  /** For a tick of many events, and for a lone event. */
  readonly many: Arrival
  readonly alone: Arrival
  /** One event may give several rows, so that their number says nothing about late ones. */
  readonly mayMultiply: boolean
  readonly untimed: string
  readonly deleteClosed: string
}

export class Windowed implements Way {
  readonly probes: readonly string[]
  readonly runsWithoutEvents = false
  readonly #context: WayContext
  readonly #windows: readonly Kept[]
  readonly #close: string

  constructor(context: WayContext) {
    this.#context = context
    const plan = context.plan.inserts[context.insert] as InsertPlan & { way: 'window' }
    this.#windows = plan.windows.map((window) => keptOf(window, context))
    this.probes = plan.windows.map(({ input }) => input)
    const relations = this.#windows.map(
      ({ window, table }) => `${window.relation} AS (${closedRows(window, table)})`,
    )
    const columns = plan.sink.columns.map((_, index) => `c${index}`).join(', ')
    // Ordered by all columns, so that the bytes of the sink do not depend on the size of ticks.
    this.#close = `INSERT INTO ${context.outbox} WITH ${relations.join(', ')} SELECT 'c', ${columns} FROM (${plan.select}) ORDER BY __end, ${columns}`
  }

  async prepare(): Promise<void> {
    for (const { window, table } of this.#windows) {
      const own = window.kind === 'TUMBLE' ? ['__last BIGINT'] : ['__last BIGINT', '__wm BIGINT']
      const columns = window.columns.map(({ name, type }) => `${quotedName(name)} ${duckdbType(type)}`)
      await this.#context.connection.once(
        `CREATE TABLE IF NOT EXISTS ${table} (${[...own, ...columns].join(', ')})`,
      )
    }
  }

  async run(tick: WayTick): Promise<WayResult> {
    let late = 0
    const untimed = new Map<bigint, string>()
    for (const kept of this.#windows) late += await this.#keep(kept, tick, untimed)
    return { rows: await this.#closeWindows(tick), late, untimed }
  }

  /** Returns the number of late rows. Adds the events without a time to `untimed`. */
  async #keep(
    { window, sources, many, alone, mayMultiply, untimed: untimedOf }: Kept,
    { before, grown, rows }: WayTick,
    untimed: Map<bigint, string>,
  ): Promise<number> {
    if (!sources.some(({ relation }) => grown.has(relation))) return 0
    const { connection } = this.#context
    const carried = sources.map(({ relation }) => asBigint(before.get(relation)))
    const arrived = sources.reduce((sum, { relation }) => sum + (rows?.get(relation) ?? Number.NaN), 0)
    const { insert, countDropped } = arrived === 1 ? alone : many
    const kept = await connection.run(insert, ...carried)
    // The input runs again only if some rows are missing: they are late, have no time, or are filtered out.
    if (kept === arrived && !mayMultiply) return 0
    const [dropped] = await connection.rows(countDropped, ...carried)
    const [late, untimedRows] = dropped!.map(Number)
    if (untimedRows === 0) return late!
    const column = decodedName(window.timeColumn)
    for (const [order] of await connection.rows(untimedOf)) untimed.set(BigInt(order as bigint), column)
    return late!
  }

  async #closeWindows({ before, after, isLast }: WayTick): Promise<number> {
    const from = boundOf(this.#windows, before)
    const to = isLast ? END_OF_TIME : boundOf(this.#windows, after)
    if (!this.#windows.some(({ window }) => mayEndWithin(window, from, to))) return 0
    const { connection } = this.#context
    const rows = await connection.run(this.#close, from, to)
    for (const { deleteClosed } of this.#windows) await connection.run(deleteClosed, to)
    return rows
  }
}

function keptOf(window: WindowPlan, { plan, state }: WayContext): Kept {
  const sources = window.sources.map((name) => plan.sources.find(({ relation }) => relation === name)!)
  const table = `${state}.kept_${window.relation}`
  const columns = keptColumns(window).join(', ')
  const arrival = (arrived: string) => ({
    insert: `INSERT INTO ${table} SELECT ${columns} FROM (${arrived}) WHERE __last - 1 > __wm ORDER BY __ord`,
    countDropped: `SELECT count(*) FILTER (WHERE __last - 1 <= __wm), count(*) FILTER (WHERE __last IS NULL) FROM (${arrived})`,
  })
  return {
    window,
    sources,
    table,
    many: arrival(arrivedRows(window, sources)),
    alone: arrival(arrivedAlone(window, sources)),
    mayMultiply: /\b(JOIN|UNION|UNNEST)\b/i.test(window.input.replace(/"[^"]*"/g, '')),
    untimed: untimedOrders(window),
    deleteClosed: `DELETE FROM ${table} WHERE __last <= $1`,
  }
}

/** Windows that end at or before the bound are closed. */
function boundOf(windows: readonly Kept[], watermarks: Watermarks): bigint {
  let bound: bigint | undefined
  for (const { sources } of windows) {
    for (const { relation } of sources) {
      const watermark = asBigint(watermarks.get(relation))
      if (bound === undefined || watermark < bound) bound = watermark
    }
  }
  return bound === undefined || bound === NO_WATERMARK ? NO_WATERMARK : bound + 1n
}

function asBigint(watermarkMs: number | undefined): bigint {
  return watermarkMs === undefined ? NO_WATERMARK : BigInt(watermarkMs)
}
