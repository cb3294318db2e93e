/**
 * Values of columns as JSON: PostgreSQL's text (with the settings of session-settings.ts) -> JSON text.
 *
 *   integer, float            the digits of PostgreSQL; NaN, Infinity and -Infinity as texts
 *   numeric, time, timetz     text, as PostgreSQL prints it: the zone of a timetz is a part of its value
 *   money                     text: the number alone
 *   date, timestamp           text of ISO 8601 (time-text.ts)
 *   bytes                     text: base64
 *   array                     array; an array of more dimensions holds arrays
 *   the others                text
 */
import type { CapturedColumn, ValueKind } from '../captured-table.ts'
import { arrayJson } from './array-text.ts'
import { dateIso, timestampIso, timestampUtcIso } from './time-text.ts'

export type ColumnJson = (text: string) => string

export function columnJson({
  kind,
  isArray,
  typeOid,
}: Pick<CapturedColumn, 'kind' | 'isArray' | 'typeOid'>): ColumnJson {
  const json = SCALARS[kind]
  return isArray ? (text) => arrayJson(text, typeOid, json) : json
}

const SCALARS: Readonly<Record<ValueKind, ColumnJson>> = {
  integer: (text) => text,
  float: floatJson,
  numeric: quoted,
  money: (text) => quoted(moneyNumber(text)),
  boolean: (text) => (text === 't' ? 'true' : 'false'),
  text: textJson,
  json: textJson,
  timestamp: (text) => quoted(timestampIso(text)),
  timestamptz: (text) => quoted(timestampUtcIso(text)),
  date: (text) => quoted(dateIso(text)),
  time: quoted,
  timetz: quoted,
  bytes: (text) => quoted(bytesBase64(text)),
}

/** For texts without characters that JSON escapes. */
function quoted(text: string): string {
  return `"${text}"`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that JSON escapes.
const ESCAPED = /["\\\u0000-\u001f]/

export function textJson(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`
}

function floatJson(text: string): string {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0x30 && last <= 0x39 ? text : `"${text}"`
}

/**
 * The text has the form of the server's locale: `-$1,234.50`, `1.234,50 €`, `($1.00)`. The last separator is the point, unless
 * exactly three digits follow it and no other separator is before it: then it separates thousands.
 */
function moneyNumber(text: string): string {
  const isNegative = text.includes('-') || text.includes('(')
  const number = text.slice(text.search(/\d/), text.length - /\D*$/.exec(text)![0].length)
  const separators = number.replaceAll(/\d/g, '')
  const point = number.search(/\D\d*$/)
  const isWhole = point < 0 || (number.length - point === 4 && new Set(separators).size === 1)
  const digits = isWhole
    ? number.replaceAll(/\D/g, '')
    : `${number.slice(0, point).replaceAll(/\D/g, '')}.${number.slice(point + 1)}`
  return isNegative ? `-${digits}` : digits
}

function bytesBase64(text: string): string {
  return Buffer.from(text.slice(2), 'hex').toString('base64') // \x68656c6c6f
}
