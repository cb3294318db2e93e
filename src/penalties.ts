/**
 * Penalties of clients whose statements ended a process: their next statement waits if other clients are present. The time
 * doubles with each further penalty.
 */
import type { ClientKey } from './fair-share.ts'

const FIRST_MS = 2_000
const LONGEST_MS = 60_000
const KEPT_MS = 600_000

interface Penalty {
  readonly strikes: number
  readonly untilMs: number
}

/** Times are those of `performance.now()`. */
export class Penalties {
  readonly #penalties = new Map<ClientKey, Penalty>()

  add(client: ClientKey): void {
    const nowMs = performance.now()
    for (const [other, { untilMs }] of this.#penalties) {
      if (untilMs + KEPT_MS < nowMs) this.#penalties.delete(other)
    }
    const strikes = (this.#penalties.get(client)?.strikes ?? 0) + 1
    const ms = Math.min(LONGEST_MS, FIRST_MS * 2 ** (strikes - 1))
    this.#penalties.set(client, { strikes, untilMs: nowMs + ms })
  }

  /** How long the client still has to wait: 0 for nearly all clients. */
  waitMs(client: ClientKey): number {
    return Math.max(0, (this.#penalties.get(client)?.untilMs ?? 0) - performance.now())
  }
}
