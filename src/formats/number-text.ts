/**
 * Parses numbers as Java does, directly from bytes.
 *
 *   int, long:      sign? digits, within 32 or 64 bits; no spaces
 *   float, double:  spaces around; sign? then NaN, Infinity, or digits with a point and an exponent, and perhaps an f or
 *                   d at the end. Java's hexadecimal form is not accepted.
 *
 * Indexes are asserted with `!`: the caller passes a range inside the bytes, and the scale is compared with the size of
 * TENS.
 */
import { latin1 } from './text-bytes.ts'

const PLUS = 0x2b
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30

/** Returns NaN if the bytes are not an int. */
export function readInt(bytes: Uint8Array, start: number, end: number): number {
  const sign = bytes[start]
  let at = sign === MINUS || sign === PLUS ? start + 1 : start
  if (at >= end) return Number.NaN
  let value = 0
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
    if (value > 2_147_483_648) return Number.NaN
  }
  if (sign === MINUS) return value === 0 ? 0 : -value
  return value > 2_147_483_647 ? Number.NaN : value
}

const LONG_MAX = 9_223_372_036_854_775_807n
const LONG_MIN = -9_223_372_036_854_775_808n
/** A number holds this many decimal digits exactly. */
const EXACT_DIGITS = 15
const LONG_DIGITS_MAX = 19

/** A bigint where a number would not be exact; undefined if the bytes are not a long. */
export function readLong(bytes: Uint8Array, start: number, end: number): number | bigint | undefined {
  const negative = bytes[start] === MINUS
  let at = negative || bytes[start] === PLUS ? start + 1 : start
  if (at >= end) return undefined
  while (at < end - 1 && bytes[at] === ZERO) at++
  if (end - at > LONG_DIGITS_MAX) return undefined
  const digitsStart = at
  let value = 0
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  if (end - digitsStart <= EXACT_DIGITS) return negative && value !== 0 ? -value : value
  const digits = BigInt(latin1(bytes, digitsStart, end))
  return exactLong(negative ? -digits : digits)
}

/** A long in the form that readers return; undefined beyond 64 bits. */
export function exactLong(value: bigint): number | bigint | undefined {
  if (value > LONG_MAX || value < LONG_MIN) return undefined
  const near = Number(value)
  return Number.isSafeInteger(near) ? near : value
}

/** Powers of ten that a double holds exactly. */
const TENS = [
  ...[1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11],
  ...[1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22],
]
const EXPONENT_MAX = 100_000

/**
 * Undefined if the bytes are not a number. With at most 15 digits and an exact power of ten, the result is one
 * operation on exact values, and so it is correctly rounded. The platform parses all other numbers.
 */
export function readDouble(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start
  let stop = end
  while (at < stop && bytes[at]! <= 0x20) at++
  while (at < stop && bytes[stop - 1]! <= 0x20) stop--
  const signAt = at
  const negative = bytes[at] === MINUS
  if (at < stop && (negative || bytes[at] === PLUS)) at++
  let mantissa = 0
  let digits = 0 // all digits
  let significant = 0 // digits without leading zeros
  let scale = 0
  let point = false
  for (; at < stop; at++) {
    const digit = bytes[at]! - ZERO
    if (digit >= 0 && digit <= 9) {
      digits++
      if (significant > 0 || digit > 0) significant++
      if (significant <= EXACT_DIGITS) mantissa = mantissa * 10 + digit
      if (point) scale--
    } else if (bytes[at] === POINT && !point) {
      point = true
    } else {
      break
    }
  }
  if (digits === 0) return point ? undefined : readWord(bytes, at, stop, negative)
  let numberEnd = at
  if (at < stop && (bytes[at]! | 0x20) === 0x65) {
    at++
    const exponentNegative = bytes[at] === MINUS
    if (at < stop && (exponentNegative || bytes[at] === PLUS)) at++
    if (at >= stop) return undefined
    let exponent = 0
    const exponentStart = at
    for (; at < stop; at++) {
      const digit = bytes[at]! - ZERO
      if (digit < 0 || digit > 9) break
      if (exponent < EXPONENT_MAX) exponent = exponent * 10 + digit
    }
    if (at === exponentStart) return undefined
    scale += exponentNegative ? -exponent : exponent
    numberEnd = at
  }
  if (at < stop) {
    const suffix = bytes[at]! | 0x20
    if ((suffix !== 0x66 && suffix !== 0x64) || at + 1 < stop) return undefined
  }
  if (significant > EXACT_DIGITS || scale > 22 || scale < -22) {
    return Number(latin1(bytes, signAt, numberEnd))
  }
  const value = scale < 0 ? mantissa / TENS[-scale]! : mantissa * TENS[scale]!
  return negative ? -value : value
}

function readWord(bytes: Uint8Array, start: number, end: number, negative: boolean): number | undefined {
  const length = end - start
  if (length === 3 && latin1(bytes, start, end) === 'NaN') return Number.NaN
  if (length !== 8 || latin1(bytes, start, end) !== 'Infinity') return undefined
  return negative ? -Infinity : Infinity
}
