/**
 * Text: the whole body is the one field of the record.
 *
 *   charset   utf-8   how bytes become characters (charset.ts)
 */
import { recordOf, simple } from '../schemas/schema.ts'
import { charsetProblem } from './charset.ts'
import { type Format, NO_SETTINGS } from './format.ts'

export const text: Format = {
  name: 'text',
  defaultSchema: recordOf('stringBody', { body: simple('string') }),
  defaultSettings: NO_SETTINGS,
  schemaProblem: ({ fields }) =>
    fields.length === 1 && fields[0].schema.type === 'string'
      ? undefined
      : 'wanted exactly one field, a string',
  settingsProblem: charsetProblem,
}
