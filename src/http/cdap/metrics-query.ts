/**
 * Metrics queries as text: a query string, or a JSON document with many of them -> MetricsQuery.
 *
 *   time:        digits                                seconds since 1970, up to 2^63-1
 *                now ( (+|-) digits (ms|s|m|h|d) )*
 *   resolution:  1s | 1m | 1h | auto
 *
 *   {"<name>": {"tags": {…}, "metrics": […], "groupBy": […],
 *               "timeRange": {"start", "end", "count", "resolution", "aggregate"}}, …}
 */
import type { MetricsQuery, TimeRange } from '../../metrics/query.ts'
import { HOURS, MINUTES, RESOLUTIONS, type Resolution, SECONDS } from '../../metrics/series.ts'
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText, scalarTexts } from '../messages/json-values.ts'
import type { LenientJson } from '../messages/lenient-json.ts'
import { INT64_MAX, parseSecond } from './read-range.ts'

/** Longer ranges are told by the minute, and by the hour. */
const BY_MINUTE_SECONDS = 600
const BY_HOUR_SECONDS = 36_000
const QUERIES_MAX = 100

interface Parameters {
  readonly metrics: readonly string[]
  readonly tags: ReadonlyMap<string, string>
  readonly groupBy: readonly string[]
  /** start, end, count, resolution, aggregate. */
  readonly range: (name: string) => string | undefined
}

/** Throws ServiceError 'invalid_parameter'. */
export function parseMetricsQuery(query: URLSearchParams, nowMs: number): MetricsQuery {
  return metricsQuery(
    {
      metrics: query.getAll('metric'),
      tags: parseTags(query),
      groupBy: query.getAll('groupBy'),
      range: (name) => query.get(name) ?? undefined,
    },
    nowMs,
  )
}

/** `name:value`, as often as there are. Throws ServiceError 'invalid_parameter'. */
export function parseTags(query: URLSearchParams): ReadonlyMap<string, string> {
  return new Map(
    query.getAll('tag').map((tag) => {
      const colon = tag.indexOf(':')
      if (colon === -1) throw invalid(`tag is '${tag}'; use name:value`)
      return [tag.slice(0, colon), tag.slice(colon + 1)]
    }),
  )
}

/** Queries by their names. Throws ServiceError 'invalid_parameter'. */
export function parseMetricsBatch(
  body: Uint8Array,
  depthMax: number,
  nowMs: number,
): Map<string, MetricsQuery> {
  const json = readJson(body, depthMax, ({ message }) =>
    invalid(`the metrics queries are no JSON: ${message}`),
  )
  if (!(json instanceof Map))
    throw invalid('the metrics queries are no JSON object of queries by their names')
  if (json.size > QUERIES_MAX) throw invalid(`there are ${json.size} queries; send at most ${QUERIES_MAX}`)
  return new Map(
    [...(json as ReadonlyMap<string, LenientJson>)].map(([name, query]) => [
      name,
      batchQuery(name, query, nowMs),
    ]),
  )
}

function batchQuery(name: string, json: LenientJson, nowMs: number): MetricsQuery {
  const wrong = invalid(
    `query '${name}' is not understood; use {"tags":{…},"metrics":[…],"groupBy":[…],"timeRange":{…}}`,
  )
  if (!(json instanceof Map)) throw wrong
  const members = json as ReadonlyMap<string, LenientJson>
  const texts = (member: string) => {
    const tagged = scalarTexts(members.get(member) ?? new Map())
    if (tagged === undefined) throw wrong
    return tagged
  }
  const list = (member: string) => {
    const values = members.get(member) ?? []
    const all = Array.isArray(values) ? (values as LenientJson[]).map(scalarText) : [undefined]
    if (!all.every((one) => one !== undefined)) throw wrong
    return all as string[]
  }
  const range = texts('timeRange')
  const parameters = { metrics: list('metrics'), tags: texts('tags'), groupBy: list('groupBy') }
  return metricsQuery({ ...parameters, range: (member) => range.get(member) }, nowMs)
}

function metricsQuery({ metrics, tags, groupBy, range }: Parameters, nowMs: number): MetricsQuery {
  if (metrics.length === 0) throw invalid('Missing metrics parameter in the query')
  return { metrics, tags, groupBy, range: timeRange(range, nowMs) }
}

/** Undefined for totals. */
function timeRange(parameter: Parameters['range'], nowMs: number): TimeRange | undefined {
  const start = second(parameter('start'), nowMs)
  const end = second(parameter('end'), nowMs)
  if (parameter('aggregate') === 'true' || (start === undefined && end === undefined)) return undefined
  const count = parseCount(parameter('count'))
  const resolution = parseResolution(parameter('resolution'), start, end)
  if (start !== undefined && end !== undefined) {
    if (end < start) throw invalid(`end is ${end}, before start, which is ${start}`)
    return { startSecond: start, endSecond: end, resolution, count }
  }
  // CDAP's text, with the space at its end.
  if (count === undefined)
    throw invalid('At least two of count/start/end parameters are required for time-range queries ')
  const span = BigInt(count - 1) * BigInt(resolution.stepSeconds)
  if (start !== undefined) {
    const last = start + span
    return { startSecond: start, endSecond: last > INT64_MAX ? INT64_MAX : last, resolution, count }
  }
  return { startSecond: end! > span ? end! - span : 0n, endSecond: end!, resolution, count }
}

function parseResolution(text = 'auto', start?: bigint, end?: bigint): Resolution {
  const named = RESOLUTIONS.find(({ name }) => name === text)
  if (named !== undefined) return named
  if (text !== 'auto') throw invalid(`resolution is '${text}'; use 1s, 1m, 1h or auto`)
  const seconds = start === undefined || end === undefined ? 0n : end - start
  if (seconds > BY_HOUR_SECONDS) return HOURS
  return seconds > BY_MINUTE_SECONDS ? MINUTES : SECONDS
}

function parseCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[0-9]{1,9}$/.test(text) || Number(text) === 0)
    throw invalid(`count is '${text}'; use a whole number above 0`)
  return Number(text)
}

function second(text: string | undefined, nowMs: number): bigint | undefined {
  return text === undefined ? undefined : parseSecond(text, nowMs)
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
