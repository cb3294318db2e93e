/**
 * The order in which jobs use the engine: one at a time, the one whose tick began first before the others. A job waits for
 * its sources, its lookups and its sinks without holding the engine, so a tick has several turns. If each of them waited
 * behind the turns of all others, a tick would take several times as long as the longest tick of another job. The first tick of a
 * job whose last one stopped the others counts as a later one (`yields`): else they would wait for it again.
 */
import type { JobId } from './job-worker-protocol.ts'

interface Waiting {
  readonly tickMs: number
  readonly begin: () => void
}

export class EngineTurns {
  readonly #waiting: Waiting[] = []
  #isTaken = false
  readonly #onTurn: (jid: JobId | null) => void
  /** The job that has the engine now, and the last one that was reported. */
  #current: JobId | null = null
  #reported: JobId | null = null
  #isReporting = false

  /** `onTurn` is called with the job that begins to use the engine, and soon after with null when no job uses it. */
  constructor(onTurn: (jid: JobId | null) => void) {
    this.#onTurn = onTurn
  }

  /** `tickMs`: when the tick of the job began. */
  async run<T>(jid: JobId, tickMs: number, work: () => Promise<T>): Promise<T> {
    if (this.#isTaken) await new Promise<void>((begin) => this.#waiting.push({ tickMs, begin }))
    this.#isTaken = true
    this.#current = jid
    if (this.#reported !== jid) this.#report(jid)
    try {
      return await work()
    } finally {
      this.#current = null
      this.#reportIdle()
      this.#leave()
    }
  }

  /** The engine stays taken if another job waits for it. */
  #leave(): void {
    let first = 0
    for (const [index, { tickMs }] of this.#waiting.entries())
      if (tickMs < this.#waiting[first]!.tickMs) first = index
    const [next] = this.#waiting.splice(first, 1)
    if (next === undefined) this.#isTaken = false
    else next.begin()
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
