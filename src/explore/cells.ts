/**
 * Values of answers as JSON cells, in the form that CDAP's clients read.
 *
 * A value of a nested type is JSON text in a text. A BINARY value is an array of signed bytes. A decimal is a text,
 * which the clients convert to a BigDecimal; a number would become a double. Dates and timestamps are texts.
 */
import type { DuckDBValue } from '@duckdb/node-api'
import { bytesText, scalarJson } from '../formats/value-json.ts'

export function decimalCell(value: DuckDBValue): string {
  return value === null ? 'null' : JSON.stringify(String(value))
}

/** A 32-bit float is printed with the digits of a float: 3.4028235e38, not with those of the same number in 64 bits. */
export function floatCell(value: DuckDBValue): string {
  return typeof value === 'number' && Number.isFinite(value) ? floatText(value) : plainCell(value)
}

/** Bytes from -128 to 127, as Java prints them. CDAP's clients accept no other form of binary. */
export function binaryCell(value: DuckDBValue): string {
  if (value === null) return 'null'
  const { buffer, byteOffset, byteLength } = (value as MaybeNested).bytes!
  return `[${new Int8Array(buffer, byteOffset, byteLength).join(',')}]`
}

export function nestedCell(value: DuckDBValue): string {
  return value === null ? 'null' : JSON.stringify(plainCell(value))
}

interface MaybeNested {
  readonly items?: readonly DuckDBValue[]
  readonly entries?:
    | Readonly<Record<string, DuckDBValue>>
    | readonly { key: DuckDBValue; value: DuckDBValue }[]
  readonly bytes?: Uint8Array
  readonly scale?: number
}

export function plainCell(value: DuckDBValue): string {
  const scalar = scalarJson(value)
  if (scalar !== undefined) return scalar
  if (value === null || value === undefined) return 'null'
  const { items, entries, bytes, scale } = value as MaybeNested
  if (bytes !== undefined) return JSON.stringify(bytesText(bytes))
  if (items !== undefined) return `[${items.map(plainCell).join(',')}]`
  if (entries !== undefined) {
    const members = Array.isArray(entries)
      ? entries.map(({ key, value: of }) => [keyText(key), of] as const)
      : Object.entries(entries as Readonly<Record<string, DuckDBValue>>)
    return `{${members.map(([key, of]) => `${JSON.stringify(key)}:${plainCell(of)}`).join(',')}}`
  }
  return scale === undefined ? JSON.stringify(String(value)) : String(value)
}

function keyText(key: DuckDBValue): string {
  return typeof key === 'string' ? key : plainCell(key)
}

function floatText(value: number): string {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(value)
}
