/** Which ended jobs are removed: all but the newest of each namespace, and those that ended a short time ago. */
import { isTerminal } from './job.ts'
import type { JobRecord } from './job-record.ts'

/** Of one namespace. */
export const HISTORY_JOBS_MAX = 1_000
/** Younger ones are kept beyond that number. */
export const HISTORY_MS = 24 * 3_600_000
/** Characters of statements and names of all ended jobs: above this the oldest are removed whatever their age. */
export const HISTORY_CHARACTERS_MAX = 64 * 1024 * 1024
/** For every job, besides its texts. */
const JOB_CHARACTERS = 4_096

/** In the order in which they ended, oldest first. */
export function removable(records: Iterable<JobRecord>, nowMs: number): JobRecord[] {
  const ended = [...records]
    .filter(({ state }) => isTerminal(state))
    .sort((a, b) => endOf(b) - endOf(a) || b.number - a.number)
  const kept = new Map<string, number>()
  let characters = 0
  const removed = ended.filter((record) => {
    const newer = kept.get(record.namespace) ?? 0
    kept.set(record.namespace, newer + 1)
    characters += JOB_CHARACTERS + record.statement.length + record.name.length
    const isOld = newer >= HISTORY_JOBS_MAX && nowMs - endOf(record) >= HISTORY_MS
    return isOld || characters > HISTORY_CHARACTERS_MAX
  })
  return removed.reverse()
}

function endOf({ endMs, startMs }: JobRecord): number {
  return endMs ?? startMs
}
