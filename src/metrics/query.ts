/**
 * Queries about the metrics of streams, answered from totals and series: over all streams with the given tags, or for
 * each value of the tags by which they are grouped. All names here are CDAP's, except those of the last two metrics.
 */
import type { Slice } from '../loop-share.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName, StreamName } from '../streams/names.ts'
import { matchesName } from '../streams/ordered-streams.ts'
import type { Registry, Stream, VisibleNames } from '../streams/registry.ts'
import { COUNTED, type Totals } from '../streams/traffic.ts'
import type { Meter } from './meter.ts'
import type { Point, Resolution } from './series.ts'

/** In the order of COUNTED. */
const METRICS = [
  'system.collect.events',
  'system.collect.bytes',
  'system.collect.async.reject',
  'system.collect.async.lost',
  'system.collect.errors',
] as const
type MetricName = (typeof METRICS)[number]
const METRIC_OF_BYTES = COUNTED.indexOf('bytes')
const METRIC_OF_EVENTS = COUNTED.indexOf('events')

/** Tags of streams, in the order in which a search descends. */
const TAGS = ['namespace', 'stream'] as const
type Tag = (typeof TAGS)[number]

/** Limit of streams whose series one query adds up. Each stream has at most 117 documents (series.ts). */
const SERIES_STREAMS_MAX = 1000
/** Limit of points of one answer, which is in memory: some 25 MB. */
const POINTS_MAX = 250_000

export interface TimeRange {
  /** int64, as clients send it: some clients always send 2^63-1 as the end. */
  readonly startSecond: bigint
  /** Inclusive. */
  readonly endSecond: bigint
  readonly resolution: Resolution
  /** The most points of each series. */
  readonly count: number | undefined
}

export interface MetricsQuery {
  readonly metrics: readonly string[]
  /** `*` matches any value. */
  readonly tags: ReadonlyMap<string, string>
  readonly groupBy: readonly string[]
  /** Undefined means totals. */
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

/** Limits the points of one answer, for all of its queries together. Totals count as points too. */
export class AnswerBudget {
  #left = POINTS_MAX

  /** Throws ServiceError 'invalid_parameter'. */
  take(points: number): void {
    this.#left -= points
    if (this.#left >= 0) return
    throw new ServiceError(
      'invalid_parameter',
      `the answer would have more than ${POINTS_MAX} points; ask for fewer groups, a shorter range or a coarser resolution`,
    )
  }
}

export class StreamMetrics {
  readonly #meter: Meter
  readonly #registry: Registry

  constructor(meter: Meter, registry: Registry) {
    this.#meter = meter
    this.#registry = registry
  }

  /**
   * Returns one series for each metric and group with any counts. A metric or a tag that is given twice counts once.
   * Rejects with 'invalid_parameter' if there are too many streams or points.
   */
  async query(
    { metrics, tags, groupBy, range }: MetricsQuery,
    visible: VisibleNames,
    slice: Slice,
    budget = new AnswerBudget(),
  ): Promise<MetricSeries[]> {
    this.#meter.poll()
    const grouped = [...new Set(groupBy)]
    if (!grouped.every(isTag)) return [] // no stream has such a tag
    const groups = new Map<string, Stream[]>()
    for (const stream of this.#streams(tags, visible)) {
      if (slice.isOver) await slice.next()
      if (!hasCounted(stream)) continue
      const key = JSON.stringify(grouped.map((tag) => tagValue(stream, tag)))
      const group = groups.get(key)
      if (group === undefined) groups.set(key, [stream])
      else group.push(stream)
    }
    if (range !== undefined) assertFewEnough([...groups.values()])
    const names = METRICS.filter((name) => metrics.includes(name))
    const found = new Map(names.map((name) => [name, [] as MetricSeries[]]))
    for (const [key, streams] of groups) {
      if (slice.isOver) await slice.next()
      const points =
        range === undefined ? [[0, totalsOver(streams)] as const] : await this.#points(streams, range)
      const values = JSON.parse(key) as string[]
      const grouping = Object.fromEntries(grouped.map((tag, i) => [tag, values[i]!]))
      for (const [metricName, series] of found) {
        const data = dataOf(points, METRICS.indexOf(metricName), range?.count)
        budget.take(data.length)
        if (data.length > 0) series.push({ metricName, grouping, data })
      }
    }
    return [...new Set(metrics)].flatMap((name) => found.get(name as MetricName) ?? [])
  }

  /** The tag below the given ones, with all its values. */
  async searchTags(
    tags: ReadonlyMap<string, string>,
    visible: VisibleNames,
    slice: Slice,
  ): Promise<{ name: string; value: string }[]> {
    const name = TAGS.find((tag) => !tags.has(tag))
    if (name === undefined) return []
    const values = new Set<string>()
    for (const stream of this.#streams(tags, visible)) {
      if (slice.isOver) await slice.next()
      if (hasCounted(stream)) values.add(tagValue(stream, name))
    }
    return [...values].sort().map((value) => ({ name, value }))
  }

  /** The metrics that streams with these tags have, sorted. */
  async searchMetrics(
    tags: ReadonlyMap<string, string>,
    visible: VisibleNames,
    slice: Slice,
  ): Promise<string[]> {
    const found = new Set<string>()
    for (const { counts } of this.#streams(tags, visible)) {
      if (slice.isOver) await slice.next()
      const totals = counts.whole()
      for (const [i, total] of totals.entries()) if (total > 0) found.add(METRICS[i]!)
      if (totals[METRIC_OF_EVENTS]! > 0) found.add(METRICS[METRIC_OF_BYTES]!)
    }
    return [...found].sort()
  }

  /** The visible streams with these tags. */
  *#streams(tags: ReadonlyMap<string, string>, visible: VisibleNames): Generator<Stream> {
    if (![...tags.keys()].every(isTag)) return
    const namespace = exact(tags.get('namespace')) as NamespaceName | undefined
    const name = exact(tags.get('stream')) as StreamName | undefined
    if (name === undefined) yield* this.#registry.visibleStreams(visible, namespace)
    else
      yield* this.#named(
        name,
        namespace === undefined ? this.#registry.namespaceNames() : [namespace],
        visible,
      )
  }

  *#named(name: StreamName, namespaces: readonly NamespaceName[], visible: VisibleNames): Generator<Stream> {
    for (const namespace of namespaces) {
      const stream = this.#registry.find(namespace, name)
      if (stream !== undefined && matchesName(name, visible(namespace))) yield stream
    }
  }

  /** The sums of the counts of these streams, in chronological order. */
  async #points(
    streams: readonly Stream[],
    { resolution, startSecond, endSecond }: TimeRange,
  ): Promise<Point[]> {
    const begin = Math.floor(Number(startSecond) / resolution.stepSeconds) * resolution.stepSeconds
    const end = Number(endSecond)
    const sums = new Map<number, number[]>()
    for (const { counts } of streams) {
      for (const [second, counted] of await this.#meter.series(counts, resolution, begin, end)) {
        const sum = sums.get(second)
        if (sum === undefined) sums.set(second, [...counted])
        else for (let i = 0; i < counted.length; i++) sum[i]! += counted[i]!
      }
    }
    return [...sums].sort(([a], [b]) => a - b)
  }
}

/** Undefined if any value matches. */
function exact(tag: string | undefined): string | undefined {
  return tag === '*' ? undefined : tag
}

function isTag(tag: string): tag is Tag {
  return (TAGS as readonly string[]).includes(tag)
}

function tagValue({ id }: Stream, tag: Tag): string {
  return id[tag]
}

function hasCounted({ counts }: Stream): boolean {
  return counts.whole().some((total) => total > 0)
}

function assertFewEnough(groups: readonly (readonly Stream[])[]): void {
  const count = groups.reduce((sum, { length }) => sum + length, 0)
  if (count <= SERIES_STREAMS_MAX) return
  throw new ServiceError(
    'invalid_parameter',
    `${count} streams have these tags; ask for the series of at most ${SERIES_STREAMS_MAX}, or for the total with aggregate=true`,
  )
}

function totalsOver(streams: readonly Stream[]): Totals {
  const sums = COUNTED.map(() => 0)
  for (const { counts } of streams) {
    for (const [i, total] of counts.whole().entries()) sums[i]! += total
  }
  return sums
}

/** The points of one metric, without those that are 0. */
function dataOf(points: readonly Point[], index: number, count = Number.POSITIVE_INFINITY): DataPoint[] {
  const data: DataPoint[] = []
  for (const [time, counted] of points) {
    if (data.length >= count) break
    if (counted[index]! > 0) data.push({ time, value: counted[index]! })
  }
  return data
}
