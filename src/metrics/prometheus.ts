/**
 * The metrics of the service for Prometheus. Histograms are updated once per group of appends; all other values are read from
 * existing counters when a client requests them. prom-client, which writes the text, is loaded with the first request.
 *
 * Counters never decrease: Prometheus treats a lower value as a restart and counts all of it again. Counters of the
 * service begin at 0 with the process and include the counts of deleted streams. Counters of a stream begin at its
 * creation.
 *
 * A response names the streams that the client may see, at most STREAMS_MAX, those with the most events. The others are
 * only in the counters of the service. As one common series they would decrease whenever one of them got its own
 * series.
 */
import { readdir } from 'node:fs/promises'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metric, Registry as Series } from 'prom-client'
import type { Registry, Stream, VisibleNames } from '../streams/registry.ts'
import { COUNTED, type Totals, type Traffic } from '../streams/traffic.ts'
import { Buckets } from './buckets.ts'

/** Limit of streams in a response. Each has two series. */
const STREAMS_MAX = 100
/** Resolution of the event-loop delay, which is measured from the first request on. */
const LOOP_RESOLUTION_MS = 20

const LATENCY_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const GROUP_WRITES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

/** One number, read when a client requests it; undefined if it is not known. A value that only increases is a counter. */
export interface Source {
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  readonly read: () => number | undefined | Promise<number | undefined>
}

/** Numbers by the value of one label. They only increase, unless `kind` is a gauge. */
export interface LabelledSource {
  readonly name: string
  readonly help: string
  readonly kind?: Source['kind'] | undefined
  readonly label: string
  readonly read: () => Iterable<readonly [value: string, total: number]>
}

/** Series with labels of their own, of which a client gets those it may see. */
export interface VisibleSource {
  readonly name: string
  readonly help: string
  readonly kind: Source['kind']
  readonly read: (visible: VisibleNames) => readonly Value[]
}

/** The counters of the open store. */
export interface OpenStore {
  readonly registry: Registry
  readonly traffic: Traffic
}

export interface Value {
  /** By default the name of the family. */
  readonly metricName?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly value: number
}

/** All series with one name. */
interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly values: () => readonly Value[] | Promise<readonly Value[]>
}

export class Prometheus {
  readonly #families: Family[] = []
  readonly #visible: VisibleSource[] = []
  readonly #groupWaits: Buckets
  readonly #groupWrites: Buckets
  readonly #writeTimes: Buckets
  #groupBytes = 0
  #store: OpenStore | undefined
  /** Added to the counts of the open store: the counts of earlier stores, minus the store's counts at its opening. */
  #carried: Totals = NOTHING
  /** Totals of all streams, as of the last request. */
  #told: Totals = NOTHING
  #loopDelay: IntervalHistogram | undefined

  constructor() {
    this.#groupWaits = this.#histogram(
      'millrace_append_seconds',
      'From the moment the first append of a group arrived until the group was durable; one value per group',
      LATENCY_SECONDS,
    )
    this.#groupWrites = this.#histogram(
      'millrace_group_writes',
      'Appends and other changes that share one write with fsync',
      GROUP_WRITES,
    )
    this.#writeTimes = this.#histogram(
      'millrace_fsync_seconds',
      'One write of the store, with fsync',
      LATENCY_SECONDS,
    )
    const groupBytes = () => this.#groupBytes
    const help = 'Bytes handed to those writes'
    this.add({ name: 'millrace_group_bytes_total', help, kind: 'counter', read: groupBytes })
    this.#addCounted()
    this.#addProcess()
  }

  /** Reports the counters of this store from now on. */
  show(store: OpenStore): void {
    const told = this.#totals()
    this.#store = store
    this.#carried = NOTHING
    const begun = this.#totals()
    this.#carried = told.map((total, i) => total - begun[i]!)
  }

  /**
   * Called when a group has become durable, with its changes, their bytes, the milliseconds of the write, and of its
   * longest wait.
   */
  readonly groupWritten = (changes: number, bytes: number, writeMs: number, waitMs: number): void => {
    this.#groupWaits.observe(waitMs / 1000)
    this.#groupWrites.observe(changes)
    this.#writeTimes.observe(writeMs / 1000)
    this.#groupBytes += bytes
  }

  add({ name, help, kind, read }: Source): void {
    const values = async () => {
      const value = await read()
      return value === undefined ? [] : [{ value }]
    }
    this.#families.push({ name, help, type: kind, values })
  }

  addLabelled({ name, help, kind = 'counter', label, read }: LabelledSource): void {
    const values = () => [...read()].map(([value, total]) => ({ labels: { [label]: value }, value: total }))
    this.#families.push({ name, help, type: kind, values })
  }

  addVisible(source: VisibleSource): void {
    this.#visible.push(source)
  }

  /** Resolves with the text and its content type. */
  async text(visible: VisibleNames): Promise<{ text: string; contentType: string }> {
    this.#loopDelay ??= monitoredLoop()
    this.#told = this.#totals()
    const { Registry: SeriesRegistry } = await import('prom-client')
    const series: Series = new SeriesRegistry()
    const limited = this.#visible.map(({ name, help, kind, read }) => ({
      ...{ name, help, type: kind, values: () => read(visible) },
    }))
    for (const family of [...this.#families, ...this.#streamFamilies(visible), ...limited]) {
      const { name, help, type, values } = family
      const metric = { name, help, type, get: async () => ({ name, help, type, values: await values() }) }
      series.registerMetric(metric as unknown as Metric)
    }
    return { text: await series.metrics(), contentType: series.contentType }
  }

  #histogram(name: string, help: string, bounds: readonly number[]): Buckets {
    const buckets = new Buckets(bounds)
    this.#families.push({ name, help, type: 'histogram', values: () => buckets.values(name) })
    return buckets
  }

  #addCounted(): void {
    const names: Readonly<Record<(typeof COUNTED)[number], readonly [string, string]>> = {
      events: ['millrace_events_total', 'Events that became durable'],
      bytes: ['millrace_event_bytes_total', 'Bytes of their bodies'],
      asyncRejected: ['millrace_async_rejected_total', 'Events of /async that found its queue full'],
      asyncLost: ['millrace_async_lost_total', 'Events that were answered 202 and could not be written'],
      failed: ['millrace_failed_writes_total', 'Events and batches that the store could not take'],
    }
    for (const [i, counted] of COUNTED.entries()) {
      const [name, help] = names[counted]
      this.add({ name, help, kind: 'counter', read: () => this.#told[i] })
    }
    this.add({
      name: 'millrace_streams',
      help: 'Streams there are',
      kind: 'gauge',
      read: () => this.#store?.registry.streamCount ?? 0,
    })
  }

  #totals(): Totals {
    if (this.#store === undefined) return NOTHING
    const { registry, traffic } = this.#store
    const sums = this.#carried.map((carried, i) => carried + traffic.gone[i]!)
    for (const { counts } of registry.allStreams()) {
      for (let i = 0; i < COUNTED.length; i++) sums[i]! += counts[COUNTED[i]!]
    }
    return sums
  }

  #addProcess(): void {
    const sources: readonly [name: string, help: string, read: Source['read']][] = [
      ['process_resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss()],
      [
        'process_start_time_seconds',
        'When the process started, since 1970',
        () => performance.timeOrigin / 1000,
      ],
      ['process_open_fds', 'Files and sockets that are open', openFiles],
      ['nodejs_heap_size_used_bytes', "JavaScript's objects", () => process.memoryUsage().heapUsed],
      [
        'nodejs_external_memory_bytes',
        'Buffers and what native code has',
        () => process.memoryUsage().external,
      ],
      [
        'nodejs_eventloop_lag_mean_seconds',
        'Delay of the event loop since the last time',
        () => this.#lag('mean'),
      ],
      ['nodejs_eventloop_lag_p99_seconds', 'The same, its 99th percentile', () => this.#lag(99)],
      ['nodejs_eventloop_lag_max_seconds', 'The same, the most', () => this.#takeMaxLag()],
    ]
    for (const [name, help, read] of sources) this.add({ name, help, kind: 'gauge', read })
    const cpu = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6
    this.add({ name: 'process_cpu_seconds_total', help: 'Time on processors', kind: 'counter', read: cpu })
  }

  /** Seconds above the resolution. An idle loop has a delay equal to the resolution. */
  #lag(of: 'mean' | number): number | undefined {
    const histogram = this.#loopDelay
    if (histogram === undefined || histogram.count === 0) return undefined
    const nanoseconds = of === 'mean' ? histogram.mean : histogram.percentile(of)
    return Math.max(0, nanoseconds / 1e9 - LOOP_RESOLUTION_MS / 1000)
  }

  /** Must be read last, because it resets the histogram for the next request. */
  #takeMaxLag(): number | undefined {
    const seconds = this.#lag(100)
    this.#loopDelay?.reset()
    return seconds
  }

  #streamFamilies(visible: VisibleNames): Family[] {
    const shown = mostEvents([...(this.#store?.registry.visibleStreams(visible) ?? [])])
    const family = (name: string, help: string, counted: 'events' | 'bytes'): Family => {
      const values = () => shown.map(({ id, counts }) => ({ labels: { ...id }, value: counts[counted] }))
      return { name, help, type: 'counter', values }
    }
    return [
      family('millrace_stream_events_total', 'Events of one stream since it was made', 'events'),
      family('millrace_stream_event_bytes_total', 'Bytes of their bodies', 'bytes'),
    ]
  }
}

const NOTHING: Totals = COUNTED.map(() => 0)

/** Sorts the numbers of events first and then only the selected streams, because sorting numbers is fast. */
function mostEvents(streams: readonly Stream[]): Stream[] {
  const events = Float64Array.from(streams, ({ counts }) => counts.events).sort()
  const least = events[events.length - STREAMS_MAX] ?? 0
  const most = streams.filter(({ counts }) => counts.events >= least)
  return most.sort((a, b) => b.counts.events - a.counts.events).slice(0, STREAMS_MAX)
}

async function openFiles(): Promise<number | undefined> {
  const open = await readdir('/proc/self/fd').catch(() => undefined)
  return open?.length
}

function monitoredLoop(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  histogram.enable()
  return histogram
}
