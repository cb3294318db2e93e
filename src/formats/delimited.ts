/**
 * Delimited text, csv and tsv: the body is cut at a delimiter, and the values become the fields in their order.
 *
 *   delimiter   , or tab   one character or more, taken literally; there is no quoting
 *   charset     utf-8      how bytes become characters (charset.ts)
 *   mapping                index:field,…   which value becomes which field, counting from 0; white space around an
 *                          entry does not matter. Then every field is of a simple type.
 */
import { arrayOf, type RecordSchema, recordOf, simple } from '../schemas/schema.ts'
import { charsetProblem } from './charset.ts'
import type { Format, FormatSettings } from './format.ts'
import { scalarFieldsProblem, scalarFieldsThenListProblem } from './scalar-fields.ts'

export const csv: Format = delimited('csv', ',')
export const tsv: Format = delimited('tsv', '\t')

/** The index of a value is an int32 for CDAP's clients. */
const VALUE_INDEX_MAX = 2_147_483_647

/** A mapping read from its setting: field name -> index of the value that fills it. */
export type FieldMapping = ReadonlyMap<string, number>

/** Reads the setting `mapping`; a text says why it cannot be. */
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
      charsetProblem(settings) ?? delimiterProblem(settings) ?? mappingProblem(settings, schema),
  }
}

function delimiterProblem(settings: FormatSettings): string | undefined {
  return settings.get('delimiter') === '' ? 'delimiter is empty' : undefined
}

function mappingProblem(settings: FormatSettings, schema: RecordSchema): string | undefined {
  const text = settings.get('mapping')
  if (text === undefined) return undefined
  const mapping = parseMapping(text, schema)
  return typeof mapping === 'string' ? mapping : scalarFieldsProblem(schema)
}
