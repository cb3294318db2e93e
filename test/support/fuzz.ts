/**
 * Random inputs, after those of the corpus, which once failed: the same few of them in the short form, new ones for a
 * given time in the long form.
 *
 * Inputs come in rounds, each from a seed of its own, so that a failure is named by a seed and a place in its round. Its
 * message has the input, shrunk, and the one command that repeats it:
 *
 *   FUZZ_SEED=<seed>:<path> npx vitest run <file> -t "<test>"
 */

import { relative } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'
import { effort, SEED, tellProof } from './effort.ts'
import { proofFailure, proven } from './proven.ts'

export interface FuzzOptions<T> {
  readonly input: fc.Arbitrary<T>
  /** Throws if the input shows a fault. */
  readonly check: (input: T) => unknown
  /** Inputs to begin with, whatever the seed. */
  readonly corpus?: readonly T[]
  /** `seed:path`, as failures name them: inputs to begin with as well. */
  readonly seeds?: readonly string[]
  /** Of the long form. */
  readonly longSeconds: number
  /** Few where one input takes long. */
  readonly inputsPerRound?: number
  /** Small values are no more likely than others. */
  readonly unbiased?: boolean
  /** More counts for the line that the proof prints at its end. */
  readonly tell?: () => Readonly<Record<string, number | string>>
}

/** Enough for a few steps or bytes to be left; more takes longer than reading them. */
const SHRINKS_MAX = 600
const INPUTS_PER_ROUND = 50
const SHORT_ROUNDS = 2

/** A test of this takes a little longer than its seconds, and longer still when a failure is shrunk, or on a broker. */
export const FUZZ_TIMEOUT_MS = process.env.TEST_STORAGE ? 900_000 : effort({ short: 120_000, long: 900_000 })

export async function fuzz<T>(name: string, options: FuzzOptions<T>): Promise<void> {
  let inputs = 0
  let slowestMs = 0
  const property = fc.asyncProperty(fc.limitShrink(options.input, SHRINKS_MAX), async (input) => {
    const begun = performance.now()
    await options.check(input)
    inputs++
    slowestMs = Math.max(slowestMs, performance.now() - begun)
  })
  const unbiased = options.unbiased ?? false
  const repeated = process.env.FUZZ_SEED
  if (repeated !== undefined) return assertRound(property, { ...parametersOf(repeated), unbiased })
  for (const input of options.corpus ?? []) await proven(() => options.check(input))
  for (const seed of options.seeds ?? []) await assertRound(property, { ...parametersOf(seed), unbiased })

  const begun = performance.now()
  const endMs = begun + options.longSeconds * 1000
  const goesOn = effort({
    short: (round: number) => round < SHORT_ROUNDS,
    long: () => performance.now() < endMs,
  })
  for (let round = 0; goesOn(round); round++) {
    const seed = (SEED + round) % 2 ** 31
    await assertRound(property, { seed, unbiased, numRuns: options.inputsPerRound ?? INPUTS_PER_ROUND })
    // A check may be synchronous throughout: give timers and sockets a chance between two rounds.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const minutes = (performance.now() - begun) / 60_000
  tellProof(name, {
    inputs,
    'a minute': Math.round(inputs / minutes),
    'slowest ms': Math.round(slowestMs),
    ...options.tell?.(),
  })
}

/** The input as it was before it was shrunk: that is done anew. */
function parametersOf(seedAndPath: string) {
  const [seed, path = '0'] = seedAndPath.split(':')
  return { seed: Number(seed), path, numRuns: Number(path) + 1 }
}

async function assertRound<T>(property: fc.IAsyncProperty<T>, parameters: fc.Parameters<T>): Promise<void> {
  const result = await fc.check(property, parameters)
  if (!result.failed) return
  const { testPath, currentTestName } = expect.getState()
  const [test] = (currentTestName ?? '').split(' > ').slice(-1)
  const file = relative(process.cwd(), testPath ?? '')
  const place = `${result.seed}:${(result.counterexamplePath ?? '0').split(':')[0]}`
  const report = await fc.asyncDefaultReportMessage(result)
  const text = `${report}\n\nTo repeat it:\n  FUZZ_SEED=${place} npx vitest run ${file} -t "${test}"\n`
  throw proofFailure(new Error(text, { cause: result.errorInstance }))
}
