/**
 * Dates and times of captured events, which hold what PostgreSQL holds beyond the values of time-values.ts:
 *
 *   TIME         a fraction, and 24:00:00
 *   DATE, …      infinity and -infinity; years of more than four digits with a sign, and before the year 1: +12026-11-21,
 *                -0043-03-15
 *
 * Infinity is the largest value of DuckDB's type, and -infinity its negative. PostgreSQL's timestamps end in the year 294276,
 * DuckDB's on 294247-01-10 at 04:00:54.775806: those between the two do not fit.
 */
import { latin1 } from '../text-bytes.ts'
import { DATE, type FieldType, TIME } from './field-type.ts'
import { daysOf } from './time-values.ts'

const DATE_INFINITY = 2 ** 31 - 1
const TIMESTAMP_INFINITY = 2n ** 63n - 1n
const DAY_SECONDS = 86_400

const CLOCK = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/
const POINT = /^([+-]?\d{4,7})-(\d\d)-(\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,6})?)Z?)?$/

/** Undefined if the text does not fit. */
export function capturedTime(
  { kind }: FieldType,
  bytes: Uint8Array,
  start: number,
  end: number,
): number | bigint | undefined {
  const text = latin1(bytes, start, end)
  if (kind === TIME) return clockMicros(text)
  if (text === 'infinity') return kind === DATE ? DATE_INFINITY : TIMESTAMP_INFINITY
  if (text === '-infinity') return kind === DATE ? -DATE_INFINITY : -TIMESTAMP_INFINITY
  const match = POINT.exec(text)
  if (match === null || (kind === DATE) !== (match[4] === undefined)) return undefined
  const days = daysOf(Number(match[1]), Number(match[2]), Number(match[3]))
  if (kind === DATE) return days
  const micros = clockMicros(match[4]!)
  if (micros === undefined) return undefined
  const timestamp = BigInt(days) * BigInt(DAY_SECONDS * 1_000_000) + BigInt(micros)
  return timestamp < TIMESTAMP_INFINITY ? timestamp : undefined
}

function clockMicros(text: string): number | undefined {
  const match = CLOCK.exec(text)
  if (match === null) return undefined
  const [hours, minutes, seconds] = match.slice(1, 4).map(Number) as [number, number, number]
  const micros = Number((match[4] ?? '').padEnd(6, '0'))
  const whole = hours * 3_600 + minutes * 60 + seconds
  return whole * 1_000_000 + micros <= DAY_SECONDS * 1_000_000 ? whole * 1_000_000 + micros : undefined
}
