/** Two runs, or two builds in one run -> by how much each figure differs. */
import { METRICS, type Medians, type Metric } from './metrics.ts'
import type { CaseResult, SuiteResult } from './rounds.ts'
import type { Verdict } from './targets.ts'

/** New over old, by metric; what one of them does not tell is left out. */
export interface Change {
  readonly name: string
  readonly factors: Medians
}

export interface VerdictChange {
  readonly row: string
  readonly before: number | undefined
  readonly after: number | undefined
}

/** Figures to compare: sizes of requests and the load of the load process say nothing about the service. */
const COMPARED = [
  'eventsPerSecond',
  'p50Ms',
  'p99Ms',
  'p999Ms',
  'cpuUsPerEvent',
  'rssPeakMb',
  'rssMb',
  'diskMb',
] as const satisfies readonly Metric[]

export function changesSince(before: readonly SuiteResult[], after: readonly SuiteResult[]): Change[] {
  return after.flatMap(({ name: suite, cases }) => {
    const earlier = new Map(before.find(({ name }) => name === suite)?.cases.map((one) => [one.name, one]))
    return cases.flatMap((one) => changeOf(`${suite}/${one.name}`, earlier.get(one.name), one))
  })
}

/** Ours over the other build, of all cases that both have. */
export function changesBetweenBuilds(suites: readonly SuiteResult[], suffix: string): Change[] {
  return suites.flatMap(({ name: suite, cases }) => {
    const other = new Map(cases.map((one) => [one.name, one]))
    return cases.flatMap((one) => changeOf(`${suite}/${one.name}`, other.get(`${one.name}${suffix}`), one))
  })
}

export function verdictChanges(before: readonly Verdict[], after: readonly Verdict[]): VerdictChange[] {
  const earlier = new Map(before.map(({ row, value }) => [row, value]))
  return after.map(({ row, value }) => ({ row, before: earlier.get(row), after: value }))
}

export function comparedTitle(metric: Metric): string {
  const { title, better } = METRICS[metric]
  return `${title} (${better} is better)`
}

function changeOf(name: string, before: CaseResult | undefined, after: CaseResult): Change[] {
  if (before === undefined) return []
  const factors: Partial<Record<Metric, number>> = {}
  for (const metric of COMPARED) {
    const [old, now] = [before.medians[metric], after.medians[metric]]
    if (old !== undefined && now !== undefined && old > 0) factors[metric] = now / old
  }
  return Object.keys(factors).length === 0 ? [] : [{ name, factors }]
}
