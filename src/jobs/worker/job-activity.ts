/**
 * The figures of a running job, and when they are reported: when it begins, at most once per second while it works, and when it
 * ends. A job that waits for events reports nothing. A report has all commits since the last one.
 */

import type { JobPlan } from '../plan/job-plan.ts'
import type { CheckpointFigures, CheckpointReport, JobFigures } from './job-worker-protocol.ts'
import type { StateFile } from './state-file.ts'
import type { StepClock } from './step-clock.ts'
import type { FailedCheckpoint } from './tick.ts'
import type { InputSource } from './tick-input.ts'
import { vertexFigures } from './vertex-figures.ts'

const REPORT_INTERVAL_MS = 1_000
/** Commits of one report: a job makes about ten a second. */
const CHECKPOINTS_MAX = 100

export interface ActivityParts {
  readonly plan: JobPlan
  readonly state: StateFile
  readonly sources: readonly InputSource[]
  readonly clock: StepClock
  readonly report: (figures: JobFigures, checkpoints: CheckpointReport | undefined) => void
}

type Lag = { readonly events: number; readonly ms: number } | undefined

export class JobActivity {
  readonly #parts: ActivityParts
  #checkpoint: CheckpointFigures | undefined
  #completed: CheckpointFigures[] = []
  #failed: FailedCheckpoint | undefined
  #lags: readonly Lag[] = []
  #reportedMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #isTicking = false
  /** Something has happened since the last report, or is going on since then. */
  #isDue = true
  #hasEnded = false

  constructor(parts: ActivityParts) {
    this.#parts = parts
  }

  /** A tick begins. If it takes long, figures are reported meanwhile. */
  ticking(): void {
    this.#isTicking = true
    this.#timer ??= setTimeout(() => this.#due(), REPORT_INTERVAL_MS)
  }

  committed(checkpoint: CheckpointFigures): void {
    this.#isDue = true
    this.#checkpoint = checkpoint
    this.#completed.push(checkpoint)
    if (this.#completed.length > CHECKPOINTS_MAX) this.#completed.shift()
  }

  failed(checkpoint: FailedCheckpoint): void {
    this.#failed = checkpoint
  }

  ticked(): void {
    this.#isTicking = false
    this.stop()
    if (!this.#isDue) return
    const inMs = this.#reportedMs + REPORT_INTERVAL_MS - performance.now()
    if (inMs <= 0) this.reportNow()
    else this.#timer = setTimeout(() => this.#due(), inMs)
  }

  /** The job begins. Its first tick is reported at once, whatever it has done: sources know their lags then. */
  begins(): void {
    this.reportNow()
    this.#reportedMs = Number.NEGATIVE_INFINITY
    this.#isDue = true
  }

  reportNow(): void {
    this.stop()
    this.#reportedMs = performance.now()
    this.#isDue = this.#isTicking
    const report = () => {
      if (!this.#hasEnded) this.#report()
    }
    void this.#measureLags().then(report, report) // a source that cannot say its lag fails at its next read
  }

  /** As `reportLast`, with the lags at the end. */
  async finished(): Promise<void> {
    await this.#measureLags().catch(() => {}) // the last ones stay
    this.reportLast()
  }

  /** Nothing is reported afterwards. `message`: why the attempt has failed. */
  reportLast(message?: string): void {
    this.stop()
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.#report(message)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #due(): void {
    this.reportNow()
    if (this.#isTicking) this.ticking()
  }

  #report(message?: string): void {
    const completed = this.#completed
    this.#completed = []
    const failed = this.#failed && message !== undefined ? { ...this.#failed, message } : undefined
    const isEmpty = completed.length === 0 && failed === undefined
    this.#parts.report(this.#figures(), isEmpty ? undefined : { completed, ...(failed && { failed }) })
  }

  async #measureLags(): Promise<void> {
    const { state, sources } = this.#parts
    this.#lags = await Promise.all(
      sources.map(async ({ plan, source }) => {
        const known = state.sources.get(plan.relation)
        return known && (await source.lag(known.position))
      }),
    )
  }

  #figures(): JobFigures {
    const { plan, state, sources, clock } = this.#parts
    const { counters, epoch } = state
    const places = sources.map((source, index) => ({
      lagRecords: this.#lags[index]?.events,
      lagMs: this.#lags[index]?.ms,
      watermarkMs: state.sources.get(source.plan.relation)?.watermarkMs,
    }))
    const { busyMs, backpressuredMs } = jobTimes(clock, plan)
    return {
      epoch,
      checkpoint: this.#checkpoint,
      sources: counters.sources.map(({ recordsIn, bytesIn, recordsBad, recordsUntimed }, index) => ({
        ...{ recordsIn, bytesIn, recordsBad, ...(recordsUntimed !== undefined && { recordsUntimed }) },
        ...places[index]!,
      })),
      inserts: counters.inserts.map(({ recordsOut, bytesOut, recordsLate }) => ({
        ...{ recordsOut, bytesOut, recordsLate },
      })),
      ...{ busyMs, backpressuredMs },
      idleMs: Math.max(0, Math.round(clock.totalMs) - busyMs - backpressuredMs),
      vertices: vertexFigures(plan, counters, places, clock),
    }
  }
}

function jobTimes(clock: StepClock, plan: JobPlan): { busyMs: number; backpressuredMs: number } {
  let busy = clock.spentMs('read') + clock.spentMs('query')
  let backpressured = 0
  for (const index of plan.sources.keys()) busy += clock.spentMs(`source ${index}`)
  for (const index of plan.inserts.keys()) {
    busy += clock.spentMs(`query ${index}`)
    backpressured += clock.spentMs(`sink ${index}`)
  }
  return { busyMs: Math.round(busy), backpressuredMs: Math.round(backpressured) }
}
