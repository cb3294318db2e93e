/** What a column of each type reads from JSON, and what it writes: appendix A of the contract of tables, line by line. */
import { describe, expect, test } from 'vitest'
import type { Value } from '../../../src/formats/record-reader.ts'
import { openRowReader, openRowWriter, type RowOptions } from '../../../src/formats/rows/index.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { printType } from '../../../src/sql/data-types.ts'

const options = (type: DataType, nullable = true): RowOptions => ({
  valueFormat: 'json',
  keyFormat: undefined,
  keyFields: [],
  valueFieldsInclude: 'ALL',
  columns: [{ name: 'c', type, nullable }],
})

/** The value, or the reason in an array. */
function read(type: DataType, body: string | Uint8Array, nullable = true): Value | { reason: string } {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const into: Value[] = []
  const problem = openRowReader({ ...options(type, nullable), wanted: [0] }).read(
    bytes,
    0,
    bytes.length,
    [],
    into,
  )
  return problem ?? into[0]!
}

const UNFIT = { reason: expect.stringContaining('column c has ') }
const micros = (iso: string) => Date.parse(iso) * 1_000
const scalar = (
  kind:
    | 'BOOLEAN'
    | 'TINYINT'
    | 'SMALLINT'
    | 'INT'
    | 'BIGINT'
    | 'FLOAT'
    | 'DOUBLE'
    | 'STRING'
    | 'BYTES'
    | 'DATE'
    | 'TIME',
) => ({ kind }) as const
const DECIMAL: DataType = { kind: 'DECIMAL', precision: 5, scale: 2 }
const WIDE: DataType = { kind: 'DECIMAL', precision: 38, scale: 10 }
const TIMESTAMP: DataType = { kind: 'TIMESTAMP', precision: 3 }
const TIMESTAMP6: DataType = { kind: 'TIMESTAMP', precision: 6 }
const TIMESTAMP0: DataType = { kind: 'TIMESTAMP', precision: 0 }
const LOCAL: DataType = { kind: 'TIMESTAMP_LTZ', precision: 3 }
const BASE = '2021-10-11 12:53:09'

const cases: readonly (readonly [type: DataType, json: string, value: unknown])[] = [
  [scalar('BOOLEAN'), 'true', true],
  [scalar('BOOLEAN'), 'false', false],
  [scalar('BOOLEAN'), '"TrUe"', true],
  [scalar('BOOLEAN'), '" true "', true],
  [scalar('BOOLEAN'), '"yes"', false],
  [scalar('BOOLEAN'), '""', false],
  [scalar('BOOLEAN'), '1', UNFIT],
  [scalar('TINYINT'), '127', 127],
  [scalar('TINYINT'), '-128', -128],
  [scalar('TINYINT'), '128', UNFIT],
  [scalar('SMALLINT'), '"-32768"', -32_768],
  [scalar('SMALLINT'), '32768', UNFIT],
  [scalar('INT'), '2147483647', 2_147_483_647],
  [scalar('INT'), '2147483648', UNFIT],
  [scalar('INT'), '1.0', 1],
  [scalar('INT'), '1e3', 1000],
  [scalar('INT'), '-0', 0],
  [scalar('INT'), '1200e-2', 12],
  [scalar('INT'), '1.5', UNFIT],
  [scalar('INT'), '"1.5"', UNFIT],
  [scalar('INT'), '"  12 "', 12],
  [scalar('INT'), '"+12"', 12],
  [scalar('INT'), '"12x"', UNFIT],
  [scalar('INT'), '""', UNFIT],
  [scalar('INT'), '1e400', UNFIT],
  [scalar('INT'), 'true', UNFIT],
  [scalar('INT'), '[1]', UNFIT],
  [scalar('INT'), '{}', UNFIT],
  [scalar('BIGINT'), '9223372036854775807', 9_223_372_036_854_775_807n],
  [scalar('BIGINT'), '-9223372036854775808', -9_223_372_036_854_775_808n],
  [scalar('BIGINT'), '9223372036854775808', UNFIT],
  [scalar('BIGINT'), '"9223372036854775807"', 9_223_372_036_854_775_807n],
  [scalar('BIGINT'), '9.223372036854775807e18', 9_223_372_036_854_775_807n],
  [scalar('BIGINT'), '9007199254740993', 9_007_199_254_740_993n],
  [scalar('BIGINT'), '9007199254740991', 9_007_199_254_740_991],
  [scalar('BIGINT'), '9223372036854775806.5', UNFIT],
  [scalar('FLOAT'), '0.1', Math.fround(0.1)],
  [scalar('FLOAT'), '"1e40"', Number.POSITIVE_INFINITY],
  [scalar('DOUBLE'), '98.5', 98.5],
  [scalar('DOUBLE'), '50', 50],
  [scalar('DOUBLE'), '" -1.5e3 "', -1500],
  [scalar('DOUBLE'), '"NaN"', Number.NaN],
  [scalar('DOUBLE'), '"Infinity"', Number.POSITIVE_INFINITY],
  [scalar('DOUBLE'), '"-Infinity"', Number.NEGATIVE_INFINITY],
  [scalar('DOUBLE'), '0.1234567890123456789', Number('0.1234567890123456789')],
  [scalar('DOUBLE'), '""', UNFIT],
  [scalar('DOUBLE'), 'false', UNFIT],
  [DECIMAL, '12.3', 1230],
  [DECIMAL, '"12.30"', 1230],
  [DECIMAL, '12.345', 1235],
  [DECIMAL, '-12.345', -1235],
  [DECIMAL, '12.3449999999999999999999', 1234],
  [DECIMAL, '999.99', 99_999],
  [DECIMAL, '999.995', null],
  [DECIMAL, '1000', null],
  [DECIMAL, '1e1000000000000', null],
  [DECIMAL, '1e-1000000000000', 0],
  [DECIMAL, '0e1000000000000', 0],
  [DECIMAL, '1e2', 10_000],
  [DECIMAL, '0.005', 1],
  [DECIMAL, '0.00499', 0],
  [DECIMAL, '"x"', UNFIT],
  [WIDE, '1234567890123456789012345678.0123456789', 12_345_678_901_234_567_890_123_456_780_123_456_789n],
  [WIDE, '99999999999999999999999999999', null],
  [WIDE, `0.${'0'.repeat(9)}15`, 2],
  [scalar('STRING'), '"text"', 'text'],
  [scalar('STRING'), '""', ''],
  [scalar('STRING'), '"\\u00e9\\n\\"é"', 'é\n"é'],
  [scalar('STRING'), '"\\ufffd"', '\ufffd'],
  [scalar('STRING'), '1.50', '1.50'],
  [scalar('STRING'), 'true', 'true'],
  [scalar('STRING'), '{ "a" : [ 1 , "x y" ] }', '{"a":[1,"x y"]}'],
  [scalar('STRING'), '[ ]', '[]'],
  [scalar('BYTES'), '"AAEC/w=="', Uint8Array.of(0, 1, 2, 255)],
  [scalar('BYTES'), '""', new Uint8Array(0)],
  [scalar('BYTES'), '"AAEC/w"', UNFIT],
  [scalar('BYTES'), '"*"', UNFIT],
  [scalar('BYTES'), '5', UNFIT],
  [scalar('DATE'), '"2021-10-11"', 18_911],
  [scalar('DATE'), '"1582-10-04"', micros('1582-10-04T00:00:00Z') / 86_400e6],
  [scalar('DATE'), '"0000-01-01"', -719_528],
  [scalar('DATE'), '"9999-12-31"', 2_932_896],
  [scalar('DATE'), '"2024-02-29"', micros('2024-02-29T00:00:00Z') / 86_400e6],
  [scalar('DATE'), '"2023-02-29"', UNFIT],
  [scalar('DATE'), '"1900-02-29"', UNFIT],
  [scalar('DATE'), '"2021-13-01"', UNFIT],
  [scalar('DATE'), '"2021-10-1"', UNFIT],
  [scalar('DATE'), '18911', UNFIT],
  [scalar('TIME'), '"12:53:09"', 46_389_000_000],
  [scalar('TIME'), '"12:53:09.987654321"', 46_389_000_000],
  [scalar('TIME'), '"24:00:00"', UNFIT],
  [scalar('TIME'), '"12:53"', UNFIT],
  [scalar('TIME'), '"12:53:09."', UNFIT],
  [TIMESTAMP, `"${BASE}.277"`, micros('2021-10-11T12:53:09.277Z')],
  [TIMESTAMP, `"${BASE}"`, micros('2021-10-11T12:53:09Z')],
  [TIMESTAMP, '"2021-10-11T12:53:09.2Z"', micros('2021-10-11T12:53:09.2Z')],
  [TIMESTAMP, `"${BASE}.277999999"`, micros('2021-10-11T12:53:09.277Z')],
  [TIMESTAMP6, `"${BASE}.277123999"`, micros('2021-10-11T12:53:09.277Z') + 123],
  [TIMESTAMP0, `"${BASE}.9"`, micros('2021-10-11T12:53:09Z')],
  [TIMESTAMP, `"${BASE}.1234567890"`, UNFIT],
  [TIMESTAMP, `"${BASE}+01:00"`, UNFIT],
  [TIMESTAMP, '"2021-10-11 12:53"', UNFIT],
  [TIMESTAMP, '"2021-10-11"', UNFIT],
  [TIMESTAMP, '1633956789277', UNFIT],
  [TIMESTAMP, '"1500-01-01 00:00:00"', BigInt(Date.parse('1500-01-01T00:00:00Z')) * 1_000n],
  [TIMESTAMP6, '"9999-12-31 23:59:59.999999"', 253_402_300_799_999_999n],
  [TIMESTAMP, '"1969-12-31 23:59:59.999"', -1_000],
  [LOCAL, `"${BASE}.277Z"`, micros('2021-10-11T12:53:09.277Z')],
  [LOCAL, '"2021-10-11T12:53:09Z"', micros('2021-10-11T12:53:09Z')],
  [LOCAL, `"${BASE}+01:00"`, micros('2021-10-11T11:53:09Z')],
  [LOCAL, `"${BASE}.5-05:30"`, micros('2021-10-11T18:23:09.5Z')],
  [LOCAL, `"${BASE}"`, UNFIT],
  [LOCAL, `"${BASE}+0100"`, UNFIT],
  [{ kind: 'ARRAY', element: scalar('INT') }, '[1, "2", null]', [1, 2, null]],
  [{ kind: 'ARRAY', element: scalar('INT') }, '[]', []],
  [
    { kind: 'ARRAY', element: scalar('INT') },
    '[1, "x"]',
    { reason: expect.stringContaining('column c[] has') },
  ],
  [{ kind: 'ARRAY', element: scalar('INT') }, '{}', UNFIT],
  [{ kind: 'ARRAY', element: scalar('INT') }, '"[1]"', UNFIT],
  [
    { kind: 'MAP', key: scalar('STRING'), value: DECIMAL },
    '{"a":1.5,"b":null,"a":2}',
    new Map([
      ['a', 200],
      ['b', null],
    ]),
  ],
  [
    {
      kind: 'ROW',
      fields: [
        { name: 'x', type: scalar('INT') },
        { name: 'y', type: LOCAL },
      ],
    },
    `{"y":"${BASE}Z","z":{},"x":1}`,
    new Map<string, Value>([
      ['x', 1],
      ['y', micros('2021-10-11T12:53:09Z')],
    ]),
  ],
  [{ kind: 'ROW', fields: [{ name: 'x', type: scalar('INT') }] }, '{}', new Map([['x', null]])],
  [{ kind: 'ROW', fields: [{ name: 'x', type: scalar('INT') }] }, '[1]', UNFIT],
]

test.each(cases)('%o reads %s', (type, json, value) => {
  expect(read(type, `{"c":${json}}`)).toEqual(value)
  expect(read(type, ` { "b": [{}] , "c" : ${json} , "d":"\\"" } `)).toEqual(value)
})

const bodies: readonly (readonly [name: string, body: string | Uint8Array, value: unknown])[] = [
  ['null', '{"c":null}', null],
  ['a missing member', '{}', null],
  ['other members only', '{"d":1}', null],
  ['another case of the name', '{"C":1}', null],
  ['a name with an escape', '{"\\u0063":1}', 1],
  ['a member twice: the last counts', '{"c":1,"c":2}', 2],
  ['a member twice, the first unfit', '{"c":"x","c":2}', 2],
  ['a member twice, the last null', '{"c":1,"c":null}', null],
  ['a member twice, the last unfit', '{"c":1,"c":"x"}', UNFIT],
  ['a byte order mark', '\ufeff{"c":1}', 1],
  ['an empty body', '', { reason: 'the body is not a JSON object' }],
  ['an array', '[1]', { reason: 'the body is not a JSON object' }],
  ['text after the object', '{"c":1} x', { reason: expect.stringContaining('is not JSON') }],
  ['two objects', '{"c":1}{"c":2}', { reason: expect.stringContaining('is not JSON') }],
  ['an object that ends too early', '{"c":1', { reason: 'the JSON ends too early' }],
  ['a bad member that is no column', '{"d":tru,"c":1}', { reason: expect.stringContaining('is not JSON') }],
  ['NaN without quotes', '{"c":NaN}', { reason: expect.stringContaining('is not JSON') }],
  ['a number with a leading zero', '{"c":01}', { reason: expect.stringContaining('is not JSON') }],
  ['64 levels', `{"d":${'['.repeat(63)}${']'.repeat(63)},"c":1}`, 1],
  [
    '65 levels',
    `{"d":${'['.repeat(64)}${']'.repeat(64)},"c":1}`,
    { reason: 'the JSON is nested deeper than 64 levels' },
  ],
]

test.each(bodies)('a column INT and %s', (_, body, value) => {
  expect(read(scalar('INT'), body)).toEqual(value)
})

const NOTHING = [
  ['null', '{"c":null}'],
  ['missing', '{}'],
] as const

test.each(NOTHING)('a value that is %s does not fit NOT NULL', (_, body) => {
  expect(read(scalar('INT'), body, false)).toEqual({ reason: 'column c has no value, and is NOT NULL' })
})

test('a decimal that is too large does not fit NOT NULL', () => {
  expect(read(DECIMAL, '{"c":1e9}', false)).toEqual({ reason: 'column c has no value, and is NOT NULL' })
})

test('bytes that are not UTF-8 do not fit a text', () => {
  const body = Buffer.concat([Buffer.from('{"c":"a'), Buffer.of(0xff), Buffer.from('"}')])
  expect(read(scalar('STRING'), body)).toEqual({ reason: 'column c has a text that is not UTF-8' })
  expect(
    read(scalar('INT'), Buffer.concat([Buffer.from('{"x":"'), Buffer.of(0xff), Buffer.from('","c":1}')])),
  ).toBe(1)
})

test('a name of a column that JSON escapes is found, and only by its escape', () => {
  const columns = [{ name: 'a"b', type: scalar('INT'), nullable: true }]
  const reader = openRowReader({ ...options(scalar('INT')), columns, wanted: [0] })
  const into: Value[] = []
  const body = Buffer.from('{"a\\"b":1}')
  expect([reader.read(body, 0, body.length, [], into), into]).toEqual([undefined, [1]])
  const bad = Buffer.from('{"a"b":1}')
  expect(reader.read(bad, 0, bad.length, [], into)).toEqual({
    reason: expect.stringContaining('is not JSON'),
  })
})

test('values are returned in the order of the wanted columns, whatever the order of the members', () => {
  const columns = 'abcdefghijklmnopqrst'
    .split('')
    .map((name) => ({ name, type: scalar('INT'), nullable: true }))
  const reader = openRowReader({ ...options(scalar('INT')), columns, wanted: [19, 0, 7] })
  for (const order of [columns, columns.toReversed()]) {
    const body = Buffer.from(
      JSON.stringify(Object.fromEntries(order.map(({ name }) => [name, name.charCodeAt(0)]))),
    )
    const into: Value[] = []
    expect([reader.read(body, 0, body.length, [], into), into]).toEqual([undefined, [116, 97, 104]])
  }
})

describe('written', () => {
  const written: readonly (readonly [type: DataType, value: Value, json: string])[] = [
    [scalar('BOOLEAN'), true, 'true'],
    [scalar('INT'), -5, '-5'],
    [scalar('BIGINT'), 9_223_372_036_854_775_807n, '9223372036854775807'],
    [scalar('DOUBLE'), 98.5, '98.5'],
    [scalar('DOUBLE'), 50, '50'],
    [scalar('DOUBLE'), Number.NaN, '"NaN"'],
    [scalar('DOUBLE'), Number.NEGATIVE_INFINITY, '"-Infinity"'],
    [scalar('DOUBLE'), -0, '-0.0'],
    [scalar('FLOAT'), Math.fround(0.1), '0.1'],
    [DECIMAL, 1230, '12.30'],
    [DECIMAL, -5, '-0.05'],
    [WIDE, 12_345_678_901_234_567_890_123_456_780_123_456_789n, '1234567890123456789012345678.0123456789'],
    [{ kind: 'DECIMAL', precision: 5, scale: 0 }, 7, '7'],
    [scalar('STRING'), 'a"\n\u00e9', '"a\\"\\n\u00e9"'],
    [scalar('STRING'), '\ud800', '"\\ud800"'],
    [scalar('BYTES'), Uint8Array.of(0, 1, 255), '"AAH/"'],
    [scalar('DATE'), 18_911, '"2021-10-11"'],
    [scalar('DATE'), -719_528, '"0000-01-01"'],
    [scalar('TIME'), 46_389_000_000, '"12:53:09"'],
    [TIMESTAMP, micros('2021-10-11T12:53:09.277Z'), '"2021-10-11 12:53:09.277"'],
    [TIMESTAMP, micros('2021-10-11T12:53:09Z'), '"2021-10-11 12:53:09"'],
    [TIMESTAMP6, micros('2021-10-11T12:53:09Z') + 120, '"2021-10-11 12:53:09.00012"'],
    [TIMESTAMP, micros('2021-10-11T12:53:09Z') + 277_999, '"2021-10-11 12:53:09.277"'],
    [TIMESTAMP, -1_000, '"1969-12-31 23:59:59.999"'],
    [LOCAL, micros('2021-10-11T12:53:09.270Z'), '"2021-10-11 12:53:09.27Z"'],
    [{ kind: 'ARRAY', element: DECIMAL }, [100, null], '[1.00,null]'],
    [
      { kind: 'MAP', key: scalar('STRING'), value: LOCAL },
      new Map([['k"', 0]]),
      '{"k\\"":"1970-01-01 00:00:00Z"}',
    ],
    [
      { kind: 'ROW', fields: [{ name: 'x', type: scalar('BYTES') }] },
      new Map([['x', Uint8Array.of(1)]]),
      '{"x":"AQ=="}',
    ],
    [scalar('INT'), null, 'null'],
  ]

  test.each(written)('%o %o', (type, value, json) => {
    const writer = openRowWriter(options(type))
    expect(Buffer.from(writer.write([value])).toString('utf8')).toBe(`{"c":${json}}`)
    expect(writer.contentType).toBe('application/json')
  })

  test('a time beyond the year 9999 is a problem that names the column', () => {
    expect(() => openRowWriter(options(scalar('DATE'))).write([5_000_000])).toThrow(
      'column c has a time that is not within the years 0 to 9999',
    )
  })
})

test('the first row of the tutorial', () => {
  const columns = [
    { name: 'time_ltz', type: TIMESTAMP, nullable: true },
    { name: 'hostname', type: scalar('STRING'), nullable: true },
    { name: 'cpu', type: scalar('STRING'), nullable: true },
    { name: 'usage', type: scalar('DOUBLE'), nullable: true },
  ]
  const row = [1_633_956_789_277_000, 'dopey', 'cpu4', 98.5]
  expect(Buffer.from(openRowWriter({ ...options(TIMESTAMP), columns }).write(row)).toString()).toBe(
    '{"time_ltz":"2021-10-11 12:53:09.277","hostname":"dopey","cpu":"cpu4","usage":98.5}',
  )
})

test('types are printed in messages as the API shows them', () => {
  expect(read(DECIMAL, '{"c":"abc"}')).toEqual({
    reason: `column c has '"abc"', which is not ${printType(DECIMAL)}`,
  })
})
