/**
 * The order in which jobs use the engine: one at a time, the one that has waited longest first. A job waits for its sources,
 * its lookups and its sinks without holding the engine.
 */
import { Mutex } from '../../../storage/mutex.ts'
import type { JobId } from './job-worker-protocol.ts'

export class EngineTurns {
  readonly #mutex = new Mutex()
  readonly #onTurn: (jid: JobId | null) => void

  /** `onTurn` is called with the job that begins to use the engine, and with null when no job uses it. */
  constructor(onTurn: (jid: JobId | null) => void) {
    this.#onTurn = onTurn
  }

  run<T>(jid: JobId, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(async () => {
      this.#onTurn(jid)
      try {
        return await work()
      } finally {
        this.#onTurn(null)
      }
    })
  }
}
