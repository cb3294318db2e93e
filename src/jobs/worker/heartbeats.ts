/**
 * What the process of jobs measures of itself, and when it sends that to the service: every second while jobs work, every ten
 * seconds while they wait for events, and when the service asks. An idle process must cost nothing.
 */
import { readFileSync } from 'node:fs'
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { BoundedText } from '../bounded-text.ts'
import type { Heartbeat } from './job-worker-protocol.ts'

const INTERVAL_MS = 1_000
/** Of so many intervals without work one has a heartbeat. */
const IDLE_INTERVALS = 10
/** What sinks print between two heartbeats; the older part is left out. */
const PRINTED_MAX = 64 * 1024

export interface HeartbeatsParts {
  readonly send: (heartbeat: Heartbeat) => void
  /** Memory of the engine in bytes; undefined while it is not open. Called after work, not while the process is idle. */
  readonly engineBytes: () => Promise<number | undefined>
}

export class Heartbeats {
  readonly #parts: HeartbeatsParts
  readonly #printed = new BoundedText(PRINTED_MAX)
  readonly #collections = new Collections()
  readonly #timer: NodeJS.Timeout
  #hasWorked = true
  #idleIntervals = 0
  #engineBytes: number | undefined
  #last: { readonly atMs: number; readonly cpuMs: number } | undefined
  #isMeasuring = false
  #closed = false

  constructor(parts: HeartbeatsParts) {
    this.#parts = parts
    this.#timer = setInterval(() => this.#due(), INTERVAL_MS)
    this.#timer.unref()
  }

  /** A job uses the engine. */
  works(): void {
    this.#hasWorked = true
  }

  printed(text: string): void {
    this.#printed.add(text)
  }

  /** Measures and sends. */
  async send(): Promise<void> {
    if (this.#isMeasuring || this.#closed) return
    this.#isMeasuring = true
    this.#idleIntervals = 0
    try {
      if (this.#hasWorked) {
        this.#hasWorked = false
        this.#engineBytes = await this.#parts.engineBytes()
      }
    } catch {
      // The engine has failed or is being closed: the last measurement stays.
    } finally {
      this.#isMeasuring = false
    }
    if (!this.#closed) this.#parts.send(this.#measure())
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    this.#collections.close()
  }

  #due(): void {
    if (this.#hasWorked || ++this.#idleIntervals >= IDLE_INTERVALS) void this.send()
  }

  #measure(): Heartbeat {
    const { rss, external, arrayBuffers } = process.memoryUsage()
    const { used_heap_size, total_heap_size, heap_size_limit } = getHeapStatistics()
    const { user, system } = process.cpuUsage()
    const now = { atMs: performance.now(), cpuMs: Math.round((user + system) / 1000) }
    const before = this.#last
    this.#last = now
    return {
      pid: process.pid,
      heap: { used: used_heap_size, total: total_heap_size, limit: heap_size_limit },
      externalBytes: external,
      arrayBufferBytes: arrayBuffers,
      residentBytes: rss,
      engineBytes: this.#engineBytes,
      cpuMs: now.cpuMs,
      cpuLoad:
        before && now.atMs > before.atMs
          ? Math.max(0, (now.cpuMs - before.cpuMs) / (now.atMs - before.atMs))
          : undefined,
      threads: threads(),
      gc: this.#collections.all(),
      printed: this.#printed.take(),
    }
  }
}

/** Threads of this process; undefined where the system does not say. */
function threads(): number | undefined {
  try {
    const count = /^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}

const KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'Scavenge',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'MarkSweepCompact',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'IncrementalMarking',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'WeakCallbacks',
}

/** As Node documents it; its types lack the detail. */
type Collection = PerformanceEntry & { readonly detail: { readonly kind: number } }

/** Garbage collections of V8 by kind, since the process started to count them. */
class Collections {
  readonly #byName = new Map(Object.values(KINDS).map((name) => [name, { count: 0, ms: 0 }]))
  readonly #observer: PerformanceObserver

  constructor() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { detail, duration } of list.getEntries() as Collection[]) {
        const counts = this.#byName.get(KINDS[detail.kind] ?? '')
        if (counts === undefined) continue
        counts.count++
        counts.ms += duration
      }
    })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  all(): Heartbeat['gc'] {
    return [...this.#byName].map(([name, { count, ms }]) => ({ name, count, ms: Math.round(ms) }))
  }

  close(): void {
    this.#observer.disconnect()
  }
}
