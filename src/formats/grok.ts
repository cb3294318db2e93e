/**
 * Grok: a pattern finds named texts in a line, and those named like a field become its value. Syslog is grok with the
 * BSD syslog line as its pattern and schema.
 *
 *   pattern   %{GREEDYDATA:body} or %{SYSLOGLINE:syslogline}   see grok-pattern.ts
 */
import { nullable, recordOf, simple } from '../schemas/schema.ts'
import type { Format, FormatSettings } from './format.ts'
import { grokPatternProblem } from './grok-pattern.ts'
import { scalarFieldsThenListProblem } from './scalar-fields.ts'

const text = nullable(simple('string'))

export const grok: Format = {
  name: 'grok',
  defaultSchema: recordOf('streamEvent', { body: text }),
  defaultSettings: new Map([['pattern', '%{GREEDYDATA:body}']]),
  schemaProblem: scalarFieldsThenListProblem,
  settingsProblem: patternProblem,
}

export const syslog: Format = {
  name: 'syslog',
  defaultSchema: recordOf('streamEvent', {
    timestamp: text,
    logsource: text,
    program: text,
    message: text,
    pid: text,
  }),
  defaultSettings: new Map([['pattern', '%{SYSLOGLINE:syslogline}']]),
  schemaProblem: scalarFieldsThenListProblem,
  settingsProblem: patternProblem,
}

function patternProblem(settings: FormatSettings): string | undefined {
  return grokPatternProblem(settings.get('pattern')!)
}
