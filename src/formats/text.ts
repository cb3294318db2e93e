/**
 * Text: the whole body is the one field of the record.
 *
 *   charset   utf-8   how bytes become characters (charset.ts)
 */
import { recordOf, simple } from '../schemas/schema.ts'
import { charsetProblem } from './charset.ts'
import { CharsetDecoder } from './charset-decoder.ts'
import { type Format, type FormatSettings, NO_SETTINGS } from './format.ts'
import type { RecordReader, RequestedFields } from './record-reader.ts'

export const text: Format = {
  name: 'text',
  defaultSchema: recordOf('stringBody', { body: simple('string') }),
  defaultSettings: NO_SETTINGS,
  schemaProblem: ({ fields }) =>
    fields.length === 1 && fields[0]!.schema.type === 'string'
      ? undefined
      : 'wanted exactly one field, a string',
  settingsProblem: charsetProblem,
  reader: (_schema, settings, wanted) => textReader(settings, wanted),
}

function textReader(settings: FormatSettings, wanted: RequestedFields): RecordReader {
  const charset = new CharsetDecoder(settings)
  const isWanted = wanted.length > 0
  return {
    read(bytes, start, end, _headers, into) {
      if (isWanted) into[0] = charset.text(bytes, start, end)
      return undefined
    },
  }
}
