/**
 * Combined log format, as web servers write it: the values of a line become the fields in their order. No settings.
 *
 *   remote_host remote_login auth_user [request_time] "request" status content_length "referrer" "user_agent"
 *
 * The common log format ends after content_length. The fields of values that are missing at the end are null. The
 * syntax of values is in clf-reader.ts.
 */
import { nullable, type RecordSchema, recordOf, simple } from '../schemas/schema.ts'
import { ClfReader } from './clf-reader.ts'
import { type Format, type FormatSettings, NO_SETTINGS } from './format.ts'
import type { RequestedFields } from './record-reader.ts'
import { scalarFieldsProblem } from './scalar-fields.ts'

const text = nullable(simple('string'))
const number = nullable(simple('int'))
/** CDAP has an int here, which cannot hold the length of a response of 2 GiB or more. */
const bytes = nullable(simple('long'))

export const clf: Format = {
  name: 'clf',
  defaultSchema: recordOf('streamEvent', {
    remote_host: text,
    remote_login: text,
    auth_user: text,
    request_time: text,
    request: text,
    status: number,
    content_length: bytes,
    referrer: text,
    user_agent: text,
  }),
  defaultSettings: NO_SETTINGS,
  schemaProblem: scalarFieldsProblem,
  settingsProblem: () => undefined,
  reader: (schema: RecordSchema, _settings: FormatSettings, wanted: RequestedFields) =>
    new ClfReader(schema, wanted),
}
