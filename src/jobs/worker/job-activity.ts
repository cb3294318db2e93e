/** The figures of a running job, and when they are reported: at most once per second, and never while nothing changes. */

import type { JobFigures } from './job-worker-protocol.ts'
import type { StateFile } from './state-file.ts'
import type { Checkpoint, TickResult } from './tick.ts'
import type { InputSource } from './tick-input.ts'

const REPORT_INTERVAL_MS = 1_000

export class JobActivity {
  readonly #state: StateFile
  readonly #sources: readonly InputSource[]
  readonly #report: (figures: JobFigures) => void
  readonly #startedMs = performance.now()
  #checkpoint: Checkpoint | undefined
  #busyMs = 0
  #emitMs = 0
  #reportedMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(state: StateFile, sources: readonly InputSource[], report: (figures: JobFigures) => void) {
    this.#state = state
    this.#sources = sources
    this.#report = report
  }

  ticked({ durationMs, emitMs, checkpoint }: TickResult): void {
    this.#busyMs += durationMs - emitMs
    this.#emitMs += emitMs
    if (checkpoint === undefined) return
    this.#checkpoint = checkpoint
    if (this.#timer !== undefined) return
    const inMs = this.#reportedMs + REPORT_INTERVAL_MS - performance.now()
    if (inMs <= 0) this.reportNow()
    else this.#timer = setTimeout(() => this.reportNow(), inMs)
  }

  reportNow(): void {
    this.stop()
    this.#reportedMs = performance.now()
    void this.#figures().then(this.#report, () => {}) // a source that cannot say its lag fails at its next read
  }

  /** Resolves when the final figures have been reported. */
  async reportLast(): Promise<void> {
    this.stop()
    this.#report(await this.#figures())
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #figures(): Promise<JobFigures> {
    const { counters, epoch, sources } = this.#state
    const lags = await Promise.all(
      this.#sources.map(async ({ plan, source }) => {
        const state = sources.get(plan.relation)
        return state && (await source.lag(state.position))
      }),
    )
    const totalMs = performance.now() - this.#startedMs
    return {
      epoch,
      checkpoint: this.#checkpoint,
      sources: counters.sources.map((counts, index) => ({
        ...counts,
        lagRecords: lags[index]?.events,
        lagMs: lags[index]?.ms,
        watermarkMs: sources.get(this.#sources[index]!.plan.relation)?.watermarkMs,
      })),
      inserts: counters.inserts.map((counts) => ({ ...counts })),
      busyMs: Math.round(this.#busyMs),
      backpressuredMs: Math.round(this.#emitMs),
      idleMs: Math.max(0, Math.round(totalMs - this.#busyMs - this.#emitMs)),
    }
  }
}
