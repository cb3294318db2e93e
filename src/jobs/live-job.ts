/**
 * One job that has not ended: moves it through its states, starts it in the engine, restarts it after errors that may pass,
 * and ends it.
 */
import type { Semaphore } from '../../storage/semaphore.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { Checkpoints } from './checkpoint-history.ts'
import { isTerminal } from './job.ts'
import type { Timer } from './job-documents.ts'
import type { JobEngine, JobListener, JobRun } from './job-engine.ts'
import type { JobRates } from './job-rates.ts'
import { addBadRecord, addException, enterState, type JobRecord } from './job-record.ts'
import { type JobEvent, type RestartCause, RestartPolicy, stateAfter } from './job-states.ts'
import type { JobFailure } from './worker/job-worker-protocol.ts'

export interface LiveJobParts {
  readonly engine: JobEngine
  readonly nowMs: () => number
  readonly timer: Timer
  readonly report: (error: unknown) => void
  /** Limits the jobs that are planned and started at the same time. */
  readonly starts: Semaphore
  /** Checks tables and grants, and creates missing streams. Rejects with the reason why the job cannot start. */
  readonly prepare: (record: JobRecord) => Promise<JobRun>
  /** Resolves when the present state of the job is durable. */
  readonly save: (record: JobRecord) => Promise<void>
  /** Called when the job runs, and with the failure of a run. */
  readonly contacted: (record: JobRecord, failure: JobFailure | undefined) => void
  /** Called once, when the job is terminal and nothing of it runs any more. */
  readonly ended: (job: LiveJob) => void
}

/** These refusals may have another outcome later. All others are lasting. */
const PASSING_CODES: ReadonlySet<ServiceErrorCode> = new Set(['overloaded', 'disk_low', 'secret_unusable'])

/** What is measured while a job runs. */
export interface JobWatch {
  readonly checkpoints: Checkpoints
  readonly rates: JobRates
}

export class LiveJob {
  readonly record: JobRecord
  readonly #parts: LiveJobParts
  readonly #policy = new RestartPolicy()
  readonly #watch: JobWatch
  /** The present run. The engine's calls for earlier ones are ignored. */
  #run: object | undefined
  #cancelTimer: (() => void) | undefined
  /** Resolves when nothing of the job runs any more. */
  #stopping: Promise<void> | undefined
  #closed = false

  constructor(record: JobRecord, parts: LiveJobParts, watch: JobWatch) {
    this.record = record
    this.#watch = watch
    this.#parts = parts
  }

  /** A slot is free. */
  start(): void {
    if (this.#apply('slot')) this.#launch()
  }

  /** Resolves when CANCELLING, or a terminal state, is durable. */
  cancel(): Promise<void> {
    if (this.#apply('cancel')) void this.#stop()
    return this.#parts.save(this.record)
  }

  /** Ends the job with an error that cannot pass. */
  fail(message: string): void {
    const { record } = this
    if (stateAfter(record.state, 'lasting') === undefined) return
    this.#addException(message, false)
    this.#apply('lasting')
    void this.#stop()
  }

  /** Ends the job without a trace: its document is removed. Resolves when nothing of it runs any more. */
  async abandon(): Promise<void> {
    this.#closed = true
    this.#detach()
    await this.#parts.engine.cancel(this.record.jid)
  }

  /** Resolves when the job has ended after `cancel` or `fail`. */
  async stopped(): Promise<void> {
    await this.#stopping
  }

  /** The service stops. The job keeps its state, and goes on when the service starts again. */
  close(): void {
    this.#closed = true
    this.#detach()
  }

  #detach(): void {
    this.#run = undefined
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #launch(): void {
    const run = {}
    this.#run = run
    const { starts, engine, prepare } = this.#parts
    const isCurrent = () => this.#run === run
    void starts
      .run(async () => {
        if (!isCurrent()) return
        const jobRun = await prepare(this.record)
        if (isCurrent()) await engine.submit(jobRun, this.#listener(isCurrent))
      })
      .catch((error) => {
        if (isCurrent()) this.#failed(this.#failureOf(error))
      })
  }

  #listener(isCurrent: () => boolean): JobListener {
    const { record } = this
    const { checkpoints, rates } = this.#watch
    const { nowMs } = this.#parts
    const guarded =
      <Args extends readonly unknown[]>(take: (...args: Args) => void) =>
      (...args: Args) => {
        if (isCurrent()) take(...args)
      }
    return {
      running: guarded((epoch) => {
        checkpoints.running(epoch, nowMs())
        if (!this.#apply('running')) return
        this.#policy.running(nowMs())
        this.#parts.contacted(record, undefined)
      }),
      progress: (figures, report) => {
        if (isTerminal(record.state)) return
        record.figures = figures
        checkpoints.reported(figures.epoch, report)
        if (record.state === 'RUNNING') rates.reported(figures, nowMs())
      },
      badRecord: guarded((bad) => {
        // The worker does not report it again after a restart of the service.
        if (addBadRecord(record, bad, nowMs())) this.#parts.save(record).catch(() => {}) // written again later
      }),
      finished: guarded(() => {
        this.#detach()
        if (this.#apply('finished')) this.#end()
      }),
      failed: guarded((failure) => this.#failed(failure)),
    }
  }

  #failed(failure: JobFailure): void {
    this.#detach()
    this.#parts.contacted(this.record, failure)
    const cause = causeOf(failure)
    const epoch = this.record.figures?.epoch
    const delayMs =
      failure.kind === 'lasting' ? 'never' : this.#policy.failed(cause, this.#parts.nowMs(), epoch)
    const message =
      delayMs === 'never' ? lastMessage(cause, this.#policy.errors, failure.message) : failure.message
    this.#addException(message, delayMs !== 'never', failure)
    if (delayMs === 'never') {
      if (this.#apply('lasting') && this.#apply('ended')) this.#end()
    } else if (this.#apply('passing')) {
      this.#cancelTimer = this.#parts.timer(delayMs, () => this.#retry())
    }
  }

  #retry(): void {
    this.#cancelTimer = undefined
    if (this.#closed || stateAfter(this.record.state, 'retry') === undefined) return
    this.record.attempt++
    this.#apply('retry')
    this.#launch()
  }

  #stop(): Promise<void> {
    this.#detach()
    this.#stopping ??= this.#stopInEngine()
    return this.#stopping
  }

  async #stopInEngine(): Promise<void> {
    try {
      await this.#parts.engine.cancel(this.record.jid)
    } catch (error) {
      this.#parts.report(error)
    }
    if (!this.#closed && this.#apply('ended')) this.#end()
  }

  #end(): void {
    this.#parts.ended(this)
  }

  /** Returns whether the event had an effect. */
  #apply(event: JobEvent): boolean {
    const { record } = this
    const state = stateAfter(record.state, event)
    if (state === undefined) return false
    enterState(record, state, this.#parts.nowMs(), event === 'retry')
    if (state !== 'RUNNING') this.#watch.rates.stopped()
    this.#parts.save(record).catch(() => {}) // written again later
    return true
  }

  #addException(
    message: string,
    goesOn: boolean,
    { record, vertex }: Pick<JobFailure, 'record' | 'vertex'> = {},
  ): void {
    addException(this.record, {
      ...{ timestampMs: this.#parts.nowMs(), message, isRoot: goesOn, attempt: this.record.attempt },
      ...(record && { record }),
      ...(vertex !== undefined && { vertex }),
    })
  }

  #failureOf(error: unknown): JobFailure {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof SqlProblem) {
      return { kind: 'lasting', message, ...(error.place && { place: error.place }) }
    }
    if (error instanceof ServiceError) {
      return { kind: PASSING_CODES.has(error.code) ? 'passing' : 'lasting', message }
    }
    if (!(error instanceof StorageError)) this.#parts.report(error)
    return { kind: 'passing', message }
  }
}

function causeOf({ kind, processEnd, exhausted }: JobFailure): RestartCause {
  if (processEnd !== undefined) return processEnd === 'own' ? 'process' : 'foreign'
  if (exhausted !== undefined) return exhausted
  return kind === 'conversion' ? 'conversion' : 'passing'
}

/** Why a job with these errors is not started again. */
function lastMessage(cause: RestartCause, errors: number, message: string): string {
  switch (cause) {
    case 'process':
      return `the tick of this job ended the process of jobs ${errors} times: ${message}`
    case 'memory':
      return `the tick of this job was interrupted ${errors} times for its memory: ${message}`
    case 'time':
      return `the tick of this job was interrupted ${errors} times for its duration: ${message}`
    default:
      return message
  }
}
