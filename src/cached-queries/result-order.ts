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
  const { length } = order
  return (one, other) => {
    for (let i = 0; i < length; i++) {
      const a = one.sort[i]
      const b = other.sort[i]
      if (a === b) continue
      if (a === undefined || b === undefined) return (a === undefined) === order[i]!.nullsFirst ? -1 : 1
      const compared = compareValues(a, b)
      if (compared !== 0) return order[i]!.descending ? -compared : compared
    }
    return compareTexts(one.key, other.key)
  }
}

function sortValue(json: string, compare: ResultOrder['compare']): SortValue {
  if (json === 'null') return undefined
  if (compare === 'boolean') return json === 'true'
  const text = textOf(json)
  return compare === 'text' ? inCodePointOrder(text) : { number: Number(text), text }
}

/** The text of a JSON string; of another JSON value its own text. */
function textOf(json: string): string {
  if (!json.startsWith('"')) return json
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1)
}

/** As PostgreSQL orders them: NaN is above all other numbers. */
function compareValues(a: Exclude<SortValue, undefined>, b: Exclude<SortValue, undefined>): number {
  if (typeof a === 'object' && typeof b === 'object') {
    if (Number.isNaN(a.number) || Number.isNaN(b.number)) {
      return Number(Number.isNaN(a.number)) - Number(Number.isNaN(b.number))
    }
    if (a.number !== b.number) return a.number < b.number ? -1 : 1
    return a.text === b.text ? 0 : compareDecimals(a.text, b.text)
  }
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0
  return Number(a) - Number(b)
}

/** By code point. */
function compareTexts(a: string, b: string): number {
  const one = inCodePointOrder(a)
  const other = inCodePointOrder(b)
  return one < other ? -1 : one > other ? 1 : 0
}

/**
 * A text that JavaScript compares, by code units, as the code points of this one: halves of pairs are moved above the code points
 * U+E000 to U+FFFF. Nearly every text is its own.
 */
function inCodePointOrder(text: string): string {
  return ABOVE.test(text) ? text.replace(EACH_ABOVE, moved) : text
}

// Without the flag u a pattern matches code units.
const ABOVE = /[\ud800-\uffff]/
const EACH_ABOVE = /[\ud800-\uffff]/g
const HALVES = 0x800

function moved(unit: string): string {
  const code = unit.charCodeAt(0)
  return String.fromCharCode(code < 0xe000 ? code + 0x2000 : code - HALVES)
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
