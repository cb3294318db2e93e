/** Measures the cases of a suite in turn, round by round: A B C, A B C, … */
import { performance } from 'node:perf_hooks'
import { type Medians, mediansOf } from './metrics.ts'
import type { Case, Round, Sample } from './sample.ts'
import type { Suite } from './suites/suite.ts'
import { judge, NotMeasured, type ReadMetric, type Verdict } from './targets.ts'

export interface CaseResult {
  readonly name: string
  readonly about: string
  readonly ofService: boolean
  /** Why there are no samples, or no more of them. */
  readonly problem?: string
  readonly samples: readonly Sample[]
  readonly medians: Medians
}

export interface SuiteResult {
  readonly name: string
  readonly about: string
  readonly rounds: number
  readonly cases: readonly CaseResult[]
  readonly verdicts: readonly Verdict[]
}

export interface Measuring {
  readonly rounds: number
  /** By `performance.now()`: no case begins after it. */
  readonly deadlineMs: number
  /** Creates the folder of one round of one case, and removes it afterwards. */
  readonly withRound: (
    name: string,
    verify: boolean,
    work: (round: Round) => Promise<Sample>,
  ) => Promise<Sample>
  readonly progress: (text: string) => void
}

export const NOT_IN_RUN = 'is not part of this run'

/** The reason of a case that a quick run did not reach before its deadline. */
export const TIME_WAS_OVER = 'the time was over'

/** A case on its way. */
interface CaseRun {
  readonly one: Case
  readonly samples: Sample[]
  problem: string | undefined
  readonly isSkipped: boolean
}

export async function measureSuite(suite: Suite, measuring: Measuring): Promise<SuiteResult> {
  const rounds = Math.min(measuring.rounds, suite.roundsMost ?? Infinity)
  const caseRuns: CaseRun[] = []
  for (const one of suite.cases) {
    const problem = await one.unavailable?.().catch(reasonOf)
    const isSkipped = problem !== undefined && one.optional === true
    caseRuns.push({ one, samples: [], problem, isSkipped })
  }
  try {
    for (let round = 1; round <= rounds; round++)
      for (const caseRun of caseRuns)
        if (caseRun.problem === undefined) await measureOnce(suite.name, caseRun, round, rounds, measuring)
  } finally {
    await suite.end?.()
  }
  return {
    name: suite.name,
    about: suite.about,
    rounds,
    cases: caseRuns.map(resultOf),
    verdicts: verdictsOf(suite, caseRuns, rounds),
  }
}

async function measureOnce(
  suite: string,
  caseRun: CaseRun,
  round: number,
  rounds: number,
  { withRound, progress, deadlineMs }: Measuring,
): Promise<void> {
  const { one } = caseRun
  if (performance.now() > deadlineMs) {
    if (caseRun.samples.length === 0) caseRun.problem = TIME_WAS_OVER
    return
  }
  progress(`${suite} ${round}/${rounds} ${one.name} … `)
  try {
    const sample = await withRound(`${suite}-${one.name}-${round}`, round === rounds, (environment) =>
      one.run(environment),
    )
    caseRun.samples.push(sample)
    progress(`${oneLine(sample)}\n`)
  } catch (error) {
    caseRun.problem = reasonOf(error)
    progress(`${caseRun.problem}\n`)
  }
}

function resultOf({ one, samples, problem, isSkipped }: CaseRun): CaseResult {
  const { name, about } = one
  const ofService = one.ofService === true && !isSkipped
  return { name, about, ofService, ...(problem && { problem }), samples, medians: mediansOf(samples) }
}

function verdictsOf({ targets }: Suite, caseRuns: readonly CaseRun[], rounds: number): Verdict[] {
  const medians = metricReader(caseRuns, (samples) => samples)
  const each = Array.from({ length: rounds }, (_, round) =>
    metricReader(caseRuns, (samples) => samples.slice(round, round + 1)),
  )
  return targets.map((target) => judge(target, medians, rounds > 1 ? each : []))
}

function metricReader(
  caseRuns: readonly CaseRun[],
  pick: (samples: readonly Sample[]) => readonly Sample[],
): ReadMetric {
  const medians = new Map(caseRuns.map(({ one, samples }) => [one.name, mediansOf(pick(samples))]))
  return (name, metric) => {
    const problem = caseRuns.find(({ one }) => one.name === name)?.problem
    if (problem !== undefined) throw new NotMeasured(`${name}: ${problem}`)
    const of = medians.get(name)
    if (of === undefined) throw new NotMeasured(`${name} ${NOT_IN_RUN}`)
    const value = of[metric]
    if (value === undefined) throw new NotMeasured(`${name} does not tell`)
    return value
  }
}

function oneLine(sample: Sample): string {
  const { eventsPerSecond, p50Ms, rssMb, diskMb } = mediansOf([sample])
  if (eventsPerSecond !== undefined) return `${Math.round(eventsPerSecond).toLocaleString('en-US')} events/s`
  if (p50Ms !== undefined) return `${Math.round(p50Ms)} ms`
  if (rssMb !== undefined) return `${Math.round(rssMb)} MB`
  return diskMb === undefined ? 'done' : `${Math.round(diskMb)} MB on disk`
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
