/**
 * The seam between a tick and the four ways of running an insert: arrival, window, running, refresh.
 *
 * A tick has put the new events into temporary tables of the job's connection before it calls `run`:
 *
 *   in_s0   columns of `SourcePlan.decoded`, __ord BIGINT; for a source of changes also __op VARCHAR
 *   s0      view: __ord; for a source of changes __op; then the columns of `SourcePlan.columns`
 *   l0, f0  rows of lookups for the keys of this tick, rows of fixed tables
 *
 *   __op    'u' the row is the last one of its key · 'd' the key has no row; only the columns of the key are right ·
 *           'c' the table has no rows; all columns are NULL. Applied in the order of __ord, which is unique.
 *
 * `run` is called inside the transaction of the tick and changes only the state of its job: tables `<state>.<name>` that it
 * has created in `prepare`, and the outbox. It adds to the outbox in the order in which the sink shall write, with the order
 * in the statement: the outbox has no column for it, and is read in the order of insertion.
 *
 *   outbox  op VARCHAR ('c', 'b', 'u', 'd': RowOp of connectors/connector.ts), c0, c1, … as the sink's columns
 */
import type { JobPlan } from '../plan/job-plan.ts'
import type { QueryJobResult, ResultMoment } from '../query-result.ts'
import type { JobConnection } from './job-connection.ts'

export interface WayContext {
  readonly connection: JobConnection
  readonly plan: JobPlan
  /** Index of the insert in the plan. Names of state tables end in it, so that each insert has its own. */
  readonly insert: number
  /** Schema of the job's state in SQL, quoted if need be: `"j3"`. A table is `${state}.kept_0`. */
  readonly state: string
  /** Name of the outbox in SQL: `"j3".outbox_0`. */
  readonly outbox: string
  /** The job is that of a cached query. */
  readonly query?: QueryJobResult
}

/** Milliseconds; undefined before the first. By relation: `s0`. */
export type Watermarks = ReadonlyMap<string, number | undefined>

export interface WayTick {
  /** Watermarks before and after the events of this tick. */
  readonly before: Watermarks
  readonly after: Watermarks
  /** Rows of in_s<k>, by relation `s<k>`; undefined where they are not counted. */
  readonly rows?: ReadonlyMap<string, number>
  /** Relations of sources that have new events. Empty: the tick exists only because sources have ended. */
  readonly grown: ReadonlySet<string>
  /** All sources have ended: nothing comes after this tick. */
  readonly isLast: boolean
  /** The first tick of the state: it may have no events. */
  readonly isFirst: boolean
  /** The first tick after the state was made from a savepoint. The query behind the state may be another one since. */
  readonly isRestored?: boolean
  /**
   * Of the job of a cached query: the moment of the database that the sources have reached with this tick. Undefined: they are
   * between two moments, and the result must not be computed.
   */
  readonly moment?: ResultMoment
}

export interface WayResult {
  readonly rows: number
  /** Rows that came after their window was closed. */
  readonly late: number
  /** Events without a time, which no window takes: their orders, with the column of the time as the user calls it. */
  readonly untimed?: ReadonlyMap<bigint, string>
}

export interface Way {
  /** Creates tables of the state that are missing, and temporary ones. Called once, in a transaction of its own. */
  prepare(): Promise<void>
  run(tick: WayTick): Promise<WayResult>
  /** End of the last window that holds rows, in milliseconds, for each source of windows. Empty: no window holds rows. */
  openUntil?(): Promise<ReadonlyMap<string, number>>
  /**
   * SELECTs over the new events that this way evaluates row by row. If one of them fails, the tick finds the event by
   * running it over parts of the input. Aggregates and what comes after them is not among them.
   */
  readonly probes: readonly string[]
  /** Whether `run` has work in a tick without events: a refresh whose fixed tables alone give rows, for example. */
  readonly runsWithoutEvents: boolean
  /** The result is older than what has been read: `run` has work as soon as it gets a moment. */
  readonly isBehind?: boolean
}
