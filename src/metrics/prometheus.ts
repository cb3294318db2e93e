/**
 * What the service does, for Prometheus. Histograms are fed once per group of appends; everything else is read where it is
 * counted anyway, when somebody asks.
 *
 * Names of streams are told to whoever may see them, and of those the STREAMS_MAX with the most events; what the others have
 * stands under one name that no stream can have.
 */
import { readdir } from 'node:fs/promises'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Histogram, Registry as Series } from 'prom-client'
import type { Registry, Stream } from '../streams/registry.ts'
import { COUNTED, type Traffic, totalsOf } from '../streams/traffic.ts'
import type { MaySee } from './query.ts'

/** Each has two series. */
const STREAMS_MAX = 100
/** Neither a namespace nor a stream can be called so. */
const OTHER = '(other)'
/** How finely the delay of the event loop is looked at, from the first time somebody asks. */
const LOOP_RESOLUTION_MS = 20

const LATENCY_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]
const GROUP_WRITES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]

/** One number each, as it is now; undefined where it is not known. What only goes up is a counter. */
export interface Source {
  readonly name: string
  readonly help: string
  readonly kind: 'gauge' | 'counter'
  readonly read: () => number | undefined
}

/** Numbers that only go up, by the value of one label. */
export interface LabelledSource {
  readonly name: string
  readonly help: string
  readonly label: string
  readonly read: () => Iterable<readonly [value: string, total: number]>
}

/** What there is of the store that is open now. */
export interface OpenStore {
  readonly registry: Registry
  readonly traffic: Traffic
}

export class Prometheus {
  readonly #series = new Series()
  readonly #groupWaits: Histogram
  readonly #groupWrites: Histogram
  readonly #groupBytes: Counter
  readonly #writeTimes: Histogram
  #store: OpenStore | undefined
  #loopDelay: IntervalHistogram | undefined

  constructor() {
    const registers = [this.#series]
    this.#groupWaits = new Histogram({
      name: 'millrace_append_seconds',
      help: 'From the moment the first append of a group arrived until the group was durable; one value per group',
      buckets: LATENCY_SECONDS,
      registers,
    })
    this.#groupWrites = new Histogram({
      name: 'millrace_group_writes',
      help: 'Appends and other changes that share one write with fsync',
      buckets: GROUP_WRITES,
      registers,
    })
    this.#writeTimes = new Histogram({
      name: 'millrace_fsync_seconds',
      help: 'One write of the store, with fsync',
      buckets: LATENCY_SECONDS,
      registers,
    })
    this.#groupBytes = new Counter({
      name: 'millrace_group_bytes_total',
      help: 'Bytes handed to those writes',
      registers,
    })
    this.#addCounted()
    this.#addProcess()
  }

  /** From now on this store is told of. */
  show(store: OpenStore): void {
    this.#store = store
  }

  /** One group has become durable: its changes, their bytes, milliseconds of the write, and of its longest wait. */
  readonly groupWritten = (changes: number, bytes: number, writeMs: number, waitMs: number): void => {
    this.#groupWaits.observe(waitMs / 1000)
    this.#groupWrites.observe(changes)
    this.#writeTimes.observe(writeMs / 1000)
    this.#groupBytes.inc(bytes)
  }

  add({ name, help, kind, read }: Source): void {
    const registers = [this.#series]
    if (kind === 'gauge') {
      const collect = function (this: Gauge) {
        this.set(read() ?? Number.NaN)
      }
      new Gauge({ name, help, registers, collect })
    } else {
      const collect = function (this: Counter) {
        this.reset()
        this.inc(read() ?? 0)
      }
      new Counter({ name, help, registers, collect })
    }
  }

  addLabelled({ name, help, label, read }: LabelledSource): void {
    const collect = function (this: Counter) {
      this.reset()
      for (const [value, total] of read()) this.inc({ [label]: value }, total)
    }
    new Counter({ name, help, labelNames: [label], registers: [this.#series], collect })
  }

  get contentType(): string {
    return this.#series.contentType
  }

  async text(maySee: MaySee): Promise<string> {
    this.#loopDelay ??= monitoredLoop()
    return `${await this.#series.metrics()}\n${await this.#streams(maySee)}`
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
      this.add({ name, help, kind: 'counter', read: () => this.#total(i) })
    }
    const streams = () => this.#store && [...this.#store.registry.allStreams()].length
    this.add({ name: 'millrace_streams', help: 'Streams there are', kind: 'gauge', read: streams })
  }

  #total(index: number): number {
    if (this.#store === undefined) return 0
    const { registry, traffic } = this.#store
    let total = traffic.gone[index]!
    for (const { counts } of registry.allStreams()) total += totalsOf(counts)[index]!
    return total
  }

  #addProcess(): void {
    const gauges: readonly [name: string, help: string, read: () => number | undefined][] = [
      ['process_resident_memory_bytes', 'Memory of the process', () => process.memoryUsage.rss()],
      [
        'process_start_time_seconds',
        'When the process started, since 1970',
        () => performance.timeOrigin / 1000,
      ],
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
    for (const [name, help, read] of gauges) this.add({ name, help, kind: 'gauge', read })
    const cpu = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6
    this.add({ name: 'process_cpu_seconds_total', help: 'Time on processors', kind: 'counter', read: cpu })
    const collect = async function (this: Gauge) {
      const open = await readdir('/proc/self/fd').catch(() => undefined)
      this.set(open?.length ?? Number.NaN)
    }
    new Gauge({
      name: 'process_open_fds',
      help: 'Files and sockets that are open',
      registers: [this.#series],
      collect,
    })
  }

  /** Seconds beyond the resolution, which is what an idle loop has. */
  #lag(of: 'mean' | number): number | undefined {
    const histogram = this.#loopDelay
    if (histogram === undefined || histogram.count === 0) return undefined
    const nanoseconds = of === 'mean' ? histogram.mean : histogram.percentile(of)
    return Math.max(0, nanoseconds / 1e9 - LOOP_RESOLUTION_MS / 1000)
  }

  /** Asked last: what comes now counts for the next time. */
  #takeMaxLag(): number | undefined {
    const seconds = this.#lag(100)
    this.#loopDelay?.reset()
    return seconds
  }

  async #streams(maySee: MaySee): Promise<string> {
    if (this.#store === undefined) return ''
    const series = new Series()
    const labelNames = ['namespace', 'stream']
    const registers = [series]
    const events = new Counter({
      name: 'millrace_stream_events_total',
      help: 'Events of one stream that became durable',
      labelNames,
      registers,
    })
    const bytes = new Counter({
      name: 'millrace_stream_event_bytes_total',
      help: 'Bytes of their bodies',
      labelNames,
      registers,
    })
    const shown = mostEvents([...this.#store.registry.allStreams()].filter(maySee))
    const other = { events: this.#total(0), bytes: this.#total(1) }
    for (const { id, counts } of shown) {
      const labels = { namespace: id.namespace, stream: id.stream }
      events.inc(labels, counts.events)
      bytes.inc(labels, counts.bytes)
      other.events -= counts.events
      other.bytes -= counts.bytes
    }
    const labels = { namespace: OTHER, stream: OTHER }
    events.inc(labels, other.events)
    bytes.inc(labels, other.bytes)
    return series.metrics()
  }
}

function mostEvents(streams: readonly Stream[]): Stream[] {
  return [...streams].sort((a, b) => b.counts.events - a.counts.events).slice(0, STREAMS_MAX)
}

function monitoredLoop(): IntervalHistogram {
  const histogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS })
  histogram.enable()
  return histogram
}
