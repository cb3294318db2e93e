/** The inside of a load process: its job from stdin, its result to stdout, and what it counts in between. */
import { createHistogram, performance } from 'node:perf_hooks'
import { json } from 'node:stream/consumers'
import type { LoadResult } from './load-result.ts'

export async function runJob<Job>(work: (job: Job) => Promise<LoadResult>): Promise<void> {
  process.on('SIGINT', () => {}) // the bench gets it, too, and ends us
  const result = await work((await json(process.stdin)) as Job)
  process.stdout.write(JSON.stringify(result), () => process.exit(0))
}

/** Counts from the moment it is made. */
export class Counter {
  readonly #startMs = performance.now()
  readonly #startCpu = process.cpuUsage()
  /** Microseconds, to three digits. */
  readonly #latencies = createHistogram()
  readonly #failures: Record<string, number> = {}
  #answers = 0

  answered(ms: number): void {
    this.#latencies.record(Math.max(1, Math.round(ms * 1000)))
    this.#answers++
  }

  failed(reason: string): void {
    this.#failures[reason] = (this.#failures[reason] ?? 0) + 1
  }

  result(): LoadResult {
    const seconds = (performance.now() - this.#startMs) / 1000
    const { user, system } = process.cpuUsage(this.#startCpu)
    const ms = (percentile: number) => this.#latencies.percentile(percentile) / 1000
    return {
      seconds,
      answers: this.#answers,
      p50Ms: ms(50),
      p99Ms: ms(99),
      p999Ms: ms(99.9),
      loadBusy: (user + system) / 1e6 / seconds,
      failures: this.#failures,
    }
  }
}
