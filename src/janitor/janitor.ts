/**
 * The janitor frees the disk behind the users: it drops the logs that truncated and deleted streams left, trims what
 * has expired, sweeps segments that no log refers to, and joins the small blocks of events that arrived one by one.
 * Correctness does not wait for it: what is gone for users is invisible before it comes by.
 *
 * A tick does bounded work; where more is to do it says so and is called again soon.
 */
import type { EventLog, LogId } from '../../storage/log.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'

/** Blocks removed by one storage call: a few milliseconds, so that appends in between hardly notice. */
const STEP_BLOCKS = 512
/** Blocks removed in one tick. */
const TICK_BLOCKS = 8 * STEP_BLOCKS
/** Blocks looked at for joining by one storage call: looking costs less than removing. */
const MERGE_STEP_BLOCKS = 4096
/** Blocks younger than this are still being written to the log's end and read back; older ones may be joined. */
const MERGE_AFTER_MS = 10_000

export interface TickResult {
  readonly removed: number
  readonly more: boolean
}

export class Janitor {
  readonly #log: EventLog
  readonly #registry: Registry
  readonly #nowMs: () => number

  constructor(log: EventLog, registry: Registry, nowMs: () => number) {
    this.#log = log
    this.#registry = registry
    this.#nowMs = nowMs
  }

  async tick(): Promise<TickResult> {
    const budget = new Budget(TICK_BLOCKS)
    for (const log of this.#retiredLogs()) await budget.spend((limit) => this.#log.drop(log, limit))
    const nowMs = this.#nowMs()
    for (const { log, properties } of this.#registry.allStreams()) {
      if (budget.exhausted) break
      const beforeMs = earliestVisibleMs(nowMs, properties.ttlSeconds)
      const tail = this.#log.tail(log)
      if (tail === undefined || tail.firstTimestampMs >= beforeMs) continue
      await budget.spend((limit) => this.#log.trim(log, beforeMs, limit))
    }
    await budget.spend((limit) => this.#log.sweep(limit))
    for (const { log } of this.#registry.allStreams()) {
      if (budget.exhausted) break
      await budget.spend(() => this.#log.merge(log, nowMs - MERGE_AFTER_MS, MERGE_STEP_BLOCKS))
    }
    return { removed: budget.spent, more: budget.exhausted }
  }

  #retiredLogs(): LogId[] {
    const inUse = new Set<LogId>()
    for (const { log } of this.#registry.allStreams()) inUse.add(log)
    return this.#log.logs().filter((log) => !inUse.has(log))
  }
}

class Budget {
  #left: number
  spent = 0

  constructor(blocks: number) {
    this.#left = blocks
  }

  get exhausted(): boolean {
    return this.#left <= 0
  }

  /** Repeats a step until it has nothing more to do or the budget is used up. */
  async spend(step: (limit: number) => Promise<{ removed: number; more: boolean }>): Promise<void> {
    let more = true
    while (more && this.#left > 0) {
      const progress = await step(Math.min(STEP_BLOCKS, this.#left))
      this.#left -= Math.max(1, progress.removed)
      this.spent += progress.removed
      more = progress.more
    }
  }
}
