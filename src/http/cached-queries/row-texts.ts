/**
 * Rows of a result in the forms of answers. Values are JSON texts already, so that every digit of a number is there; they are put
 * together, not parsed.
 */
import type { QueryView, RowTexts } from '../../cached-queries/query-service.ts'

type Columns = QueryView['columns']
export type PrintRow = (row: RowTexts) => string

export function asArray(row: RowTexts): string {
  return `[${row.join(',')}]`
}

export function asObject(columns: Columns): PrintRow {
  const names = columns.map(({ name }, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
  return (row) => (names.length === 0 ? '{}' : `${names.map((name, i) => name + row[i]).join('')}}`)
}

/** A line of RFC 4180 with its line end. NULL is an empty field, an empty text is `""`. */
export function asCsv(row: RowTexts): string {
  return `${row.map(csvValue).join(',')}\r\n`
}

export function csvHeader(columns: Columns): string {
  return `${columns.map(({ name }) => csvText(name)).join(',')}\r\n`
}

function csvValue(json: string): string {
  if (json === 'null') return ''
  return csvText(json.startsWith('"') ? (JSON.parse(json) as string) : json)
}

function csvText(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
