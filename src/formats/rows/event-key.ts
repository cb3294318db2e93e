/**
 * The key of an event: a row of the key fields in the key's format. A system with keys keeps the bytes beside the body. A
 * stream keeps it in the header `key`: for json and csv the text, for avro base64; for raw the text of a text column, base64
 * of another.
 */
import type { EventHeaders, Value } from '../record-reader.ts'
import { AvroRowWriter } from './avro-row-writer.ts'
import { CsvRowWriter } from './csv-row.ts'
import { fieldType, STRING } from './field-type.ts'
import { JsonRowWriter } from './json-row-writer.ts'
import { RawRowWriter } from './raw-row.ts'
import type { RowColumn } from './row-format.ts'
import type { KeyFormatName, KeyWriter } from './row-options.ts'

export const KEY_HEADER = 'key'
/** `true` on events that delete their key. */
export const TOMBSTONE_HEADER = 'tombstone'

export function isTextKey(format: KeyFormatName, columns: readonly RowColumn[]): boolean {
  if (format === 'raw') return fieldType(columns[0]!.type, columns[0]!.name).kind === STRING
  return format !== 'avro'
}

/** The bytes of the key; undefined if the event has none. */
export function keyBytes(
  headers: EventHeaders,
  key: Uint8Array | null | undefined,
  isText: boolean,
): Uint8Array | undefined {
  if (key !== undefined) return key ?? undefined
  for (const [name, value] of headers) {
    if (name.toLowerCase() === KEY_HEADER) return Buffer.from(value, isText ? 'utf8' : 'base64')
  }
  return undefined
}

/** `indexes` are those of the values of `columns` among the values of a row. */
export function keyWriter(
  format: KeyFormatName,
  columns: readonly RowColumn[],
  indexes: readonly number[],
): KeyWriter {
  switch (format) {
    case 'json': {
      const writer = new JsonRowWriter(columns, indexes)
      return {
        write: (values) => writer.write(values),
        headerText: (values) => asciiJson(writer.text(values)),
      }
    }
    case 'csv': {
      const writer = new CsvRowWriter(columns, indexes)
      return { write: (values) => writer.write(values), headerText: (values) => writer.text(values) }
    }
    case 'raw':
      return bytesKey(
        new RawRowWriter(columns[0]!, indexes[0]!),
        isTextKey(format, columns) ? 'utf8' : 'base64',
      )
    case 'avro': {
      const writer = new AvroRowWriter(columns)
      const picked = {
        write: (values: readonly Value[]) => writer.write(indexes.map((index) => values[index]!)),
      }
      return bytesKey(picked, 'base64')
    }
  }
}

function bytesKey(
  writer: { write(values: readonly Value[]): Uint8Array },
  encoding: 'utf8' | 'base64',
): KeyWriter {
  return {
    write: (values) => writer.write(values),
    headerText: (values) => Buffer.from(writer.write(values)).toString(encoding),
  }
}

/** The same JSON in printable ASCII. */
function asciiJson(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
