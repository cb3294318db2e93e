/** Measured rates of the operators of a job. */
export interface VertexRates {
  readonly recordsInPerSecond: number
  readonly recordsOutPerSecond: number
  readonly bytesInPerSecond: number
  readonly bytesOutPerSecond: number
  readonly busyRatio: number
  readonly idleRatio: number
  readonly backpressuredRatio: number
  readonly sampledMs: number
}
