/**
 * The janitor decides what storage may remove: the logs that truncated and deleted streams no longer use, and the events
 * of each stream that are older than its ttl. The engine removes them in bounded steps (EventLog.maintain).
 * Correctness does not wait for it: expired and truncated events are invisible before they are removed.
 */
import type { EventLog, LogId, MaintenanceResult } from '../../storage/log.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry, Stream } from '../streams/registry.ts'

const NOTHING_DONE: MaintenanceResult = { removed: 0, more: false }

export class Janitor {
  readonly #log: EventLog
  readonly #registry: Registry
  readonly #nowMs: () => number
  readonly #report: (error: unknown) => void
  /** Logs whose failure has been reported: every tick would report the same again. */
  readonly #reported = new Set<LogId>()
  readonly #space: { readonly low: boolean }
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
  }

  /** One bounded step; with `more` the next one should follow soon. */
  async tick(): Promise<MaintenanceResult> {
    if (this.#log.failure() !== undefined) return NOTHING_DONE
    // The logs first: one that a stream gets from now on is not among them, so it cannot be taken for a retired one.
    const logs = await this.#log.logs()
    const streams = [...this.#registry.allStreams()]
    const nowMs = this.#nowMs()
    const result = await this.#log.maintain({
      logs: streams.map(({ log, properties }) => ({
        log,
        expiredBeforeMs: earliestVisibleMs(nowMs, properties.ttlSeconds),
      })),
      dropped: retired(logs, streams),
      mayRewrite: !this.#space.low,
      onError: (log, error) => this.#reportOnce(log, error),
    })
    this.ticks++
    this.removed += result.removed
    return result
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
