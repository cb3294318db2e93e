/**
 * Dates and times of PostgreSQL (DateStyle ISO) as texts of ISO 8601.
 *
 *   2026-11-21 02:52:56.817123        2026-11-21T02:52:56.817123
 *   2026-11-21 02:52:56.817123+00     2026-11-21T02:52:56.817123Z; another offset is converted to UTC
 *   0044-03-15 12:00:00 BC            -0043-03-15T12:00:00; the year 0 is 1 BC
 *   12026-11-21                       +12026-11-21; a year of more than four digits has a sign
 *   infinity, -infinity               as they are
 */

const SPACE = 0x20
const PLUS = 0x2b
const COMMON_DATE = 10 // characters of a date whose year has four digits
const BEFORE_CHRIST = ' BC'

export function dateIso(text: string): string {
  return text.length === COMMON_DATE ? text : (isoText(text) ?? text)
}

export function timestampIso(text: string): string {
  if (text.charCodeAt(COMMON_DATE) === SPACE && !text.endsWith(BEFORE_CHRIST))
    return `${text.slice(0, COMMON_DATE)}T${text.slice(COMMON_DATE + 1)}`
  return isoText(text) ?? text
}

export function timestampUtcIso(text: string): string {
  if (
    text.charCodeAt(COMMON_DATE) === SPACE &&
    text.charCodeAt(text.length - 3) === PLUS &&
    text.endsWith('00')
  )
    return `${text.slice(0, COMMON_DATE)}T${text.slice(COMMON_DATE + 1, -3)}Z`
  return isoText(text) ?? text
}

const PARTS =
  /^(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(\.\d+)?)?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?$/

/** Undefined for infinity. */
function isoText(text: string): string | undefined {
  const parts = PARTS.exec(text)
  if (parts === null) return undefined
  const [, yearText, month, day, hours, minutes, seconds, fraction = '', sign, ...rest] = parts
  const [offsetHours = '0', offsetMinutes = '0', offsetSeconds = '0', beforeChrist] = rest
  const year = beforeChrist === undefined ? Number(yearText) : 1 - Number(yearText)
  if (hours === undefined) return `${isoYear(year)}-${month}-${day}`
  if (sign === undefined) return `${isoYear(year)}-${month}-${day}T${hours}:${minutes}:${seconds}${fraction}`
  const offset = Number(offsetHours) * 3_600 + Number(offsetMinutes) * 60 + Number(offsetSeconds)
  // The calendar repeats after 400 years, so a near year replaces one that Date does not have.
  const nearYear = 2_000 + (((year % 400) + 400) % 400)
  const local = Date.UTC(
    nearYear,
    Number(month) - 1,
    Number(day),
    Number(hours),
    Number(minutes),
    Number(seconds),
  )
  const utc = new Date(local + (sign === '-' ? offset : -offset) * 1_000)
  const utcYear = year + utc.getUTCFullYear() - nearYear
  return `${isoYear(utcYear)}${utc.toISOString().slice(4, 19)}${fraction}Z`
}

function isoYear(year: number): string {
  if (year > 9_999) return `+${year}`
  return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
}
