/**
 * Every key and value of the row store. Texts of PostgreSQL never contain NUL, which separates them here.
 *
 *   row:         'r' oid '.' generation '\0' key text ('\0' key text)*       -> field ('\0' field)*
 *   staged row:  'p' area '\0' row key                                       -> '=' row, or '' for a removed row
 *   LSN:         'l'                                                         -> decimal
 *   generation:  'g' oid                                                     -> decimal; absent: 0
 *   move:        'm'                                                         -> area whose rows are being moved to their places
 *
 *   field       := text of the value; U+0001 for NULL; U+0001 before a text that begins with U+0001
 *   generation  := eight digits; a table that is emptied takes the next one
 */
import type { RowTexts } from '../events/change-events.ts'

export const LSN_KEY = 'l'
export const MOVE_KEY = 'm'
const SEPARATOR = '\0'
/** Above the separator: ends ranges of keys. */
const AFTER_SEPARATOR = '\x01'
const NULL_FIELD = '\x01'
const NULL_CODE = 1
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
export const STAGED_REMOVAL = ''

export function stagedRow(row: string): string {
  return `=${row}`
}

/** Undefined for a removed row. */
export function rowOfStaged(staged: string): string | undefined {
  return staged === STAGED_REMOVAL ? undefined : staged.slice(1)
}

export function joinKey(prefix: string, key: readonly string[]): string {
  return prefix + (key.length === 1 ? key[0]! : key.join(SEPARATOR))
}

export function encodeRow(row: RowTexts): string {
  let text = ''
  for (let index = 0; index < row.length; index++) {
    if (index > 0) text += SEPARATOR
    const field = row[index]!
    if (field === null) text += NULL_FIELD
    else text += field.charCodeAt(0) === NULL_CODE ? NULL_FIELD + field : field
  }
  return text
}

export function decodeRow(text: string): RowTexts {
  const fields: (string | null)[] = text.split(SEPARATOR)
  for (let index = 0; index < fields.length; index++) {
    const field = fields[index]!
    if (field.charCodeAt(0) === NULL_CODE) fields[index] = field.length === 1 ? null : field.slice(1)
  }
  return fields
}
