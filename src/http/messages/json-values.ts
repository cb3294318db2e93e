/** Values of documents from lenient JSON, with the conversions of Gson, on which clients rely. */
import { type LenientJson, LenientNumber } from './lenient-json.ts'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const INT64_DIGITS = 19

/**
 * A whole number from a number, with or without exponent, whose decimals are cut off; from digits in a text; or from an array
 * with one such element. Undefined for anything else, and outside the range of an int64.
 */
export function truncatedNumber(json: LenientJson): bigint | undefined {
  const value = onlyElement(json)
  if (typeof value === 'string') return wholeDigits(value)
  return value instanceof LenientNumber ? truncated(value.text) : undefined
}

/** As truncatedNumber, but also undefined for a number with a fraction: `5.0` and `1e3` are whole, `0.9` is not. */
export function wholeNumber(json: LenientJson): bigint | undefined {
  const value = onlyElement(json)
  if (value instanceof LenientNumber && hasFraction(value.text)) return undefined
  return truncatedNumber(value)
}

/** A text from a string, a number or a boolean. Undefined for anything else. */
export function scalarText(json: LenientJson): string | undefined {
  if (typeof json === 'string') return json
  if (json instanceof LenientNumber) return json.text
  return typeof json === 'boolean' ? String(json) : undefined
}

/**
 * The members of an object of scalars, as texts in their order. Members that are null are left out. Undefined for anything
 * else.
 */
export function scalarTexts(json: LenientJson): ReadonlyMap<string, string> | undefined {
  if (!(json instanceof Map)) return undefined
  const texts = new Map<string, string>()
  for (const [key, member] of json as ReadonlyMap<string, LenientJson>) {
    if (member === null) continue
    const text = scalarText(member)
    if (text === undefined) return undefined
    texts.set(key, text)
  }
  return texts
}

function onlyElement(json: LenientJson): LenientJson {
  let value = json
  while (Array.isArray(value) && value.length === 1) value = value[0] as LenientJson
  return value
}

function wholeDigits(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined
  return int64(text.startsWith('-'), text.replace(/^[+-]?0*/, '') || '0')
}

/** A number of strict JSON without its decimals. Works on the digits, so `1e999999999` needs no time. */
function truncated(text: string): bigint | undefined {
  const { sign, digits, first, pointAt } = digitsOf(text)
  if (first === -1 || pointAt <= first) return 0n
  if (pointAt - first > INT64_DIGITS) return undefined
  return int64(sign === '-', digits.slice(first, pointAt).padEnd(pointAt - first, '0'))
}

function hasFraction(text: string): boolean {
  const { digits, pointAt } = digitsOf(text)
  return /[1-9]/.test(digits.slice(Math.max(0, pointAt)))
}

/** The digits of a number, the index of the first that is not 0 (-1 if all are), and the index before which the point is. */
function digitsOf(text: string): { sign: string; digits: string; first: number; pointAt: number } {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text)!
  const digits = whole + fraction
  return { sign, digits, first: digits.search(/[1-9]/), pointAt: whole.length + Number(exponent) }
}

function int64(negative: boolean, digits: string): bigint | undefined {
  if (digits.length > INT64_DIGITS) return undefined
  const value = negative ? -BigInt(digits) : BigInt(digits)
  return value < INT64_MIN || value > INT64_MAX ? undefined : value
}
