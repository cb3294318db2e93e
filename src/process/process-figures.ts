/** Memory, processor time and garbage collections of this process, as it measures them itself. */
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { constants, type NodeGCPerformanceDetail, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

export interface ProcessFigures {
  readonly heap: { readonly used: number; readonly total: number; readonly limit: number }
  /** Array buffers included. */
  readonly externalBytes: number
  readonly residentBytes: number
  /** Share of all processors, 0 to 1, since the sample before. */
  readonly cpuLoad: number
  readonly cpuMs: number
  /** Undefined where the system does not tell. */
  readonly threads: number | undefined
  readonly gc: readonly GarbageCollector[]
}

export interface GarbageCollector {
  readonly name: string
  readonly count: number
  readonly ms: number
}

const COLLECTORS: readonly (readonly [kind: number, name: string])[] = [
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
]
/** A shorter interval measures single requests. */
const CPU_SAMPLE_MS = 1_000

export class ProcessMeter {
  readonly #counts = new Map<number, { count: number; ms: number }>()
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { detail, duration } = entry as typeof entry & { readonly detail?: unknown }
      const kind = (detail as NodeGCPerformanceDetail | undefined)?.kind
      const counted = kind === undefined ? undefined : this.#counts.get(kind)
      if (counted === undefined) continue
      counted.count++
      counted.ms += duration
    }
  })
  #sample = { atMs: 0, cpuMs: 0 }
  #load = 0

  constructor() {
    for (const [kind] of COLLECTORS) this.#counts.set(kind, { count: 0, ms: 0 })
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  figures(): ProcessFigures {
    const { used_heap_size, total_heap_size, heap_size_limit } = getHeapStatistics()
    const { external, rss } = process.memoryUsage()
    const cpuMs = cpuMsNow()
    return {
      heap: { used: used_heap_size, total: total_heap_size, limit: heap_size_limit },
      externalBytes: external,
      residentBytes: rss,
      cpuLoad: this.#loadAt(performance.now(), cpuMs),
      cpuMs,
      threads: threadsOf(),
      gc: COLLECTORS.map(([kind, name]) => ({ name, ...this.#counts.get(kind)! })),
    }
  }

  stop(): void {
    this.#observer.disconnect()
  }

  #loadAt(atMs: number, cpuMs: number): number {
    const passedMs = atMs - this.#sample.atMs
    if (passedMs >= CPU_SAMPLE_MS) {
      this.#load = Math.min(1, (cpuMs - this.#sample.cpuMs) / passedMs / availableParallelism())
      this.#sample = { atMs, cpuMs }
    }
    return this.#load
  }
}

function cpuMsNow(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

function threadsOf(): number | undefined {
  try {
    const threads = /^Threads:\s+([0-9]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return threads === undefined ? undefined : Number(threads)
  } catch {
    return undefined // only Linux has this file
  }
}
