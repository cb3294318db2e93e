import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Value } from '../../src/formats/record-reader.ts'
import { type Body, type FormatUse, optional, TestReader } from '../support/records.ts'

const THREE: FormatUse['schema'] = [
  ['a', optional('string')],
  ['b', optional('string')],
  ['c', optional('string')],
]
const QUOTES = { quote: '"' }

const quoting: { body: string; record: Record<string, Value> | string; quote?: string }[] = [
  { body: 'x,"y,z",w', record: { a: 'x', b: 'y,z', c: 'w' } },
  { body: '"x","y ""z""","""w"""', record: { a: 'x', b: 'y "z"', c: '"w"' } },
  { body: '"x\ny",,""', record: { a: 'x\ny', b: null, c: null } },
  { body: 'x"y,z" w,"v"', record: { a: 'x"y', b: 'z" w', c: 'v' } },
  { body: '"é""ü",b', record: { a: 'é"ü', b: 'b', c: null } },
  { body: '"",', record: { a: null, b: null, c: null } },
  { body: "'x,y','',z", quote: "'", record: { a: 'x,y', b: null, c: 'z' } },
  { body: 'x,"y', record: 'the quote of value 1 never closes' },
  { body: 'x,"y""', record: 'the quote of value 1 never closes' },
  { body: '"x"y,z', record: "value 0 goes on behind its closing quote with 'y,z'" },
  { body: '"x" ,z', record: "value 0 goes on behind its closing quote with ' ,z'" },
]
test.each(quoting)('with quotes $body is $record', ({ body, record, quote = '"' }) => {
  const reader = new TestReader({ format: 'csv', schema: THREE, settings: { quote } })
  expect(reader.read(body)).toEqual(record)
})

test('a list takes quoted values, too', () => {
  const reader = new TestReader({ format: 'csv', settings: QUOTES })
  expect(reader.read('a,"b,c","d""e",')).toEqual({ body: ['a', 'b,c', 'd"e', ''] })
})

test('what RFC 4180 can write is read as another reader reads it', () => {
  const value = fc.string({ unit: fc.constantFrom('a', 'é', ',', '"', '\n', ' ', '😀', '\\') })
  const quotedValue = (text: string) => `"${text.replaceAll('"', '""')}"`
  const reader = new TestReader({ format: 'csv', settings: QUOTES })
  fc.assert(
    fc.property(fc.array(value, { minLength: 1 }), (values) => {
      const line = values.map((text) => (/[",\n]/.test(text) ? quotedValue(text) : text)).join(',')
      expect(reader.read(line)).toEqual({ body: values })
      if (line !== '') expect(parse(line, { relax_column_count: true })).toEqual([values])
    }),
    { numRuns: 500 },
  )
})

test('without quotes any text is cut as split cuts it', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '|', '"', '§', ' ', '😀') })
  for (const delimiter of ['|', '||', '§', '|§|', '😀']) {
    const reader = new TestReader({ format: 'csv', settings: { delimiter } })
    fc.assert(
      fc.property(text, (body) => {
        expect(reader.read(body)).toEqual({ body: body.split(delimiter) })
      }),
      { numRuns: 300 },
    )
  }
})

const typed: { type: string; text: string; value: Value | string; nullable?: boolean }[] = [
  { type: 'boolean', text: 'TRUE', value: true },
  { type: 'boolean', text: 'yes', value: false },
  { type: 'boolean', text: '', value: 'field f cannot be set to a null value.' },
  { type: 'int', text: '-5', value: -5 },
  { type: 'int', text: ' 5', value: "field f has ' 5', which is not an int" },
  { type: 'int', text: '', value: 'field f cannot be set to a null value.' },
  { type: 'int', text: '', nullable: true, value: null },
  { type: 'long', text: '9223372036854775807', value: 9223372036854775807n },
  { type: 'long', text: '5.0', value: "field f has '5.0', which is not a long" },
  { type: 'float', text: '0.1', value: Math.fround(0.1) },
  { type: 'float', text: 'x'.repeat(100), value: `field f has '${'x'.repeat(60)}…', which is not a float` },
  { type: 'double', text: ' 1.5 ', value: 1.5 },
  { type: 'double', text: 'NaN', value: Number.NaN },
  { type: 'string', text: '', value: '' },
  { type: 'string', text: '', nullable: true, value: null },
  {
    type: 'string',
    text: 'a longer text that is not put together by hand',
    value: 'a longer text that is not put together by hand',
  },
  { type: 'string', text: 'Ünïcödé', value: 'Ünïcödé' },
  { type: 'null', text: 'x', value: null },
  {
    type: 'bytes',
    text: 'a\\x00\\xfF\\xZZ\\',
    value: Uint8Array.from([0x61, 0, 0xff, 0x5c, 0x78, 0x5a, 0x5a, 0x5c]),
  },
  { type: 'bytes', text: 'é€', value: Uint8Array.of(0xe9, 0xac) },
]
test.each(typed)('$text as $type is $value', ({ type, text, value, nullable = false }) => {
  const reader = new TestReader({ format: 'csv', schema: [['f', nullable ? optional(type) : type]] })
  const expected = typeof value === 'string' && value.startsWith('field f') ? value : { f: value }
  expect(reader.read(text)).toEqual(expected)
})

describe('character sets', () => {
  const sets: { charset: string; body: Body; values: string[] }[] = [
    { charset: 'ISO-8859-1', body: Uint8Array.of(0xe9, 0x2c, 0x80), values: ['é', '\x80'] },
    { charset: 'windows-1252', body: Uint8Array.of(0xe9, 0x2c, 0x80), values: ['é', '€'] },
    { charset: 'US-ASCII', body: Uint8Array.of(0x61, 0x2c, 0xe9), values: ['a', '\ufffd'] },
    { charset: 'UTF-16LE', body: Buffer.from('a,é', 'utf16le'), values: ['a', 'é'] },
    { charset: 'UTF-16', body: Uint8Array.of(0, 0x61, 0, 0x2c, 0x20, 0xac), values: ['a', '€'] },
    { charset: 'UTF-16', body: Buffer.from('\ufeffa,é', 'utf16le'), values: ['a', 'é'] },
    { charset: 'Shift_JIS', body: Uint8Array.of(0x83, 0x5c, 0x2c, 0x62), values: ['ソ', 'b'] },
    { charset: 'UTF-8', body: Uint8Array.of(0xff, 0x2c, 0x62), values: ['\ufffd', 'b'] },
  ]
  test.each(sets)('$charset', ({ charset, body, values }) => {
    expect(new TestReader({ format: 'csv', settings: { charset } }).read(body)).toEqual({ body: values })
    expect(new TestReader({ format: 'text', settings: { charset } }).read(body)).toEqual({
      body: values.join(','),
    })
  })
})

test('a mapping leaves fields without a value where none is mapped', () => {
  const settings = { mapping: '5:b,2147483647:c' }
  const reader = new TestReader({ format: 'csv', schema: THREE, settings })
  expect(reader.read('0,1,2,3,4,5,6')).toEqual({ a: null, b: '5', c: null })
  const strict = new TestReader({
    format: 'csv',
    schema: [
      ['a', 'string'],
      ['b', 'string'],
    ],
    settings: { mapping: '0:b' },
  })
  expect(strict.read('x')).toBe('Field a must contain a value.')
})

test('values are copies: the bytes they came from may change', () => {
  const reader = new TestReader({
    format: 'csv',
    schema: [
      ['a', 'bytes'],
      ['b', 'string'],
    ],
  }).reader
  const bytes = Buffer.from('ab,cd')
  const into: Value[] = []
  reader.read(bytes, 0, bytes.length, [], into)
  bytes.fill(0)
  expect(into).toEqual([Uint8Array.of(0x61, 0x62), 'cd'])
})
