/**
 * What a query answers, as clients of CDAP read it: columns with names and types of Hive (answer-types.ts), cells as JSON.
 *
 * Values of nested types are JSON text in a text, those of BINARY arrays of signed bytes. A decimal is a text, which CDAP's
 * clients make a BigDecimal of: as a number it would be a double to them. Dates and timestamps are texts.
 */
import type { DuckDBValue } from '@duckdb/node-api'
import { bytesText, scalarJson } from '../formats/value-json.ts'

export interface ResultColumn {
  readonly name: string
  readonly type: string
}

/** JSON of a cell of a column of this type. */
export function cellJson(value: DuckDBValue, { type }: ResultColumn): string {
  if (type.startsWith('DECIMAL') && value !== null) return JSON.stringify(String(value))
  if (type === 'FLOAT' && typeof value === 'number' && Number.isFinite(value)) return floatText(value)
  if (type === 'BINARY' && value !== null) return signedBytes((value as MaybeNested).bytes!)
  return isNested(value) ? JSON.stringify(plainJson(value)) : plainJson(value)
}

/** As Java prints bytes, -128 to 127: the clients of CDAP read nothing else as binary. */
function signedBytes(bytes: Uint8Array): string {
  return `[${new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength).join(',')}]`
}

interface MaybeNested {
  readonly items?: readonly DuckDBValue[]
  readonly entries?:
    | Readonly<Record<string, DuckDBValue>>
    | readonly { key: DuckDBValue; value: DuckDBValue }[]
  readonly bytes?: Uint8Array
  readonly scale?: number
}

function isNested(value: DuckDBValue): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { items, entries } = value as MaybeNested
  return items !== undefined || entries !== undefined
}

function plainJson(value: DuckDBValue): string {
  const scalar = scalarJson(value)
  if (scalar !== undefined) return scalar
  if (value === null || value === undefined) return 'null'
  const { items, entries, bytes, scale } = value as MaybeNested
  if (bytes !== undefined) return JSON.stringify(bytesText(bytes))
  if (items !== undefined) return `[${items.map(plainJson).join(',')}]`
  if (entries !== undefined) {
    const members = Array.isArray(entries)
      ? entries.map(({ key, value: of }) => [keyText(key), of] as const)
      : Object.entries(entries as Readonly<Record<string, DuckDBValue>>)
    return `{${members.map(([key, of]) => `${JSON.stringify(key)}:${plainJson(of)}`).join(',')}}`
  }
  return scale === undefined ? JSON.stringify(String(value)) : String(value)
}

function keyText(key: DuckDBValue): string {
  return typeof key === 'string' ? key : plainJson(key)
}

/** A 32-bit float looks like one: 3.4028235e38, not its 64-bit digits. */
function floatText(value: number): string {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(value)
}
