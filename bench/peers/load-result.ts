/** What one load gave: requests that were answered with success, and what became of the others. */
export interface LoadResult {
  readonly seconds: number
  readonly answers: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  /** Share of a core that the load itself took: near 1, the load may be what was measured. */
  readonly loadBusy: number
  /** A status or an error, and how many. */
  readonly failures: Readonly<Record<string, number>>
}
