/** Measures the cases of a suite in turn, round by round: A B C, A B C, … */
import { performance } from 'node:perf_hooks'
import { type Medians, mediansOf } from './metrics.ts'
import type { Case, Round, Sample } from './sample.ts'
import type { Suite } from './suites/suite.ts'
import { judge, type Look, NotMeasured, type Verdict } from './targets.ts'

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
  /** Makes the surroundings of one round of one case, and removes its folder afterwards. */
  readonly withRound: (
    name: string,
    verify: boolean,
    work: (round: Round) => Promise<Sample>,
  ) => Promise<Sample>
  readonly progress: (text: string) => void
}

export const NOT_IN_RUN = 'is not part of this run'

/** What is said of a case that a quick look, which has a bound on its time, did not come to. */
export const TIME_WAS_OVER = 'the time was over'

/** A case on its way. */
interface Course {
  readonly one: Case
  readonly samples: Sample[]
  problem: string | undefined
}

export async function measureSuite(suite: Suite, measuring: Measuring): Promise<SuiteResult> {
  const rounds = Math.min(measuring.rounds, suite.roundsMost ?? Infinity)
  const courses: Course[] = []
  for (const one of suite.cases)
    courses.push({ one, samples: [], problem: await one.unavailable?.().catch(reasonOf) })
  for (let round = 1; round <= rounds; round++)
    for (const course of courses)
      if (course.problem === undefined) await measureOnce(suite.name, course, round, rounds, measuring)
  return {
    name: suite.name,
    about: suite.about,
    rounds,
    cases: courses.map(resultOf),
    verdicts: verdictsOf(suite, courses, rounds),
  }
}

async function measureOnce(
  suite: string,
  course: Course,
  round: number,
  rounds: number,
  { withRound, progress, deadlineMs }: Measuring,
): Promise<void> {
  const { one } = course
  if (performance.now() > deadlineMs) {
    if (course.samples.length === 0) course.problem = TIME_WAS_OVER
    return
  }
  progress(`${suite} ${round}/${rounds} ${one.name} … `)
  try {
    const sample = await withRound(`${suite}-${one.name}-${round}`, round === rounds, (surroundings) =>
      one.run(surroundings),
    )
    course.samples.push(sample)
    progress(`${oneLine(sample)}\n`)
  } catch (error) {
    course.problem = reasonOf(error)
    progress(`${course.problem}\n`)
  }
}

function resultOf({ one, samples, problem }: Course): CaseResult {
  const { name, about, ofService = false } = one
  return { name, about, ofService, ...(problem && { problem }), samples, medians: mediansOf(samples) }
}

function verdictsOf({ targets }: Suite, courses: readonly Course[], rounds: number): Verdict[] {
  const medians = lookInto(courses, (samples) => samples)
  const each = Array.from({ length: rounds }, (_, round) =>
    lookInto(courses, (samples) => samples.slice(round, round + 1)),
  )
  return targets.map((target) => judge(target, medians, rounds > 1 ? each : []))
}

function lookInto(courses: readonly Course[], pick: (samples: readonly Sample[]) => readonly Sample[]): Look {
  const medians = new Map(courses.map(({ one, samples }) => [one.name, mediansOf(pick(samples))]))
  return (name, metric) => {
    const problem = courses.find(({ one }) => one.name === name)?.problem
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
