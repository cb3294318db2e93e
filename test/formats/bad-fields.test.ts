/** A field that does not fit is null and makes its event a bad one; the others have their values. */
import { describe, expect, test } from 'vitest'
import { JSON_MISFITS_MAX } from '../../src/formats/json-reader.ts'
import type { Value } from '../../src/formats/record-reader.ts'
import { answered, ended, handleOf } from '../support/explore.ts'
import { type Body, type FormatUse, LIST, optional, TestReader } from '../support/records.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const CLF_LINE =
  '203.0.113.9 - ann [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" 200 4700372992 "-" "curl/8"'
const TOO_LONG = CLF_LINE.replace('4700372992', '9223372036854775808')
const ALL = [
  ['i', optional('int')],
  ['l', optional('long')],
  ['f', optional('float')],
  ['d', optional('double')],
  ['b', optional('boolean')],
  ['s', optional('string')],
] as const
const STRICT = [
  ['i', 'int'],
  ['s', 'string'],
] as const

interface Case {
  readonly name: string
  readonly use: FormatUse
  readonly body: Body
  readonly record: Record<string, Value>
  readonly reason: string
}

const cases: Case[] = [
  {
    name: 'clf, a length beyond 64 bits',
    use: { format: 'clf', wanted: ['remote_host', 'auth_user', 'status', 'content_length', 'user_agent'] },
    body: TOO_LONG,
    record: {
      remote_host: '203.0.113.9',
      auth_user: 'ann',
      status: 200,
      content_length: null,
      user_agent: 'curl/8',
    },
    reason: "field content_length has '9223372036854775808', which is not a long",
  },
  {
    name: 'clf, a status that is no number',
    use: { format: 'clf', wanted: ['remote_host', 'status', 'content_length'] },
    body: 'h - - [t] "r" ok 17',
    record: { remote_host: 'h', status: null, content_length: 17 },
    reason: "field status has 'ok', which is not an int",
  },
  {
    name: 'csv, an int beyond its range',
    use: { format: 'csv', schema: ALL },
    body: '2147483648,1,1.5,2.5,true,x',
    record: { i: null, l: 1, f: 1.5, d: 2.5, b: true, s: 'x' },
    reason: "field i has '2147483648', which is not an int",
  },
  {
    name: 'csv, all numbers wrong',
    use: { format: 'csv', schema: ALL },
    body: 'x,9223372036854775808,y,z,nope,x',
    record: { i: null, l: null, f: null, d: null, b: false, s: 'x' },
    reason:
      "field i has 'x', which is not an int; field l has '9223372036854775808', which is not a long; " +
      "field f has 'y', which is not a float; field d has 'z', which is not a double",
  },
  {
    name: 'csv, quoted',
    use: { format: 'csv', schema: ALL, settings: { quote: '"' } },
    body: '"1,000","5",1.5,2.5,true,"x""y"',
    record: { i: null, l: 5, f: 1.5, d: 2.5, b: true, s: 'x"y' },
    reason: "field i has '1,000', which is not an int",
  },
  {
    name: 'csv, a field that cannot be null has an empty text',
    use: { format: 'csv', schema: STRICT },
    body: ',x',
    record: { i: null, s: 'x' },
    reason: 'field i cannot be set to a null value.',
  },
  {
    name: 'csv, fields that cannot be null are not there',
    use: {
      format: 'csv',
      schema: [
        ['s', 'string'],
        ['i', 'int'],
        ['r', LIST],
      ],
    },
    body: 'x',
    record: { s: 'x', i: null, r: [] },
    reason: 'Field i must contain a value.',
  },
  {
    name: 'csv, a mapping that leaves a field out',
    use: { format: 'csv', schema: STRICT, settings: { mapping: '0:s' } },
    body: 'x',
    record: { i: null, s: 'x' },
    reason: 'Field i must contain a value.',
  },
  {
    name: 'tsv',
    use: { format: 'tsv', schema: STRICT },
    body: '1.5\tx',
    record: { i: null, s: 'x' },
    reason: "field i has '1.5', which is not an int",
  },
  {
    name: 'grok',
    use: { format: 'grok', schema: STRICT, settings: { pattern: '%{WORD:s} %{NUMBER:i}' } },
    body: 'x 99999999999',
    record: { i: null, s: 'x' },
    reason: "field i has '99999999999', which is not an int",
  },
  {
    name: 'grok beyond ASCII',
    use: { format: 'grok', schema: STRICT, settings: { pattern: '(?<s>\\S+) %{NUMBER:i}' } },
    body: 'é 1.5',
    record: { i: null, s: 'é' },
    reason: "field i has '1.5', which is not an int",
  },
  {
    name: 'syslog of BSD',
    use: {
      format: 'syslog',
      schema: [
        ['pid', optional('int')],
        ['program', optional('string')],
      ],
    },
    body: 'Oct 17 08:59:00 h p[99999999999]: m',
    record: { pid: null, program: 'p' },
    reason: "field pid has '99999999999', which is not an int",
  },
  {
    name: 'syslog of RFC 5424',
    use: {
      format: 'syslog',
      schema: [
        ['pid', optional('int')],
        ['severity', optional('int')],
        ['message', 'string'],
      ],
      settings: { variant: '5424' },
    },
    body: '<34>1 - h p worker-1 - - m',
    record: { pid: null, severity: 2, message: 'm' },
    reason: "field pid has 'worker-1', which is not an int",
  },
  {
    name: 'a priority that there is not',
    use: {
      format: 'syslog',
      schema: [
        ['priority', optional('int')],
        ['facility', optional('int')],
        ['program', optional('string')],
      ],
      settings: { variant: '5424' },
    },
    body: '<192>1 - h p - - - m',
    record: { priority: null, facility: null, program: 'p' },
    reason: "'<192>1 - h p - - - m' is no syslog message of RFC 5424: its priority is above 191",
  },
  {
    name: 'json, numbers beyond their range',
    use: { format: 'json', schema: ALL },
    body: '{"i":2147483648,"l":-9223372036854775809,"f":1.5,"d":2.5,"b":true,"s":"x"}',
    record: { i: null, l: null, f: 1.5, d: 2.5, b: true, s: 'x' },
    reason:
      'field i has \'2147483648,"l":-92233720\', which is not an int; field l has \'-9223372036854775809,"f"\', which is not a long',
  },
  {
    name: 'json, numbers that would be infinite',
    use: { format: 'json', schema: ALL },
    body: '{"f":1e39,"d":-1e400,"s":"x"}',
    record: { i: null, l: null, f: null, d: null, b: null, s: 'x' },
    reason: 'field f has ',
  },
  {
    name: 'json, another kind of value, nested ones too',
    use: { format: 'json', schema: ALL },
    body: '{"i":{"a":[1,{"b":"}"}]},"l":[[]],"s":"x","b":"true"}',
    record: { i: null, l: null, f: null, d: null, b: null, s: 'x' },
    reason: 'field i has ',
  },
  {
    name: 'json, wrong within a field',
    use: {
      format: 'json',
      schema: [
        ['r', optional({ type: 'record', name: 'r', fields: [{ name: 'n', type: 'int' }] })],
        ['a', optional({ type: 'array', items: 'int' })],
        ['s', 'string'],
      ],
    },
    body: '{"r":{"n":"x"},"a":[1,2,"3",4],"s":"x"}',
    record: { r: null, a: null, s: 'x' },
    reason: 'field r.n has ',
  },
  {
    name: 'json, null and a member that is not there',
    use: {
      format: 'json',
      schema: [
        ['i', 'int'],
        ['l', 'long'],
        ['s', 'string'],
      ],
    },
    body: '{"i":null,"s":"x"}',
    record: { i: null, l: null, s: 'x' },
    reason: 'Field l must contain a value.; field i cannot be set to a null value.',
  },
]
test.each(cases)('$name', ({ use, body, record, reason }) => {
  const reader = new TestReader(use)
  const values: Value[] = []
  const error = reader.into(values, body)
  expect(error).toEqual({ reason: expect.stringContaining(reason), partial: true })
  expect(error!.reason.length).toBeLessThan(400)
  expect(Object.fromEntries(reader.names.map((name, index) => [name, values[index]]))).toEqual(record)
})

test('of a member that comes twice the last counts, whether it fits or not', () => {
  const reader = new TestReader({ format: 'json', schema: STRICT })
  expect(reader.read('{"i":"x","s":"a","i":5}')).toEqual({ i: 5, s: 'a' })
  const values: Value[] = []
  expect(reader.into(values, '{"i":5,"s":"a","i":"x"}')).toMatchObject({ partial: true })
  expect(values).toEqual([null, 'a'])
})

test('members that do not fit, without end, are an error of the body', () => {
  const reader = new TestReader({ format: 'json', schema: STRICT })
  const error = reader.into([], `{${'"i":"x",'.repeat(JSON_MISFITS_MAX + 1)}"s":"a"}`)
  expect(error).toEqual({ reason: 'more than 10000 members do not fit' })
})

const unreadable: { name: string; use: FormatUse; body: string }[] = [
  { name: 'clf', use: { format: 'clf' }, body: 'h - - [t' },
  { name: 'csv', use: { format: 'csv', schema: STRICT, settings: { quote: '"' } }, body: 'x,"y' },
  { name: 'json behind a misfit', use: { format: 'json', schema: STRICT }, body: '{"i":"x","s":"a"' },
  { name: 'json, broken in a misfit', use: { format: 'json', schema: STRICT }, body: '{"i":[1,}],"s":"a"}' },
  { name: 'syslog', use: { format: 'syslog', settings: { variant: '5424' } }, body: 'x' },
]
test.each(unreadable)('$name: a body that cannot be read has no field at all', ({ use, body }) => {
  const error = new TestReader(use).into([], body)
  expect(error).toEqual({ reason: expect.any(String) })
})

test('more bad fields than the reason can name', () => {
  const names = Array.from({ length: 100 }, (_, index) => `field_${index}`)
  const reader = new TestReader({ format: 'csv', schema: names.map((name) => [name, 'int'] as const) })
  const error = reader.into([], names.join())
  expect(error!.reason).toMatch(/^field field_0 has 'field_0', which is not an int; .*; and others$/)
  expect(error!.reason.length).toBeLessThan(330)
})

describe('in a table', () => {
  async function appWith(body: string) {
    const app = await testApp({ streams: ['s'] })
    await app.put(`${STREAMS}/s/properties`, { body: '{"format":{"name":"clf"}}' })
    await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': 'text/plain' }, body })
    return app
  }
  const SQL = 'SELECT remote_host, status, content_length, user_agent FROM stream_s'

  test('its column is NULL, the others stay, and the status tells of it', async () => {
    const app = await appWith(`${TOO_LONG}\nh - - [t] "r" 200 17\nnot a [line`)
    const { rows, state } = await answered(app, SQL)
    expect(rows).toEqual([
      ['203.0.113.9', 200, null, 'curl/8'],
      ['h', 200, 17, null],
      [null, null, null, null],
    ])
    expect(state).toMatchObject({
      badEvents: 2,
      firstBadEvents: [
        { sequence: 0, reason: "field content_length has '9223372036854775808', which is not a long" },
        { sequence: 2, reason: "Could not parse data in CLF format. Entry 'not a [line'" },
      ],
    })
    const others = await answered(app, `SELECT status FROM stream_s WHERE remote_host LIKE '203%'`)
    expect(others.rows).toEqual([[200]])
  })

  test('a strict query fails of it', async () => {
    const app = await appWith(TOO_LONG)
    const state = await ended(app, await handleOf(app, SQL, { strict: 'true' }))
    expect(state).toMatchObject({ status: 'ERROR', sqlState: '22000', badEvents: 1 })
  })

  test('a length of 2 GiB and more is one', async () => {
    const app = await appWith(CLF_LINE)
    const { rows, state } = await answered(app, 'SELECT content_length FROM stream_s')
    expect([rows, state.badEvents]).toEqual([[[4700372992]], undefined])
  })
})
