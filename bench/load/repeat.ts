/** Requests that take long, one after the other: how often each of them is made. */
import type { Repetition } from './jobs.ts'
import type { Meter } from './meter.ts'
import type { LoadWork } from './run-job.ts'

/** One request, which tells the meter how it went. */
export type OneRequest = (meter: Meter) => Promise<void>

export function repeating({ warmups, atLeast, seconds }: Repetition, request: OneRequest): LoadWork {
  return {
    async warmUp(meter) {
      for (let i = 0; i < warmups; i++) await request(meter)
    },
    async measure(meter) {
      for (let i = 0; i < atLeast || meter.elapsedSeconds < seconds; i++) await request(meter)
    },
  }
}

/** What an error is counted under. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error ? String(error.code) : error.message
}
