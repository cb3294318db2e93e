/**
 * One job that has not ended: moves it through its states, starts it in the engine, restarts it after errors that may pass,
 * and ends it.
 */
import type { Semaphore } from '../../storage/semaphore.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Checkpoints } from './checkpoint-history.ts'
import { isTerminal } from './job.ts'
import type { Timer } from './job-documents.ts'
import type { JobEngine, JobListener, JobRun } from './job-engine.ts'
import type { JobRates } from './job-rates.ts'
import { addBadRecord, addException, enterState, type JobRecord } from './job-record.ts'
import { type JobEvent, type RestartCause, RestartPolicy, stateAfter } from './job-states.ts'
import { PendingOrders } from './savepoints/pending-orders.ts'
import type { JobOrder, OrderOutcome, StopIntent } from './savepoints/savepoint.ts'
import { locationOf } from './savepoints/savepoint-places.ts'
import type { JobFailure } from './worker/job-worker-protocol.ts'

export interface LiveJobParts {
  readonly engine: JobEngine
  readonly nowMs: () => number
  readonly timer: Timer
  readonly report: (error: unknown) => void
  /** A text without the secrets of the namespace. */
  readonly hide: (namespace: NamespaceName, text: string) => string
  /** Limits the jobs that are planned and started at the same time. */
  readonly starts: Semaphore
  /** Checks tables and grants, and creates missing streams. Rejects with the reason why the job cannot start. */
  readonly prepare: (record: JobRecord) => Promise<JobRun>
  /** Resolves when the present state of the job is durable. */
  readonly save: (record: JobRecord) => Promise<void>
  /** Called when the job runs, and with the failure of a run. */
  readonly contacted: (record: JobRecord, failure: JobFailure | undefined) => void
  /** Called after each change of the state. */
  readonly entered: (record: JobRecord) => void
  /** Called once, when the job is terminal and nothing of it runs any more. */
  readonly ended: (job: LiveJob) => void
}

/** These refusals may have another outcome later. All others are lasting. */
const PASSING_CODES: ReadonlySet<ServiceErrorCode> = new Set([
  'overloaded',
  'disk_low',
  'secret_unusable',
  'state_elsewhere',
])

/** What is measured while a job runs. */
export interface JobWatch {
  readonly checkpoints: Checkpoints
  readonly rates: JobRates
}
/** The store refuses writes. */
const SAVE_RETRY_MS = 2_000

export class LiveJob {
  readonly record: JobRecord
  readonly #parts: LiveJobParts
  readonly #policy: RestartPolicy
  readonly #watch: JobWatch
  /** The present run. The engine's calls for earlier ones are ignored. */
  #run: object | undefined
  #cancelTimer: (() => void) | undefined
  readonly #orders = new PendingOrders()
  /** A savepoint has been written, and the job ends with it. */
  #stopped: OrderOutcome | undefined
  /** Resolves when nothing of the job runs any more. */
  #stopping: Promise<void> | undefined
  #closed = false

  constructor(record: JobRecord, parts: LiveJobParts, watch: JobWatch) {
    this.record = record
    this.#policy = new RestartPolicy(record.settings?.restart)
    this.#watch = watch
    this.#parts = parts
  }

  /** A slot is free. */
  start(): void {
    if (this.#apply('slot')) this.#launch()
  }

  /** Resolves when CANCELLING, or a terminal state, is durable. */
  cancel(): Promise<void> {
    this.record.stopping = undefined
    if (this.#apply('cancel')) void this.#stop()
    return this.#parts.save(this.record)
  }

  /** Resolves with what has become of the order. Never rejects. */
  async order(order: JobOrder): Promise<OrderOutcome> {
    const { state } = this.record
    if (state !== 'RUNNING') return failedOrder(`job is ${state}; try again when it is RUNNING`)
    const outcome = this.#orders.expect(order.id)
    await this.#send(order)
    return outcome
  }

  /**
   * Stops the job with a savepoint, also after a restart of the job or of the service. Resolves when that is durable, with what
   * becomes of it; the end of the job is durable then. Rejects if the store refuses it; then the job goes on.
   */
  async stop(intent: StopIntent, order: JobOrder): Promise<{ readonly outcome: Promise<OrderOutcome> }> {
    const { record } = this
    if (record.state !== 'RUNNING') return { outcome: this.order(order) } // which says so
    if (record.stopping !== undefined) {
      const text = `the job is being stopped already, with triggerId=${record.stopping.triggerId}`
      return { outcome: Promise.resolve(failedOrder(text)) }
    }
    const run = this.#run
    record.stopping = intent
    const outcome = this.#orders.expect(intent.triggerId)
    try {
      await this.#parts.save(record)
    } catch (error) {
      this.giveUpStop(intent, 'the store refuses writes')
      throw error
    }
    // A run that has begun since has the order from its start.
    if (record.stopping === intent && this.#run === run) void this.#send(order)
    return { outcome }
  }

  /** What becomes of the stop that was accepted before the service started. */
  resumedStop({ triggerId }: StopIntent): Promise<OrderOutcome> {
    return this.#orders.expect(triggerId)
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
    this.#orders.failAll('the job was removed')
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
        if (!isCurrent()) return
        const yields = this.#policy.wasCostly(this.record.figures?.epoch)
        await engine.submit({ ...jobRun, yields }, this.#listener(isCurrent))
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
        checkpoints.running(epoch, nowMs(), this.#savepointAt(epoch))
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
      ordered: guarded((id, outcome) => this.#ordered(id, outcome)),
      finished: guarded(() => this.#finished()),
      failed: guarded((failure) => this.#failed(failure)),
    }
  }

  #ordered(id: string, outcome: OrderOutcome): void {
    const { stopping } = this.record
    if (id !== stopping?.triggerId) this.#orders.settle(id, outcome)
    else if (outcome.kind === 'done')
      this.#stopped = outcome // the run ends next
    else this.giveUpStop(stopping, outcome.message, outcome)
  }

  /** The job goes on without being stopped. */
  giveUpStop(intent: StopIntent, message: string, outcome = failedOrder(message)): void {
    if (this.record.stopping === intent) this.record.stopping = undefined
    this.#parts.save(this.record).catch(() => {}) // written again later
    this.#orders.settle(intent.triggerId, outcome)
  }

  #finished(): void {
    const { stopping } = this.record
    this.#detach()
    if (this.#stopped !== undefined && stopping !== undefined)
      this.record.stopped = { triggerId: stopping.triggerId, location: locationOf(stopping.location) }
    if (this.#stopped !== undefined && stopping?.cancels) {
      this.#apply('cancel')
      if (this.#apply('ended')) this.#end()
    } else if (this.#apply('finished')) {
      this.#end()
    }
  }

  async #send(order: JobOrder): Promise<void> {
    const { engine } = this.#parts
    try {
      if (engine.order === undefined) throw new Error('the engine of this job has no savepoints')
      await engine.order(this.record.jid, order)
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      // A stop goes on with the next run of the job, if this one has ended.
      if (order.kind === 'checkpoint' || !order.ends || this.record.state === 'RUNNING')
        this.#ordered(order.id, failedOrder(message))
    }
  }

  /** The savepoint from which the job was created, while it has made no commit since. */
  #savepointAt(epoch: number | undefined): string | undefined {
    const { restored } = this.record
    return restored?.id === epoch ? restored?.location : undefined
  }

  #failed(found: JobFailure): void {
    const failure = { ...found, message: this.#parts.hide(this.record.namespace, found.message) }
    this.#detach()
    this.#parts.contacted(this.record, failure)
    this.#stopped = undefined
    const but = failure.kind === 'lasting' ? undefined : this.record.stopping?.triggerId
    this.#orders.failAll(`the job has failed: ${failure.message}`, but)
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
    const { record } = this
    const { stopping } = record
    record.stopping = undefined
    this.#orders.failAll(`the job has ended: it is ${record.state}`, stopping?.triggerId)
    this.#parts.ended(this)
    void this.#settleStop(stopping)
  }

  /** The outcome of a stop is reported when the end of the job is durable. */
  async #settleStop(stopping: StopIntent | undefined): Promise<void> {
    if (stopping === undefined) return
    const outcome =
      this.#stopped ?? failedOrder(`the job has ended without a savepoint: it is ${this.record.state}`)
    try {
      await this.#parts.save(this.record)
      this.#orders.settle(stopping.triggerId, outcome)
    } catch {
      if (!this.#closed) this.#parts.timer(SAVE_RETRY_MS, () => void this.#settleStop(stopping))
    }
  }

  /** Returns whether the event had an effect. */
  #apply(event: JobEvent): boolean {
    const { record } = this
    const state = stateAfter(record.state, event)
    if (state === undefined) return false
    enterState(record, state, this.#parts.nowMs(), event === 'retry')
    if (state !== 'RUNNING') this.#watch.rates.stopped()
    this.#parts.entered(record)
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

function failedOrder(message: string): OrderOutcome {
  return { kind: 'failed', message }
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
