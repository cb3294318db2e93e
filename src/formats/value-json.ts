/**
 * Values of records as JSON text. Whole numbers are exact at any length. Bytes are a text with \xNN for every byte that
 * is not printable ASCII, and for the backslash. Numbers that JSON does not have are the texts NaN, Infinity and
 * -Infinity.
 */
import type { Value } from './record-reader.ts'

export function valueJson(value: Value): string {
  const scalar = scalarJson(value)
  if (scalar !== undefined) return scalar
  if (value === null) return 'null'
  if (value instanceof Uint8Array) return JSON.stringify(bytesText(value))
  if (value instanceof Map) return mapJson(value)
  return `[${(value as readonly Value[]).map(valueJson).join(',')}]`
}

/** Undefined for a value that is not a text, a number or a boolean. */
export function scalarJson(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return Number.isFinite(value) ? String(value) : `"${value}"`
    case 'bigint':
    case 'boolean':
      return String(value)
  }
  return undefined
}

export function bytesText(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c
    text += printable ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

function mapJson(map: ReadonlyMap<string, Value>): string {
  const members: string[] = []
  for (const [key, value] of map) members.push(`${JSON.stringify(key)}:${valueJson(value)}`)
  return `{${members.join(',')}}`
}
