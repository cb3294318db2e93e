/**
 * How an attempt of a job has spent its time, by the parts of its steps. The clock is in one part at a time; sums include the
 * time in the present one, so they are right in the middle of a long step, too. Waiting for the engine, which other jobs use
 * meanwhile, is 'idle'.
 */

export type StepPart =
  | 'idle'
  /** All sources are asked for events. */
  | 'read'
  /** Events of one source are received and decoded. */
  | `source ${number}`
  /** What all queries of the job share: lookups, watermarks, the commit. */
  | 'query'
  /** The query of one insert. */
  | `query ${number}`
  /** One sink writes, and the step waits for it. */
  | `sink ${number}`

export class StepClock {
  readonly #startedMs: number
  readonly #spentMs = new Map<StepPart, number>()
  #part: StepPart = 'idle'
  #sinceMs: number
  #failed: StepPart | undefined

  constructor() {
    this.#startedMs = performance.now()
    this.#sinceMs = this.#startedMs
  }

  /** The present part, and for how long it has lasted. */
  get now(): { readonly part: StepPart; readonly ms: number } {
    return { part: this.#part, ms: performance.now() - this.#sinceMs }
  }

  /** The part in which the first error arose. */
  get failed(): StepPart | undefined {
    return this.#failed
  }

  /** An error arose in a part that ran beside others. */
  failedIn(part: StepPart): void {
    this.#failed ??= part
  }

  get totalMs(): number {
    return performance.now() - this.#startedMs
  }

  spentMs(part: StepPart): number {
    const before = this.#spentMs.get(part) ?? 0
    return part === this.#part ? before + performance.now() - this.#sinceMs : before
  }

  /** Parts may be nested: afterwards the clock is in the part in which it was before. */
  async during<T>(part: StepPart, work: () => Promise<T>): Promise<T> {
    const before = this.#enter(part)
    try {
      return await work()
    } catch (error) {
      this.#failed ??= part
      throw error
    } finally {
      this.#enter(before)
    }
  }

  /** `engine`, with the time until it runs the work as idle time. */
  waiting(engine: <T>(work: () => Promise<T>) => Promise<T>): <T>(work: () => Promise<T>) => Promise<T> {
    return (work) => {
      const part = this.#enter('idle')
      return engine(() => {
        this.#enter(part)
        return work()
      })
    }
  }

  /** Returns the part before. */
  #enter(part: StepPart): StepPart {
    const before = this.#part
    const nowMs = performance.now()
    this.#spentMs.set(before, (this.#spentMs.get(before) ?? 0) + nowMs - this.#sinceMs)
    this.#part = part
    this.#sinceMs = nowMs
    return before
  }
}
