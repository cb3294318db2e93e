/**
 * Combined log format, as web servers write it: the values of a line become the fields in their order. No settings.
 *
 *   remote_host remote_login auth_user [request_time] "request" status content_length "referrer" "user_agent"
 */
import { nullable, recordOf, simple } from '../schemas/schema.ts'
import { type Format, NO_SETTINGS } from './format.ts'
import { scalarFieldsProblem } from './scalar-fields.ts'

const text = nullable(simple('string'))
const number = nullable(simple('int'))

export const clf: Format = {
  name: 'clf',
  defaultSchema: recordOf('streamEvent', {
    remote_host: text,
    remote_login: text,
    auth_user: text,
    request_time: text,
    request: text,
    status: number,
    content_length: number,
    referrer: text,
    user_agent: text,
  }),
  defaultSettings: NO_SETTINGS,
  schemaProblem: scalarFieldsProblem,
  settingsProblem: () => undefined,
}
