/** Warm-up and measured time -> one result: the numbers of the second, and the failures of both. */
import type { LoadResult } from './jobs.ts'

export function joined(warmup: LoadResult, measured: LoadResult): LoadResult {
  const failures: Record<string, number> = { ...warmup.failures }
  for (const [reason, count] of Object.entries(measured.failures))
    failures[reason] = (failures[reason] ?? 0) + count
  return { ...measured, failures, acknowledged: warmup.events + measured.events }
}
