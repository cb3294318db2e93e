/**
 * Questions about the metrics of streams, answered from totals and series: over all streams that the tags leave, or for
 * each value of the tags they are grouped by. Every name here is CDAP's, but for those of the two last metrics.
 */
import { ServiceError } from '../service-error.ts'
import type { Registry, Stream } from '../streams/registry.ts'
import { COUNTED, totalsOf } from '../streams/traffic.ts'
import type { Meter } from './meter.ts'
import type { Resolution } from './series.ts'

/** In the order of COUNTED. */
const METRICS = [
  'system.collect.events',
  'system.collect.bytes',
  'system.collect.async.reject',
  'system.collect.async.lost',
  'system.collect.errors',
] as const
const METRIC_OF_BYTES = COUNTED.indexOf('bytes')

/** Tags that streams have, in the order in which a search goes down them. */
const TAGS = ['namespace', 'stream'] as const
type Tag = (typeof TAGS)[number]

/** Streams whose series one query adds up: each is some hundred documents at most. */
const SERIES_STREAMS_MAX = 1000

export interface TimeRange {
  readonly startSecond: number
  /** Included. */
  readonly endSecond: number
  readonly resolution: Resolution
  /** The most points of each series. */
  readonly count: number | undefined
}

export interface MetricsQuery {
  readonly metrics: readonly string[]
  /** `*` stands for any value. */
  readonly tags: ReadonlyMap<string, string>
  readonly groupBy: readonly string[]
  /** Undefined: totals. */
  readonly range: TimeRange | undefined
}

export interface DataPoint {
  readonly time: number
  readonly value: number
}

export interface MetricSeries {
  readonly metricName: string
  readonly grouping: Readonly<Record<string, string>>
  readonly data: readonly DataPoint[]
}

/** Whether a stream may be counted in for whoever asks. */
export type MaySee = (stream: Stream) => boolean

export class StreamMetrics {
  readonly #meter: Meter
  readonly #registry: Registry

  constructor(meter: Meter, registry: Registry) {
    this.#meter = meter
    this.#registry = registry
  }

  /** One series for each metric and group that has anything. Rejects with 'invalid_parameter' if it is too much. */
  async query({ metrics, tags, groupBy, range }: MetricsQuery, maySee: MaySee): Promise<MetricSeries[]> {
    this.#meter.look()
    if (!groupBy.every(isTag)) return [] // no stream has it
    const groups = new Map<string, Stream[]>()
    for (const stream of this.#streams(tags, maySee)) {
      const key = JSON.stringify(groupBy.map((tag) => tagValue(stream, tag as Tag)))
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [stream])
      else group.push(stream)
    }
    const points = new Map<Stream, Map<number, number[]>>()
    if (range !== undefined) await this.#readSeries([...groups.values()].flat(), range, points)
    return metrics.flatMap((metricName) => {
      const index = METRICS.indexOf(metricName as (typeof METRICS)[number])
      if (index === -1) return []
      return [...groups].flatMap(([key, streams]) => {
        const data =
          range === undefined ? totalOf(streams, index) : seriesOf(streams, index, points, range.count)
        if (data.length === 0) return []
        const values = JSON.parse(key) as string[]
        return [
          { metricName, grouping: Object.fromEntries(groupBy.map((tag, i) => [tag, values[i]!])), data },
        ]
      })
    })
  }

  /** The next tags below those that are given, with every value they have. */
  searchTags(tags: ReadonlyMap<string, string>, maySee: MaySee): { name: string; value: string }[] {
    const name = TAGS.find((tag) => !tags.has(tag))
    if (name === undefined) return []
    const values = new Set<string>()
    for (const stream of this.#counted(tags, maySee)) values.add(tagValue(stream, name))
    return [...values].sort().map((value) => ({ name, value }))
  }

  /** The metrics that streams with these tags have, sorted. */
  searchMetrics(tags: ReadonlyMap<string, string>, maySee: MaySee): string[] {
    const found = new Set<string>()
    for (const { counts } of this.#counted(tags, maySee)) {
      for (const [i, total] of totalsOf(counts).entries()) if (total > 0) found.add(METRICS[i]!)
      if (counts.events > 0) found.add(METRICS[METRIC_OF_BYTES]!)
    }
    return [...found].sort()
  }

  /** Of the streams with these tags, those that have anything to tell. */
  #counted(tags: ReadonlyMap<string, string>, maySee: MaySee): Stream[] {
    return [...this.#streams(tags, maySee)].filter(({ counts }) =>
      totalsOf(counts).some((total) => total > 0),
    )
  }

  *#streams(tags: ReadonlyMap<string, string>, maySee: MaySee): Generator<Stream> {
    if (![...tags.keys()].every(isTag)) return
    for (const stream of this.#registry.allStreams()) {
      const fits = [...tags].every(([tag, value]) => value === '*' || tagValue(stream, tag as Tag) === value)
      if (fits && maySee(stream)) yield stream
    }
  }

  async #readSeries(
    streams: readonly Stream[],
    { resolution, startSecond, endSecond }: TimeRange,
    points: Map<Stream, Map<number, number[]>>,
  ): Promise<void> {
    const counted = streams.filter(({ counts }) => totalsOf(counts).some((total) => total > 0))
    if (counted.length > SERIES_STREAMS_MAX) {
      throw new ServiceError(
        'invalid_parameter',
        `${counted.length} streams have these tags; ask for the series of at most ${SERIES_STREAMS_MAX}, or for the total with aggregate=true`,
      )
    }
    const begin = Math.floor(startSecond / resolution.stepSeconds) * resolution.stepSeconds
    for (const stream of counted) {
      const series = await this.#meter.series(stream.counts, resolution, begin, endSecond)
      points.set(stream, new Map(series.map(([second, values]) => [second, [...values]])))
    }
  }
}

function isTag(tag: string): tag is Tag {
  return (TAGS as readonly string[]).includes(tag)
}

function tagValue({ id }: Stream, tag: Tag): string {
  return id[tag]
}

function totalOf(streams: readonly Stream[], index: number): DataPoint[] {
  let value = 0
  for (const { counts } of streams) value += totalsOf(counts)[index]!
  return value === 0 ? [] : [{ time: 0, value }]
}

function seriesOf(
  streams: readonly Stream[],
  index: number,
  points: ReadonlyMap<Stream, ReadonlyMap<number, number[]>>,
  count: number | undefined,
): DataPoint[] {
  const sums = new Map<number, number>()
  for (const stream of streams) {
    for (const [second, values] of points.get(stream) ?? []) {
      if (values[index]! > 0) sums.set(second, (sums.get(second) ?? 0) + values[index]!)
    }
  }
  const data = [...sums].sort(([a], [b]) => a - b).map(([time, value]) => ({ time, value }))
  return count === undefined ? data : data.slice(0, count)
}
