/** A list of cases measured in turn, and its targets. */
import type { Case } from '../sample.ts'
import type { Target } from '../targets.ts'
import type { BuildUnderTest } from '../workloads/build-under-test.ts'

export interface Suite {
  readonly name: string
  readonly about: string
  readonly cases: readonly Case[]
  readonly targets: readonly Target[]
  /** Fewer rounds than asked for, where one round tells as much as many. */
  readonly roundsMost?: number
  /** Ends what the cases have started for all of them. */
  end?(): Promise<void>
}

/** Inputs of a suite: at least one build under test, ours first. */
export interface SuiteParts {
  readonly buildsUnderTest: readonly BuildUnderTest[]
  /** Smaller stores, where their size is not the point. */
  readonly quick: boolean
}
