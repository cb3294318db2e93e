/** Counts answers and their latencies from the moment it is made. */
import { createHistogram, performance } from 'node:perf_hooks'
import type { LoadResult } from './jobs.ts'

export class Meter {
  readonly #startMs = performance.now()
  readonly #startCpu = process.cpuUsage()
  /** Microseconds, to three digits. */
  readonly #latencies = createHistogram()
  readonly #failures: Record<string, number> = {}
  #answers = 0
  #events = 0
  #bytes = 0

  answered(ms: number, events: number, bytes: number): void {
    this.#latencies.record(Math.max(1, Math.round(ms * 1000)))
    this.#answers++
    this.#events += events
    this.#bytes += bytes
  }

  failed(reason: string): void {
    this.#failures[reason] = (this.#failures[reason] ?? 0) + 1
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#startMs) / 1000
  }

  result(): LoadResult {
    const seconds = this.elapsedSeconds
    const { user, system } = process.cpuUsage(this.#startCpu)
    return {
      seconds,
      answers: this.#answers,
      events: this.#events,
      bytes: this.#bytes,
      p50Ms: this.#latencies.percentile(50) / 1000,
      p99Ms: this.#latencies.percentile(99) / 1000,
      p999Ms: this.#latencies.percentile(99.9) / 1000,
      failures: this.#failures,
      acknowledged: this.#events,
      busy: (user + system) / 1e6 / seconds,
    }
  }
}
