/** Whether a row can be believed: everything was answered with success, and everything acknowledged is there. */
import { type CaseResult, TIME_WAS_OVER } from './rounds.ts'
import type { Sample } from './sample.ts'

/** Empty if it can. */
export function complaintsOf({ samples, problem, ofService }: CaseResult): string[] {
  const found = new Set(samples.flatMap(complaintsOfSample))
  // On a busy machine a quick run measures fewer cases; those that it measured are sound.
  if (problem !== undefined && problem !== TIME_WAS_OVER && ofService) found.add(problem)
  return [...found]
}

function complaintsOfSample({ failures, acknowledged, stored }: Sample): string[] {
  const found = Object.entries(failures).map(([reason, count]) => `no success: ${reason} (${count})`)
  if (acknowledged !== undefined && stored !== undefined && stored < acknowledged)
    found.push(`LOST ${acknowledged - stored} of ${acknowledged} acknowledged events`)
  return found
}

/** Undefined if nothing was counted. */
export function verificationOf({ samples }: CaseResult): string | undefined {
  const counted = samples.find(({ stored }) => stored !== undefined)
  if (counted?.acknowledged === undefined || counted.stored === undefined) return undefined
  return `${number(counted.acknowledged)} acknowledged, ${number(counted.stored)} stored`
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}
