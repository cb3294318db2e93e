/**
 * The service's side of a query worker: starts its process, sends requests, sends the events that the worker reads, and
 * starts the process again after it has ended.
 */
import { ServiceError } from '../service-error.ts'
import { EventSender } from '../worker/event-sender.ts'
import type { EventSource } from '../worker/event-source.ts'
import { errorOf } from '../worker/failure.ts'
import { startWorker, type WorkerChild } from '../worker/worker-child.ts'
import type { BoundTable } from './bound-tables.ts'
import type { EngineOptions } from './engine.ts'
import type { ResultColumn } from './hive-types.ts'
import type {
  CalledMethod,
  FromWorker,
  NamedTableRequest,
  Outline,
  QueryKey,
  QueryWorker,
  RunOutcome,
  StrictFailure,
  ToWorker,
} from './query-worker-protocol.ts'
import type { Row } from './result.ts'
import { removeSpilled, spilledBytes } from './spill.ts'
import {
  Deadline,
  endedForMemory,
  exited,
  hung,
  type Late,
  notInterruptible,
  ProcessEnded,
} from './worker-failure.ts'

export interface QueryWorkerOptions {
  readonly engine: EngineOptions
  readonly source: EventSource
  readonly report: (error: unknown) => void
  /** Whether the process is ended when it takes too long to parse or bind a statement. */
  readonly limitsChecks: boolean
  /** Called before all else when the process has ended, unless `close` ended it. */
  readonly onEnded: (ended: ProcessEnded, worker: QueryWorkerClient) => void
}

/** Reserved for the statement that tests a new process. */
const TEST_KEY = 0

/** A worker whose process is started when it is needed, and again after it has ended. */
export class RestartingQueryWorker {
  readonly #options: QueryWorkerOptions
  #worker: Promise<QueryWorkerClient> | undefined
  /** Resolves when the spill folder of the previous process is empty. */
  #cleaned: Promise<void>
  #closed = false

  constructor(options: QueryWorkerOptions) {
    this.#options = options
    this.#cleaned = this.#clean()
  }

  /** Rejects with ServiceError 'overloaded' if the process cannot be started, or the service stops. */
  opened(): Promise<QueryWorkerClient> {
    if (this.#closed)
      return Promise.reject(new ServiceError('overloaded', 'the service stops; try again later'))
    this.#worker ??= this.#open()
    return this.#worker
  }

  /** Ends the process if it has spilled anything. */
  async releaseDisk(): Promise<void> {
    const worker = await this.#worker?.catch(() => undefined)
    if (worker === undefined) return
    const bytes = await spilledBytes(this.#options.engine.spillFolder)
    if (bytes === 0) return
    const message = `the disk is nearly full: queries gave back ${bytes} bytes of it`
    worker.end(new ProcessEnded('disk', '53000', message))
  }

  /** Resolves when nothing of the process runs any more. */
  async close(): Promise<void> {
    this.#closed = true
    const worker = await this.#worker?.catch(() => undefined)
    await worker?.close()
    await this.#clean()
  }

  async #open(): Promise<QueryWorkerClient> {
    await this.#cleaned
    let isOpen = false
    let worker: QueryWorkerClient | undefined
    try {
      worker = await QueryWorkerClient.start(this.#options, (ended) => {
        if (isOpen && worker !== undefined) this.#ended(ended, worker)
      })
      await worker.read(TEST_KEY, 'SELECT 1')
      worker.drop(TEST_KEY)
      isOpen = true
      return worker
    } catch (error) {
      this.#worker = undefined // the next query tries again
      await worker?.close()
      this.#options.report(error)
      throw new ServiceError('overloaded', 'the SQL engine cannot be started now; try again later', {
        cause: error,
      })
    }
  }

  #ended(ended: ProcessEnded, worker: QueryWorkerClient): void {
    if (this.#closed) return
    this.#worker = undefined // the next query starts another
    this.#options.onEnded(ended, worker)
    if (ended.reason !== 'closed') this.#options.report(ended)
    this.#cleaned = worker.close().then(() => this.#clean())
  }

  async #clean(): Promise<void> {
    await removeSpilled(this.#options.engine.spillFolder).catch(this.#options.report)
  }
}

interface PendingCall {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** If a query still runs this long after it was cancelled, it cannot be interrupted and its process is ended. */
const STOP_MS = 5_000
/** Limit for the check of a statement. */
const CHECK_MS = 10_000
/** The process may be idle for this many deadlines in a row. */
const IDLE_DEADLINES_MAX = 6

/** One process, from its start to its end. */
export class QueryWorkerClient implements QueryWorker {
  readonly #child: WorkerChild<ToWorker, FromWorker>
  readonly #events: EventSender
  readonly #limitsChecks: boolean
  readonly #onEnded: (ended: ProcessEnded) => void
  readonly #calls = new Map<number, PendingCall>()
  /** Deadlines of queries that were cancelled and have not ended. */
  readonly #stopping = new Map<QueryKey, Deadline>()
  readonly #checking = new Set<Deadline>()
  #lastCall = 0
  #idleDeadlines = 0
  #failure: ProcessEnded | undefined

  private constructor(
    child: WorkerChild<ToWorker, FromWorker>,
    { source, limitsChecks }: QueryWorkerOptions,
    onEnded: (ended: ProcessEnded) => void,
  ) {
    this.#child = child
    this.#events = new EventSender(source, (message) => child.send(message))
    this.#limitsChecks = limitsChecks
    this.#onEnded = onEnded
    child.listen(
      (message) => this.#take(message),
      (reason) => this.end(exited(reason)),
    )
  }

  /** `onEnded` is called once, when no further call can succeed. Close the client then. */
  static async start(
    options: QueryWorkerOptions,
    onEnded: (ended: ProcessEnded) => void,
  ): Promise<QueryWorkerClient> {
    const child = await startWorker<ToWorker, FromWorker>({
      entry: new URL('./query-worker-process.js', import.meta.url),
      async serve(port) {
        const { QueryWorkerServer } = await import('./query-worker-server.ts')
        return new QueryWorkerServer(port)
      },
    })
    const client = new QueryWorkerClient(child, options, onEnded)
    child.post({ kind: 'open', options: options.engine })
    return client
  }

  read(key: QueryKey, text: string): Promise<Outline> {
    return this.#inTime(key, this.#call('read', [key, text]))
  }

  bind(key: QueryKey, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]> {
    return this.#inTime(key, this.#call('bind', [key, tables]))
  }

  async run(
    key: QueryKey,
    tables: readonly NamedTableRequest[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure> {
    try {
      return await this.#call('run', [key, tables, strict])
    } finally {
      this.#clearStop(key)
    }
  }

  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]> {
    return this.#call('page', [key, from, count])
  }

  /** For a running query. */
  stop(key: QueryKey): void {
    this.#child.post({ kind: 'notify', method: 'stop', key })
    if (this.#stopping.has(key)) return
    this.#stopping.set(
      key,
      this.#deadline(STOP_MS, (late) => this.#late(late, key)),
    )
  }

  drop(key: QueryKey): void {
    this.#clearStop(key)
    this.#child.post({ kind: 'notify', method: 'drop', key })
  }

  /** Rejects all requests, present and later ones, with this reason. */
  end(reason: ProcessEnded): void {
    if (this.#failure !== undefined) return
    this.#failure = reason
    for (const { reject } of this.#calls.values()) reject(reason)
    this.#calls.clear()
    this.#events.stop()
    this.#onEnded(reason)
  }

  async close(): Promise<void> {
    for (const deadline of this.#stopping.values()) deadline.clear()
    this.end(new ProcessEnded('closed', '57014', 'the service stops'))
    await this.#child.close()
    await this.#events.ended()
  }

  #clearStop(key: QueryKey): void {
    this.#stopping.get(key)?.clear()
    this.#stopping.delete(key)
  }

  /**
   * A check cannot be interrupted, so the process is ended if one takes too long. Rejects with Stalled if the process
   * is idle.
   */
  #inTime<T>(key: QueryKey, answer: Promise<T>): Promise<T> {
    if (!this.#limitsChecks) return answer
    return new Promise((resolve, reject) => {
      const deadline = this.#deadline(CHECK_MS, (late) => {
        if (late === 'idle') reject(new Stalled())
        // Several checks may have run for more than UNMEASURED_SHARE of their time. Any of them may be responsible then.
        const long = [...this.#checking].filter((other) => other.isLong)
        this.#late(late, long.length === 1 ? key : undefined)
      })
      this.#checking.add(deadline)
      answer.then(resolve, reject).finally(() => {
        deadline.clear()
        this.#checking.delete(deadline)
      })
    })
  }

  #deadline(ms: number, onLate: (late: Late) => void): Deadline {
    return new Deadline(() => this.#child.cpuMs(), ms, onLate)
  }

  #late(late: Late, key: QueryKey | undefined): void {
    if (late === 'busy') this.end(notInterruptible(key))
    else if (++this.#idleDeadlines >= IDLE_DEADLINES_MAX) this.end(hung())
  }

  #call<T>(method: CalledMethod, args: readonly unknown[]): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const call = ++this.#lastCall
    return new Promise<T>((resolve, reject) => {
      this.#calls.set(call, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.post({ kind: 'call', call, method, args })
    })
  }

  #take(message: FromWorker): void {
    this.#idleDeadlines = 0
    switch (message.kind) {
      case 'answer':
        this.#settle(message.call)?.resolve(message.value)
        break
      case 'refusal':
        this.#settle(message.call)?.reject(errorOf(message.failure))
        break
      case 'out-of-memory':
        this.end(endedForMemory())
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
}

/** The check of a statement is late, but the statement is not the cause. */
export class Stalled extends Error {
  override readonly name = 'Stalled'

  constructor() {
    super('the machine has no time to check statements now; try again later')
  }
}
