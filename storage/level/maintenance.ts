/**
 * One step of maintenance on LevelDB: drops logs, trims expired events, sweeps segments that no log refers to, and joins
 * the small blocks of events that arrived one by one.
 *
 * A step is bounded. Each kind of work has a budget of its own. The next step continues after the log at which this one
 * stopped, so that every kind of work and every log gets its share.
 */
import type { LogId, MaintenancePlan, MaintenanceResult } from '../log.ts'
import type { Progress } from './progress.ts'
import { TimeSlice } from './time-slice.ts'

/**
 * Blocks removed by one call of the log. This takes a few milliseconds, so that appends in between are hardly delayed.
 */
const CALL_BLOCKS = 512
/** Blocks of one kind of work removed in one step. */
const STEP_BLOCKS = 8 * CALL_BLOCKS
/** Blocks read for joining by one call of the log. More than CALL_BLOCKS, because reading costs less than removing. */
const MERGE_CALL_BLOCKS = 4096
/** Only older blocks are joined. Younger ones are at the end of the log, where events are written and read back. */
const MERGE_AFTER_MS = 10_000

/** The bounded calls that a log offers (level-log.ts). */
export interface MaintainedLog {
  nowMs(): number
  drop(log: LogId, limit: number): Promise<Progress>
  trim(log: LogId, beforeMs: number, limit: number): Promise<Progress>
  sweep(limit: number): Promise<Progress>
  merge(log: LogId, beforeMs: number, limit: number): Promise<Progress>
}

type OnError = MaintenancePlan['onError']

export class Maintenance {
  readonly #log: MaintainedLog
  readonly #trimOrder = new RoundRobin()
  readonly #mergeOrder = new RoundRobin()

  constructor(log: MaintainedLog) {
    this.#log = log
  }

  async step({ logs, dropped, mayRewrite, onError }: MaintenancePlan): Promise<MaintenanceResult> {
    // A log without work returns without waiting for the disk, so without slices the loops would block the event loop.
    const slice = new TimeSlice()
    const dropping = new Budget()
    for (const log of dropped) {
      if (dropping.spent) break
      if (slice.isOver) await slice.next()
      await work(dropping, log, onError, (limit) => this.#log.drop(log, limit))
    }
    const trimming = new Budget()
    for (const { log, expiredBeforeMs } of this.#trimOrder.order(logs)) {
      if (slice.isOver) await slice.next()
      await work(trimming, log, onError, (limit) => this.#log.trim(log, expiredBeforeMs, limit))
      if (this.#trimOrder.endsWith(trimming)) break
    }
    const sweeping = new Budget()
    await sweeping.spend((limit) => this.#log.sweep(limit))
    const merging = new Budget()
    const coldMs = this.#log.nowMs() - MERGE_AFTER_MS
    for (const { log } of mayRewrite ? this.#mergeOrder.order(logs) : []) {
      if (slice.isOver) await slice.next()
      await work(merging, log, onError, () => this.#log.merge(log, coldMs, MERGE_CALL_BLOCKS))
      if (this.#mergeOrder.endsWith(merging)) break
    }
    const budgets = [dropping, trimming, sweeping, merging]
    return {
      removed: budgets.reduce((sum, budget) => sum + budget.removed, 0),
      more: budgets.some(({ spent }) => spent),
    }
  }
}

async function work(
  budget: Budget,
  log: LogId,
  onError: OnError,
  call: (limit: number) => Promise<Progress>,
): Promise<void> {
  try {
    await budget.spend(call)
  } catch (error) {
    onError(log, error)
  }
}

class Budget {
  #left = STEP_BLOCKS
  removed = 0

  get spent(): boolean {
    return this.#left <= 0
  }

  /** Repeats a call until it has no more work or the budget is used up. A call that finds nothing is free. */
  async spend(call: (limit: number) => Promise<Progress>): Promise<void> {
    let more = true
    while (more && !this.spent) {
      const progress = await call(Math.min(CALL_BLOCKS, this.#left))
      this.#left -= progress.removed
      this.removed += progress.removed
      more = progress.more
      if (more && progress.removed === 0) this.#left--
    }
  }
}

/** The order of logs over several steps: remembers the log with which the next step begins. */
class RoundRobin {
  #next = 0
  #count = 0
  #at = 0

  /** Whether the step stops here. Then the next step begins with the log after this one, and reaches this one last. */
  endsWith(budget: Budget): boolean {
    if (!budget.spent) return false
    this.#next = (this.#at + 1) % this.#count
    return true
  }

  /** All logs, beginning with the one after the log at which the last step stopped. */
  *order<T>(all: readonly T[]): Generator<T> {
    this.#count = all.length
    for (let i = 0; i < all.length; i++) {
      this.#at = (this.#next + i) % all.length
      yield all[this.#at]!
    }
  }
}
