/**
 * Results as files: one JSON document per run, every sample in it.
 *
 *   bench/results/<date>-<short commit>.json, with -2, -3 … where there is one already
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { MachineFacts } from './machine.ts'
import { benchFile } from './paths.ts'
import type { SuiteResult } from './rounds.ts'
import type { Verdict } from './targets.ts'

export interface RunResult {
  readonly format: typeof FORMAT
  /** ISO 8601, UTC: when the run started. */
  readonly date: string
  readonly machine: MachineFacts
  readonly quick: boolean
  readonly seconds: number
  readonly suites: readonly SuiteResult[]
  readonly memory: Verdict
}

/** Raised when old files could no longer be compared. */
export const FORMAT = 'millrace-bench 1'

export function fileFor({ date, machine }: RunResult): string {
  const name = `${date.slice(0, 10)}-${machine.commit}`
  for (let copy = 1; ; copy++) {
    const file = join(benchFile('results'), `${name}${copy === 1 ? '' : `-${copy}`}.json`)
    if (!existsSync(file)) return file
  }
}

export function saveResult(file: string, result: RunResult): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(result, undefined, 1)}\n`)
}

/** Throws an Error with one sentence for the terminal. */
export function loadResult(file: string): RunResult {
  const result = parsed(file)
  if (result.format !== FORMAT) throw new Error(`${file} is not a saved result of this bench`)
  return result as RunResult
}

function parsed(file: string): Partial<RunResult> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${file} cannot be read: ${reason}`, { cause })
  }
}
