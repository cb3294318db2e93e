/**
 * Numbers of rows as text -> exact values, from bytes. The form is that of Java's BigDecimal: a sign, digits with a point,
 * an exponent. The time is linear in the length of the text: digits that cannot matter are only passed over.
 *
 * Indexes are asserted with `!`: the caller passes a range inside the bytes.
 */
import { readInt, readLong } from '../number-text.ts'

const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
/** A number holds this many decimal digits exactly. */
const EXACT_DIGITS = 15
/** The most digits before the point that a DECIMAL(38) can have, and one more. */
const WHOLE_DIGITS_MAX = 39
const EXPONENT_MAX = 1_000_000_000
const TENS = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15]

export interface WholeRange {
  readonly min: number
  readonly max: number
}

export const TINYINT_RANGE: WholeRange = { min: -128, max: 127 }
export const SMALLINT_RANGE: WholeRange = { min: -32_768, max: 32_767 }
export const INT_RANGE: WholeRange = { min: -2_147_483_648, max: 2_147_483_647 }

const LONG_MAX = 9_223_372_036_854_775_807n
const LONG_MIN = -9_223_372_036_854_775_808n

/** A whole number, as `12`, `12.0` or `1.2e1`; undefined if the text is none, or not within the range. */
export function wholeNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  range: WholeRange,
): number | undefined {
  let value: number | bigint | 'overflow' | 'inexact' | undefined = readInt(bytes, start, end)
  if (Number.isNaN(value)) value = unscaledNumber(bytes, start, end, 0, true)
  return typeof value === 'number' && value >= range.min && value <= range.max ? value : undefined
}

/** As wholeNumber, within 64 bits. A bigint where a number would not be exact. */
export function longNumber(bytes: Uint8Array, start: number, end: number): number | bigint | undefined {
  const plain = readLong(bytes, start, end)
  if (plain !== undefined) return plain
  const value = unscaledNumber(bytes, start, end, 0, true)
  if (typeof value === 'number') return value
  return typeof value === 'bigint' && value >= LONG_MIN && value <= LONG_MAX ? value : undefined
}

/** The unscaled value of a DECIMAL, rounded half up; null if it has too many digits, undefined if the text is no number. */
export function decimalNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  precision: number,
  scale: number,
): number | bigint | null | undefined {
  const value = unscaledNumber(bytes, start, end, scale, false)
  if (value === 'overflow') return null
  if (value === 'inexact' || value === undefined) return undefined
  return fitsPrecision(value, precision) ? value : null
}

const DECIMAL_LIMITS = Array.from({ length: 39 }, (_, precision) => 10n ** BigInt(precision))

/** Whether an unscaled value has at most this many digits. */
export function fitsPrecision(value: number | bigint, precision: number): boolean {
  if (typeof value === 'number') return Math.abs(value) < 10 ** precision
  const limit = DECIMAL_LIMITS[precision]!
  return value < limit && value > -limit
}

/**
 * The number times 10^scale, rounded half up. 'inexact': `exact` is required, and it is none. 'overflow': beyond 39 digits.
 * Undefined: the text is no number.
 */
function unscaledNumber(
  bytes: Uint8Array,
  start: number,
  end: number,
  scale: number,
  exact: boolean,
): number | bigint | 'overflow' | 'inexact' | undefined {
  let at = start
  const negative = bytes[at] === MINUS
  if (at < end && (negative || bytes[at] === PLUS)) at++
  const digitsStart = at
  let mantissa = 0
  let digits = 0
  let significant = 0
  let fraction = -1
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit >= 0 && digit <= 9) {
      digits++
      if (significant > 0 || digit > 0) significant++
      if (significant <= EXACT_DIGITS) mantissa = mantissa * 10 + digit
      if (fraction >= 0) fraction++
    } else if (bytes[at] === POINT && fraction < 0) {
      fraction = 0
    } else {
      break
    }
  }
  if (digits === 0) return undefined
  const digitsEnd = at
  let exponent = 0
  if (at < end) {
    const parsed = exponentAt(bytes, at, end)
    if (parsed === undefined) return undefined
    exponent = parsed
  }
  const shift = scale - Math.max(fraction, 0) + exponent
  if (significant <= EXACT_DIGITS) {
    const near = shifted(mantissa, shift, exact)
    if (near === 'inexact') return near
    if (near !== undefined) return negative && near !== 0 ? -near : near
  }
  const far = unscaledDigits(bytes, digitsStart, digitsEnd, significant, shift, exact)
  if (typeof far !== 'bigint') return far
  const value = negative ? -far : far
  const number = Number(value)
  return Number.isSafeInteger(number) ? number + 0 : value
}

/** Undefined if it cannot be computed exactly with numbers. */
function shifted(mantissa: number, shift: number, exact: boolean): number | 'inexact' | undefined {
  if (mantissa === 0) return 0
  if (shift >= 0) {
    if (shift > EXACT_DIGITS) return undefined
    const value = mantissa * TENS[shift]!
    return Number.isSafeInteger(value) ? value : undefined
  }
  if (shift < -EXACT_DIGITS) return undefined
  const unit = TENS[-shift]!
  const rest = mantissa % unit
  if (rest !== 0 && exact) return 'inexact'
  return (mantissa - rest) / unit + (rest * 2 >= unit ? 1 : 0)
}

/** The digits without leading zeros times 10^shift, where the digits have a point that does not count. */
function unscaledDigits(
  bytes: Uint8Array,
  start: number,
  end: number,
  significant: number,
  shift: number,
  exact: boolean,
): bigint | 'overflow' | 'inexact' {
  if (significant === 0) return 0n
  /** This many leading digits are the value. */
  const kept = significant + shift
  if (kept > 2 * WHOLE_DIGITS_MAX) return 'overflow'
  let text = ''
  let next = 0
  let isExact = true
  let seen = 0
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || (seen === 0 && digit === 0)) continue // the point, or a leading zero
    if (seen < kept) text += String(digit)
    else if (digit !== 0) isExact = false
    if (seen === kept) next = digit
    seen++
    if (seen > kept && !exact) break
    if (!isExact && exact) return 'inexact'
  }
  const value = BigInt(text + '0'.repeat(Math.max(0, kept - significant)))
  return next >= 5 ? value + 1n : value
}

/** `e` or `E`, perhaps a sign, and digits up to the end. */
function exponentAt(bytes: Uint8Array, start: number, end: number): number | undefined {
  if ((bytes[start]! | 0x20) !== 0x65) return undefined
  let at = start + 1
  const negative = bytes[at] === MINUS
  if (at < end && (negative || bytes[at] === PLUS)) at++
  if (at >= end) return undefined
  let exponent = 0
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return undefined
    if (exponent < EXPONENT_MAX) exponent = exponent * 10 + digit
  }
  return negative ? -exponent : exponent
}
