/**
 * The order in which jobs use the engine: one at a time, the one that has waited longest first. A job waits for its sources,
 * its lookups and its sinks without holding the engine.
 */
import { Mutex } from '../../../storage/mutex.ts'
import type { JobId } from './job-worker-protocol.ts'

export class EngineTurns {
  readonly #mutex = new Mutex()
  readonly #onTurn: (jid: JobId | null) => void
  /** The job that has the engine now, and the last one that was reported. */
  #current: JobId | null = null
  #reported: JobId | null = null
  #isReporting = false

  /** `onTurn` is called with the job that begins to use the engine, and soon after with null when no job uses it. */
  constructor(onTurn: (jid: JobId | null) => void) {
    this.#onTurn = onTurn
  }

  run<T>(jid: JobId, work: () => Promise<T>): Promise<T> {
    return this.#mutex.run(async () => {
      this.#current = jid
      if (this.#reported !== jid) this.#report(jid)
      try {
        return await work()
      } finally {
        this.#current = null
        this.#reportIdle()
      }
    })
  }

  #report(jid: JobId | null): void {
    this.#reported = jid
    this.#onTurn(jid)
  }

  /** A tick has several turns, one right after the other: they are one report. */
  #reportIdle(): void {
    if (this.#isReporting) return
    this.#isReporting = true
    setImmediate(() => {
      this.#isReporting = false
      if (this.#current === null && this.#reported !== null) this.#report(null)
    })
  }
}
