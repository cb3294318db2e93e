/**
 * Requests at a steady rate, over some connections: the time of each counts from the moment at which it was due, so one that had to wait for the one
 * before it counts as late as it was.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from '../../support/connection.ts'

export interface PacedRequest {
  readonly method: string
  readonly path: string
  readonly body?: string
}

export interface PacedOptions {
  readonly port: number
  readonly connections: number
  readonly perSecond: number
  /** The next request of a connection. */
  readonly next: (connection: number) => PacedRequest
  /** `status` is 0 if there was no whole answer. */
  readonly answered?: (request: PacedRequest, status: number, text: string) => void
}

export class Paced {
  readonly #options: PacedOptions
  readonly #times: number[] = []
  readonly #running: Promise<unknown>
  #refused = 0
  #ended = false

  constructor(options: PacedOptions) {
    this.#options = options
    const each = Array.from({ length: options.connections }, (_, i) => this.#run(i))
    this.#running = Promise.all(each)
  }

  /** Resolves with what has been measured. */
  async end(): Promise<{ count: number; refused: number; p50Ms: number; p99Ms: number; maxMs: number }> {
    this.#ended = true
    await this.#running
    const times = this.#times.sort((a, b) => a - b)
    const at = (share: number) => Math.round(times[Math.floor(share * (times.length - 1))] ?? 0)
    return { count: times.length, refused: this.#refused, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }

  async #run(index: number): Promise<void> {
    const { port, connections, perSecond, next, answered } = this.#options
    const connection = new Connection(port)
    const everyMs = (1000 * connections) / perSecond
    for (let dueMs = performance.now() + (everyMs * index) / connections; ; dueMs += everyMs) {
      await sleep(Math.max(0, dueMs - performance.now()))
      if (this.#ended) break
      const request = next(index)
      const answer = await connection.send(request.method, request.path, {}, request.body)
      const isDone = answer !== undefined && answer.status >= 200 && answer.status < 300
      if (isDone) this.#times.push(performance.now() - dueMs)
      else this.#refused++
      answered?.(request, answer?.status ?? 0, answer?.text ?? '')
    }
    connection.close()
  }
}
