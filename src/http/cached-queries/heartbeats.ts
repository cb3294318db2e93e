/** Parameters `heartbeat` and `heartbeats`: what is sent while there is nothing to send, and how often. */
import type { HttpContext } from '../server/bindings.ts'
import { invalidRequest } from './fields.ts'
import { shown } from './query-values.ts'

const DEFAULT_SECONDS = 15
const LEAST_SECONDS = 5
const MOST_SECONDS = 60

export interface Heartbeats {
  /** 0: none. */
  readonly everyMs: number
  readonly asEvent: boolean
}

/** At most half of `idleMs`, after which a silent connection is closed. Throws ServiceError 'invalid_parameter'. */
export function heartbeatsOf(
  c: HttpContext,
  idleMs: number,
  spread: { near(value: number): number },
): Heartbeats {
  const kind = c.req.query('heartbeats') ?? 'comment'
  if (kind !== 'comment' && kind !== 'event')
    throw invalidRequest(`heartbeats is '${shown(kind)}'; use comment or event`)
  const seconds = secondsOf(c.req.query('heartbeat') ?? `${DEFAULT_SECONDS}s`)
  return { everyMs: spread.near(Math.min(seconds * 1000, idleMs / 2)), asEvent: kind === 'event' }
}

function secondsOf(text: string): number {
  if (text === '0') return 0
  const seconds = Number(/^([0-9]{1,3})s$/.exec(text)?.[1] ?? Number.NaN)
  if (seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS) return seconds
  throw invalidRequest(
    `heartbeat is '${shown(text)}'; use 0, or a time from ${LEAST_SECONDS}s to ${MOST_SECONDS}s`,
  )
}
