/**
 * Grok: a pattern finds named texts in a line, and those named like a field become its value. Syslog is grok with the
 * BSD syslog line as its pattern and schema, or messages of RFC 5424.
 *
 *   pattern   %{GREEDYDATA:body} or %{SYSLOGLINE:syslogline}   see grok-pattern.ts; the library is in patterns/
 *   variant   3164                                             syslog only: 5424 reads RFC 5424, and has no pattern
 */
import { nullable, recordOf, simple } from '../schemas/schema.ts'
import type { Format, FormatSettings } from './format.ts'
import { grokPatternProblem } from './grok-pattern.ts'
import { compileProblem, GrokReader } from './grok-reader.ts'
import { GROK_LIBRARY } from './patterns/index.ts'
import { scalarFieldsThenListProblem } from './scalar-fields.ts'
import { Syslog5424Reader } from './syslog-5424.ts'

const text = nullable(simple('string'))

export const grok: Format = {
  name: 'grok',
  defaultSchema: recordOf('streamEvent', { body: text }),
  defaultSettings: new Map([['pattern', '%{GREEDYDATA:body}']]),
  schemaProblem: scalarFieldsThenListProblem,
  settingsProblem: patternProblem,
  reader: (schema, settings, wanted) => new GrokReader(settings.get('pattern')!, schema, wanted),
}

const SYSLOG_PATTERN = '%{SYSLOGLINE:syslogline}'
const VARIANTS = ['3164', '5424']

export const syslog: Format = {
  name: 'syslog',
  defaultSchema: recordOf('streamEvent', {
    timestamp: text,
    logsource: text,
    program: text,
    message: text,
    pid: text,
  }),
  defaultSettings: new Map([['pattern', SYSLOG_PATTERN]]),
  schemaProblem: scalarFieldsThenListProblem,
  settingsProblem: (settings) => variantProblem(settings) ?? patternProblem(settings),
  reader: (schema, settings, wanted) =>
    settings.get('variant') === '5424'
      ? new Syslog5424Reader(schema, wanted)
      : new GrokReader(settings.get('pattern')!, schema, wanted),
}

function variantProblem(settings: FormatSettings): string | undefined {
  const variant = settings.get('variant') ?? VARIANTS[0]
  if (!VARIANTS.includes(variant)) return `variant is '${variant}'; use one of ${VARIANTS.join(', ')}`
  return variant === '5424' && settings.get('pattern') !== SYSLOG_PATTERN
    ? 'variant 5424 has no pattern; leave one of the two out'
    : undefined
}

function patternProblem(settings: FormatSettings): string | undefined {
  const pattern = settings.get('pattern')!
  return grokPatternProblem(pattern, GROK_LIBRARY) ?? compileProblem(pattern)
}
