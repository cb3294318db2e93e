/** The order of the rows of a result. Rows have JSON texts; what is compared is made once for each row. */
import type { ResultOrder } from '../jobs/plan/query-plan.ts'

/** Of a column in the order: undefined for NULL. A number has its text too, for those that are equal as doubles. */
export type SortValue = undefined | boolean | string | { readonly number: number; readonly text: string }

export interface SortedRow {
  /** JSON object: makes the order total. */
  readonly key: string
  readonly sort: readonly SortValue[]
}

export type CompareRows = (one: SortedRow, other: SortedRow) => number

export function sortValues(values: readonly string[], order: readonly ResultOrder[]): SortValue[] {
  return order.map(({ column, compare }) => sortValue(values[column]!, compare))
}

export function rowOrder(order: readonly ResultOrder[]): CompareRows {
  return (one, other) => {
    for (const [i, { descending, nullsFirst }] of order.entries()) {
      const a = one.sort[i]
      const b = other.sort[i]
      if (a === undefined || b === undefined) {
        if (a === b) continue
        return (a === undefined) === nullsFirst ? -1 : 1
      }
      const compared = compareValues(a, b)
      if (compared !== 0) return descending ? -compared : compared
    }
    return compareTexts(one.key, other.key)
  }
}

function sortValue(json: string, compare: ResultOrder['compare']): SortValue {
  if (json === 'null') return undefined
  if (compare === 'boolean') return json === 'true'
  const text = textOf(json)
  return compare === 'text' ? text : { number: numberOf(text), text }
}

/** The text of a JSON string; of another JSON value its own text. */
function textOf(json: string): string {
  if (!json.startsWith('"')) return json
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1)
}

/** As PostgreSQL orders them, NaN is above all other numbers. */
function numberOf(text: string): number {
  return Number(text)
}

function compareValues(a: Exclude<SortValue, undefined>, b: Exclude<SortValue, undefined>): number {
  if (typeof a === 'object' && typeof b === 'object') {
    if (Number.isNaN(a.number) || Number.isNaN(b.number)) {
      return Number(Number.isNaN(a.number)) - Number(Number.isNaN(b.number))
    }
    if (a.number !== b.number) return a.number < b.number ? -1 : 1
    return a.text === b.text ? 0 : compareDecimals(a.text, b.text)
  }
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b)
  return Number(a) - Number(b)
}

/** By code point. */
export function compareTexts(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Halves of a pair stand for code points above all that have one unit.
    const xIsHalf = x >= 0xd800 && x < 0xe000
    const yIsHalf = y >= 0xd800 && y < 0xe000
    if (xIsHalf !== yIsHalf) return xIsHalf ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

/** Two decimal texts that are equal as doubles, exactly. */
function compareDecimals(a: string, b: string): number {
  const one = partsOf(a)
  const other = partsOf(b)
  if (one === undefined || other === undefined) return 0 // infinities
  const scale = Math.max(one.scale, other.scale)
  const x = one.digits * 10n ** BigInt(scale - one.scale)
  const y = other.digits * 10n ** BigInt(scale - other.scale)
  return x === y ? 0 : x < y ? -1 : 1
}

function partsOf(text: string): { readonly digits: bigint; readonly scale: number } | undefined {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return undefined
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const digits = BigInt(`${whole}${fraction}` || '0') * (sign === '-' ? -1n : 1n)
  const scale = fraction.length - Number(exponent)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}
