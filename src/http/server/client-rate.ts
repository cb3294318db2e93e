/** Counts what a client sends against the rate of its token. */
import type { HttpContext } from './bindings.ts'

/** Called with the events of a batch as they arrive; undefined for a token without a rate. */
export type CountEvents = (events: number, bytes: number) => void

export function countingFor(c: HttpContext, nowMs: () => number): CountEvents | undefined {
  const rate = c.get('client')?.rate
  return rate && ((events, bytes) => rate.take(nowMs(), events, bytes))
}
