/**
 * The janitor decides what storage may remove: the logs that truncated and deleted streams no longer use, and the events
 * of each stream that are older than its ttl. The engine removes them in bounded steps (EventLog.maintain).
 * Correctness does not wait for it: expired and truncated events are invisible before they are removed.
 *
 * If several nodes share the store, the one that holds the lease `janitor` does it. Two holders for a moment do no harm: a log that
 * one of them takes for unused stays unused.
 */
import type { EventLog, LogId, MaintenanceResult } from '../../storage/log.ts'
import type { LeaseClaim } from '../../storage/store-cluster.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry, Stream } from '../streams/registry.ts'
import type { Sharing } from '../streams/sharing.ts'

const LEASE = 'janitor'
const NONE: ReadonlySet<LogId> = new Set()
const NOTHING_DONE: MaintenanceResult = { removed: 0, more: false }

export class Janitor {
  readonly #log: EventLog
  readonly #registry: Registry
  readonly #nowMs: () => number
  readonly #report: (error: unknown) => void
  /** Logs whose failure has been reported: every tick would report the same again. */
  readonly #reported = new Set<LogId>()
  readonly #space: { readonly low: boolean }
  readonly #claim: LeaseClaim | undefined
  /** Without other nodes it always does the work. */
  #isHolder: boolean
  /** Ticks that were made, and pieces of storage that were removed, since the store was opened. */
  ticks = 0
  removed = 0

  /** While `space` is low the engine does not rewrite events: that takes disk space at first. */
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
    const cluster = registry.sharing?.cluster
    this.#isHolder = cluster === undefined
    this.#claim = cluster?.want(LEASE, {
      gained: () => {
        this.#isHolder = true
      },
      lost: () => {
        this.#isHolder = false
      },
    })
  }

  /** Another node may do the work from now on. */
  async stop(): Promise<void> {
    await this.#claim?.release()
  }

  /** One bounded step; with `more` the next one should follow soon. */
  async tick(): Promise<MaintenanceResult> {
    if (!this.#isHolder || this.#log.failure() !== undefined) return NOTHING_DONE
    // The logs first: one that a stream gets from now on is not among them, so it cannot be taken for a retired one.
    const all = await this.#log.logs()
    const { sharing } = this.#registry
    const reserved = sharing === undefined ? NONE : await this.#reservedBySome(sharing)
    const streams = [...this.#registry.allStreams()]
    const logs = sharing === undefined ? all : all.filter((log) => log <= this.#registry.lastLog)
    // The clocks of several nodes may differ, and the times of events are those of the engine.
    const nowMs = sharing === undefined ? this.#nowMs() : this.#log.nowMs()
    const result = await this.#log.maintain({
      logs: streams.map(({ log, properties }) => ({
        log,
        expiredBeforeMs: earliestVisibleMs(nowMs, properties.ttlSeconds),
      })),
      dropped: retired(logs, streams).filter((log) => !reserved.has(log)),
      mayRewrite: !this.#space.low,
      onError: (log, error) => this.#reportOnce(log, error),
    })
    this.ticks++
    this.removed += result.removed
    return result
  }

  /** Resolves when the registry shows all streams that the listed logs can belong to, with the logs that a node fills. */
  async #reservedBySome(sharing: Sharing): Promise<ReadonlySet<LogId>> {
    await sharing.fresh(true)
    return this.#registry.reservedLogs()
  }

  #reportOnce(log: LogId, error: unknown): void {
    if (this.#reported.has(log)) return
    this.#reported.add(log)
    this.#report(error)
  }
}

function retired(logs: readonly LogId[], streams: readonly Stream[]): LogId[] {
  const inUse = new Set<LogId>()
  for (const { log } of streams) inUse.add(log)
  return logs.filter((log) => !inUse.has(log))
}
