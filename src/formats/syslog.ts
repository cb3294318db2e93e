/**
 * Syslog: lines with a time, a host, a program and a message, in all forms in use.
 *
 *   variant   none: a body that begins like a message of RFC 5424 is read as one, any other with the pattern
 *             3164: always with the pattern      5424: only messages of RFC 5424; there is no pattern
 *   pattern   %{SYSLOGLINE:syslogline}          any grok pattern (grok-pattern.ts)
 *
 * In the library of this format, SYSLOGBASE2, which is part of SYSLOGLINE, matches more times than in the set of
 * logstash, and every time fills `timestamp`. In the set of logstash a time of RFC 3339 fills `timestamp8601`; that
 * field is filled too if the schema has it.
 */
import { nullable, type RecordSchema, recordOf, simple } from '../schemas/schema.ts'
import type { Format, FormatSettings } from './format.ts'
import { type GrokLibrary, grokPatternProblem } from './grok-pattern.ts'
import { compileProblem, type GrokOptions, GrokReader } from './grok-reader.ts'
import { GROK_LIBRARY } from './patterns/index.ts'
import type { RecordReader, RequestedFields } from './record-reader.ts'
import { PatternTrees } from './regex/tree.ts'
import { scalarFieldsThenListProblem } from './scalar-fields.ts'
import { SYSLOG_5424_FIELDS, Syslog5424Reader } from './syslog-5424.ts'
import { SyslogReader, unreadLine } from './syslog-reader.ts'

const text = nullable(simple('string'))

const PATTERN = '%{SYSLOGLINE:syslogline}'
const VARIANTS = ['3164', '5424']

/**
 * The times that are not in the set of logstash: RFC 3339 with lower-case letters, with an offset without minutes or
 * after a space, and the time of Cisco devices, with the year.
 */
const OTHER_TIME =
  '%{MONTH} +%{MONTHDAY} %{YEAR} %{TIME}|' +
  '%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[Tt ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?(?:[Zz]| ?[+-]%{HOUR}(?::?%{MINUTE})?)?'
/** Cisco devices may omit their name, and write the zone and a colon after the time. */
const NAMELESS = '(?<timestamp>%{MONTH} +%{MONTHDAY}(?: %{YEAR})? %{TIME})(?: [A-Z]{2,5})?: %{SYSLOGPROG}:'
const SYSLOG_LIBRARY: GrokLibrary = new Map([
  ...GROK_LIBRARY,
  [
    'SYSLOGBASE2',
    `(?:(?:%{SYSLOGTIMESTAMP:timestamp}|%{TIMESTAMP_ISO8601:timestamp8601}|(?<timestamp>${OTHER_TIME}))` +
      ` (?:%{SYSLOGFACILITY} )?%{SYSLOGHOST:logsource}+(?: %{SYSLOGPROG}:|)|${NAMELESS})`,
  ],
])
const TREES = new PatternTrees(SYSLOG_LIBRARY)
const LINES: GrokOptions = { trees: TREES, aliases: new Map([['timestamp8601', 'timestamp']]) }

export const syslog: Format = {
  name: 'syslog',
  defaultSchema: recordOf('streamEvent', {
    timestamp: text,
    logsource: text,
    program: text,
    message: text,
    pid: text,
  }),
  defaultSettings: new Map([['pattern', PATTERN]]),
  schemaProblem: scalarFieldsThenListProblem,
  settingsProblem: (settings) => variantProblem(settings) ?? patternProblem(settings),
  reader: syslogReader,
}

function syslogReader(schema: RecordSchema, settings: FormatSettings, wanted: RequestedFields): RecordReader {
  const variant = settings.get('variant')
  const pattern = settings.get('pattern')!
  if (variant === '5424') return new Syslog5424Reader(schema, wanted)
  if (pattern !== PATTERN) return new GrokReader(pattern, schema, wanted, LINES)
  const lines = new GrokReader(pattern, schema, wanted, { ...LINES, unmatched: unreadLine })
  // Other fields get captures of the pattern, and a message of RFC 5424 does not have those.
  const isCommon = wanted.every((index) => SYSLOG_5424_FIELDS.has(schema.fields[index]!.name))
  return variant === undefined && isCommon
    ? new SyslogReader(lines, new Syslog5424Reader(schema, wanted))
    : lines
}

function variantProblem(settings: FormatSettings): string | undefined {
  const variant = settings.get('variant')
  if (variant === undefined) return undefined
  if (!VARIANTS.includes(variant)) return `variant is '${variant}'; use one of ${VARIANTS.join(', ')}`
  return variant === '5424' && settings.get('pattern') !== PATTERN
    ? 'variant 5424 has no pattern; leave one of the two out'
    : undefined
}

function patternProblem(settings: FormatSettings): string | undefined {
  const pattern = settings.get('pattern')!
  return grokPatternProblem(pattern, SYSLOG_LIBRARY) ?? compileProblem(pattern, TREES)
}
