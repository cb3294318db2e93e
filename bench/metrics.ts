/** Every figure of the tables: how it follows from a sample, its unit, and whether more or less is better. */
import type { Sample } from './sample.ts'

export interface MetricFacts {
  readonly title: string
  readonly better: 'more' | 'less'
  /** Undefined where the sample does not tell. */
  readonly of: (sample: Sample) => number | undefined
}

const MB = 1e6

export const METRICS = {
  eventsPerSecond: {
    title: 'events/s',
    better: 'more',
    of: ({ events, seconds }) => perSecond(events, seconds),
  },
  mbPerSecond: { title: 'MB/s', better: 'more', of: ({ bytes, seconds }) => perSecond(bytes / MB, seconds) },
  p50Ms: { title: 'p50 ms', better: 'less', of: ({ p50Ms }) => p50Ms },
  p99Ms: { title: 'p99 ms', better: 'less', of: ({ p99Ms }) => p99Ms },
  p999Ms: { title: 'p99.9 ms', better: 'less', of: ({ p999Ms }) => p999Ms },
  cpuUsPerEvent: {
    title: 'CPU us/event',
    better: 'less',
    of: ({ cpuSeconds, events }) =>
      cpuSeconds === undefined || events === 0 ? undefined : (cpuSeconds * 1e6) / events,
  },
  busy: {
    title: 'busy %',
    better: 'less',
    of: ({ cpuSeconds, seconds }) =>
      cpuSeconds === undefined || seconds === 0 ? undefined : (cpuSeconds / seconds) * 100,
  },
  loadBusy: {
    title: 'load busy %',
    better: 'less',
    of: ({ loadBusy }) => (loadBusy === undefined ? undefined : loadBusy * 100),
  },
  rssMb: { title: 'RSS MB', better: 'less', of: ({ rssBytes }) => inMb(rssBytes) },
  rssOwnMb: { title: 'own MB', better: 'less', of: ({ rssOwnBytes }) => inMb(rssOwnBytes) },
  rssPeakMb: { title: 'RSS peak MB', better: 'less', of: ({ rssPeakBytes }) => inMb(rssPeakBytes) },
  dataMb: { title: 'data MB', better: 'more', of: ({ bytes }) => inMb(bytes) },
  diskMb: { title: 'disk MB', better: 'less', of: ({ diskBytes }) => inMb(diskBytes) },
} as const satisfies Record<string, MetricFacts>

export type Metric = keyof typeof METRICS

export type Medians = Readonly<Partial<Record<Metric, number>>>

export function mediansOf(samples: readonly Sample[]): Medians {
  const medians: Partial<Record<Metric, number>> = {}
  for (const metric of Object.keys(METRICS) as Metric[]) {
    const values = samples.map((sample) => METRICS[metric].of(sample)).filter((value) => value !== undefined)
    if (values.length > 0) medians[metric] = median(values)
  }
  return medians
}

/** Of at least one value; of an even number of them, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function perSecond(count: number, seconds: number): number | undefined {
  return seconds === 0 || count === 0 ? undefined : count / seconds
}

function inMb(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : bytes / MB
}
