/** Flink's summaries of samples: whole numbers for the extremes, percentiles as its library of statistics estimates them. */

/** Without samples the extremes are 0 and percentiles the text `NaN`, as Flink's JSON has them. */
export interface Statistics {
  readonly min: number
  readonly max: number
  readonly avg: number
  readonly p50: number | 'NaN'
  readonly p90: number | 'NaN'
  readonly p95: number | 'NaN'
  readonly p99: number | 'NaN'
  readonly p999: number | 'NaN'
}

export function statisticsOf(samples: readonly number[]): Statistics {
  if (samples.length === 0)
    return { min: 0, max: 0, avg: 0, p50: 'NaN', p90: 'NaN', p95: 'NaN', p99: 'NaN', p999: 'NaN' }
  const sorted = samples.map(Math.trunc).sort((a, b) => a - b)
  const sum = sorted.reduce((total, sample) => total + sample, 0)
  return {
    min: sorted[0]!,
    max: sorted.at(-1)!,
    avg: Math.trunc(sum / sorted.length),
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p95: percentile(sorted, 0.95),
    p99: percentile(sorted, 0.99),
    p999: percentile(sorted, 0.999),
  }
}

/** The estimate of Apache Commons Math: between the samples around place `share` × (n + 1). */
function percentile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length + 1)
  if (place < 1) return sorted[0]!
  if (place >= sorted.length) return sorted.at(-1)!
  const lower = sorted[Math.floor(place) - 1]!
  const upper = sorted[Math.floor(place)]!
  return lower + (place - Math.floor(place)) * (upper - lower)
}

/** A statistic of values of several tasks, by Flink's name for it. */
export type Aggregation = 'min' | 'max' | 'avg' | 'sum' | 'skew'

export const AGGREGATIONS: Readonly<Record<Aggregation, (values: readonly number[]) => number>> = {
  min: (values) => Math.min(...values),
  max: (values) => Math.max(...values),
  avg: average,
  sum,
  skew,
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function average(values: readonly number[]): number {
  return sum(values) / values.length
}

/** Percent: the average distance from the average, as a share of it, at most 100. */
function skew(values: readonly number[]): number {
  const middle = average(values)
  if (middle === 0) return 0
  const distance = average(values.map((value) => Math.abs(value - middle)))
  return Math.min((distance / middle) * 100, 100)
}
