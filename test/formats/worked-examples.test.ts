/** The worked examples of the wire contract, F1 to F30: what each format makes of a body. */
import avsc from 'avsc'
import { expect, test } from 'vitest'
import type { EventHeaders, Value } from '../../src/formats/record-reader.ts'
import { type Body, type FormatUse, LIST, optional, recordJson, TestReader } from '../support/records.ts'

interface Example extends FormatUse {
  readonly name: string
  readonly body: Body
  readonly headers?: EventHeaders
  /** A text is part of the reason why there is no record. */
  readonly record: Readonly<Record<string, Value>> | string
}

const FLOAT_MAX = 3.4028234663852886e38
const SCALARS_THEN_LIST: [string, unknown][] = [
  ['f1', optional('boolean')],
  ['f2', optional('int')],
  ['f3', optional('float')],
  ['f4', optional('double')],
  ['f5', optional('bytes')],
  ['f6', optional('string')],
  ['f7', LIST],
]
const FULL =
  'false,2147483647,3.4028235E38,1.7976931348623157E308,\\x00\\x01\\x02,foo bar,extra1,extra2,extra3'
const SPARSE = 'true,,3.14159,,,hello world,extra1'
const MAPPED: FormatUse = {
  format: 'csv',
  schema: [
    ['f3', optional('float')],
    ['f4', optional('double')],
  ],
  settings: { mapping: '2:f3,3:f4' },
}
const CRAWLER = 'Mozilla/5.0 (compatible; AhrefsBot/5.0; +http://ahrefs.com/robot/)'
const NO_SYSLOG = { timestamp: null, logsource: null, program: null, message: null, pid: null }

function datum(schema: unknown, value: unknown): Buffer {
  return avsc.Type.forSchema(schema as avsc.Schema).toBuffer(value)
}

const FLAT = recordJson([
  ['i', 'int'],
  ['l', 'long'],
  ['b', 'boolean'],
  ['by', 'bytes'],
  ['d', 'double'],
  ['f', 'float'],
  ['s', 'string'],
  ['a', { type: 'array', items: 'int' }],
  ['m', { type: 'map', values: 'string' }],
  ['n1', ['string', 'null']],
  ['n2', ['string', 'null']],
])
const NESTED = recordJson([
  ['int', 'int'],
  ['first', { type: 'record', name: 'first', fields: [{ name: 'double', type: 'double' }] }],
])
const ID_AND_NAME = recordJson([
  ['id', 'int'],
  ['name', 'string'],
])

const examples: Example[] = [
  { name: 'F1', format: 'text', body: 'hello', record: { body: 'hello' } },
  {
    name: 'F2',
    format: 'text',
    schema: [['data', 'string']],
    settings: { charset: 'ISO-8859-1' },
    body: Uint8Array.of(0xe9),
    record: { data: 'é' },
  },
  {
    name: 'F3',
    format: 'csv',
    body: 'userX,actionY,itemZ',
    record: { body: ['userX', 'actionY', 'itemZ'] },
  },
  {
    name: 'F4',
    format: 'csv',
    settings: { delimiter: ' ' },
    body: 'userX actionY itemZ',
    record: { body: ['userX', 'actionY', 'itemZ'] },
  },
  {
    name: 'F5',
    format: 'tsv',
    body: 'userX\tactionY\titemZ',
    record: { body: ['userX', 'actionY', 'itemZ'] },
  },
  {
    name: 'F6',
    format: 'csv',
    schema: SCALARS_THEN_LIST,
    body: FULL,
    record: {
      f1: false,
      f2: 2147483647,
      f3: FLOAT_MAX,
      f4: Number.MAX_VALUE,
      f5: Uint8Array.of(0, 1, 2),
      f6: 'foo bar',
      f7: ['extra1', 'extra2', 'extra3'],
    },
  },
  {
    name: 'F7',
    format: 'csv',
    schema: SCALARS_THEN_LIST,
    body: SPARSE,
    record: {
      f1: true,
      f2: null,
      f3: Math.fround(Number('3.14159')),
      f4: null,
      f5: null,
      f6: 'hello world',
      f7: ['extra1'],
    },
  },
  { name: 'F8', ...MAPPED, body: FULL, record: { f3: FLOAT_MAX, f4: Number.MAX_VALUE } },
  { name: 'F9', ...MAPPED, body: SPARSE, record: { f3: Math.fround(Number('3.14159')), f4: null } },
  {
    name: 'F10',
    format: 'csv',
    schema: [
      ['name', 'string'],
      ['age', 'int'],
    ],
    settings: { mapping: '1:age,0:name' },
    body: 'foo,123,82',
    record: { name: 'foo', age: 123 },
  },
  {
    name: 'F11',
    format: 'csv',
    schema: [
      ['a', 'string'],
      ['b', optional('string')],
    ],
    body: ',',
    record: { a: '', b: null },
  },
  {
    name: 'F12',
    format: 'csv',
    schema: [
      ['a', optional('int')],
      ['b', optional('int')],
    ],
    body: '5',
    record: { a: 5, b: null },
  },
  {
    name: 'F13',
    format: 'csv',
    schema: [['a', 'int']],
    body: 'x',
    record: "field a has 'x', which is not an int",
  },
  {
    name: 'F14',
    format: 'csv',
    schema: [
      ['a', 'string'],
      ['b', 'string'],
    ],
    body: 'a,b,c',
    record: { a: 'a', b: 'b' },
  },
  { name: 'F15', format: 'csv', body: 'a,"b,c"', record: { body: ['a', '"b', 'c"'] } },
  {
    name: 'F16',
    format: 'csv',
    schema: [
      ['a', 'int'],
      ['r', LIST],
    ],
    body: '1',
    record: { a: 1, r: [] },
  },
  {
    name: 'F17',
    format: 'clf',
    body: `10.10.10.10 - - [01/Feb/2015:06:47:10 +0000] "GET /browse/COOP-DBT-JOB1-238/artifact HTTP/1.1" 301 256 "-" "${CRAWLER}"`,
    record: {
      remote_host: '10.10.10.10',
      remote_login: null,
      auth_user: null,
      request_time: '01/Feb/2015:06:47:10 +0000',
      request: 'GET /browse/COOP-DBT-JOB1-238/artifact HTTP/1.1',
      status: 301,
      content_length: 256,
      referrer: null,
      user_agent: CRAWLER,
    },
  },
  {
    name: 'F17, a dash in a plain string',
    format: 'clf',
    schema: [['remote_host', 'string']],
    body: '- - - [x]',
    record: { remote_host: '-' },
  },
  {
    name: 'F18',
    format: 'clf',
    wanted: ['user_agent'],
    body: '10.10.10.10 - - [01/Feb/2015:06:47:10 +0000] "GET / HTTP/1.1" 301 256 "-" "\\"Mozilla/5.0 (compatible)\\""',
    record: { user_agent: '\\"Mozilla/5.0 (compatible)\\"' },
  },
  {
    name: 'F19',
    format: 'clf',
    body: '10.10.10.10[01/Feb/2015:06:47:10 +0000',
    record: 'Could not parse data in CLF format. Entry ',
  },
  {
    name: 'F20',
    format: 'clf',
    body: '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
    record: {
      remote_host: '127.0.0.1',
      remote_login: null,
      auth_user: 'frank',
      request_time: '10/Oct/2000:13:55:36 -0700',
      request: 'GET /apache_pb.gif HTTP/1.0',
      status: 200,
      content_length: 2326,
      referrer: null,
      user_agent: null,
    },
  },
  {
    name: 'F21',
    format: 'grok',
    schema: [
      ['user', optional('string')],
      ['body', optional('string')],
    ],
    settings: { pattern: '%{USER:user}:%{GREEDYDATA:body}' },
    body: 'nitin:falkfjaksjf fkafjalkf fa',
    record: { user: 'nitin', body: 'falkfjaksjf fkafjalkf fa' },
  },
  {
    name: 'F22',
    format: 'grok',
    body: 'Oct 17 08:59:00 suod newsyslog[6215]: logfile turned over',
    record: { body: 'Oct 17 08:59:00 suod newsyslog[6215]: logfile turned over' },
  },
  {
    name: 'F23',
    format: 'syslog',
    body: 'Oct 17 08:59:00 suod newsyslog[6215]: logfile turned over',
    record: {
      timestamp: 'Oct 17 08:59:00',
      logsource: 'suod',
      program: 'newsyslog',
      message: 'logfile turned over',
      pid: '6215',
    },
  },
  {
    name: 'F24',
    format: 'syslog',
    body: 'Oct 17 08:59:04 cdr.cs.colorado.edu amd[29648]: noconn option exists, and was turned on! (May cause NFS hangs on some systems...)',
    record: {
      timestamp: 'Oct 17 08:59:04',
      logsource: 'cdr.cs.colorado.edu',
      program: 'amd',
      message: 'noconn option exists, and was turned on! (May cause NFS hangs on some systems...)',
      pid: '29648',
    },
  },
  { name: 'F25', format: 'syslog', body: '###', record: NO_SYSLOG },
  {
    name: 'F25, a field that cannot be null',
    format: 'grok',
    schema: [['user', 'string']],
    settings: { pattern: '%{USER:user}' },
    body: '###',
    record: 'Field user must contain a value.',
  },
  {
    name: 'F27',
    format: 'avro',
    schema: FLAT,
    body: datum(FLAT, {
      i: 2147483647,
      l: -5_000_000_000,
      b: false,
      by: Buffer.from([5, 4, 3]),
      d: 1.5,
      f: 0.25,
      s: 'foo bär',
      a: [1, 2, 3],
      m: { k1: 'v1', k2: 'v2' },
      n1: null,
      n2: 'hello',
    }),
    record: {
      i: 2147483647,
      l: -5_000_000_000,
      b: false,
      by: Buffer.from([5, 4, 3]),
      d: 1.5,
      f: 0.25,
      s: 'foo bär',
      a: [1, 2, 3],
      m: new Map([
        ['k1', 'v1'],
        ['k2', 'v2'],
      ]),
      n1: null,
      n2: 'hello',
    },
  },
  {
    name: 'F28',
    format: 'avro',
    schema: NESTED,
    body: datum(NESTED, { int: 5, first: { double: 1.5 } }),
    record: { int: 5, first: new Map([['double', 1.5]]) },
  },
  {
    name: 'F29',
    format: 'avro',
    schema: [['name', 'string']],
    headers: [
      ['schema', JSON.stringify(ID_AND_NAME)],
      ['schema.hash', 'whatever'],
    ],
    body: datum(ID_AND_NAME, { id: 1, name: 'value' }),
    record: { name: 'value' },
  },
  {
    name: 'F30',
    format: 'avro',
    schema: ID_AND_NAME,
    body: datum(ID_AND_NAME, { id: 1, name: 'value' }),
    record: { id: 1, name: 'value' },
  },
]

test.each(examples)('$name: $format reads $body', ({ body, headers, record, ...use }) => {
  const read = new TestReader(use).read(body, headers)
  if (typeof record === 'string') expect(read).toContain(record)
  else expect(read).toEqual(record)
})

test('F26: avro reads one datum after the other', () => {
  const schema = recordJson([['x', 'int']])
  const reader = new TestReader({ format: 'avro', schema })
  expect([reader.read(datum(schema, { x: 5 })), reader.read(datum(schema, { x: 10 }))]).toEqual([
    { x: 5 },
    { x: 10 },
  ])
})

test.each(examples)(
  '$name: a reader is as good as new after a bad body',
  ({ body, headers, record, ...use }) => {
    const reader = new TestReader(use)
    for (const bad of ['', '\xff', '"', '[', '{', ',,,,,,,,,,'])
      reader.read(Buffer.from(bad, 'latin1'), headers)
    const read = reader.read(body, headers)
    if (typeof record === 'string') expect(read).toContain(record)
    else expect(read).toEqual(record)
  },
)

test.each(examples.filter(({ record }) => typeof record !== 'string'))(
  '$name: fields that are asked for alone are what they are among all',
  ({ body, headers, record, ...use }) => {
    for (const name of Object.keys(record)) {
      const read = new TestReader({ ...use, wanted: [name] }).read(body, headers)
      expect(read).toEqual({ [name]: (record as Record<string, Value>)[name] })
    }
    expect(new TestReader({ ...use, wanted: [] }).read(body, headers)).toEqual({})
  },
)
