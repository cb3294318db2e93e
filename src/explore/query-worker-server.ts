import type { SqlError } from '../duckdb/sql-error.ts'
import type { EventMessage } from '../worker/event-pipe.ts'
import { failureOf } from '../worker/failure.ts'
import { RemoteSource } from '../worker/remote-source.ts'
import type { ServicePort } from '../worker/worker-child.ts'
import { QueryJobs } from './query-jobs.ts'
import type { FromWorker, ToWorker } from './query-worker-protocol.ts'

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
