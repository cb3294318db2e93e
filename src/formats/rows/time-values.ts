/**
 * Dates and times of rows as text -> values, and back. Years are 0000 to 9999 of the proleptic Gregorian calendar.
 *
 *   DATE            2021-10-11                                  days since 1970
 *   TIME            12:53:09, a fraction is dropped             microseconds since midnight
 *   TIMESTAMP       2021-10-11 12:53:09.277, 0 to 9 digits;     microseconds since 1970
 *                   T in place of the space, Z at the end
 *   TIMESTAMP_LTZ   the same with Z or an offset, as +01:00     microseconds since 1970 in UTC
 *
 * Indexes are asserted with `!`: the caller passes a range inside the bytes.
 */
import { clockText, dateText } from '../calendar.ts'

const DASH = 0x2d
const PLUS = 0x2b
const COLON = 0x3a
const POINT = 0x2e
const ZERO = 0x30
const SPACE = 0x20
const LETTER_T = 0x54
const LETTER_Z = 0x5a

const DAY_SECONDS = 86_400
const DATE_LENGTH = 10
const CLOCK_LENGTH = 8
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** Units of a fraction with this many digits, in microseconds. */
const UNITS = [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1]

/** Undefined if the text is not a date. */
export function dateValue(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start !== DATE_LENGTH) return undefined
  return daysAt(bytes, start)
}

export function timeValue(bytes: Uint8Array, start: number, end: number): number | undefined {
  const seconds = secondsAt(bytes, start, end)
  if (seconds < 0 || fractionEnd(bytes, start + CLOCK_LENGTH, end) !== end) return undefined
  return seconds * 1_000_000
}

/** `digits` of the fraction are kept, 0 to 6; the rest is dropped. */
export function timestampValue(
  bytes: Uint8Array,
  start: number,
  end: number,
  digits: number,
  isLocal: boolean,
): number | bigint | undefined {
  if (end - start < DATE_LENGTH + 1 + CLOCK_LENGTH) return undefined
  const days = daysAt(bytes, start)
  const between = bytes[start + DATE_LENGTH]
  if (days === undefined || (between !== SPACE && between !== LETTER_T)) return undefined
  const clock = start + DATE_LENGTH + 1
  const seconds = secondsAt(bytes, clock, end)
  if (seconds < 0) return undefined
  const fractionStart = clock + CLOCK_LENGTH
  const zone = fractionEnd(bytes, fractionStart, end)
  if (zone < 0) return undefined
  const offset = zoneSeconds(bytes, zone, end, isLocal)
  if (offset === undefined) return undefined
  const micros = zone === fractionStart ? 0 : fractionMicros(bytes, fractionStart + 1, zone, digits)
  const whole = days * DAY_SECONDS + seconds - offset
  const value = whole * 1_000_000 + micros
  return Number.isSafeInteger(value) ? value : BigInt(whole) * 1_000_000n + BigInt(micros)
}

/** Offset from UTC; undefined if the rest of the text is no zone. */
function zoneSeconds(bytes: Uint8Array, start: number, end: number, isLocal: boolean): number | undefined {
  if (start === end) return isLocal ? undefined : 0
  const sign = bytes[start]
  if (sign === LETTER_Z) return start + 1 === end ? 0 : undefined
  if (!isLocal || (sign !== PLUS && sign !== DASH) || end - start !== 6) return undefined
  const hours = twoDigits(bytes, start + 1)
  const minutes = twoDigits(bytes, start + 4)
  if (bytes[start + 3] !== COLON || hours < 0 || hours > 18 || minutes < 0 || minutes > 59) return undefined
  const seconds = hours * 3_600 + minutes * 60
  return sign === DASH ? -seconds : seconds
}

function daysAt(bytes: Uint8Array, start: number): number | undefined {
  const century = twoDigits(bytes, start)
  const yearOfCentury = twoDigits(bytes, start + 2)
  const month = twoDigits(bytes, start + 5)
  const day = twoDigits(bytes, start + 8)
  if (century < 0 || yearOfCentury < 0 || month < 1 || month > 12 || day < 1) return undefined
  if (bytes[start + 4] !== DASH || bytes[start + 7] !== DASH) return undefined
  const year = century * 100 + yearOfCentury
  if (day > MONTH_DAYS[month - 1]!) return undefined
  if (month === 2 && day === 29 && (year % 4 !== 0 || (year % 100 === 0 && year % 400 !== 0)))
    return undefined
  return daysOf(year, month, day)
}

/** A year begins in March here, so that the leap day is the last day. An era is 400 years. */
export function daysOf(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const monthFromMarch = month > 2 ? month - 3 : month + 9
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** Seconds of `HH:mm:ss`; -1 if there are none. */
function secondsAt(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < CLOCK_LENGTH) return -1
  const hours = twoDigits(bytes, start)
  const minutes = twoDigits(bytes, start + 3)
  const seconds = twoDigits(bytes, start + 6)
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59) return -1
  if (bytes[start + 2] !== COLON || bytes[start + 5] !== COLON) return -1
  return hours * 3_600 + minutes * 60 + seconds
}

/** Where a fraction of at most 9 digits ends that may begin here; -1 after a point without digits, or with too many. */
function fractionEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== POINT) return start
  let at = start + 1
  while (at < end && isDigit(bytes[at]!)) at++
  const digits = at - start - 1
  return digits >= 1 && digits <= 9 ? at : -1
}

function fractionMicros(bytes: Uint8Array, start: number, end: number, digits: number): number {
  const stop = Math.min(end, start + digits)
  let value = 0
  for (let at = start; at < stop; at++) value = value * 10 + bytes[at]! - ZERO
  return value * UNITS[stop - start]!
}

/** -1 if they are none. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const high = bytes[at]! - ZERO
  const low = bytes[at + 1]! - ZERO
  return high >= 0 && high <= 9 && low >= 0 && low <= 9 ? high * 10 + low : -1
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39
}

const FIRST_DAY = -719_528 // 0000-01-01
const LAST_DAY = 2_932_896 // 9999-12-31

/** Texts of values. One instance a writer: it keeps the text of the last day. Undefined: beyond the years 0 to 9999. */
export class TimeTexts {
  #day = Number.NaN
  #dayText = ''

  date(days: number): string | undefined {
    if (days === this.#day) return this.#dayText
    if (!(days >= FIRST_DAY && days <= LAST_DAY)) return undefined
    this.#day = days
    this.#dayText = dateText(days)
    return this.#dayText
  }

  time(micros: number): string {
    return clockText(Math.floor(micros / 1_000_000))
  }

  /** The fraction has at most `digits` digits, and only as many as it needs. */
  timestamp(value: number | bigint, digits: number): string | undefined {
    let seconds: number
    let micros: number
    if (typeof value === 'number') {
      seconds = Math.floor(value / 1_000_000)
      micros = value - seconds * 1_000_000
    } else {
      const rest = ((value % 1_000_000n) + 1_000_000n) % 1_000_000n
      seconds = Number((value - rest) / 1_000_000n)
      micros = Number(rest)
    }
    const day = Math.floor(seconds / DAY_SECONDS)
    const date = this.date(day)
    if (date === undefined) return undefined
    const clock = clockText(seconds - day * DAY_SECONDS)
    return micros === 0 ? `${date} ${clock}` : `${date} ${clock}${fractionText(micros, digits)}`
  }
}

function fractionText(micros: number, digits: number): string {
  let fraction = String(micros).padStart(6, '0').slice(0, digits)
  let length = fraction.length
  while (length > 0 && fraction.charCodeAt(length - 1) === ZERO) length--
  fraction = fraction.slice(0, length)
  return length === 0 ? '' : `.${fraction}`
}
