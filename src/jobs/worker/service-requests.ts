/** The requests of the worker to the service, over the port. */
import { ConnectorError } from '../connectors/connector.ts'
import type { FromJobWorker, JobId, ServiceRequests, ToJobWorker } from './job-worker-protocol.ts'

type Reply = ToJobWorker & { readonly kind: 'reply' }

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A request without an answer after this time has failed; it may succeed when the job starts again. */
const ANSWER_MS_MAX = 120_000

export class PortRequests implements ServiceRequests {
  readonly #post: (message: FromJobWorker) => void
  readonly #pending = new Map<number, Pending>()
  #lastRequest = 0
  #closed = false

  constructor(post: (message: FromJobWorker) => void) {
    this.#post = post
  }

  /** The service answers nothing any more: fails the requests that wait, and later ones. */
  close(): void {
    this.#closed = true
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of pending) reject(serviceStops())
  }

  take({ request, value, failure }: Reply): void {
    const pending = this.#pending.get(request)
    this.#pending.delete(request)
    if (failure === undefined) pending?.resolve(value)
    else pending?.reject(new ConnectorError(failure.message, failure.passing))
  }

  recorded(...args: Parameters<ServiceRequests['recorded']>): ReturnType<ServiceRequests['recorded']> {
    return this.#request('recorded', args) as ReturnType<ServiceRequests['recorded']>
  }

  stage(...args: Parameters<ServiceRequests['stage']>): Promise<void> {
    return this.#request('stage', args) as Promise<void>
  }

  append(...args: Parameters<ServiceRequests['append']>): Promise<void> {
    return this.#request('append', args) as Promise<void>
  }

  tail(...args: Parameters<ServiceRequests['tail']>): ReturnType<ServiceRequests['tail']> {
    return this.#request('tail', args) as ReturnType<ServiceRequests['tail']>
  }

  watch(...args: Parameters<ServiceRequests['watch']>): Promise<void> {
    return this.#request('watch', args) as Promise<void>
  }

  boundary(...args: Parameters<ServiceRequests['boundary']>): ReturnType<ServiceRequests['boundary']> {
    return this.#request('boundary', args) as ReturnType<ServiceRequests['boundary']>
  }

  publish(...args: Parameters<ServiceRequests['publish']>): Promise<void> {
    return this.#request('publish', args) as Promise<void>
  }

  #request(method: keyof ServiceRequests, args: readonly unknown[]): Promise<unknown> {
    if (this.#closed) return Promise.reject(serviceStops())
    const requested = ++this.#lastRequest
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(requested)
        reject(
          new ConnectorError(`the service has not answered ${method} within ${ANSWER_MS_MAX / 1000} s`, true),
        )
      }, ANSWER_MS_MAX)
      this.#pending.set(requested, {
        resolve(value) {
          clearTimeout(timer)
          resolve(value)
        },
        reject(error) {
          clearTimeout(timer)
          reject(error)
        },
      })
      this.#post({ kind: 'request', requested, method, args })
    })
  }
}

function serviceStops(): ConnectorError {
  return new ConnectorError('the service stops', true)
}

/** The `grown` messages of the service, for the sources that wait for them. */
export class GrowthSignals {
  readonly #waiting = new Map<string, Set<() => void>>()

  take(jid: JobId, source: number): void {
    const key = `${jid}:${source}`
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    for (const wake of waiting ?? []) wake()
  }

  next(jid: JobId, source: number, signal: AbortSignal): Promise<void> {
    const key = `${jid}:${source}`
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const waiting = this.#waiting.get(key) ?? new Set()
      this.#waiting.set(key, waiting)
      const wake = () => {
        waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }
}
