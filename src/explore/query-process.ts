/**
 * A process of queries that is opened when it is needed, and opened anew after it has ended. What it had spilled is removed
 * in between.
 */
import { ServiceError } from '../service-error.ts'
import type { EngineOptions } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { ProcessEnded } from './process-ended.ts'
import { RemoteQueryWorker } from './remote-query-worker.ts'
import { removeSpilled, spilledBytes } from './spill.ts'

export interface QueryProcessOptions {
  readonly engine: EngineOptions
  readonly source: EventSource
  readonly report: (error: unknown) => void
  /** Whether a statement that takes too long to read or bind ends it. */
  readonly limitsChecks: boolean
  /** Told first of all when it has ended, unless it was closed. */
  readonly onEnded: (ended: ProcessEnded, queryWorker: RemoteQueryWorker) => void
}

/** A key of its own, for the statement that shows whether the process works. */
const FIRST_KEY = 0

export class QueryProcess {
  readonly #options: QueryProcessOptions
  #queryWorker: Promise<RemoteQueryWorker> | undefined
  #swept: Promise<void>
  #closed = false

  constructor(options: QueryProcessOptions) {
    this.#options = options
    this.#swept = this.#sweep()
  }

  /** Rejects with ServiceError 'overloaded' if it cannot be started, or the service stops. */
  opened(): Promise<RemoteQueryWorker> {
    if (this.#closed)
      return Promise.reject(new ServiceError('overloaded', 'the service stops; try again later'))
    this.#queryWorker ??= this.#open()
    return this.#queryWorker
  }

  /** Ends it if it has spilled anything. */
  async giveDiskBack(): Promise<void> {
    const queryWorker = await this.#queryWorker?.catch(() => undefined)
    const bytes = queryWorker === undefined ? 0 : await spilledBytes(this.#options.engine.spillFolder)
    if (bytes === 0) return
    const message = `the disk is nearly full: queries gave back ${bytes} bytes of it`
    queryWorker!.end(new ProcessEnded('disk', '53000', message))
  }

  /** Nothing of it runs once this has resolved. */
  async close(): Promise<void> {
    this.#closed = true
    const queryWorker = await this.#queryWorker?.catch(() => undefined)
    await queryWorker?.close()
    await this.#sweep()
  }

  async #open(): Promise<RemoteQueryWorker> {
    const { engine, source, limitsChecks } = this.#options
    await this.#swept
    let isOpen = false
    const onEnded = (ended: ProcessEnded) => {
      if (isOpen) this.#ended(ended, queryWorker)
    }
    const queryWorker = await RemoteQueryWorker.open(engine, source, onEnded, limitsChecks)
    try {
      await queryWorker.read(FIRST_KEY, 'SELECT 1')
      queryWorker.drop(FIRST_KEY)
      isOpen = true
    } catch (error) {
      this.#queryWorker = undefined
      await queryWorker.close()
      this.#options.report(error)
      throw new ServiceError('overloaded', 'the SQL engine cannot be started now; try again later', {
        cause: error,
      })
    }
    return queryWorker
  }

  #ended(ended: ProcessEnded, queryWorker: RemoteQueryWorker): void {
    if (this.#closed) return
    this.#queryWorker = undefined // the next query opens another
    this.#options.onEnded(ended, queryWorker)
    if (ended.reason !== 'closed') this.#options.report(ended)
    this.#swept = queryWorker.close().then(() => this.#sweep())
  }

  async #sweep(): Promise<void> {
    await removeSpilled(this.#options.engine.spillFolder).catch(this.#options.report)
  }
}
