import { describe, expect, test } from 'vitest'
import { checkFormat, resolveFormat } from '../../src/formats/specification.ts'
import { parseSchemaText } from '../../src/schemas/schema-json.ts'
import { ServiceError } from '../../src/service-error.ts'
import { DEFAULT_PROPERTIES } from '../../src/streams/properties.ts'

type Settings = Record<string, string>
const settingsOf = (settings: Settings = {}) => new Map(Object.entries(settings))

function check(name: string, schema?: string, settings?: Settings) {
  return checkFormat(name, schema === undefined ? undefined : parseSchemaText(schema), settingsOf(settings))
}

function unsupported(name: string): ServiceError {
  return new ServiceError('invalid_properties', `Format ${name} does not support the requested schema.`)
}

function notInstantiated(name: string): ServiceError {
  return new ServiceError('invalid_properties', `Invalid format, unable to instantiate format ${name}`)
}

/** The refusal alone; why it came is another matter. */
function refusal(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ServiceError)) return error
    const { cause, message } = error
    return new ServiceError(error.code, message.replace(` Cause: ${(cause as Error).message}`, ''))
  }
}

function reason(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return ((error as Error).cause as Error).message
  }
}

function record(...types: string[]): string {
  const fields = types.map((type, index) => `{"name":"f${index}","type":${type}}`)
  return `{"type":"record","name":"event","fields":[${fields.join(',')}]}`
}

const LIST = '{"type":"array","items":"string"}'
const MAP = '{"type":"map","keys":"string","values":"int"}'
const ENUM = '{"type":"enum","symbols":["A"]}'
const INNER = '{"type":"record","name":"inner","fields":[{"name":"i","type":"int"}]}'
const SIMPLE = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'].map(
  (type) => `"${type}"`,
)
const SCALARS = [...SIMPLE, ...SIMPLE.slice(1).map((type) => `[${type},"null"]`), '["null","int"]']

const TEXT_BODY = '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}'
const LIST_BODY = `{"type":"record","name":"streamEvent","fields":[{"name":"body","type":${LIST}}]}`
const GROK_BODY = '{"type":"record","name":"streamEvent","fields":[{"name":"body","type":["string","null"]}]}'
const nullableFields = (fields: [string, string][]) =>
  `{"type":"record","name":"streamEvent","fields":[${fields.map(([name, type]) => `{"name":"${name}","type":["${type}","null"]}`).join(',')}]}`
const CLF_LINE = nullableFields([
  ['remote_host', 'string'],
  ['remote_login', 'string'],
  ['auth_user', 'string'],
  ['request_time', 'string'],
  ['request', 'string'],
  ['status', 'int'],
  ['content_length', 'long'],
  ['referrer', 'string'],
  ['user_agent', 'string'],
])
const SYSLOG_LINE = nullableFields([
  ['timestamp', 'string'],
  ['logsource', 'string'],
  ['program', 'string'],
  ['message', 'string'],
  ['pid', 'string'],
])

const defaults = [
  { name: 'text', schema: TEXT_BODY },
  { name: 'TEXT', schema: TEXT_BODY },
  { name: 'csv', schema: LIST_BODY },
  { name: 'Csv', schema: LIST_BODY },
  { name: 'tsv', schema: LIST_BODY },
  { name: 'clf', schema: CLF_LINE },
  { name: 'grok', schema: GROK_BODY },
  { name: 'syslog', schema: SYSLOG_LINE },
  { name: 'co.cask.cdap.format.TextRecordFormat', schema: TEXT_BODY },
  { name: 'co.cask.cdap.data.format.TextRecordFormat', schema: TEXT_BODY },
  { name: 'co.cask.cdap.format.DelimitedStringsRecordFormat', schema: LIST_BODY },
  { name: 'co.cask.cdap.format.CombinedLogRecordFormat', schema: CLF_LINE },
  { name: 'co.cask.cdap.format.GrokRecordFormat', schema: GROK_BODY },
]
test.each(defaults)('$name has a schema of its own, and keeps its name', ({ name, schema }) => {
  expect(check(name)).toEqual({ name, schema, settings: new Map() })
})

test('the default properties have the text format as it would be checked', () => {
  expect(DEFAULT_PROPERTIES.format).toEqual(check('text'))
})

test.each(['avro', 'AVRO', 'co.cask.cdap.format.AvroRecordFormat', 'json', 'JSON'])(
  '%s has to be given a schema',
  (name) => {
    expect(refusal(() => check(name))).toEqual(unsupported(name))
  },
)

const unknown = [
  'gibberish',
  '',
  'csv ',
  'co.cask.cdap.format.Gibberish',
  'TextRecordFormat',
  '__proto__',
  'constructor',
]
test.each(unknown)('there is no format %j', (name) => {
  expect(refusal(() => check(name))).toEqual(notInstantiated(name))
})

describe.each(['text', 'csv', 'tsv', 'clf', 'grok', 'syslog', 'avro'])('%s', (name) => {
  test.each([...SIMPLE, LIST, MAP, ENUM, '["string","null"]', `[${TEXT_BODY},"null"]`])(
    'reads no %s',
    (schema) => {
      expect(refusal(() => check(name, schema))).toEqual(unsupported(name))
    },
  )

  test('keeps settings it does not know', () => {
    const settings = { unknown: 'x', __proto__x: 'y', '1': '' }
    expect(check(name, record('"string"'), settings)).toEqual({
      name,
      schema: record('"string"'),
      settings: settingsOf(settings),
    })
  })
})

const ALL = ['text', 'csv', 'tsv', 'clf', 'grok', 'syslog', 'avro']
const LISTING = ['csv', 'tsv', 'grok', 'syslog']
const schemas: { what: string; schema: string; readBy: readonly string[] }[] = [
  { what: 'one string', schema: record('"string"'), readBy: ALL },
  { what: 'one nullable string', schema: record('["string","null"]'), readBy: ALL.slice(1) },
  { what: 'one double', schema: record('"double"'), readBy: ALL.slice(1) },
  { what: 'two strings', schema: record('"string"', '"string"'), readBy: ALL.slice(1) },
  { what: 'scalars of all kinds', schema: record(...SCALARS), readBy: ALL.slice(1) },
  { what: 'a list', schema: record(LIST), readBy: [...LISTING, 'avro'] },
  { what: 'a list at the end', schema: record('"int"', LIST), readBy: [...LISTING, 'avro'] },
  {
    what: 'a nullable list at the end',
    schema: record('"int"', `[${LIST},"null"]`),
    readBy: [...LISTING, 'avro'],
  },
  {
    what: 'a nullable list of nullable strings at the end',
    schema: record('"int"', '["null",{"type":"array","items":["string","null"]}]'),
    readBy: [...LISTING, 'avro'],
  },
  { what: 'a list before the end', schema: record(LIST, '"int"'), readBy: ['avro'] },
  { what: 'two lists', schema: record(LIST, LIST), readBy: ['avro'] },
  { what: 'a list of numbers', schema: record('{"type":"array","items":"int"}'), readBy: ['avro'] },
  { what: 'a list of maps', schema: record(`{"type":"array","items":${MAP}}`), readBy: ['avro'] },
  { what: 'a map', schema: record(MAP), readBy: ['avro'] },
  { what: 'a record', schema: record(INNER), readBy: ['avro'] },
  { what: 'a nullable record', schema: record(`[${INNER},"null"]`), readBy: ['avro'] },
  { what: 'a record twice, by name', schema: record(INNER, '"inner"'), readBy: ['avro'] },
  { what: 'itself', schema: record('["event","null"]'), readBy: ['avro'] },
  { what: 'a union', schema: record('["int","string"]'), readBy: ['avro'] },
  { what: 'a union of three', schema: record('["int","string","null"]'), readBy: ['avro'] },
  {
    what: 'a record of a name with a namespace',
    schema: record(INNER.replace('inner', 'a.b_1.C')),
    readBy: ['avro'],
  },
  { what: 'an enum', schema: record(ENUM), readBy: [] },
  { what: 'a map with numbers for keys', schema: record(MAP.replace('string', 'int')), readBy: [] },
  { what: 'two records of a name', schema: record(INNER, INNER), readBy: [] },
  { what: 'a union in a union', schema: record('[["int","long"],"string"]'), readBy: [] },
  { what: 'a union with a type twice', schema: record('["int","int"]'), readBy: [] },
  { what: 'a union with two lists', schema: record(`[${LIST},${LIST}]`), readBy: [] },
  { what: 'a record of a name with a hyphen', schema: record(INNER.replace('inner', 'in-ner')), readBy: [] },
  {
    what: 'a field of a name with a hyphen',
    schema: record('"string"').replace('f0', 'f-0'),
    readBy: ALL.filter((name) => name !== 'avro'),
  },
]
describe.each(schemas)('$what', ({ schema, readBy }) => {
  test.each(ALL)(`by %s is ${readBy.length === 0 ? 'never ' : ''}read if it can be`, (name) => {
    const expected = readBy.includes(name) ? { name, schema, settings: new Map() } : unsupported(name)
    expect(refusal(() => check(name, schema))).toEqual(expected)
  })
})

const THREE = record('"int"', '"string"', '["float","null"]')
const settings: { name: string; schema?: string; settings: Settings; accepted: boolean }[] = [
  { name: 'text', settings: { charset: 'UTF-8' }, accepted: true },
  { name: 'text', settings: { charset: 'ISO-8859-1' }, accepted: true },
  { name: 'text', settings: { charset: 'klingon' }, accepted: false },
  { name: 'text', settings: { charset: '' }, accepted: false },
  { name: 'text', settings: { mapping: '' }, accepted: true },
  { name: 'csv', settings: { charset: 'klingon' }, accepted: false },
  { name: 'tsv', settings: { charset: 'US-ASCII' }, accepted: true },
  { name: 'clf', settings: { charset: 'klingon' }, accepted: true },
  { name: 'csv', settings: { delimiter: ' ' }, accepted: true },
  { name: 'csv', settings: { delimiter: '||' }, accepted: true },
  { name: 'csv', settings: { delimiter: '' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:f0' }, accepted: true },
  { name: 'csv', schema: THREE, settings: { mapping: '2:f1,3:f2' }, accepted: true },
  { name: 'tsv', schema: THREE, settings: { mapping: '1:f1,0:f0' }, accepted: true },
  { name: 'csv', schema: THREE, settings: { mapping: ' 1:f1 ,\t0:f0 ' }, accepted: true },
  { name: 'csv', schema: THREE, settings: { mapping: '2147483647:f1' }, accepted: true },
  { name: 'csv', schema: THREE, settings: { mapping: '2147483648:f1' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: ',' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:f0,' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:f0:f1' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: 'f0:0' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '-1:f0' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0 :f0' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:nope' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:F0' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:constructor' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:f0,1:f1,2:f2,3:f0' }, accepted: false },
  { name: 'csv', schema: THREE, settings: { mapping: '0:f0,0:f1' }, accepted: false },
  { name: 'csv', schema: record('"int"', LIST), settings: { mapping: '0:f0,1:f1' }, accepted: false },
  { name: 'csv', schema: record('"int"', LIST), settings: { mapping: '0:f0' }, accepted: false },
  { name: 'csv', settings: { mapping: '0:body' }, accepted: false },
  { name: 'csv', settings: { quote: '"' }, accepted: true },
  { name: 'tsv', settings: { quote: "'" }, accepted: true },
  { name: 'csv', settings: { quote: '' }, accepted: false },
  { name: 'csv', settings: { quote: '""' }, accepted: false },
  { name: 'csv', settings: { quote: 'é' }, accepted: false },
  { name: 'csv', settings: { quote: ' ' }, accepted: false },
  { name: 'csv', settings: { quote: ',' }, accepted: false },
  { name: 'csv', settings: { quote: '|', delimiter: '||' }, accepted: false },
  { name: 'grok', schema: record(LIST), settings: { mapping: '0:nope' }, accepted: true },
  { name: 'grok', settings: { pattern: '%{NOPE:body}' }, accepted: false },
  { name: 'grok', settings: { pattern: '(?<body>x)\\1' }, accepted: false },
  { name: 'grok', settings: { pattern: '[z-a]' }, accepted: false },
  { name: 'grok', settings: { pattern: '(?<=a*)b' }, accepted: false },
  { name: 'grok', settings: { pattern: '%{IPV6}'.repeat(2000) }, accepted: false },
  { name: 'grok', settings: { pattern: '(?>a++|\\h{2})(?<!b)%{HAPROXYHTTP:body}' }, accepted: true },
  { name: 'grok', settings: { variant: '5424' }, accepted: true },
  { name: 'syslog', settings: { variant: '5424' }, accepted: true },
  { name: 'syslog', settings: { variant: '3164' }, accepted: true },
  { name: 'syslog', settings: { variant: '3164', pattern: '%{SYSLOGBASE}' }, accepted: true },
  { name: 'syslog', settings: { variant: '5425' }, accepted: false },
  { name: 'syslog', settings: { variant: '5424', pattern: '%{SYSLOGBASE}' }, accepted: false },
  { name: 'grok', settings: { pattern: '%{USER:user}:%{GREEDYDATA:body}' }, accepted: true },
  { name: 'grok', settings: { pattern: '(?<body>.*' }, accepted: false },
  { name: 'grok', settings: { pattern: '' }, accepted: false },
  { name: 'syslog', settings: { pattern: '%{SYSLOG5424LINE}' }, accepted: true },
  { name: 'syslog', settings: { pattern: '%{SYSLOGLINE' }, accepted: false },
]
test.each(settings)(
  '$name with $settings and schema $schema: $accepted',
  ({ name, schema, settings, accepted }) => {
    const expected = accepted
      ? { name, schema: schema ?? check(name).schema, settings: settingsOf(settings) }
      : notInstantiated(name)
    expect(refusal(() => check(name, schema, settings))).toEqual(expected)
  },
)

test('a refusal carries its reason', () => {
  expect(reason(() => check('text', record('"double"')))).toBe('wanted exactly one field, a string')
  expect(reason(() => check('csv', record(MAP)))).toBe(
    'field f0 is neither of a simple type nor a nullable one',
  )
  expect(reason(() => check('grok', undefined, { pattern: '%{NOPE:body}' }))).toBe('there is no pattern NOPE')
  expect(reason(() => check('csv', THREE, { mapping: '0:x' }))).toBe(
    'mapping names field x, which the schema does not have',
  )
})

describe('json reads', () => {
  const read = [
    ...SIMPLE,
    LIST,
    MAP,
    ENUM,
    INNER,
    '["int","string"]',
    '["null",["int","string"]]',
    '["event","null"]',
  ]
  test.each(read)('a field of type %s', (type) => {
    expect(check('json', record(type)).name).toBe('json')
  })

  test('no map whose keys are numbers', () => {
    const schema = record(`{"type":"array","items":${MAP.replace('string', 'int')}}`)
    expect(refusal(() => check('json', schema))).toEqual(unsupported('json'))
  })

  test('no schema that is no record', () => {
    expect(refusal(() => check('json', '"string"'))).toEqual(unsupported('json'))
  })
})

test('a schema that is not supported is refused before settings that make no sense', () => {
  expect(refusal(() => check('csv', record(MAP), { charset: 'klingon' }))).toEqual(unsupported('csv'))
})

const effective = [
  { name: 'csv', given: {}, settings: { delimiter: ',' } },
  { name: 'TSV', given: {}, settings: { delimiter: '\t' } },
  { name: 'tsv', given: { delimiter: ' ', x: 'y' }, settings: { delimiter: ' ', x: 'y' } },
  { name: 'co.cask.cdap.format.DelimitedStringsRecordFormat', given: {}, settings: { delimiter: ',' } },
  { name: 'grok', given: {}, settings: { pattern: '%{GREEDYDATA:body}' } },
  { name: 'syslog', given: {}, settings: { pattern: '%{SYSLOGLINE:syslogline}' } },
  { name: 'text', given: {}, settings: {} },
]
test.each(effective)('$name with $given works with $settings', ({ name, given, settings }) => {
  expect(resolveFormat(name, undefined, settingsOf(given)).settings).toEqual(settingsOf(settings))
})
