/**
 * The plan of a query over changing tables: the query runs again after each change, and the difference to its last result
 * is written to the sink. worker/refresh.ts keeps the rows of the tables and the last result in the state.
 */

export interface RefreshPlan {
  /** The changing tables of the query: `b0`, `b1`, … each holds the rows of one source. A source may have several. */
  readonly bases: readonly { readonly relation: string; readonly source: string }[]
  /** c0, c1, … over b0, b1, …, f0, … */
  readonly select: string
  /** Columns of the sink that identify a row of the result, as indexes; empty: rows are compared as a whole. */
  readonly key: readonly number[]
  /** The query cannot give two rows with the same key, so that the worker need not search for them. */
  readonly keyIsUnique: boolean
  /** Undefined: after each change the whole query runs. */
  readonly scope: RefreshScope | undefined
}

/**
 * A query that can run for a part of its rows: for the rows of one base that have certain values of `keys`, it gives exactly
 * those rows of the whole result that have these values in `columns`. GROUP BY region has the scope region.
 */
export interface RefreshScope {
  /** One of `RefreshPlan.bases`. The worker uses the scope in ticks that change no other base. */
  readonly relation: string
  /** Expressions over the columns of the base that give the same value each time. */
  readonly keys: readonly string[]
  /**
   * The query has functions such as CURRENT_TIMESTAMP: only rows with changed keys may be computed again. Otherwise the worker runs
   * the whole query if many keys have changed.
   */
  readonly isRequired: boolean
  /** For each key the column of the result with exactly its value and type: 3 is c3. */
  readonly columns: readonly number[]
}
