/**
 * The states of a job, as a table, and the rules of its restarts. Names and exits are those of Flink's JobStatus.
 *
 *   INITIALIZING -> CREATED -> RUNNING -> FINISHED
 *                      ^  \_____/ |
 *                      |     v    v
 *                    RESTARTING  FAILING -> FAILED        from every live state
 *                                CANCELLING -> CANCELED   from every live state but FAILING
 */
import { isTerminal, type JobState } from './job.ts'
import type { RestartRule } from './job-settings.ts'

export type JobEvent =
  /** A slot is free: the job is planned and its connectors are opened. */
  | 'slot'
  /** The engine runs the job. */
  | 'running'
  /** An error that may pass. */
  | 'passing'
  /** The delay after an error is over. */
  | 'retry'
  /** An error that cannot pass. */
  | 'lasting'
  | 'cancel'
  /** Nothing of the job runs any more. */
  | 'ended'
  /** All sources have ended and everything is emitted. */
  | 'finished'
  /** The service has started again. */
  | 'recover'

const TRANSITIONS: Readonly<Partial<Record<JobState, Readonly<Partial<Record<JobEvent, JobState>>>>>> = {
  INITIALIZING: { slot: 'CREATED', lasting: 'FAILING', cancel: 'CANCELLING', recover: 'INITIALIZING' },
  CREATED: {
    running: 'RUNNING',
    passing: 'RESTARTING',
    lasting: 'FAILING',
    cancel: 'CANCELLING',
    finished: 'FINISHED',
    recover: 'INITIALIZING',
  },
  RUNNING: {
    passing: 'RESTARTING',
    lasting: 'FAILING',
    cancel: 'CANCELLING',
    finished: 'FINISHED',
    recover: 'INITIALIZING',
  },
  RESTARTING: { retry: 'CREATED', lasting: 'FAILING', cancel: 'CANCELLING', recover: 'INITIALIZING' },
  FAILING: { ended: 'FAILED', recover: 'FAILED' },
  CANCELLING: { ended: 'CANCELED', recover: 'CANCELED' },
}

/** The state after the event; undefined if the event has no effect in this state. */
export function stateAfter(state: JobState, event: JobEvent): JobState | undefined {
  return TRANSITIONS[state]?.[event]
}

/** Whether the engine may work for a job in this state. */
export function isActive(state: JobState): boolean {
  return !isTerminal(state) && state !== 'INITIALIZING' && state !== 'RESTARTING'
}

export const RESTART_DELAY_MS_MIN = 1_000
export const RESTART_DELAY_MS_MAX = 60_000
/** After running this long without a failure, delays begin at the shortest one again. */
const HEALTHY_MS = 10 * 60_000
/** The process of all jobs has ended because of another job. */
const FOREIGN_DELAY_MS = 200

export type RestartCause =
  | 'passing'
  | 'conversion'
  /** The process of all jobs ended, and this job is not the cause. */
  | 'foreign'
  /** The process of all jobs ended, and a tick of this job was the cause. */
  | 'process'
  /** A statement was interrupted, because it needed too much memory, or time. */
  | 'memory'
  | 'time'

/** The error that has this number without progress between, counted by its cause, fails the job. */
const ERRORS_MAX: Readonly<Partial<Record<RestartCause, number>>> = {
  conversion: 4,
  process: 2,
  memory: 3,
  time: 5,
}
/** Errors that stop other jobs, too, fail a job that makes progress between them. */
const COSTLY: ReadonlySet<RestartCause> = new Set(['process', 'memory', 'time'])
const COSTLY_MAX = 10

const SERVICE_RULE = {
  kind: 'exponential-delay',
  firstMs: RESTART_DELAY_MS_MIN,
  mostMs: RESTART_DELAY_MS_MAX,
  factor: 2,
  resetMs: HEALTHY_MS,
} as const

/** Decides about the restarts of one job. Times are those of the service's clock, in milliseconds. */
export class RestartPolicy {
  readonly #rule: RestartRule
  #delayMs: number
  /** In a row, of any cause but that of another job. */
  #failures = 0
  readonly #counts = new Map<RestartCause, number>()
  #costly = 0
  #errors = 0
  #costlyEpoch: number | undefined
  #runningSinceMs: number | undefined

  constructor(rule: RestartRule = SERVICE_RULE) {
    this.#rule = rule
    this.#delayMs = firstDelayMs(rule)
  }

  /** Number of errors that made the last one lasting. */
  get errors(): number {
    return this.#errors
  }

  running(nowMs: number): void {
    this.#runningSinceMs = nowMs
  }

  /**
   * The delay until the job is started again, in milliseconds; 'never' if the error counts as lasting now. `epoch` is the
   * number of commits of the job so far.
   */
  failed(cause: RestartCause, nowMs: number, epoch = 0): number | 'never' {
    const sinceMs = this.#runningSinceMs
    this.#runningSinceMs = undefined
    if (sinceMs !== undefined) this.#ranFor(nowMs - sinceMs)
    if (cause === 'foreign') return FOREIGN_DELAY_MS
    if (COSTLY.has(cause)) this.#costlyError(epoch)
    const count = (this.#counts.get(cause) ?? 0) + 1
    this.#counts.set(cause, count)
    this.#errors = this.#costly >= COSTLY_MAX ? this.#costly : count
    if (count >= (ERRORS_MAX[cause] ?? Number.POSITIVE_INFINITY) || this.#costly >= COSTLY_MAX) return 'never'
    const rule = this.#rule
    this.#failures++
    if (rule.kind === 'none' || (rule.kind === 'fixed-delay' && this.#failures > rule.attempts))
      return 'never'
    const delayMs = this.#delayMs
    if (rule.kind === 'exponential-delay') this.#delayMs = Math.min(rule.factor * delayMs, rule.mostMs)
    return delayMs
  }

  /** Whether the last error stopped other jobs, too, and the job has made no progress since. `epoch` as in `failed`. */
  wasCostly(epoch = 0): boolean {
    return this.#costly > 0 && epoch === this.#costlyEpoch
  }

  /** After progress the next errors are those of other events. */
  #costlyError(epoch: number): void {
    if (epoch !== this.#costlyEpoch) for (const cause of COSTLY) this.#counts.delete(cause)
    this.#costlyEpoch = epoch
    this.#costly++
  }

  /** Without an error. What stops other jobs is not forgotten sooner, whatever the job was given. */
  #ranFor(ms: number): void {
    if (ms >= resetMs(this.#rule)) {
      this.#delayMs = firstDelayMs(this.#rule)
      this.#failures = 0
    }
    if (ms < HEALTHY_MS) return
    this.#counts.clear()
    this.#costly = 0
  }
}

function firstDelayMs(rule: RestartRule): number {
  if (rule.kind === 'none') return 0
  return rule.kind === 'fixed-delay' ? rule.delayMs : rule.firstMs
}

function resetMs(rule: RestartRule): number {
  return rule.kind === 'exponential-delay' ? rule.resetMs : HEALTHY_MS
}
