/**
 * Syslog: lines with a time, a host, a program and a message, in every form that is in use.
 *
 *   variant   none: a body that begins like a message of RFC 5424 is read as one, any other by the pattern
 *             3164: by the pattern, always      5424: messages of RFC 5424 alone; there is no pattern
 *   pattern   %{SYSLOGLINE:syslogline}          any pattern of grok (grok-pattern.ts)
 *
 * In the library of this format SYSLOGBASE2, which SYSLOGLINE is made of, knows more times than the set of logstash does, and
 * all of them fill `timestamp`. In the set a time of RFC 3339 goes to `timestamp8601`, which is filled, too, if there is one.
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
 * The times that are not in the set of logstash: RFC 3339 with small letters, an offset without minutes or behind a space,
 * and the time of Cisco's devices, with the year.
 */
const OTHER_TIME =
  '%{MONTH} +%{MONTHDAY} %{YEAR} %{TIME}|' +
  '%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[Tt ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?(?:[Zz]| ?[+-]%{HOUR}(?::?%{MINUTE})?)?'
/** Cisco's devices may leave out their name, and put the zone and a colon behind the time. */
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
  // Other fields are filled by captures of the pattern, which a message of RFC 5424 does not have.
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
