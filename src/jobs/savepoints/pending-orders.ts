/** The orders of one live job whose outcomes are awaited. */
import type { OrderOutcome } from './savepoint.ts'

export class PendingOrders {
  readonly #pending = new Map<string, (outcome: OrderOutcome) => void>()

  /** Resolves with the outcome of the order; never, if the service stops before. */
  expect(id: string): Promise<OrderOutcome> {
    return new Promise((resolve) => this.#pending.set(id, resolve))
  }

  settle(id: string, outcome: OrderOutcome): void {
    const resolve = this.#pending.get(id)
    this.#pending.delete(id)
    resolve?.(outcome)
  }

  /** Fails all but one. */
  failAll(message: string, but?: string): void {
    for (const id of [...this.#pending.keys()]) if (id !== but) this.settle(id, { kind: 'failed', message })
  }
}
