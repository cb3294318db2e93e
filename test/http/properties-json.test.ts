import { describe, expect, test } from 'vitest'
import {
  parseNewProperties,
  parsePropertiesChange,
  printProperties,
} from '../../src/http/cdap/properties-json.ts'
import { ServiceError } from '../../src/service-error.ts'
import { DEFAULT_PROPERTIES, mergeProperties, type PropertiesChange } from '../../src/streams/properties.ts'

const GENERIC =
  'Invalid stream configuration. Please check that the configuration is a valid JSON Object with a valid schema. Cause: '
const TEXT_SCHEMA = '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}'
const CSV_SCHEMA =
  '{"type":"record","name":"streamEvent","fields":[{"name":"body","type":{"type":"array","items":"string"}}]}'

const bytes = (text: string) => Buffer.from(text)

const accepted: { name: string; body: string; change: PropertiesChange }[] = [
  { name: 'no property', body: '{}', change: {} },
  { name: 'unknown keys', body: '{"nope":{"a":[1]},"__proto__":{"ttl":5},"constructor":1}', change: {} },
  { name: 'a ttl', body: '{"ttl": 88888}', change: { ttlSeconds: 88888n } },
  { name: 'a ttl of 0', body: '{"ttl":0}', change: { ttlSeconds: 0n } },
  { name: 'a ttl in a text', body: '{"ttl":"5"}', change: { ttlSeconds: 5n } },
  { name: 'a ttl with decimals of 0', body: '{"ttl":1.0}', change: { ttlSeconds: 1n } },
  { name: 'a ttl with an exponent', body: '{"ttl":1e3}', change: { ttlSeconds: 1000n } },
  { name: 'a ttl in an array', body: '{"ttl":[7]}', change: { ttlSeconds: 7n } },
  { name: 'a ttl above 2^53', body: '{"ttl":9007199254740993}', change: { ttlSeconds: 9007199254740993n } },
  { name: 'the greatest ttl', body: '{"ttl":9223372036854775}', change: { ttlSeconds: 9223372036854775n } },
  { name: 'a ttl beyond it', body: '{"ttl":9223372036854776}', change: { ttlSeconds: 9223372036854775n } },
  {
    name: 'the greatest int64',
    body: '{"ttl":9223372036854775807}',
    change: { ttlSeconds: 9223372036854775n },
  },
  { name: 'a ttl twice', body: '{"ttl":1,"ttl":2}', change: { ttlSeconds: 2n } },
  {
    name: 'a threshold',
    body: '{"notification.threshold.mb":1000}',
    change: { notificationThresholdMb: 1000 },
  },
  {
    name: 'a threshold with decimals',
    body: '{"notification.threshold.mb":1.9}',
    change: { notificationThresholdMb: 1 },
  },
  {
    name: 'the greatest threshold',
    body: '{"notification.threshold.mb":2147483647}',
    change: { notificationThresholdMb: 2147483647 },
  },
  {
    name: 'a description',
    body: '{"description":"Web access logs"}',
    change: { description: 'Web access logs' },
  },
  { name: 'an empty description', body: '{"description":""}', change: { description: '' } },
  { name: 'a number for a description', body: '{"description":1.50}', change: { description: '1.50' } },
  { name: 'a boolean for a description', body: '{"description":true}', change: { description: 'true' } },
  ...['user', 'user@REALM', 'user/example.net@examplekdc.net', 'user/host', 'ü.x-1/h@R'].map((principal) => ({
    name: `the principal ${principal}`,
    body: JSON.stringify({ principal }),
    change: { principal },
  })),
  { name: 'a format of null', body: '{"format":null,"ttl":1}', change: { ttlSeconds: 1n } },
  {
    name: 'a format by name',
    body: '{"format":{"name":"text"}}',
    change: { format: { name: 'text', schema: TEXT_SCHEMA, settings: new Map() } },
  },
  {
    name: 'a format with nothing but nulls besides',
    body: '{"format":{"name":"CSV","schema":null,"settings":null}}',
    change: { format: { name: 'CSV', schema: CSV_SCHEMA, settings: new Map() } },
  },
  {
    name: 'a Java class for a format',
    body: '{"format":{"name":"co.cask.cdap.format.TextRecordFormat"}}',
    change: {
      format: { name: 'co.cask.cdap.format.TextRecordFormat', schema: TEXT_SCHEMA, settings: new Map() },
    },
  },
  {
    name: 'settings of all kinds, unknown and null ones among them',
    body: '{"format":{"name":"text","settings":{"b":1,"a":true,"10":"x","n":null,"charset":"UTF-8"}}}',
    change: {
      format: {
        name: 'text',
        schema: TEXT_SCHEMA,
        settings: new Map([
          ['b', '1'],
          ['a', 'true'],
          ['10', 'x'],
          ['charset', 'UTF-8'],
        ]),
      },
    },
  },
  {
    name: 'the example of the reference',
    body: `{
           "ttl" : 86400,
           "format": {
             "name": "csv",
             "schema": {
               "type": "record",
               "name": "event",
               "fields": [
                 { "name": "f1", "type": "string" },
                 { "name": "f2", "type": "int" },
                 { "name": "f3", "type": "double" }
               ]
             },
             "settings": { "delimiter": " " }
           },
           "notification.threshold.mb" : 1000
         }`,
    change: {
      ttlSeconds: 86400n,
      format: {
        name: 'csv',
        schema:
          '{"type":"record","name":"event","fields":[{"name":"f1","type":"string"},{"name":"f2","type":"int"},{"name":"f3","type":"double"}]}',
        settings: new Map([['delimiter', ' ']]),
      },
      notificationThresholdMb: 1000,
    },
  },
  {
    name: 'lenient JSON',
    body: "{'ttl'=5; format => {name: CSV, settings: {delimiter: ';'}} # more\n ; description: words}",
    change: {
      ttlSeconds: 5n,
      format: { name: 'CSV', schema: CSV_SCHEMA, settings: new Map([['delimiter', ';']]) },
      description: 'words',
    },
  },
]
describe.each([
  { route: 'creation', parse: parseNewProperties },
  { route: 'a change', parse: parsePropertiesChange },
])('for $route', ({ parse }) => {
  test.each(accepted)('$name can be given', ({ body, change }) => {
    expect(parse(bytes(body))).toEqual(change)
  })
})

const field = (type: string) =>
  `{"format":{"name":"csv","schema":{"type":"record","name":"r","fields":[{"name":"f","type":${type}}]}}}`

const refused = [
  { name: 'a negative ttl', body: '{"ttl":-1}', text: 'TTL value should be positive.' },
  { name: 'no ttl but null', body: '{"ttl":null}', text: `${GENERIC}ttl is not a whole number of seconds` },
  { name: 'true for a ttl', body: '{"ttl":true}', text: `${GENERIC}ttl is not a whole number of seconds` },
  { name: 'words for a ttl', body: '{"ttl":"ten"}', text: `${GENERIC}ttl is not a whole number of seconds` },
  { name: 'an object for a ttl', body: '{"ttl":{}}', text: `${GENERIC}ttl is not a whole number of seconds` },
  { name: 'two ttls', body: '{"ttl":[1,2]}', text: `${GENERIC}ttl is not a whole number of seconds` },
  {
    name: 'a ttl beyond int64',
    body: '{"ttl":92233720368547758070}',
    text: `${GENERIC}ttl is not a whole number of seconds`,
  },
  {
    name: 'a threshold of 0',
    body: '{"notification.threshold.mb":0}',
    text: 'Threshold value should be greater than zero.',
  },
  {
    name: 'a threshold of 0.5',
    body: '{"notification.threshold.mb":0.5}',
    text: 'Threshold value should be greater than zero.',
  },
  {
    name: 'a negative threshold',
    body: '{"notification.threshold.mb":-5}',
    text: 'Threshold value should be greater than zero.',
  },
  {
    name: 'a threshold beyond int32',
    body: '{"notification.threshold.mb":2147483648}',
    text: `${GENERIC}notification.threshold.mb is not a whole number of megabytes`,
  },
  {
    name: 'a threshold of null',
    body: '{"notification.threshold.mb":null}',
    text: `${GENERIC}notification.threshold.mb is not a whole number of megabytes`,
  },
  {
    name: 'a description of null',
    body: '{"description":null}',
    text: `${GENERIC}description is not a text`,
  },
  {
    name: 'an object for a description',
    body: '{"description":{}}',
    text: `${GENERIC}description is not a text`,
  },
  { name: 'a principal of null', body: '{"principal":null}', text: `${GENERIC}principal is not a text` },
  { name: 'a number for a principal', body: '{"principal":5}', text: `${GENERIC}principal is not a text` },
  ...['', 'user@', '@R', '/host@R', 'user/@R', 'a@b@c', 'a/b/c@R'].map((principal) => ({
    name: `the principal '${principal}'`,
    body: JSON.stringify({ principal }),
    text: `principal is '${principal}'; use primary/instance@REALM, where /instance and @REALM may be left out`,
  })),
  { name: 'a word for a format', body: '{"format":"csv"}', text: `${GENERIC}format is not an object` },
  { name: 'a format without a name', body: '{"format":{}}', text: 'A format name must be specified.' },
  {
    name: 'a format whose name is null',
    body: '{"format":{"name":null}}',
    text: 'A format name must be specified.',
  },
  {
    name: 'a format whose name is an object',
    body: '{"format":{"name":{}}}',
    text: `${GENERIC}name is not a text`,
  },
  {
    name: 'an unknown format',
    body: '{"format":{"name":"gibberish"}}',
    text: 'Invalid format, unable to instantiate format gibberish',
  },
  {
    name: 'a format that does not support the schema',
    body: field('{"type":"map","keys":"string","values":"int"}'),
    text: 'Format csv does not support the requested schema. Cause: field f is neither of a simple type nor a nullable one',
  },
  {
    name: 'avro without a schema',
    body: '{"format":{"name":"avro"}}',
    text: 'Format avro does not support the requested schema. Cause: the format has no schema of its own; give one',
  },
  {
    name: 'a schema that is no record',
    body: '{"format":{"name":"text","schema":"string"}}',
    text: 'Format text does not support the requested schema. Cause: the schema is of type string, not a record',
  },
  {
    name: 'an unknown charset',
    body: '{"format":{"name":"text","settings":{"charset":"klingon"}}}',
    text: 'Invalid format, unable to instantiate format text',
  },
  {
    name: 'an unknown type word',
    body: field('"strin"'),
    text: `${GENERIC}schema: $.fields.f.type is 'strin', which is neither a type nor a record defined before`,
  },
  {
    name: 'a schema without a type',
    body: '{"format":{"name":"csv","schema":{"name":"x"}}}',
    text: `${GENERIC}schema: $ has no "type" that is a text`,
  },
  {
    name: 'a schema without fields',
    body: '{"format":{"name":"csv","schema":{"type":"record","name":"x","fields":[]}}}',
    text: `${GENERIC}schema: $ is a record without fields`,
  },
  {
    name: 'a schema with a field twice',
    body: '{"format":{"name":"csv","schema":{"type":"record","name":"x","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}}}',
    text: `${GENERIC}schema: $ has two fields 'a'`,
  },
  {
    name: 'a setting that is an object',
    body: '{"format":{"name":"csv","settings":{"delimiter":{}}}}',
    text: `${GENERIC}settings is not an object of texts`,
  },
  {
    name: 'settings that are a list',
    body: '{"format":{"name":"csv","settings":[]}}',
    text: `${GENERIC}settings is not an object of texts`,
  },
  { name: 'an array', body: '[]', text: `${GENERIC}the body is not a JSON object` },
  { name: 'a bare word', body: 'ttl', text: `${GENERIC}the body is not a JSON object` },
  { name: 'null', body: 'null', text: `${GENERIC}the body is not a JSON object` },
  {
    name: 'members without an object',
    body: 'ttl:2',
    text: `${GENERIC}something follows the end of the JSON at line 1 column 4`,
  },
  {
    name: 'trailing garbage',
    body: '{"ttl":2}}',
    text: `${GENERIC}something follows the end of the JSON at line 1 column 10`,
  },
  { name: 'half of an object', body: '{"ttl":2', text: `${GENERIC}expected ',' or '}' at line 1 column 9` },

  // The order: shape of everything, then ttl, format, threshold, principal.
  {
    name: 'a bad shape before a bad ttl',
    body: '{"ttl":-1,"description":null}',
    text: `${GENERIC}description is not a text`,
  },
  {
    name: 'a malformed schema before a bad ttl',
    body: '{"ttl":-1,"format":{"name":"csv","schema":7}}',
    text: `${GENERIC}schema: $ has no "type" that is a text`,
  },
  {
    name: 'a bad ttl before a missing format name',
    body: '{"format":{},"ttl":-1}',
    text: 'TTL value should be positive.',
  },
  {
    name: 'a bad format before a bad threshold',
    body: '{"notification.threshold.mb":0,"format":{"name":"x"}}',
    text: 'Invalid format, unable to instantiate format x',
  },
  {
    name: 'a bad threshold before a bad principal',
    body: '{"principal":"@","notification.threshold.mb":0}',
    text: 'Threshold value should be greater than zero.',
  },
]
describe.each([
  { route: 'creation', parse: parseNewProperties },
  { route: 'a change', parse: parsePropertiesChange },
])('for $route', ({ parse }) => {
  test.each(refused)('$name is refused', ({ body, text }) => {
    expect(() => parse(bytes(body))).toThrow(
      expect.objectContaining({ name: 'ServiceError', code: 'invalid_properties', message: text }),
    )
  })
})

test('bytes that are not UTF-8 are refused', () => {
  const body = Buffer.from('{"description":"é"}', 'latin1')
  expect(() => parsePropertiesChange(body)).toThrow(
    new ServiceError('invalid_properties', `${GENERIC}the text is not UTF-8 at line 1 column 1`),
  )
})

test.each(['', ' \n', '// nothing'])(
  'a body of %j creates with defaults and changes nothing but is refused',
  (body) => {
    expect(parseNewProperties(bytes(body))).toEqual({})
    expect(() => parsePropertiesChange(bytes(body))).toThrow(
      new ServiceError('invalid_properties', `${GENERIC}the body is empty`),
    )
  },
)

const DEFAULT_TEXT =
  '{"ttl":9223372036854775,"format":{"name":"text","schema":{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]},"settings":{}},"notification.threshold.mb":1024}'

const printed: { name: string; change: PropertiesChange; text: string }[] = [
  { name: 'the defaults', change: {}, text: DEFAULT_TEXT },
  {
    name: 'a ttl above 2^53',
    change: { ttlSeconds: 9007199254740993n },
    text: DEFAULT_TEXT.replace('9223372036854775', '9007199254740993'),
  },
  {
    name: 'everything',
    change: {
      ttlSeconds: 0n,
      format: {
        name: 'CSV "x"',
        schema: CSV_SCHEMA,
        settings: new Map([
          ['z', 'ü"\n'],
          ['1', ''],
        ]),
      },
      notificationThresholdMb: 2147483647,
      description: 'a "b"\u0001',
      principal: 'p@R',
    },
    text: `{"ttl":0,"format":{"name":"CSV \\"x\\"","schema":${CSV_SCHEMA},"settings":{"z":"ü\\"\\n","1":""}},"notification.threshold.mb":2147483647,"description":"a \\"b\\"\\u0001","principal":"p@R"}`,
  },
  {
    name: 'an empty description',
    change: { description: '' },
    text: `${DEFAULT_TEXT.slice(0, -1)},"description":""}`,
  },
]
test.each(printed)('$name print exactly', ({ change, text }) => {
  expect(printProperties(mergeProperties(DEFAULT_PROPERTIES, change))).toBe(text)
})

test('what was printed can be sent back', () => {
  for (const { body } of accepted) {
    const properties = mergeProperties(DEFAULT_PROPERTIES, parseNewProperties(bytes(body)))
    expect(mergeProperties(properties, parsePropertiesChange(bytes(printProperties(properties))))).toEqual(
      properties,
    )
  }
})
