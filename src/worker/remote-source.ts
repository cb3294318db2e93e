/** The events of streams as a worker reads them. */
import type { LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import type { EventQuery } from '../streams/streams.ts'
import { ArrivingBlocks, type EventMessage, type EventRequest } from './event-pipe.ts'
import type { EventSource, SourceRead } from './event-source.ts'
import { errorOf, failureOf } from './failure.ts'

/** Reads events of streams in a worker: requests go to the service, blocks come through the pipe. */
export class RemoteSource implements EventSource {
  readonly #post: (message: EventRequest) => void
  readonly #requests = new Map<number, (message: EventMessage) => void>()
  #lastRequest = 0
  #closed = false

  constructor(post: (message: EventRequest) => void) {
    this.#post = post
  }

  /** The service sends nothing any more: ends the reads that run, and fails later ones. */
  close(): void {
    this.#closed = true
    for (const [request, take] of this.#requests)
      take({ kind: 'read-ended', request, failure: failureOf(serviceStops()) })
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
    if (this.#closed) return Promise.reject(serviceStops())
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

function serviceStops(): Error {
  return new Error('the service stops')
}
