/** Job and result of an open-loop load (open-loop-process.ts). */

export interface OpenLoopJob {
  readonly port: number
  /** Where events are posted to. */
  readonly path: string
  readonly connections: number
  /** Absent: as fast as answers come. */
  readonly ratePerSecond?: number
  readonly seconds: number
  /** Answers of this many seconds at a time are summed up together. */
  readonly windowSeconds: number
  readonly bodyBytes: number
  /** In front of the number in every body. */
  readonly prefix: string
  /** The service, to see how long it waits for a core. */
  readonly servicePid: number
  /** Where to write one byte per request, by its number. */
  readonly outcomeFile: string
}

/** What became of a request, in `outcomeFile`. */
export const OUTCOME = { unanswered: 0, accepted: 1, refused: 2, other: 3 } as const

export interface OpenLoopResult {
  readonly due: number
  readonly sent: number
  readonly accepted: number
  /** 503 with `Retry-After`. */
  readonly refused: number
  /** Other statuses, and how often. */
  readonly others: Readonly<Record<string, number>>
  /** Requests that had no answer: connections that were closed, and those in progress at the end. */
  readonly unanswered: number
  readonly windows: readonly Window[]
}

export interface Window {
  readonly accepted: number
  readonly refused: number
  readonly acceptedP50Ms: number
  readonly acceptedP99Ms: number
  readonly refusedP99Ms: number
  readonly refusedMaxMs: number
  /**
   * Of the time of the window, what the load or the service spent waiting for a core: others had it, so what was measured
   * is not the service's. The larger of the two; NaN where the kernel does not tell.
   */
  readonly starved: number
}
