/**
 * Metrics as Flink answers them. Without `get` the names; with it the values of those that are known, as texts. Over several jobs,
 * tasks or processes the statistics of numbers, as numbers.
 */
import type { HttpContext } from '../server/bindings.ts'
import { answer } from './answers.ts'
import { queryList, unresolved } from './path-ids.ts'
import { AGGREGATIONS, type Aggregation } from './statistics.ts'

/** Values by Flink's names; what is not known is missing. */
export type Metrics = ReadonlyMap<string, number | string>

export function metricsOf(
  values: Readonly<Record<string, number | string | undefined>>,
  prefix = '',
): Metrics {
  const metrics = new Map<string, number | string>()
  for (const [name, value] of Object.entries(values))
    if (value !== undefined) metrics.set(`${prefix}${name}`, value)
  return metrics
}

/** Undefined: there is nothing of the kind, and so no metric. */
export function answerMetrics(c: HttpContext, metrics: Metrics | undefined): Response {
  const wanted = queryList(c, 'get')
  const known: Metrics = metrics ?? new Map()
  if (wanted === undefined) return answer(c, namesJson(known.keys()))
  const found = [...new Set(wanted)].flatMap((id) => {
    const value = known.get(id)
    return value === undefined ? [] : [{ id, value: String(value) }]
  })
  return answer(c, found)
}

/** `all`: one for each job, task or process. Throws ServiceError 'invalid_parameter' for an unknown statistic. */
export function answerStatistics(c: HttpContext, all: readonly Metrics[], names: Iterable<string>): Response {
  const wanted = queryList(c, 'get')
  const aggregations = aggregationsOf(c)
  if (wanted === undefined) return answer(c, namesJson(names))
  const found = [...new Set(wanted)].flatMap((id) => {
    const values = all.flatMap((metrics) => numberOf(metrics.get(id)) ?? [])
    if (values.length === 0) return []
    return [{ id, ...Object.fromEntries(aggregations.map((name) => [name, AGGREGATIONS[name](values)])) }]
  })
  return answer(c, found)
}

function aggregationsOf(c: HttpContext): readonly Aggregation[] {
  const wanted = queryList(c, 'agg')
  if (wanted === undefined) return Object.keys(AGGREGATIONS) as Aggregation[]
  return wanted.map((text) => {
    const name = text.toLowerCase()
    if (!Object.hasOwn(AGGREGATIONS, name)) throw unresolved('query', 'agg', text)
    return name as Aggregation
  })
}

function numberOf(value: number | string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const number = Number(value)
  return Number.isFinite(number) ? number : undefined
}

function namesJson(names: Iterable<string>): readonly object[] {
  return [...names].map((id) => ({ id }))
}
