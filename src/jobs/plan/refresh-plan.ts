/** The plan of a query over changing tables: the whole query runs again after each change. Tables: worker/refresh.ts. */

export interface RefreshPlan {
  /** The changing tables of the query: `b0`, `b1`, … each holds the rows of one source. */
  readonly bases: readonly { readonly relation: string; readonly source: string }[]
  /** c0, c1, … over b0, b1, …, f0, … */
  readonly select: string
  /** Columns of the sink that identify a row of the result, as indexes; empty: rows are compared as a whole. */
  readonly key: readonly number[]
}
