/**
 * Values of columns as JSON, from bytes to bytes. The common forms of the common types are copied; all others take the way over texts of
 * column-json.ts, which gives the same JSON.
 */
import type { CapturedColumn, ValueKind } from '../captured-table.ts'
import type { ByteWriter } from './byte-writer.ts'
import { columnJson } from './column-json.ts'

/** Writes `bytes.subarray(start, end)`, a value that is not NULL, as JSON. */
export type ColumnBytes = (out: ByteWriter, bytes: Buffer, start: number, end: number) => void

export function columnBytes(column: Pick<CapturedColumn, 'kind' | 'isArray' | 'typeOid'>): ColumnBytes {
  const json = columnJson(column)
  const slow: ColumnBytes = (out, bytes, start, end) => out.text(json(bytes.toString('utf8', start, end)))
  return column.isArray ? slow : (FAST[column.kind]?.(slow) ?? slow)
}

type Fast = (slow: ColumnBytes) => ColumnBytes

const plain: Fast = () => (out, bytes, start, end) => out.copy(bytes, start, end)
const quoted: Fast = () => writeQuoted

const FAST: Readonly<Partial<Record<ValueKind, Fast>>> = {
  integer: plain,
  float: (slow) => (out, bytes, start, end) => {
    const last = bytes[end - 1]!
    if (last >= ZERO && last <= NINE) out.copy(bytes, start, end)
    else slow(out, bytes, start, end)
  },
  numeric: quoted,
  time: quoted,
  timetz: quoted,
  boolean: () => (out, bytes, start, end) =>
    out.put(end - start === 1 && bytes[start] === LETTER_T ? TRUE : FALSE),
  text: textBytes,
  json: textBytes,
  date: (slow) => (out, bytes, start, end) => {
    if (end - start === DATE_BYTES) writeQuoted(out, bytes, start, end)
    else slow(out, bytes, start, end)
  },
  timestamp: (slow) => (out, bytes, start, end) => {
    const isCommon =
      bytes[start + DATE_BYTES] === SPACE && bytes[end - 1] !== LETTER_C && end - start > DATE_BYTES
    if (isCommon) writeTime(out, bytes, start, end)
    else slow(out, bytes, start, end)
  },
  timestamptz: (slow) => (out, bytes, start, end) => {
    const isCommon =
      bytes[start + DATE_BYTES] === SPACE &&
      bytes[end - 3] === PLUS &&
      bytes[end - 2] === ZERO &&
      bytes[end - 1] === ZERO &&
      end - start > DATE_BYTES + 3
    if (!isCommon) return slow(out, bytes, start, end)
    writeTime(out, bytes, start, end - 2)
    out.bytes[out.at - 2] = LETTER_Z // in place of the sign
    out.bytes[out.at - 1] = QUOTE
  },
}

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const DATE_BYTES = 10 // of a date whose year has four digits
const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const ZERO = 0x30
const NINE = 0x39
const LETTER_C = 0x43 // of BC
const LETTER_T = 0x74
const LETTER_Z = 0x5a
const BACKSLASH = 0x5c
const UPPER_T = 0x54
const ASCII_MAX = 0x7f
/** Longer texts are read as a whole. */
const SHORT_TEXT_BYTES = 256

/** For values without characters that JSON escapes. */
function writeQuoted(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
  out.reserve(end - start + 2)
  const to = out.bytes
  let { at } = out
  to[at++] = QUOTE
  for (let i = start; i < end; i++) to[at++] = bytes[i]!
  to[at++] = QUOTE
  out.at = at
}

/** `2026-11-21 02:52:56` with a T in place of the space, in quotes. */
function writeTime(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
  const { at } = out
  writeQuoted(out, bytes, start, end)
  out.bytes[at + 1 + DATE_BYTES] = UPPER_T
}

function textBytes(slow: ColumnBytes): ColumnBytes {
  return (out, bytes, start, end) => {
    if (end - start > SHORT_TEXT_BYTES) return slow(out, bytes, start, end)
    out.reserve(end - start + 2)
    const to = out.bytes
    let { at } = out
    to[at++] = QUOTE
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte < SPACE || byte > ASCII_MAX || byte === QUOTE || byte === BACKSLASH)
        return slow(out, bytes, start, end)
      to[at++] = byte
    }
    to[at++] = QUOTE
    out.at = at
  }
}
