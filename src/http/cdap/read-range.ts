/**
 * The range of a read from its query string: start, end and limit -> `[startMs, endMs)` and a number of events.
 *
 *   time:   digits                                   milliseconds since 1970, up to 2^63-1; as an end also 2^63
 *           now ( (+|-) digits (ms|s|m|h|d) )*       lower case, nothing in between
 *   limit:  digits                                   1 to 2^31-1
 *
 * Times are compared exactly and returned as numbers. They are checked as the client sent them; clipping to the present and to
 * the ttl happens later, in src/streams.
 */
import { ServiceError } from '../../service-error.ts'

export interface RangeQuery {
  readonly start?: string | undefined
  readonly end?: string | undefined
  readonly limit?: string | undefined
}

/** Milliseconds up to Number.MAX_SAFE_INTEGER, which represents every later time: no event is later. */
export interface RequestedRange {
  readonly startMs: number
  readonly endMs: number
  readonly limit: number
}

export const INT64_MAX = 9_223_372_036_854_775_807n
const INT32_MAX = 2_147_483_647

const DIGITS = /^[0-9]+$/
const TIME_MATH = /^now(?:[+-][0-9]+(?:ms|[smhd]))*$/
const TIME_STEP = /([+-])([0-9]+)(ms|[smhd])/g
const UNIT_MS = {
  ms: 1n,
  s: 1000n,
  m: 60_000n,
  h: 3_600_000n,
  d: 86_400_000n,
} as const

/**
 * Checks in the order of CDAP. Throws ServiceError 'invalid_range'.
 */
export function parseReadRange(query: RangeQuery, nowMs: number): RequestedRange {
  const start = query.start === undefined ? 0n : parseTime(query.start, nowMs, INT64_MAX)
  const end = query.end === undefined ? INT64_MAX : parseTime(query.end, nowMs, INT64_MAX + 1n)
  if (start < 0n) throw invalidRange('Start time must be >= 0')
  if (end < 0n) throw invalidRange('End time must be >= 0')
  if (start >= end) throw invalidRange('Start time must be smaller than end time')
  const limit = query.limit === undefined ? INT32_MAX : parseLimit(query.limit)
  return { startMs: clamp(start), endMs: clamp(end), limit }
}

function parseTime(text: string, nowMs: number, maximum: bigint): bigint {
  return DIGITS.test(text) ? parseInt64(text, maximum) : parseTimeMath(text, nowMs)
}

/** Whole seconds since 1970, up to 2^63-1, or time math. Throws ServiceError 'invalid_range'. */
export function parseSecond(text: string, nowMs: number): bigint {
  if (DIGITS.test(text)) return parseInt64(text, INT64_MAX)
  const ms = parseTimeMath(text, nowMs)
  if (ms < 0n) throw invalidRange(`'${text}' is before 1970`)
  const seconds = ms / 1000n
  return seconds > INT64_MAX ? INT64_MAX : seconds
}

/** Milliseconds since 1970 of time math such as `now-1h`. Throws ServiceError 'invalid_range'. */
export function parseTimeMath(text: string, nowMs: number): bigint {
  if (!TIME_MATH.test(text)) throw invalidRange(`invalid time format ${text}`)
  let time = BigInt(nowMs)
  for (const [, sign, amount, unit] of text.matchAll(TIME_STEP)) {
    const stepMs = parseInt64(amount!, INT64_MAX) * UNIT_MS[unit as keyof typeof UNIT_MS]
    time += sign === '+' ? stepMs : -stepMs
  }
  return time
}

function parseInt64(digits: string, maximum: bigint): bigint {
  const value = BigInt(digits)
  if (value > maximum) throw invalidRange(`For input string: "${digits}"`)
  return value
}

function parseLimit(text: string): number {
  const limit = /^[+-]?[0-9]+$/.test(text) ? Number(text) : Number.NaN
  if (limit <= 0) throw invalidRange('Cannot request for <=0 events')
  if (!(limit <= INT32_MAX))
    throw invalidRange(`limit is '${text}'; use a whole number from 1 to ${INT32_MAX}`)
  return limit
}

function clamp(ms: bigint): number {
  return ms > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(ms)
}

function invalidRange(message: string): ServiceError {
  return new ServiceError('invalid_range', message)
}
