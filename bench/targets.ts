/**
 * Rows that say how far the service is: a figure, mostly a ratio of two cases of one suite, and where it must get to. They
 * are declared beside the suite; a row whose cases were not measured says so.
 */
import { METRICS, type Metric } from './metrics.ts'

/** The figure of a case. Throws NotMeasured. */
export type ReadMetric = (caseName: string, metric: Metric) => number

export interface Target {
  readonly row: string
  readonly atLeast?: number
  readonly atMost?: number
  readonly value: (read: ReadMetric) => number
}

export interface Verdict {
  readonly row: string
  readonly atLeast?: number
  readonly atMost?: number
  /** From the medians; undefined if it could not be measured. */
  readonly value?: number
  /** Why it could not be measured, or where the value is from. */
  readonly reason?: string
  /** Of the rounds, each by itself. */
  readonly lowest?: number
  readonly highest?: number
  readonly outcome: 'reached' | 'fell short' | 'no target' | 'not measured'
}

export class NotMeasured extends Error {
  override readonly name = 'NotMeasured'
}

type Bound = Pick<Target, 'atLeast' | 'atMost'>

export const atLeast = (bound: number): Bound => ({ atLeast: bound })
export const atMost = (bound: number): Bound => ({ atMost: bound })

/** `one` over `other`. */
export function ratio(one: string, other: string, metric: Metric, bound: Bound = {}): Target {
  return {
    row: `${one} / ${other}, ${METRICS[metric].title}`,
    ...bound,
    value: (read) => read(one, metric) / read(other, metric),
  }
}

export function figure(caseName: string, metric: Metric, bound: Bound = {}): Target {
  return { row: `${caseName}, ${METRICS[metric].title}`, ...bound, value: (read) => read(caseName, metric) }
}

export function judge(target: Target, medians: ReadMetric, rounds: readonly ReadMetric[]): Verdict {
  const { row, value: compute, ...bound } = target
  try {
    const value = compute(medians)
    const each = rounds.map((read) => attempt(() => compute(read))).filter((one) => one !== undefined)
    return {
      row,
      ...bound,
      value,
      ...(each.length > 0 && { lowest: Math.min(...each), highest: Math.max(...each) }),
      outcome: outcomeOf(value, bound),
    }
  } catch (error) {
    if (!(error instanceof NotMeasured)) throw error
    return { row, ...bound, reason: error.message, outcome: 'not measured' }
  }
}

function attempt(work: () => number): number | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof NotMeasured) return undefined
    throw error
  }
}

function outcomeOf(value: number, { atLeast: least, atMost: most }: Bound): Verdict['outcome'] {
  if (least === undefined && most === undefined) return 'no target'
  return value >= (least ?? -Infinity) && value <= (most ?? Infinity) ? 'reached' : 'fell short'
}
