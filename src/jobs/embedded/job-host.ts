/**
 * The host of embedded jobs: one worker process for all of them, started with the first job and again after it has ended, and
 * ended when there is no job for IDLE_MS.
 */
import { rm } from 'node:fs/promises'
import type { EventLog } from '../../../storage/log.ts'
import type { StreamId } from '../../streams/names.ts'
import type { Registry } from '../../streams/registry.ts'
import type { EventSource } from '../../worker/event-source.ts'
import type { JobRole } from '../job-access.ts'
import type { JobListener } from '../job-engine.ts'
import type { QueryJobSource } from '../query-job.ts'
import type { JobOrder } from '../savepoints/savepoint.ts'
import type { JobId, JobStart, WorkerOptions } from '../worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from '../worker-view.ts'
import { JobProcess, type JobWorkerCode } from './job-process.ts'
import { LogWatches } from './log-watches.ts'
import { PermittedSource } from './permitted-source.ts'
import { ServiceSide } from './service-side.ts'
import type { SinkWrites } from './sink-writes.ts'

export interface JobHostParts {
  readonly options: WorkerOptions
  readonly log: EventLog
  /** Whether sequences of a log may have holes. */
  readonly hasHoles: boolean
  readonly registry: Registry
  readonly nowMs: () => number
  /** A number from 0 to 1. */
  readonly random: () => number
  readonly source: EventSource
  readonly sinks: SinkWrites
  /** Why the job may not use the stream now; undefined if it may. */
  readonly refusal: (jid: JobId, role: JobRole, stream: StreamId) => string | undefined
  /** By default there are none. */
  readonly queries?: () => QueryJobSource | undefined
  readonly report: (error: unknown) => void
  readonly code: JobWorkerCode
}

/** A process without jobs takes some 100 MB, and its start some 300 ms. */
const IDLE_MS = 10_000
/** The worker interrupts a running step 10 s after a job was cancelled. A step that runs on cannot be interrupted. */
const CANCEL_MS_MAX = 13_000

export class JobHost {
  readonly #parts: JobHostParts
  readonly #watches: LogWatches
  readonly #requests: ServiceSide
  readonly #source: EventSource
  #process: Promise<JobProcess> | undefined
  #current: JobProcess | undefined
  /** Resolves when nothing of earlier processes is left. */
  #cleaned: Promise<void>
  #idleTimer: NodeJS.Timeout | undefined
  #closed = false
  #lastEnd: string | undefined

  constructor(parts: JobHostParts) {
    const { log, hasHoles, registry, nowMs, source, sinks, refusal, queries = () => undefined } = parts
    this.#parts = parts
    this.#watches = new LogWatches(log, (jid, index) => this.#current?.grown(jid, index))
    this.#requests = new ServiceSide({
      ...{ log, hasHoles, registry, nowMs, sinks, refusal, queries, watches: this.#watches },
      startOf: (jid) => this.#current?.startOf(jid),
    })
    this.#source = new PermittedSource(source, (id) => this.#mayRead(id))
    this.#cleaned = this.#removeSpilled()
    registry.watch((before, now) => {
      if (before !== undefined && before.log !== now?.log) this.#watches.replaced(before.log)
    })
  }

  /** Jobs that the process has taken over. */
  jobs(): readonly JobId[] {
    return this.#current?.starts().map(({ jid }) => jid) ?? []
  }

  /** The process, as it has last reported itself; undefined while none runs. */
  worker(): WorkerView | undefined {
    return this.#current?.view()
  }

  async threadDump(): Promise<readonly ThreadDump[]> {
    const process = this.#current
    return process === undefined ? [] : [await process.threadDump()]
  }

  /** Resolves when the process has taken the job over. Rejects if it cannot be started. */
  async start(start: JobStart, listener: JobListener): Promise<void> {
    clearTimeout(this.#idleTimer)
    const process = await this.#opened()
    await process.startJob(start, listener)
  }

  /** Resolves when the job has taken the order. Rejects if it does not run. */
  async order(jid: JobId, order: JobOrder): Promise<void> {
    if (this.#current === undefined) throw new Error('job is not running')
    await this.#current.order(jid, order)
  }

  /** Resolves when nothing of the job runs any more. */
  async cancel(jid: JobId): Promise<void> {
    const process = this.#current
    if (process?.startOf(jid) === undefined) return
    const late = setTimeout(
      () => process.end('a job could not be interrupted, and the process of jobs was ended'),
      CANCEL_MS_MAX,
    )
    try {
      await process.cancelJob(jid)
    } catch {
      await this.#cleaned // the process has ended
    } finally {
      clearTimeout(late)
    }
  }

  /** Cancels all jobs, which keep their states, and ends the process, at the latest after `withinMs`. */
  async close(withinMs: number): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idleTimer)
    const process = await this.#process?.catch(() => undefined)
    if (process !== undefined) {
      const cancelled = process.starts().map(({ jid }) => process.cancelJob(jid))
      await Promise.race([Promise.allSettled(cancelled), pause(withinMs)])
      await process.close()
    }
    await this.#cleaned
    this.#watches.stopAll()
    this.#parts.sinks.forgetAll()
  }

  #opened(): Promise<JobProcess> {
    if (this.#closed) return Promise.reject(new Error('the service stops'))
    this.#process ??= this.#open()
    return this.#process
  }

  async #open(): Promise<JobProcess> {
    try {
      await this.#cleaned
      const { options, code, nowMs, random } = this.#parts
      const process = await JobProcess.start({
        ...{ options, code, nowMs, source: this.#source, requests: this.#requests },
        ...{ id: `jobs-${sixDigits(random())}`, endBefore: this.#lastEnd },
        onEnd: (ended, reason, jobs) => this.#ended(ended, reason, jobs),
        onJobEnd: (jid) => this.#jobEnded(jid),
      })
      if (!process.hasEnded) this.#current = process
      return process
    } catch (error) {
      this.#process = undefined // the next job tries again
      throw error
    }
  }

  #ended(process: JobProcess, reason: string, jobs: number): void {
    if (this.#closed) return
    this.#process = undefined // the next job starts another
    this.#current = undefined
    this.#lastEnd = reason
    if (jobs > 0) this.#parts.report(new Error(reason))
    this.#cleaned = process.close().then(() => this.#removeSpilled())
  }

  #jobEnded(jid: JobId): void {
    this.#watches.stop(jid)
    this.#parts.sinks.forget(jid)
    if (this.#closed || this.#current === undefined || this.#current.jobCount > 0) return
    clearTimeout(this.#idleTimer)
    this.#idleTimer = setTimeout(() => this.#endIdle(), IDLE_MS).unref()
  }

  #endIdle(): void {
    if (this.#current?.jobCount === 0) this.#current.end('there are no jobs')
  }

  #mayRead(id: StreamId): boolean {
    const starts = this.#current?.starts() ?? []
    return starts.some(({ jid, tables }) => {
      const isOfJob = tables.some(
        ({ stream }) => stream?.namespace === id.namespace && stream.stream === id.stream,
      )
      return isOfJob && this.#parts.refusal(jid, 'read', id) === undefined
    })
  }

  async #removeSpilled(): Promise<void> {
    await rm(this.#parts.options.spillFolder, { recursive: true, force: true }).catch(this.#parts.report)
  }
}

/** Of a number from 0 to 1, as hexadecimal digits. */
function sixDigits(random: number): string {
  return Math.min(Math.floor(random * 0x1000000), 0xffffff)
    .toString(16)
    .padStart(6, '0')
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
