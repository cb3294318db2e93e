/**
 * Worker threads for slow parsing: documents that are long or hold a pattern, and previews of events by a format. At most two
 * threads, started on demand.
 *
 * A client runs one task at a time and clients alternate, so a client that sends slow patterns delays only itself. After
 * TASK_MS the thread of a task is ended, and the next task gets a new thread. Waiting tasks hold a bounded number of bytes;
 * beyond it the newest task of the client that holds most is refused.
 */
import { readFileSync } from 'node:fs'
import { type ClientKey, FairShare } from '../../fair-share.ts'
import { ServiceError } from '../../service-error.ts'
import type { FromWorker, ParsePort } from './parse-port.ts'
import type { ParseTask } from './parse-task.ts'

const THREADS_MAX = 2
/** Processor time of one task. The largest library pattern takes 0.1 s to compile, a document of 1 MiB as much to parse. */
const TASK_MS = 2_000
/** On a busy machine a task may take this many times TASK_MS by the clock. */
const STARVED_FACTOR = 3
/** Of running and waiting tasks; a single task may have more. */
const BYTES_MAX = 16 * 1024 * 1024
/** A task counts as at least this many, which also bounds the number of tasks. */
const TASK_BYTES_LEAST = 64 * 1024
/** Memory that JavaScript may need for one byte of a document, and in addition. */
const HEAP_PER_BYTE = 160
const HEAP_MB_LEAST = 96
const MIB = 1024 * 1024
/** An idle thread is ended after this long. */
const IDLE_MS = 60_000

export interface WorkersOptions {
  readonly maxDocumentBytes: number
  /** Starts a thread with this much memory. */
  readonly openPort: (heapMb: number) => ParsePort
  /** For tests. */
  readonly taskMs?: number
}

interface Job {
  readonly client: ClientKey
  readonly task: ParseTask
  readonly bytes: number
  readonly isGone: () => boolean
  readonly onPart: (part: string) => void
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** The task was ended because it took too long. */
export class TooSlowError extends Error {
  override readonly name = 'TooSlowError'
}

/** The client disconnected before its task began. */
class GoneError extends ServiceError {
  constructor() {
    super('malformed_body', 'the client has gone')
  }
}

export class Workers {
  readonly #options: WorkersOptions
  readonly #taskMs: number
  readonly #held = new FairShare(BYTES_MAX)
  /** By client, in the order in which clients get a thread. */
  readonly #waiting = new Map<ClientKey, Job[]>()
  readonly #busy = new Set<ClientKey>()
  readonly #threads = new Set<Thread>()
  #closed = false

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#taskMs = options.taskMs ?? TASK_MS
  }

  /**
   * Resolves with the result of `task`. Calls `onPart` with each part as it is made, also if the task is ended later. Rejects with
   * ServiceError: that of the parser, 'overloaded', 'invalid_properties' for a document that takes too long,
   * 'document_too_large' for one that takes too much memory; with TooSlowError for a preview.
   */
  run(
    client: ClientKey,
    task: ParseTask,
    isGone: () => boolean = () => false,
    onPart: (part: string) => void = () => {},
  ): Promise<unknown> {
    if (this.#closed) throw overloaded()
    const bytes = Math.max(TASK_BYTES_LEAST, bytesOf(task))
    while (!this.#held.fits(bytes) && this.#held.total > 0) this.#evict(client, bytes)
    this.#held.take(client, bytes)
    return new Promise((resolve, reject) => {
      const job: Job = { client, task, bytes, isGone, onPart, resolve, reject }
      const others = this.#waiting.get(client)
      if (others === undefined) this.#waiting.set(client, [job])
      else others.push(job)
      this.#dispatch()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const jobs of this.#waiting.values()) for (const job of jobs) this.#refuse(job)
    this.#waiting.clear()
    await Promise.all([...this.#threads].map((thread) => thread.close()))
  }

  /** Clients that waited meanwhile come before the next task of this one. */
  #moveToEnd(client: ClientKey): void {
    const jobs = this.#waiting.get(client)
    if (jobs === undefined) return
    this.#waiting.delete(client)
    this.#waiting.set(client, jobs)
  }

  #evict(client: ClientKey, bytes: number): void {
    const heaviest = this.#held.heaviest(client)
    const isFair = heaviest !== undefined && this.#held.held(heaviest) > this.#held.held(client) + bytes
    const jobs = isFair ? this.#waiting.get(heaviest) : undefined
    const newest = jobs?.pop()
    if (newest === undefined) throw overloaded()
    if (jobs!.length === 0) this.#waiting.delete(heaviest!)
    this.#refuse(newest)
  }

  #refuse(job: Job): void {
    this.#held.give(job.client, job.bytes)
    job.reject(overloaded())
  }

  #dispatch(): void {
    for (;;) {
      const client = [...this.#waiting.keys()].find((one) => !this.#busy.has(one))
      if (client === undefined) return
      const thread = this.#freeThread()
      if (thread === undefined) return
      const jobs = this.#waiting.get(client)!
      const job = jobs.shift()!
      this.#waiting.delete(client)
      if (jobs.length > 0) this.#waiting.set(client, jobs) // after the other clients
      if (job.isGone()) {
        this.#held.give(client, job.bytes)
        job.reject(new GoneError())
        continue
      }
      this.#busy.add(client)
      void thread
        .run(job.task, job.onPart)
        .then(job.resolve, job.reject)
        .finally(() => {
          this.#busy.delete(client)
          this.#moveToEnd(client)
          this.#held.give(client, job.bytes)
          if (!this.#closed) this.#dispatch()
        })
    }
  }

  #freeThread(): Thread | undefined {
    for (const thread of this.#threads) if (!thread.isBusy) return thread
    if (this.#threads.size >= THREADS_MAX) return undefined
    const { maxDocumentBytes, openPort } = this.#options
    const heapMb = Math.ceil(HEAP_MB_LEAST + (HEAP_PER_BYTE * maxDocumentBytes) / MIB)
    const thread = new Thread(openPort(heapMb), this.#taskMs, () => this.#threads.delete(thread))
    this.#threads.add(thread)
    return thread
  }
}

/** One worker thread; runs one task at a time. */
class Thread {
  readonly #port: ParsePort
  readonly #taskMs: number
  readonly #onEnded: () => void
  #isReady = false
  /** Its thread id on Linux. */
  #id: number | undefined
  #begunMs = 0
  #begunCpuMs = 0
  #job: RunningJob | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(port: ParsePort, taskMs: number, onEnded: () => void) {
    this.#port = port
    this.#taskMs = taskMs
    this.#onEnded = onEnded
    port.listen(
      (message) => this.#take(message),
      (error) => this.#ended(error),
    )
  }

  get isBusy(): boolean {
    return this.#job !== undefined
  }

  run(task: ParseTask, onPart: (part: string) => void): Promise<unknown> {
    clearTimeout(this.#timer)
    return new Promise((resolve, reject) => {
      this.#job = { task, onPart, resolve, reject }
      if (this.#isReady) this.#begin(task)
    })
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#settle()?.reject(overloaded())
    this.#onEnded()
    await this.#port.close()
  }

  /** The time limit of the task begins here: starting the thread does not count. */
  #begin(task: ParseTask): void {
    this.#begunMs = performance.now()
    this.#begunCpuMs = cpuMsOf(this.#id) ?? 0
    this.#timer = setTimeout(() => this.#poll(), this.#taskMs).unref()
    this.#port.post(task)
  }

  /** The time is over by the clock; on a busy machine the thread may have had less processor time. */
  #poll(): void {
    const tookMs = performance.now() - this.#begunMs
    const cpuMs = cpuMsOf(this.#id)
    const leftMs = cpuMs === undefined ? 0 : this.#taskMs - (cpuMs - this.#begunCpuMs)
    if (leftMs <= 1 || tookMs >= this.#taskMs * STARVED_FACTOR) this.#tooSlow()
    else this.#timer = setTimeout(() => this.#poll(), leftMs).unref()
  }

  #take(message: FromWorker): void {
    if (message.kind === 'ready') {
      this.#isReady = true
      this.#id = message.thread
      if (this.#job !== undefined) this.#begin(this.#job.task)
      return
    }
    if (message.kind === 'part') {
      this.#job?.onPart(message.part)
      return
    }
    const job = this.#settle()
    this.#timer = setTimeout(() => void this.close(), IDLE_MS).unref()
    if (message.kind === 'done') job?.resolve(message.result)
    else if (message.kind === 'failed') job?.reject(new Error(message.message))
    else job?.reject(new ServiceError(message.code, message.message, { cause: new Error(message.cause) }))
  }

  #tooSlow(): void {
    const job = this.#settle()
    this.#onEnded()
    void this.#port.close()
    if (job === undefined) return
    const sentence = `takes longer than ${this.#taskMs} ms to read`
    job.reject(
      job.task.kind === 'preview'
        ? new TooSlowError(sentence)
        : new ServiceError(
            'invalid_properties',
            `the document ${sentence}; use a shorter one, or a simpler pattern`,
          ),
    )
  }

  #ended(error: unknown): void {
    const job = this.#settle()
    this.#onEnded()
    const outOfMemory = (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY'
    if (!outOfMemory) job?.reject(error)
    else if (job?.task.kind === 'preview') job.reject(new TooSlowError('takes too much memory to read'))
    else job?.reject(new ServiceError('document_too_large', 'the document takes too much memory to read'))
  }

  #settle(): RunningJob | undefined {
    clearTimeout(this.#timer)
    const job = this.#job
    this.#job = undefined
    return job
  }
}

interface RunningJob {
  readonly task: ParseTask
  readonly onPart: (part: string) => void
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Processor time of a thread, as Linux counts it. */
function cpuMsOf(thread: number | undefined): number | undefined {
  if (thread === undefined) return undefined
  try {
    return Number(readFileSync(`/proc/self/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]) / 1e6
  } catch {
    return undefined
  }
}

function bytesOf(task: ParseTask): number {
  if (task.kind === 'document') return task.body.length
  return task.events.reduce((sum, { body }) => sum + (body?.length ?? 0), 0)
}

function overloaded(): ServiceError {
  return new ServiceError('overloaded', 'more documents are being read than can be; try again later')
}
