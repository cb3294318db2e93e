/** Counts what a client sends against the rate of its token. */
import type { HttpContext } from './bindings.ts'

/** To be told of events as they come; undefined where nothing is counted. */
export type CountEvents = (events: number, bytes: number) => void

export function countingFor(c: HttpContext, nowMs: () => number): CountEvents | undefined {
  const rate = c.get('client')?.rate
  return rate && ((events, bytes) => rate.take(nowMs(), events, bytes))
}
