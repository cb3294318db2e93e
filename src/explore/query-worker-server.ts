/** The worker's side of the protocol: passes requests to the queries, and reads events by requests to the service. */
import type { LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import type { EventQuery } from '../streams/streams.ts'
import type { EventSource, SourceRead } from './event-source.ts'
import { QueryJobs } from './query-jobs.ts'
import {
  ArrivingBlocks,
  type EventMessage,
  errorOf,
  type FromWorker,
  failureOf,
  type ToWorker,
} from './query-worker-protocol.ts'
import type { SqlError } from './sql-error.ts'
import type { ServicePort } from './worker-child.ts'

type Port = ServicePort<ToWorker, FromWorker>

export class QueryWorkerServer {
  readonly #port: Port
  readonly #source: RemoteSource
  #memoryMax: number | undefined
  #opening: Promise<QueryJobs> | undefined
  #jobs: QueryJobs | undefined

  constructor(port: Port) {
    this.#port = port
    this.#source = new RemoteSource((message) => port.post(message))
    port.listen((message) => this.#take(message))
  }

  /** Limit of the process in bytes; undefined before the engine is open. */
  get memoryMax(): number | undefined {
    return this.#memoryMax
  }

  /** Whether a query runs. If so, `interruptAll` can end it. */
  get isBusy(): boolean {
    return this.#jobs?.isBusy ?? false
  }

  interruptAll(reason: SqlError): void {
    this.#jobs?.interruptAll(reason)
  }

  /** Asks the service to end this process. */
  askToEnd(): void {
    this.#port.post({ kind: 'out-of-memory' })
  }

  async close(): Promise<void> {
    const jobs = await this.#opening?.catch(() => undefined)
    await jobs?.close()
  }

  #take(message: ToWorker | EventMessage): void {
    switch (message.kind) {
      case 'open':
        this.#memoryMax = message.options.processBytes
        this.#opening = QueryJobs.open(message.options, this.#source)
        this.#opening.then(
          (jobs) => {
            this.#jobs = jobs
          },
          () => {}, // every call is refused with this error
        )
        break
      case 'call':
        void this.#answer(message)
        break
      case 'notify':
        this.#opening?.then((jobs) => jobs[message.method](message.key)).catch(() => {})
        break
      default:
        this.#source.take(message)
    }
  }

  async #answer({ call, method, args }: ToWorker & { kind: 'call' }): Promise<void> {
    try {
      const jobs = await this.#opening!
      // The client has the types of the arguments: query-worker-client.ts.
      const value = await (jobs[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
      this.#port.post({ kind: 'answer', call, value })
    } catch (error) {
      this.#port.post({ kind: 'refusal', call, failure: failureOf(error) })
    }
  }
}

class RemoteSource implements EventSource {
  readonly #post: (message: FromWorker) => void
  readonly #requests = new Map<number, (message: EventMessage) => void>()
  #lastRequest = 0

  constructor(post: (message: FromWorker) => void) {
    this.#post = post
  }

  take(message: EventMessage): void {
    this.#requests.get(message.request)?.(message)
  }

  currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]> {
    if (ids.length === 0) return Promise.resolve([])
    const request = ++this.#lastRequest
    return new Promise((resolve) => {
      this.#requests.set(request, (message) => {
        this.#requests.delete(request)
        if (message.kind === 'logs') resolve(message.logs.map((log) => log ?? undefined))
      })
      this.#post({ kind: 'get-logs', request, ids })
    })
  }

  read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined> {
    const request = ++this.#lastRequest
    const blocks = new ArrivingBlocks(
      () => this.#post({ kind: 'block-used', request }),
      () => this.#post({ kind: 'stop-read', request }),
    )
    return new Promise((resolve, reject) => {
      this.#requests.set(request, (message) => {
        if (message.kind === 'read-started') resolve({ log: message.log, startMs: message.startMs, blocks })
        if (message.kind === 'block') blocks.arrived(message.block)
        if (message.kind !== 'read-ended') return
        this.#requests.delete(request)
        const error = message.failure && errorOf(message.failure)
        if (error === undefined) resolve(undefined)
        else reject(error) // no effect after 'read-started'
        blocks.ended(error)
      })
      this.#post({ kind: 'start-read', request, id, query })
    })
  }
}
