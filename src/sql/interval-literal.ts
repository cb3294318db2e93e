/**
 * Interval literals of Flink SQL: `INTERVAL '10' SECOND`, `INTERVAL '1 02:03' DAY TO MINUTE`, units singular or plural. The value
 * is a number of months, or of milliseconds.
 */
import { SqlProblem } from './sql-problem.ts'
import type { StatementCursor } from './statement-cursor.ts'

export type Interval = { readonly months: number } | { readonly ms: number }

const UNITS = ['YEAR', 'MONTH', 'DAY', 'HOUR', 'MINUTE', 'SECOND'] as const
type Unit = (typeof UNITS)[number]
const SINGULAR: Readonly<Record<string, Unit | 'WEEK' | 'QUARTER'>> = {
  ...Object.fromEntries(
    UNITS.flatMap(
      (unit) =>
        [
          [unit, unit],
          [`${unit}S`, unit],
        ] as const,
    ),
  ),
  WEEK: 'WEEK',
  WEEKS: 'WEEK',
  QUARTER: 'QUARTER',
  QUARTERS: 'QUARTER',
}
const MONTHS: Readonly<Record<string, number>> = { YEAR: 12, QUARTER: 3, MONTH: 1 }
const MS: Readonly<Record<string, number>> = {
  WEEK: 604_800_000,
  DAY: 86_400_000,
  HOUR: 3_600_000,
  MINUTE: 60_000,
  SECOND: 1_000,
}
/** What separates a unit from the one before it in a text such as `1 02:03:04`. */
const SEPARATED = { YEAR: '', MONTH: '-', DAY: '', HOUR: ' ', MINUTE: ':', SECOND: ':' } as const

/** Reads from the word INTERVAL on. */
export function readInterval(cursor: StatementCursor): Interval {
  const first = cursor.next('INTERVAL')
  const isNegative = cursor.skip('-')
  const text = cursor.next("a text such as '10'")
  if (text.kind !== 'text' && text.kind !== 'number') {
    cursor.at--
    throw cursor.unexpected("a text such as '10'")
  }
  const from = readUnit(cursor)
  const to = cursor.isWord('TO') && ++cursor.at ? readUnit(cursor) : undefined
  const value = amountOf(text.value.trim(), from, to)
  if (value === undefined) {
    const units = to === undefined ? from : `${from} TO ${to}`
    throw cursor.problem(`${text.text} is no interval of ${units}`, text)
  }
  const amount = isNegative ? -value : value
  if (!Number.isSafeInteger(amount * 1000)) throw cursor.problem('the interval is too long', first, text)
  return from === 'YEAR' || from === 'MONTH' || from === 'QUARTER' ? { months: amount } : { ms: amount }
}

function readUnit(cursor: StatementCursor): string {
  const token = cursor.next('a unit such as SECOND')
  const unit = token.kind === 'word' ? SINGULAR[token.text.toUpperCase()] : undefined
  if (unit === undefined) {
    cursor.at--
    throw cursor.unexpected('a unit such as SECOND')
  }
  if (!cursor.skip('(')) return unit
  while (!cursor.skip(')')) cursor.next("')'") // a precision: DAY(3)
  return unit
}

function amountOf(text: string, from: string, to: string | undefined): number | undefined {
  if (to === undefined) {
    const match = /^([+-]?\d{1,15})(\.\d{1,9})?$/.exec(text)
    if (match === null || (match[2] !== undefined && from !== 'SECOND')) return undefined
    return from in MONTHS ? Number(match[1]) * MONTHS[from]! : Math.trunc(Number(match[0]) * MS[from]!)
  }
  const units = UNITS.slice(UNITS.indexOf(from as Unit), UNITS.indexOf(to as Unit) + 1)
  if (units.length < 2 || from in MONTHS !== to in MONTHS) return undefined
  const pattern = units.map(
    (unit, i) => `${i === 0 ? '' : SEPARATED[unit]}(\\d{1,15}${unit === 'SECOND' ? '(?:\\.\\d{1,9})?' : ''})`,
  )
  const match = new RegExp(`^([+-]?)${pattern.join('')}$`).exec(text)
  if (match === null) return undefined
  const sum = units.reduce((total, unit, i) => total + Number(match[i + 2]) * (MONTHS[unit] ?? MS[unit]!), 0)
  return (match[1] === '-' ? -1 : 1) * Math.trunc(sum)
}

/** As DuckDB parses it. */
export function printInterval(interval: Interval): string {
  return 'months' in interval
    ? `INTERVAL '${interval.months}' MONTH`
    : `INTERVAL '${interval.ms / 1000}' SECOND`
}

/** Milliseconds of an interval that has a fixed length. */
export function fixedMs(interval: Interval): number {
  if ('ms' in interval) return interval.ms
  throw new SqlProblem('an interval of months has no fixed length; use days, hours, minutes or seconds')
}
