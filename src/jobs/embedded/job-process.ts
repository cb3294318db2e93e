/**
 * One worker process, from its start to its end: calls to it, its requests, and the events that it reads. When it ends, all its
 * jobs end with it, and each listener is called with the failure. Their states are in their files.
 */
import { EventSender } from '../../worker/event-sender.ts'
import type { EventSource } from '../../worker/event-source.ts'
import { errorOf } from '../../worker/failure.ts'
import { startWorker, type WorkerChild, type WorkerCode } from '../../worker/worker-child.ts'
import type { JobListener } from '../job-engine.ts'
import type { JobOrder } from '../savepoints/savepoint.ts'
import type {
  FromJobWorker,
  Heartbeat,
  JobFailure,
  JobId,
  JobReport,
  JobStart,
  ServiceRequests,
  ToJobWorker,
  WorkerOptions,
} from '../worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from '../worker-view.ts'
import { requestFailure } from './request-error.ts'
import { type EngineUser, threadDumpOf } from './thread-dump.ts'
import { WorkerLog } from './worker-log.ts'

export interface JobProcessParts {
  /** `jobs-<6 hex>` */
  readonly id: string
  readonly nowMs: () => number
  /** Why the process before this one has ended. */
  readonly endBefore: string | undefined
  readonly options: WorkerOptions
  readonly source: EventSource
  readonly requests: ServiceRequests
  readonly code: JobWorkerCode
  /** Called once, when no further call can succeed, with the number of jobs that end with it. Close the process then. */
  readonly onEnd: (process: JobProcess, reason: string, jobs: number) => void
  /** Called when the process has nothing more to do for the job. */
  readonly onJobEnd: (jid: JobId) => void
}

interface HostedJob {
  readonly start: JobStart
  readonly listener: JobListener
  /** Resolves when the worker has answered the start. */
  readonly starting: Promise<unknown>
  isRunning: boolean
}

interface PendingCall {
  resolve(value: unknown): void
  reject(error: Error): void
}

export type JobWorkerCode = WorkerCode<ToJobWorker, FromJobWorker>
type Child = WorkerChild<ToJobWorker, FromJobWorker>
type Dumped = FromJobWorker & { readonly kind: 'dumped' }
type Call =
  | { readonly method: 'start'; readonly start: JobStart }
  | { readonly method: 'cancel'; readonly jid: JobId }
  | { readonly method: 'order'; readonly jid: JobId; readonly order: JobOrder }

/** The worker interrupts statements and reports those that cannot be interrupted. After this time it does not even report. */
const TICK_MS_MAX = 120_000
const TICK_POLL_MS = 10_000
/** An older heartbeat is followed by another one when it is asked for. */
const HEARTBEAT_MS = 1_000
/** A process that answers later is busy. */
const DUMP_MS_MAX = 1_000

/** The worker of this version. A worker inside this process, as in tests, gets the clock and randomness of the service. */
export function jobWorkerCode(environment: {
  readonly nowMs: () => number
  readonly random: () => number
}): JobWorkerCode {
  return {
    entry: new URL('../worker/job-worker-process.js', import.meta.url),
    async serve(port) {
      const { JobWorkerServer } = await import('../worker/job-worker-server.ts')
      return new JobWorkerServer(port, environment)
    },
  }
}

const METHODS: ReadonlySet<keyof ServiceRequests> = new Set([
  ...(['recorded', 'stage', 'append', 'tail', 'watch', 'boundary', 'publish'] as const),
])

export class JobProcess {
  readonly #parts: JobProcessParts
  readonly #child: Child
  readonly #events: EventSender
  readonly #jobs = new Map<JobId, HostedJob>()
  readonly #calls = new Map<number, PendingCall>()
  readonly #tickTimer: NodeJS.Timeout
  readonly #startedMs: number
  readonly #log: WorkerLog
  #heartbeat: (Heartbeat & { readonly atMs: number }) | undefined
  /** When a heartbeat was last asked for. */
  #lookedMs = 0
  readonly #dumps = new Map<number, (dumped: Dumped) => void>()
  #lastCall = 0
  #ticking: JobId | undefined
  #tickingSinceMs = 0
  #endReason: string | undefined

  private constructor(child: Child, parts: JobProcessParts) {
    this.#child = child
    this.#parts = parts
    const { nowMs, id, endBefore } = parts
    this.#startedMs = nowMs()
    this.#log = new WorkerLog(nowMs)
    if (endBefore !== undefined) this.#log.line('INFO ', `the process before ended: ${endBefore}`)
    this.#log.line('INFO ', `${id} is started`)
    this.#events = new EventSender(parts.source, (message) => child.send(message))
    child.listen(
      (message) => this.#take(message),
      (reason) => this.end(`the process of jobs has ended (${reason})`),
    )
    this.#tickTimer = setInterval(() => this.#checkTick(), TICK_POLL_MS).unref()
    child.post({ kind: 'open', options: parts.options })
  }

  static async start(parts: JobProcessParts): Promise<JobProcess> {
    const child = await startWorker<ToJobWorker, FromJobWorker>(parts.code)
    return new JobProcess(child, parts)
  }

  get hasEnded(): boolean {
    return this.#endReason !== undefined
  }

  get jobCount(): number {
    return this.#jobs.size
  }

  /** As it has last reported itself; undefined before the first report. Asks for another report if that is old. */
  view(): WorkerView | undefined {
    if (this.#heartbeat === undefined || this.hasEnded) return undefined
    const { printed: _, engineBytes = 0, atMs, ...measured } = this.#heartbeat
    const { id, nowMs, options } = this.#parts
    const lastMs = Math.max(atMs, this.#lookedMs)
    if (nowMs() - lastMs > HEARTBEAT_MS) {
      this.#lookedMs = nowMs()
      this.#child.post({ kind: 'look' })
    }
    return {
      ...{ id, startedMs: this.#startedMs, heartbeatMs: atMs },
      ...measured,
      engine: { usedBytes: engineBytes, limitBytes: options.memoryBytes },
      log: this.#log.text,
      stdout: this.#log.stdout,
    }
  }

  /** What the process is doing. */
  async threadDump(): Promise<ThreadDump> {
    const asked = ++this.#lastCall
    const dumped = await new Promise<Dumped | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), DUMP_MS_MAX)
      this.#dumps.set(asked, (answer) => {
        clearTimeout(timer)
        resolve(answer)
      })
      this.#child.post({ kind: 'dump', asked })
    })
    this.#dumps.delete(asked)
    return threadDumpOf(this.#parts.id, dumped, this.#engineUser())
  }

  #engineUser(): EngineUser | undefined {
    if (this.#ticking === undefined) return undefined
    return { jid: this.#ticking, ms: performance.now() - this.#tickingSinceMs }
  }

  startOf(jid: JobId): JobStart | undefined {
    return this.#jobs.get(jid)?.start
  }

  starts(): readonly JobStart[] {
    return [...this.#jobs.values()].map(({ start }) => start)
  }

  /** Resolves when the worker has taken the job over. The listener gets everything that follows. */
  async startJob(start: JobStart, listener: JobListener): Promise<void> {
    this.#log.starting(start.jid)
    const starting = this.#call({ method: 'start', start })
    const job: HostedJob = {
      ...{ start, listener, starting, isRunning: false },
    }
    this.#jobs.set(start.jid, job)
    try {
      await starting
    } catch (error) {
      if (this.#jobs.get(start.jid) !== job) return // the listener was called: the process has ended, or the job was cancelled
      this.#forget(start.jid)
      this.#log.refused(start.jid, error instanceof Error ? error.message : String(error))
      throw error
    }
  }

  /** Resolves when nothing of the job runs any more. The listener is not called any more. */
  async cancelJob(jid: JobId): Promise<void> {
    const job = this.#jobs.get(jid)
    if (job === undefined) return
    // Its last figures follow.
    this.#jobs.set(jid, { ...job, listener: { ...SILENT, progress: job.listener.progress } })
    this.#log.cancelled(jid)
    try {
      await job.starting.catch(() => {}) // the worker knows the job only after that
      await this.#call({ method: 'cancel', jid })
    } finally {
      this.#forget(jid)
    }
  }

  /** Resolves when the job has taken the order. Rejects if it does not run. */
  async order(jid: JobId, order: JobOrder): Promise<void> {
    const job = this.#jobs.get(jid)
    if (job === undefined) throw new Error('job is not running')
    await job.starting
    await this.#call({ method: 'order', jid, order })
  }

  grown(jid: JobId, source: number): void {
    this.#child.post({ kind: 'grown', jid, source })
  }

  /** Fails all jobs, present and later ones, with this reason. */
  end(reason: string): void {
    if (this.#endReason !== undefined) return
    this.#endReason = reason
    clearInterval(this.#tickTimer)
    this.#events.stop()
    const jobs = [...this.#jobs]
    this.#jobs.clear()
    this.#parts.onEnd(this, reason, jobs.length)
    for (const { reject } of this.#calls.values()) reject(new Error(reason))
    this.#calls.clear()
    for (const [jid, job] of jobs) {
      this.#parts.onJobEnd(jid)
      job.listener.failed(this.#processFailure(jid, job, reason))
    }
  }

  /** Ends the process, whatever it is doing. Resolves when nothing of it runs any more. */
  async close(reason = 'the service stops'): Promise<void> {
    this.end(reason)
    await this.#child.close()
    await this.#events.ended()
  }

  /** The job whose tick ran is the cause. Without a tick it is not known whether a job that was being started is one. */
  #processFailure(jid: JobId, { isRunning }: HostedJob, reason: string): JobFailure {
    const kind = 'passing'
    if (this.#ticking === jid) return { kind, message: reason, processEnd: 'own' }
    if (this.#ticking !== undefined) {
      return { kind, message: `${reason}; a tick of another job was the cause`, processEnd: 'foreign' }
    }
    return { kind, message: reason, ...(isRunning && { processEnd: 'foreign' as const }) }
  }

  #checkTick(): void {
    if (this.#ticking === undefined || performance.now() - this.#tickingSinceMs < TICK_MS_MAX) return
    this.end('a step could not be interrupted, and the process of jobs was ended')
  }

  #forget(jid: JobId): void {
    if (this.#jobs.delete(jid)) this.#parts.onJobEnd(jid)
  }

  #call(call: Call): Promise<unknown> {
    if (this.#endReason !== undefined) return Promise.reject(new Error(this.#endReason))
    const number = ++this.#lastCall
    return new Promise((resolve, reject) => {
      this.#calls.set(number, { resolve, reject })
      this.#child.post({ kind: 'call', call: number, ...call })
    })
  }

  #take(message: FromJobWorker): void {
    if (this.#endReason !== undefined) return
    switch (message.kind) {
      case 'answer':
        this.#settle(message.call)?.resolve(message.value)
        break
      case 'refusal':
        this.#settle(message.call)?.reject(errorOf(message.failure))
        break
      case 'request':
        void this.#answer(message)
        break
      case 'report':
        this.#report(message.jid, message.report)
        break
      case 'ticking':
        this.#ticking = message.jid ?? undefined
        this.#tickingSinceMs = performance.now()
        break
      case 'heartbeat':
        this.#log.printed(message.heartbeat.printed)
        this.#heartbeat = { ...message.heartbeat, printed: '', atMs: this.#parts.nowMs() }
        break
      case 'dumped':
        this.#dumps.get(message.asked)?.(message)
        break
      case 'out-of-memory':
        // The interrupted job may have reported its failure, and another one may have begun a tick since.
        this.#ticking = message.jid ?? this.#ticking
        this.end(
          'the jobs needed more memory than --max-job-memory-bytes allows, and the process of jobs was ended',
        )
        break
      case 'stuck':
        this.#ticking = message.jid
        this.end('a step could not be interrupted, and the process of jobs was ended')
        break
      case 'engine-failed':
        this.end(
          `the engine of the jobs failed, and their process was ended: ${message.message.slice(0, 300)}`,
        )
        break
      default:
        this.#events.take(message)
    }
  }

  #settle(call: number): PendingCall | undefined {
    const pending = this.#calls.get(call)
    this.#calls.delete(call)
    return pending
  }

  async #answer({ requested: request, method, args }: FromJobWorker & { kind: 'request' }): Promise<void> {
    try {
      if (!METHODS.has(method)) throw new Error(`${method} is no request of a worker`)
      const { requests } = this.#parts
      // The worker has the types of the arguments: ServiceRequests.
      const value = await (requests[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
      this.#child.post({ kind: 'reply', request, value })
    } catch (error) {
      this.#child.post({ kind: 'reply', request, failure: requestFailure(error) })
    }
  }

  #report(jid: JobId, report: JobReport): void {
    const job = this.#jobs.get(jid)
    if (job === undefined) return // it has ended since
    this.#log.reported(jid, report)
    switch (report.kind) {
      case 'running':
        job.isRunning = true
        job.listener.running(report.epoch)
        break
      case 'progress':
        job.listener.progress(report.figures, report.checkpoints)
        break
      case 'bad-record':
        job.listener.badRecord(report.record)
        break
      case 'order':
        job.listener.ordered(report.id, report.outcome)
        break
      case 'finished':
        this.#forget(jid)
        job.listener.finished()
        break
      case 'failed':
        this.#forget(jid)
        job.listener.failed(report.failure)
    }
  }
}

const SILENT: JobListener = {
  ...{ running() {}, progress() {}, badRecord() {}, ordered() {}, finished() {}, failed() {} },
}
