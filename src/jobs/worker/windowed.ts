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
  arrivedInTime,
  arrivedRows,
  closedRows,
  END_OF_TIME,
  firstEnd,
  isInOrder,
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
  /** For any tick, and for one in which no row can be late. */
  readonly any: Arrival
  readonly inTime: Arrival
  readonly firstEnd: string
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

  async openUntil(): Promise<ReadonlyMap<string, number>> {
    const ends: number[] = []
    for (const { table } of this.#windows) {
      const [row] = await this.#context.connection.rows(`SELECT max(__last) FROM ${table}`)
      if (row![0] !== null) ends.push(Number(row![0]))
    }
    // Joined windows close together, so the rows of all their sources are late then.
    const relations = this.#windows.flatMap(({ sources }) => sources.map(({ relation }) => relation))
    return new Map(ends.length === 0 ? [] : relations.map((relation) => [relation, Math.max(...ends)]))
  }

  /** Returns the number of late rows. Adds the events without a time to `untimed`. */
  async #keep(
    kept: Kept,
    { before, after, grown, rows }: WayTick,
    untimed: Map<bigint, string>,
  ): Promise<number> {
    const { window, sources, mayMultiply } = kept
    if (!sources.some(({ relation }) => grown.has(relation))) return 0
    const { connection } = this.#context
    const carried = sources.map(({ relation }) => asBigint(before.get(relation)))
    const arrived = sources.reduce((sum, { relation }) => sum + (rows?.get(relation) ?? Number.NaN), 0)
    const isInTime = arrived === 1 || (await this.#isInTime(kept, after))
    const { insert, countDropped } = isInTime ? kept.inTime : kept.any
    const keptRows = await connection.run(insert, ...carried)
    // The input runs again only if some rows are missing: they are late, have no time, or are filtered out.
    if (keptRows === arrived && !mayMultiply) return 0
    const [dropped] = await connection.rows(countDropped, ...carried)
    const [late, untimedRows] = dropped!.map(Number)
    if (untimedRows === 0) return late!
    const column = decodedName(window.timeColumn)
    for (const [order] of await connection.rows(kept.untimed)) untimed.set(BigInt(order as bigint), column)
    return late!
  }

  /** Whether no row can be late: the watermark before each row need not be found, which is most of the work. */
  async #isInTime({ sources, mayMultiply, firstEnd }: Kept, after: Watermarks): Promise<boolean> {
    const watermark = smallestOf(sources, after)
    if (watermark === undefined || watermark === NO_WATERMARK) return true
    if (mayMultiply) return false
    const [row] = await this.#context.connection.rows(firstEnd)
    return row![0] === null || BigInt(row![0] as bigint) - 1n > watermark
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
  const arrival = (arrived: string, order = ' ORDER BY __ord') => ({
    insert: `INSERT INTO ${table} SELECT ${columns} FROM (${arrived}) WHERE __last - 1 > __wm${order}`,
    countDropped: `SELECT count(*) FILTER (WHERE __last - 1 <= __wm), count(*) FILTER (WHERE __last IS NULL) FROM (${arrived})`,
  })
  return {
    window,
    sources,
    table,
    any: arrival(arrivedRows(window, sources)),
    inTime: arrival(arrivedInTime(window, sources), isInOrder(window) ? '' : undefined),
    firstEnd: firstEnd(window),
    mayMultiply: /\b(JOIN|UNION|UNNEST)\b/i.test(window.input.replace(/"[^"]*"/g, '')),
    untimed: untimedOrders(window),
    deleteClosed: `DELETE FROM ${table} WHERE __last <= $1`,
  }
}

/** Windows that end at or before the bound are closed. */
function boundOf(windows: readonly Kept[], watermarks: Watermarks): bigint {
  const bound = smallestOf(
    windows.flatMap(({ sources }) => sources),
    watermarks,
  )
  return bound === undefined || bound === NO_WATERMARK ? NO_WATERMARK : bound + 1n
}

function smallestOf(sources: readonly SourcePlan[], watermarks: Watermarks): bigint | undefined {
  let smallest: bigint | undefined
  for (const { relation } of sources) {
    const watermark = asBigint(watermarks.get(relation))
    if (smallest === undefined || watermark < smallest) smallest = watermark
  }
  return smallest
}

function asBigint(watermarkMs: number | undefined): bigint {
  return watermarkMs === undefined ? NO_WATERMARK : BigInt(watermarkMs)
}
