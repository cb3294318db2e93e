/** The orders of one job that wait for the end of its running tick. */
import type { JobOrder } from '../savepoints/savepoint.ts'

export class JobOrders {
  readonly #waiting: JobOrder[] = []
  #arrival = new AbortController()

  constructor(first: JobOrder | undefined) {
    if (first !== undefined) this.add(first)
  }

  /** Aborted while orders wait: it ends the pause between two ticks. */
  get arrived(): AbortSignal {
    return this.#arrival.signal
  }

  add(order: JobOrder): void {
    this.#waiting.push(order)
    this.#arrival.abort()
  }

  take(): JobOrder | undefined {
    const order = this.#waiting.shift()
    if (this.#waiting.length === 0 && this.arrived.aborted) this.#arrival = new AbortController()
    return order
  }
}
