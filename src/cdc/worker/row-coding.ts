/**
 * Every key and value of the row store. Texts of PostgreSQL never contain NUL, which separates them here.
 *
 *   row:         'r' oid '.' generation '\0' key text ('\0' key text)*       -> field ('\0' field)*
 *   staged row:  'p' area '\0' row key                                       -> '=' row, or '' for a removed row
 *   LSN:         'l'                                                         -> decimal
 *   generation:  'g' oid                                                     -> decimal; absent: 0
 *   move:        'm'                                                         -> area whose rows are being moved to their places
 *
 *   field       := text of the value; U+0001 for NULL; U+0001 U+0002 for a value that was not sent; U+0001 before a text that begins
 *                  with U+0001
 *   generation  := eight digits; a table that is emptied takes the next one
 */
import type { ByteWriter } from '../events/byte-writer.ts'
import { NULL_END, RowBytes, type RowTexts, UNSENT_END } from '../events/row-bytes.ts'

export const LSN_KEY = 'l'
export const MOVE_KEY = 'm'
const SEPARATOR = '\0'
/** Above the separator: ends ranges of keys. */
const AFTER_SEPARATOR = '\x01'
const NULL_FIELD = '\x01'
const NULL_CODE = 1
const UNSENT_CODE = 2
const GENERATION_DIGITS = 8

export interface KeyRange {
  readonly gte: string
  readonly lt: string
}

/** Of the row keys of a table. */
export function rowPrefix(tableOid: number, generation: number): string {
  return `r${tableOid}.${String(generation).padStart(GENERATION_DIGITS, '0')}${SEPARATOR}`
}

/** Rows of a table from before this generation. */
export function earlierRows(tableOid: number, generation: number): KeyRange {
  return { gte: rowPrefix(tableOid, 0), lt: rowPrefix(tableOid, generation) }
}

export function generationKey(tableOid: number): string {
  return `g${tableOid}`
}

export const GENERATIONS: KeyRange = { gte: 'g', lt: 'h' }

export function tableOfGenerationKey(key: string): number {
  return Number(key.slice(1))
}

export function stagedPrefix(area: number): string {
  return `p${area}${SEPARATOR}`
}

export function stagedRows(area: number): KeyRange {
  return { gte: stagedPrefix(area), lt: `p${area}${AFTER_SEPARATOR}` }
}

export const ALL_STAGED: KeyRange = { gte: 'p', lt: 'q' }
export const STAGED_REMOVAL = Buffer.alloc(0)
const STAGED_ROW = Buffer.from('=')

export function stagedRow(row: Buffer): Buffer {
  return Buffer.concat([STAGED_ROW, row])
}

/** Undefined for a removed row. */
export function rowOfStaged(staged: Buffer): Buffer | undefined {
  return staged.length === 0 ? undefined : staged.subarray(1)
}

export function joinKey(prefix: string, key: readonly string[]): string {
  return prefix + (key.length === 1 ? key[0]! : key.join(SEPARATOR))
}

export function numberField(value: number | bigint): Buffer {
  return Buffer.from(String(value))
}

/** Writes the values at these places as the end of a row key. */
export function writeKey(out: ByteWriter, row: RowBytes, places: readonly number[]): void {
  for (let i = 0; i < places.length; i++) {
    if (i > 0) out.byte(0)
    out.copy(row.bytes, row.starts[places[i]!]!, row.ends[places[i]!]!)
  }
}

export function encodeRow(row: RowTexts): Buffer {
  let text = ''
  for (let index = 0; index < row.length; index++) {
    if (index > 0) text += SEPARATOR
    const field = row[index]!
    if (field === null) text += NULL_FIELD
    else text += field.charCodeAt(0) === NULL_CODE ? NULL_FIELD + field : field
  }
  return Buffer.from(text)
}

export function decodeRow(stored: Buffer): RowTexts {
  const row = new RowBytes()
  readRow(stored, row)
  return row.ends.slice(0, row.length).map((end, i) => (end < 0 ? null : row.text(i)))
}

/** The fields of a stored row. */
export function readRow(stored: Buffer, row: RowBytes): void {
  row.clear(stored)
  const { length } = stored
  let start = 0
  for (let at = 0; at <= length; at++) {
    if (at < length && stored[at] !== 0) continue
    if (start === at || stored[start] !== NULL_CODE) row.push(start, at)
    else if (at === start + 1) row.push(start, NULL_END)
    else if (at === start + 2 && stored[start + 1] === UNSENT_CODE) row.push(start, UNSENT_END)
    else row.push(start + 1, at)
    start = at + 1
  }
}

/** Of a row that `writeRow` writes. */
export function rowBytesMax(row: RowBytes, fields: number): number {
  let bytes = 2 * fields
  for (let i = 0; i < row.length; i++) if (row.ends[i]! >= 0) bytes += row.ends[i]! - row.starts[i]!
  return bytes
}

/** The row as it is stored, if its fields are those of the store, in their order. */
export function storedRow(row: RowBytes): Buffer {
  const { bytes, starts, ends, length } = row
  let size = length - 1
  for (let i = 0; i < length; i++) {
    const end = ends[i]!
    const start = starts[i]!
    if (end < 0) size += end === UNSENT_END ? 2 : 1
    else size += end - start + (end > start && bytes[start] === NULL_CODE ? 1 : 0)
  }
  const stored = Buffer.allocUnsafe(size)
  writeRow(stored, 0, row, undefined, length)
  return stored
}

/** Writes a row with `fields` fields. `places`: of each value its place among them; undefined: as they are. Returns the end. */
export function writeRow(
  to: Buffer,
  start: number,
  row: RowBytes,
  places: readonly number[] | undefined,
  fields: number,
): number {
  const { bytes, starts, ends, length } = row
  let at = start
  for (let field = 0; field < fields; field++) {
    if (field > 0) to[at++] = 0
    const index = places === undefined ? field : places.indexOf(field)
    const end = index >= 0 && index < length ? ends[index]! : NULL_END
    if (end < 0) {
      to[at++] = NULL_CODE
      if (end === UNSENT_END) to[at++] = UNSENT_CODE
      continue
    }
    const from = starts[index]!
    if (end > from && bytes[from] === NULL_CODE) to[at++] = NULL_CODE
    for (let i = from; i < end; i++) to[at++] = bytes[i]!
  }
  return at
}
