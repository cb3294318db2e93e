/**
 * The janitor frees the disk behind the users: it drops the logs that truncated and deleted streams left, trims what has
 * expired, sweeps segments that no log refers to, and joins the small blocks of events that arrived one by one.
 * Correctness does not wait for it: what is gone for users is invisible before it comes by.
 *
 * A tick does bounded work; where more is to do it says so and is called again soon. Each kind of work has a budget of its
 * own, and the next tick goes on with the stream at which this one stopped, so that none is kept waiting by another.
 */
import type { EventLog, LogId, Progress } from '../../storage/log.ts'
import { OwnSlice } from '../own-slice.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry, Stream } from '../streams/registry.ts'

/** Blocks removed by one storage call: a few milliseconds, so that appends in between hardly notice. */
const STEP_BLOCKS = 512
/** Blocks of one kind of work removed in one tick. */
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
  readonly #report: (error: unknown) => void
  /** Logs whose failure has been reported: once is enough for what every tick would meet again. */
  readonly #reported = new Set<LogId>()
  readonly #space: { readonly low: boolean }
  /** Ticks that were made, and blocks that were removed, since the store was opened. */
  ticks = 0
  removed = 0
  readonly #trimOrder = new RoundRobin()
  readonly #mergeOrder = new RoundRobin()

  /** While `space` is low nothing is joined: that takes room at first. */
  constructor(
    log: EventLog,
    registry: Registry,
    nowMs: () => number,
    report: (error: unknown) => void,
    space: { readonly low: boolean } = { low: false },
  ) {
    this.#log = log
    this.#registry = registry
    this.#nowMs = nowMs
    this.#report = report
    this.#space = space
  }

  async tick(): Promise<TickResult> {
    if (this.#log.failure() !== undefined) return { removed: 0, more: false }
    const streams = [...this.#registry.allStreams()]
    const slice = new OwnSlice() // looking at a stream that needs nothing waits for nothing
    const dropping = new Budget()
    for (const log of this.#retiredLogs(streams)) {
      if (dropping.spent) break
      if (slice.isOver) await slice.next()
      await this.#work(dropping, log, (limit) => this.#log.drop(log, limit))
    }
    const nowMs = this.#nowMs()
    const trimming = new Budget()
    for (const { log, properties } of this.#trimOrder.order(streams)) {
      if (slice.isOver) await slice.next()
      const beforeMs = earliestVisibleMs(nowMs, properties.ttlSeconds)
      await this.#work(trimming, log, (limit) => this.#log.trim(log, beforeMs, limit))
      if (this.#trimOrder.endsWith(trimming)) break
    }
    const sweeping = new Budget()
    await sweeping.spend((limit) => this.#log.sweep(limit))
    const merging = new Budget()
    for (const { log } of this.#space.low ? [] : this.#mergeOrder.order(streams)) {
      if (slice.isOver) await slice.next()
      await this.#work(merging, log, () => this.#log.merge(log, nowMs - MERGE_AFTER_MS, MERGE_STEP_BLOCKS))
      if (this.#mergeOrder.endsWith(merging)) break
    }
    const budgets = [dropping, sweeping, trimming, merging]
    const removed = budgets.reduce((sum, budget) => sum + budget.removed, 0)
    this.ticks++
    this.removed += removed
    return {
      removed,
      more: budgets.some(({ spent }) => spent),
    }
  }

  /** One log that cannot be worked on, because it is damaged, does not keep the others waiting. */
  async #work(budget: Budget, log: LogId, step: (limit: number) => Promise<Progress>): Promise<void> {
    try {
      await budget.spend(step)
    } catch (error) {
      if (this.#reported.has(log)) return
      this.#reported.add(log)
      this.#report(error)
    }
  }

  #retiredLogs(streams: readonly Stream[]): LogId[] {
    const inUse = new Set<LogId>()
    for (const { log } of streams) inUse.add(log)
    return this.#log.logs().filter((log) => !inUse.has(log))
  }
}

class Budget {
  #left = TICK_BLOCKS
  removed = 0

  get spent(): boolean {
    return this.#left <= 0
  }

  /** Repeats a step until it has nothing more to do or the budget is used up. Looking and finding nothing is free. */
  async spend(step: (limit: number) => Promise<Progress>): Promise<void> {
    let more = true
    while (more && !this.spent) {
      const progress = await step(Math.min(STEP_BLOCKS, this.#left))
      this.#left -= progress.removed
      this.removed += progress.removed
      more = progress.more
      if (more && progress.removed === 0) this.#left--
    }
  }
}

/** Remembers between ticks whose turn it is. */
class RoundRobin {
  #next = 0
  #count = 0
  #at = 0

  /** Whether the tick stops here; then the next one begins with the stream after this, and comes back to it last. */
  endsWith(budget: Budget): boolean {
    if (!budget.spent) return false
    this.#next = (this.#at + 1) % this.#count
    return true
  }

  /** All streams, from the one at which the last tick stopped. */
  *order(streams: readonly Stream[]): Generator<Stream> {
    this.#count = streams.length
    for (let i = 0; i < streams.length; i++) {
      this.#at = (this.#next + i) % streams.length
      yield streams[this.#at]
    }
  }
}
