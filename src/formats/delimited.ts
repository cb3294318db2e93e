/**
 * Delimited text, csv and tsv: the body is split at a delimiter, and the values become the fields in their order.
 *
 *   delimiter   , or tab   one character or more, used literally
 *   quote       none       an ASCII character, usually ": then values are quoted as in RFC 4180 (delimited-reader.ts)
 *   charset     utf-8      how bytes become characters (charset.ts)
 *   mapping                index:field,…   assigns values to fields, counting values from 0; white space around an
 *                          entry does not matter. With it, every field has to be of a simple type.
 *
 * Values are asserted with `!`: the settings include the default delimiter, and requested indexes are indexes of
 * fields.
 */
import { arrayOf, type RecordSchema, recordOf, simple } from '../schemas/schema.ts'
import { charsetProblem } from './charset.ts'
import { CharsetDecoder } from './charset-decoder.ts'
import { DelimitedReader } from './delimited-reader.ts'
import type { Format, FormatSettings } from './format.ts'
import type { RecordReader, RequestedFields } from './record-reader.ts'
import { scalarFieldsProblem, scalarFieldsThenListProblem } from './scalar-fields.ts'
import { LIST, textFields } from './text-field.ts'

export const csv: Format = delimited('csv', ',')
export const tsv: Format = delimited('tsv', '\t')

/** In CDAP's clients the index of a value is an int32. */
const VALUE_INDEX_MAX = 2_147_483_647

/** A mapping parsed from its setting: field name -> index of its value. */
export type FieldMapping = ReadonlyMap<string, number>

/** Parses the setting `mapping`. Returns a text with the reason if it is not valid. */
export function parseMapping(mapping: string, schema: RecordSchema): FieldMapping | string {
  const indexes = new Map<string, number>()
  const fieldNames = new Set(schema.fields.map((field) => field.name))
  const seen = new Set<number>()
  for (const entry of mapping.split(',')) {
    const [indexText, name, ...rest] = entry.trim().split(':')
    if (
      indexText === undefined ||
      name === undefined ||
      rest.length > 0 ||
      !/^[0-9]{1,10}$/.test(indexText)
    ) {
      return `mapping holds '${entry}'; use index:field`
    }
    const index = Number(indexText)
    if (index > VALUE_INDEX_MAX)
      return `mapping holds the index ${indexText}; the last one is ${VALUE_INDEX_MAX}`
    if (!fieldNames.has(name)) return `mapping names field ${name}, which the schema does not have`
    if (indexes.has(name)) return `mapping names field ${name} twice`
    if (seen.has(index)) return `mapping names index ${index} twice`
    seen.add(index)
    indexes.set(name, index)
  }
  return indexes
}

function delimited(name: 'csv' | 'tsv', delimiter: string): Format {
  return {
    name,
    defaultSchema: recordOf('streamEvent', { body: arrayOf(simple('string')) }),
    defaultSettings: new Map([['delimiter', delimiter]]),
    schemaProblem: scalarFieldsThenListProblem,
    settingsProblem: (settings, schema) =>
      charsetProblem(settings) ??
      delimiterProblem(settings) ??
      quoteProblem(settings) ??
      mappingProblem(settings, schema),
    reader: delimitedReader,
  }
}

function delimiterProblem(settings: FormatSettings): string | undefined {
  return settings.get('delimiter') === '' ? 'delimiter is empty' : undefined
}

function quoteProblem(settings: FormatSettings): string | undefined {
  const quote = settings.get('quote')
  if (quote === undefined) return undefined
  if (!/^[!-~]$/.test(quote)) return `quote is '${quote}'; use one visible character of ASCII, such as "`
  return settings.get('delimiter')!.includes(quote) ? 'quote is part of the delimiter' : undefined
}

function mappingProblem(settings: FormatSettings, schema: RecordSchema): string | undefined {
  const text = settings.get('mapping')
  if (text === undefined) return undefined
  const mapping = parseMapping(text, schema)
  return typeof mapping === 'string' ? mapping : scalarFieldsProblem(schema)
}

function delimitedReader(
  schema: RecordSchema,
  settings: FormatSettings,
  wanted: RequestedFields,
): RecordReader {
  const mappingText = settings.get('mapping')
  const mapping = mappingText === undefined ? undefined : (parseMapping(mappingText, schema) as FieldMapping)
  const columnOf = (index: number) =>
    mapping === undefined ? index : (mapping.get(schema.fields[index]!.name) ?? -1)
  const all = textFields(schema, wanted).map((field) => ({ field, column: columnOf(wanted[field.slot]!) }))
  const list = all.find(({ field }) => field.kind === LIST)
  const scalars = all
    .filter(({ field, column }) => field.kind !== LIST && column >= 0)
    .sort((a, b) => a.column - b.column)
  return new DelimitedReader({
    charset: new CharsetDecoder(settings),
    delimiter: Buffer.from(settings.get('delimiter')!, 'utf8'),
    quote: settings.get('quote')?.charCodeAt(0) ?? -1,
    fields: scalars.map(({ field }) => field),
    columns: scalars.map(({ column }) => column),
    list: list?.field,
    listColumn: list?.column ?? -1,
    unmapped: all.filter(({ column }) => column < 0).map(({ field }) => field),
  })
}
