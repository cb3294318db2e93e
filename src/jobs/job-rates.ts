/**
 * Rates of the operators of one job over the last minute of its attempt, from the figures that it reports. A job that reports
 * nothing has done nothing since, so its time since then is idle: jobs that wait for events cost nothing here.
 */
import type { JobFigures, VertexFigures } from './worker/job-worker-protocol.ts'

export interface VertexRates {
  readonly recordsInPerSecond: number
  readonly recordsOutPerSecond: number
  readonly bytesInPerSecond: number
  readonly bytesOutPerSecond: number
  /** Shares of the time; they add up to 1. */
  readonly busyRatio: number
  readonly idleRatio: number
  readonly backpressuredRatio: number
  /** End of the time that they are of. */
  readonly sampledMs: number
}

const WINDOW_MS = 60_000
/** Shorter times say nothing. */
const SPAN_MS_MIN = 1_000

interface Sample {
  readonly atMs: number
  readonly vertices: readonly VertexFigures[]
}

export class JobRates {
  /** Reports of the last minute, about one a second while the job works, and the one before; oldest first. */
  readonly #samples: Sample[] = []

  /** No attempt runs: there are no rates. The times of the next one begin at 0. */
  stopped(): void {
    this.#samples.length = 0
  }

  reported({ vertices }: JobFigures, nowMs: number): void {
    this.#samples.push({ atMs: nowMs, vertices })
    this.#forget(nowMs)
  }

  /** In the order of the vertices; empty before there is a measured time. */
  at(nowMs: number): readonly VertexRates[] {
    this.#forget(nowMs)
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined) return []
    const spanMs = Math.min(nowMs - first.atMs, WINDOW_MS)
    if (spanMs < SPAN_MS_MIN) return []
    return last.vertices.map((vertex, index) => ratesOf(first.vertices[index]!, vertex, spanMs, nowMs))
  }

  #forget(nowMs: number): void {
    while (this.#samples.length > 1 && this.#samples[1]!.atMs <= nowMs - WINDOW_MS) this.#samples.shift()
  }
}

function ratesOf(before: VertexFigures, now: VertexFigures, spanMs: number, sampledMs: number): VertexRates {
  const perSecond = (name: 'recordsIn' | 'recordsOut' | 'bytesIn' | 'bytesOut') =>
    (Math.max(0, now[name] - before[name]) * 1000) / spanMs
  const busy = Math.max(0, now.busyMs - before.busyMs)
  const backpressured = Math.max(0, now.backpressuredMs - before.backpressuredMs)
  // Clocks of two processes and rounding: together they are at most the whole time.
  const wholeMs = Math.max(spanMs, busy + backpressured)
  return {
    recordsInPerSecond: perSecond('recordsIn'),
    recordsOutPerSecond: perSecond('recordsOut'),
    bytesInPerSecond: perSecond('bytesIn'),
    bytesOutPerSecond: perSecond('bytesOut'),
    busyRatio: busy / wholeMs,
    idleRatio: (wholeMs - busy - backpressured) / wholeMs,
    backpressuredRatio: backpressured / wholeMs,
    sampledMs,
  }
}
