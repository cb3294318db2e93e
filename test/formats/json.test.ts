import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { JSON_DEPTH_MAX } from '../../src/formats/json-scanner.ts'
import type { Value } from '../../src/formats/record-reader.ts'
import { LIST, optional, recordJson, TestReader } from '../support/records.ts'

const ADDRESS = {
  type: 'record',
  name: 'address',
  fields: [
    { name: 'street', type: 'string' },
    { name: 'number', type: ['int', 'null'] },
  ],
}
const NODE = {
  type: 'record',
  name: 'node',
  fields: [
    { name: 'v', type: 'int' },
    { name: 'next', type: ['node', 'null'] },
  ],
}
const COLOUR = { type: 'enum', symbols: ['RED', 'GREEN'] }

const values: { type: unknown; json: string; value: Value | string }[] = [
  { type: 'boolean', json: 'true', value: true },
  { type: 'boolean', json: 'false', value: false },
  { type: 'boolean', json: '"true"', value: `field f has '"true"}', which is not true or false` },
  { type: 'int', json: '-5', value: -5 },
  { type: 'int', json: '5.0', value: 5 },
  { type: 'int', json: '1e3', value: 1000 },
  { type: 'int', json: '5.5', value: "field f has '5.5}', which is not an int" },
  { type: 'int', json: '2147483648', value: "field f has '2147483648}', which is not an int" },
  { type: 'int', json: '"5"', value: `field f has '"5"}', which is not an int` },
  { type: 'long', json: '9223372036854775807', value: 9223372036854775807n },
  { type: 'long', json: '9007199254740993', value: 9007199254740993n },
  { type: 'long', json: '1.5e3', value: 1500 },
  {
    type: 'long',
    json: '9223372036854775808',
    value: "field f has '9223372036854775808}', which is not a long",
  },
  { type: 'float', json: '0.1', value: Math.fround(0.1) },
  { type: 'double', json: '-0.1e-3', value: -0.0001 },
  { type: 'string', json: '"a\\u00e9\\n\\"\\ud83d\\ude00ü"', value: 'aé\n"😀ü' },
  { type: 'string', json: '5', value: "field f has '5}', which is not a string" },
  { type: 'string', json: 'null', value: 'field f cannot be set to a null value.' },
  { type: 'string', json: '"a\\x"', value: 'the string at byte 5 has an escape that is none in JSON' },
  { type: 'bytes', json: '"a\\\\x00é"', value: Uint8Array.of(0x61, 0, 0xe9) },
  { type: optional('int'), json: 'null', value: null },
  { type: 'null', json: 'null', value: null },
  { type: COLOUR, json: '"RED"', value: 'RED' },
  { type: COLOUR, json: '"BLUE"', value: `field f has '"BLUE"}', which is not one of its symbols` },
  { type: LIST, json: '["a","b"]', value: ['a', 'b'] },
  { type: LIST, json: '[]', value: [] },
  { type: LIST, json: '["a",5]', value: "field f has '5]}', which is not a string" },
  {
    type: { type: 'map', values: 'int' },
    json: '{"a":1,"__proto__":2}',
    value: new Map([
      ['a', 1],
      ['__proto__', 2],
    ]),
  },
  {
    type: ADDRESS,
    json: '{"street":"s","x":[{}]}',
    value: new Map<string, Value>([
      ['street', 's'],
      ['number', null],
    ]),
  },
  { type: ADDRESS, json: '{"number":1}', value: 'Field f.street must contain a value.' },
  { type: ADDRESS, json: '{"street":5}', value: "field f.street has '5}}', which is not a string" },
  { type: optional(ADDRESS), json: 'null', value: null },
  {
    type: NODE,
    json: '{"v":1,"next":{"v":2}}',
    value: new Map<string, Value>([
      ['v', 1],
      [
        'next',
        new Map<string, Value>([
          ['v', 2],
          ['next', null],
        ]),
      ],
    ]),
  },
  { type: ['int', 'string'], json: '"x"', value: 'x' },
  { type: ['int', 'double'], json: '1.5', value: 1.5 },
  { type: ['int', 'double'], json: '1', value: 1 },
  { type: ['null', 'int', LIST], json: '["x"]', value: ['x'] },
  { type: [COLOUR, 'string'], json: '"BLUE"', value: 'BLUE' },
  { type: ['int', 'string'], json: 'true', value: "field f has 'true}', which is not a member of its union" },
]
test.each(values)('$json as $type', ({ type, json, value }) => {
  const read = new TestReader({ format: 'json', schema: [['f', type]] }).read(`{"f":${json}}`)
  const isReason = typeof value === 'string' && /field f|Field f|the string/.test(value)
  expect(read).toEqual(isReason ? value : { f: value })
})

const AB: [string, unknown][] = [
  ['a', 'int'],
  ['b', optional('string')],
]
const documents: { body: string; record: Record<string, Value> | string }[] = [
  { body: '{"a":1,"b":"x"}', record: { a: 1, b: 'x' } },
  { body: ' {\n"b" : "x" ,\t"a" : 1 }\r\n', record: { a: 1, b: 'x' } },
  { body: '\ufeff{"a":1}', record: { a: 1, b: null } },
  { body: '{"a":1,"other":{"a":[1,"x",null,true,{"b":-1.5e+3}]},"b":null}', record: { a: 1, b: null } },
  { body: '{"a":1,"a":2}', record: { a: 2, b: null } },
  { body: '{"\\u0061":1}', record: { a: 1, b: null } },
  { body: '{}', record: 'Field a must contain a value.' },
  { body: '{"A":1}', record: 'Field a must contain a value.' },
  { body: '', record: 'the body is not a JSON object' },
  { body: '[1]', record: 'the body is not a JSON object' },
  { body: '{"a":1', record: 'the JSON ends too early' },
  { body: '{"a":1,}', record: "the body is not JSON: '}' at byte 7 is out of place" },
  { body: '{"a":1}x', record: "the body is not JSON: 'x' at byte 7 is out of place" },
  { body: '{"a":1}{"a":2}', record: `the body is not JSON: '{"a":2}' at byte 7 is out of place` },
  { body: '{"a":01}', record: "the body is not JSON: '1}' at byte 6 is out of place" },
  { body: '{"a":1,"c":tru}', record: "the body is not JSON: '}' at byte 14 is out of place" },
  {
    body: '{"a":1,"c":"\\x"}',
    record: 'the string at byte 11 has an escape that is none in JSON',
  },
  {
    body: '{"a":1,"c":"\\u12g4"}',
    record: 'the string at byte 11 has an escape that is none in JSON',
  },
  { body: "{'a':1}", record: `the body is not JSON: ''a':1}' at byte 1 is out of place` },
  { body: '{"a":1,"b":"x', record: 'the JSON ends inside a string' },
  { body: '{"a":1,"b":"x\ny"}', record: "the body is not JSON: '\ny\"}' at byte 13 is out of place" },
  {
    body: `{"c":${'['.repeat(JSON_DEPTH_MAX)}`,
    record: `the JSON is nested deeper than ${JSON_DEPTH_MAX} levels`,
  },
]
test.each(documents)('$body', ({ body, record }) => {
  expect(new TestReader({ format: 'json', schema: AB }).read(body)).toEqual(record)
})

test('records with many fields find them all', () => {
  const names = Array.from({ length: 40 }, (_, index) => `f${index}`)
  const reader = new TestReader({ format: 'json', schema: names.map((name) => [name, 'int'] as const) })
  const record = Object.fromEntries(names.map((name, index) => [name, index]))
  expect(reader.read(JSON.stringify(record))).toEqual(record)
})

describe('what JSON.parse makes of it', () => {
  const schema = recordJson([
    ['a', optional('double')],
    ['b', optional('string')],
    ['c', optional(LIST)],
    ['d', optional('boolean')],
  ])
  const reader = new TestReader({ format: 'json', schema })
  const member = fc.record(
    {
      a: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
      b: fc.option(fc.string({ unit: 'grapheme' })),
      c: fc.option(fc.array(fc.string())),
      d: fc.option(fc.boolean()),
      e: fc.jsonValue({ maxDepth: 5 }),
    },
    { requiredKeys: [] },
  )

  test('is what comes out', () => {
    fc.assert(
      fc.property(member, fc.constantFrom(undefined, 2), (value, space) => {
        const text = JSON.stringify(value, null, space)
        const { e: _, ...expected } = { a: null, b: null, c: null, d: null, ...JSON.parse(text) }
        expect(reader.read(text)).toEqual(expected)
      }),
      { numRuns: 1000 },
    )
  })

  test('is refused where JSON.parse refuses', () => {
    const none = new TestReader({ format: 'json', schema, wanted: [] })
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"x"',
      ':',
      ',',
      '1',
      '-',
      '.5',
      'e3',
      'true',
      'null',
      ' ',
      '\\',
      '"',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = `{"q":${pieces.join('')}}`
        let sound = true
        try {
          JSON.parse(text)
        } catch {
          sound = false
        }
        expect([text, none.read(text)]).toEqual([text, sound ? {} : expect.any(String)])
      }),
      { numRuns: 3000 },
    )
  })
})
