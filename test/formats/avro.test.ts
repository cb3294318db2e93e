import avsc from 'avsc'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AVRO_DEPTH_MAX, AVRO_VALUES_BEYOND_BYTES } from '../../src/formats/avro-reader.ts'
import type { EventHeaders, Value } from '../../src/formats/record-reader.ts'
import { LIST, optional, recordJson, TestReader } from '../support/records.ts'

function encode(schema: unknown, value: unknown): Buffer {
  return avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false }).toBuffer(value)
}

function writtenAs(schema: unknown): EventHeaders {
  return [['schema', JSON.stringify(schema)]]
}

/** A datum of one field `f`, written and read with different types. */
function converted(writer: unknown, value: unknown, reader: unknown): unknown {
  const schema = recordJson([['f', writer]])
  const read = new TestReader({ format: 'avro', schema: [['f', reader]] }).read(
    encode(schema, { f: value }),
    writtenAs(schema),
  )
  return typeof read === 'string' ? read : read.f
}

const ENUM = { type: 'enum', name: 'colour', symbols: ['RED', 'GREEN'] }
const FIXED = { type: 'fixed', name: 'two', size: 2 }
const POINT = recordJson([['x', 'int']])
const inner = (name: string, fields: object[]) => ({ type: 'record', name, fields })

const resolutions: { writer: unknown; value: unknown; reader: unknown; read: Value | string }[] = [
  { writer: 'int', value: -5, reader: 'long', read: -5 },
  { writer: 'int', value: -5, reader: 'float', read: -5 },
  { writer: 'int', value: 16777217, reader: 'float', read: 16777216 },
  { writer: 'int', value: -5, reader: 'double', read: -5 },
  { writer: 'long', value: 2 ** 40, reader: 'double', read: 2 ** 40 },
  { writer: 'long', value: 2 ** 40, reader: 'float', read: 2 ** 40 },
  { writer: 'long', value: 5, reader: 'int', read: 'field f was written as long and is read as int' },
  { writer: 'float', value: 0.25, reader: 'double', read: 0.25 },
  {
    writer: 'double',
    value: 0.25,
    reader: 'float',
    read: 'field f was written as double and is read as float',
  },
  { writer: 'string', value: 'aé', reader: 'bytes', read: Buffer.from('aé') },
  { writer: 'bytes', value: Buffer.from('aé'), reader: 'string', read: 'aé' },
  { writer: 'boolean', value: true, reader: 'boolean', read: true },
  {
    writer: 'boolean',
    value: true,
    reader: 'string',
    read: 'field f was written as boolean and is read as string',
  },
  { writer: ENUM, value: 'GREEN', reader: 'string', read: 'GREEN' },
  { writer: FIXED, value: Buffer.from([1, 2]), reader: 'bytes', read: Buffer.from([1, 2]) },
  { writer: 'string', value: 'x', reader: optional('string'), read: 'x' },
  { writer: ['null', 'string'], value: null, reader: optional('string'), read: null },
  { writer: ['null', 'string'], value: 'x', reader: 'string', read: 'x' },
  {
    writer: ['null', 'string'],
    value: null,
    reader: 'string',
    read: 'field f was written as null and is read as string',
  },
  { writer: 'int', value: 5, reader: ['double', 'long', 'int'], read: 5 },
  { writer: ['int', 'string'], value: 'x', reader: ['string', 'long', 'null'], read: 'x' },
  { writer: ['int', 'string'], value: 7, reader: ['string', 'long', 'null'], read: 7 },
  {
    writer: { type: 'array', items: 'int' },
    value: [1, 2],
    reader: { type: 'array', items: 'long' },
    read: [1, 2],
  },
  {
    writer: { type: 'map', values: 'int' },
    value: { a: 1 },
    reader: { type: 'map', values: 'double' },
    read: new Map([['a', 1]]),
  },
  {
    writer: { type: 'map', values: 'int' },
    value: { a: 1 },
    reader: LIST,
    read: 'field f was written as map and is read as array',
  },
  {
    writer: inner('w', [
      { name: 'a', type: 'int' },
      { name: 'b', type: 'string' },
      { name: 'c', type: ENUM },
    ]),
    value: { a: 1, b: 'x', c: 'RED' },
    reader: inner('r', [
      { name: 'c', type: 'string' },
      { name: 'd', type: ['int', 'null'] },
      { name: 'a', type: 'long' },
    ]),
    read: new Map<string, Value>([
      ['c', 'RED'],
      ['d', null],
      ['a', 1],
    ]),
  },
  {
    writer: inner('w', [{ name: 'a', type: 'int' }]),
    value: { a: 1 },
    reader: inner('r', [{ name: 'b', type: 'int' }]),
    read: 'the event was written without field f.b, which cannot be null',
  },
]
test.each(resolutions)('$writer read as $reader', ({ writer, value, reader, read }) => {
  expect(converted(writer, value, reader)).toEqual(read)
})

test('a record that refers to itself is read, to a depth', () => {
  const node = inner('node', [
    { name: 'v', type: 'int' },
    { name: 'next', type: ['null', 'node'] },
  ])
  const reader = new TestReader({ format: 'avro', schema: node })
  expect(reader.read(encode(node, { v: 1, next: { v: 2, next: null } }))).toEqual({
    v: 1,
    next: new Map<string, Value>([
      ['v', 2],
      ['next', null],
    ]),
  })
  const deep = Buffer.from([2, 2].flatMap((byte) => [byte]).concat(Array(2 * AVRO_DEPTH_MAX).fill(2)))
  expect(reader.read(deep)).toBe(`the datum is nested deeper than ${AVRO_DEPTH_MAX} levels`)
  const unread = new TestReader({ format: 'avro', schema: node, wanted: ['v'] })
  expect(unread.read(deep)).toBe(`the datum is nested deeper than ${AVRO_DEPTH_MAX} levels`)
})

test('a record that can never end is refused as a schema', () => {
  const endless = inner('r', [{ name: 'f', type: 'r' }])
  expect(() => new TestReader({ format: 'avro', schema: endless })).toThrow(
    'Format avro does not support the requested schema.',
  )
})

const long = recordJson([['f', 'long']])
const longs = [0, -1, 63, 64, -64, -65, 2 ** 31, 2 ** 51, -(2 ** 51)]
test.each(longs)('the long %d', (value) => {
  expect(new TestReader({ format: 'avro', schema: long }).read(encode(long, { f: value }))).toEqual({
    f: value,
  })
})
const bigLongs = [
  { bytes: 'feffffffffffff1f', value: 2 ** 53 - 1 },
  { bytes: 'fdffffffffffff1f', value: -(2 ** 53) + 1 },
  { bytes: 'feffffffffffffffff01', value: 2n ** 63n - 1n },
  { bytes: 'ffffffffffffffffff01', value: -(2n ** 63n) },
  { bytes: '8080808080808020', value: 2n ** 53n },
  { bytes: 'feffffffffffffffff03', value: 'a number takes more than 64 bits' },
  { bytes: 'ffffffffffffffffffff01', value: 'a number takes more than 10 bytes' },
  { bytes: 'ff', value: 'the body ends inside a number' },
]
test.each(bigLongs)('the long of the bytes $bytes', ({ bytes, value }) => {
  const read = new TestReader({ format: 'avro', schema: long }).read(Buffer.from(bytes, 'hex'))
  expect(read).toEqual(typeof value === 'string' ? value : { f: value })
})

const broken: { what: string; type: unknown; bytes: string; reason: string }[] = [
  { what: 'nothing', type: 'int', bytes: '', reason: 'the body ends inside a number' },
  { what: 'too much', type: 'int', bytes: '0200', reason: 'the datum ends 1 bytes before the body does' },
  { what: 'an int of 64 bits', type: 'int', bytes: '8080808010', reason: '2147483648 is not an int' },
  {
    what: 'a text longer than the body',
    type: 'string',
    bytes: '0a61',
    reason: 'a length is 5 where the body has 1 bytes left',
  },
  {
    what: 'a text of an enormous length',
    type: 'string',
    bytes: 'feffffffffffffffff01',
    reason: 'bytes left',
  },
  { what: 'bytes of a negative length', type: 'bytes', bytes: '01', reason: 'a length is negative: -1' },
  {
    what: 'half a double',
    type: 'double',
    bytes: '00000000',
    reason: 'the datum wants 8 bytes where the body has 4 left',
  },
  { what: 'a boolean of 2', type: 'boolean', bytes: '02', reason: 'a boolean is byte 2' },
  {
    what: 'a branch that is none',
    type: ['null', 'int'],
    bytes: '04',
    reason: '2 is none of the 2 branches of a union',
  },
  {
    what: 'a branch below 0',
    type: ['null', 'int'],
    bytes: '01',
    reason: '-1 is none of the 2 branches of a union',
  },
  {
    what: 'an array that claims too much',
    type: LIST,
    bytes: 'feffffff0f',
    reason: 'the body ends inside a number',
  },
  {
    what: 'a million nulls',
    type: { type: 'array', items: 'null' },
    bytes: '8092f40100',
    reason: 'the datum makes more values than it has bytes',
  },
  {
    what: 'a map without its end',
    type: { type: 'map', values: 'int' },
    bytes: '02026102',
    reason: 'the body ends inside a number',
  },
]
test.each(broken)('$what', ({ type, bytes, reason }) => {
  const read = new TestReader({ format: 'avro', schema: [['f', type]] }).read(Buffer.from(bytes, 'hex'))
  expect(read).toContain(reason)
})

test('data without bytes are read as long as they are few', () => {
  const schema = recordJson([['f', { type: 'array', items: 'null' }]])
  const reader = new TestReader({ format: 'avro', schema })
  const count = AVRO_VALUES_BEYOND_BYTES - 100
  expect(reader.read(encode(schema, { f: Array(count).fill(null) }))).toEqual({ f: Array(count).fill(null) })
})

test('the schema is found by its text, whatever its hash says, event by event', () => {
  const reader = new TestReader({ format: 'avro', schema: POINT })
  const asLong = recordJson([
    ['other', 'string'],
    ['x', 'int'],
  ])
  const headers = (schema: object): EventHeaders => [
    ['schema.hash', 'the same'],
    ['schema', JSON.stringify(schema)],
  ]
  for (let round = 0; round < 3; round++) {
    expect(reader.read(encode(asLong, { other: 'o', x: 5 }), headers(asLong))).toEqual({ x: 5 })
    expect(reader.read(encode(POINT, { x: 6 }), headers(POINT))).toEqual({ x: 6 })
    expect(reader.read(encode(POINT, { x: 7 }))).toEqual({ x: 7 })
  }
  // More schemas than are kept.
  for (let version = 0; version < 50; version++) {
    const schema = recordJson([
      [`v${version}`, 'int'],
      ['x', 'int'],
    ])
    expect(reader.read(encode(schema, { [`v${version}`]: 1, x: version }), headers(schema))).toEqual({
      x: version,
    })
  }
})

const strange: { schema: string; reason: string }[] = [
  { schema: 'x', reason: 'the schema header is no schema: the schema is not JSON' },
  { schema: '"int"', reason: 'the event was written as int, which is not a record' },
  {
    schema: '{"type":"record","name":"r","fields":[{"name":"x","type":"nope"}]}',
    reason: 'the schema does not define the name "nope"',
  },
  { schema: '[]', reason: 'none of the 0 branches' },
]
test.each(strange)('a schema header $schema', ({ schema, reason }) => {
  const reader = new TestReader({ format: 'avro', schema: POINT })
  expect(reader.read(Buffer.from([2]), [['schema', schema]])).toContain(reason)
})

test('a datum written as a member of a union of records', () => {
  const schema = ['null', POINT]
  const reader = new TestReader({ format: 'avro', schema: POINT })
  expect(reader.read(Buffer.from([2, 10]), writtenAs(schema))).toEqual({ x: 5 })
  expect(reader.read(Buffer.from([0]), writtenAs(schema))).toContain('which is not a record')
})

test('whatever avsc writes comes back, of all fields or some', () => {
  const schema = recordJson([
    ['i', 'int'],
    ['l', 'long'],
    ['d', 'double'],
    ['s', 'string'],
    ['o', optional('string')],
    ['a', { type: 'array', items: 'int' }],
    ['m', { type: 'map', values: 'string' }],
    ['b', 'boolean'],
  ])
  const type = avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false })
  const value = fc.record({
    i: fc.integer(),
    // avsc itself writes longs exactly up to here only.
    l: fc.integer({ min: -(2 ** 51), max: 2 ** 51 }),
    d: fc.double(),
    s: fc.string({ unit: 'grapheme' }),
    o: fc.option(fc.string()),
    a: fc.array(fc.integer()),
    m: fc.dictionary(fc.string(), fc.string()),
    b: fc.boolean(),
  })
  const names = ['i', 'l', 'd', 's', 'o', 'a', 'm', 'b'] as const
  const readers = new Map<string, TestReader>()
  fc.assert(
    fc.property(value, fc.subarray([...names]), (record, wanted) => {
      const key = wanted.join()
      const reader = readers.get(key) ?? new TestReader({ format: 'avro', schema, wanted })
      readers.set(key, reader)
      const full: Record<string, unknown> = { ...record, m: new Map(Object.entries(record.m)) }
      const expected = Object.fromEntries(wanted.map((name) => [name, full[name]]))
      expect(reader.read(type.toBuffer(record))).toEqual(expected)
    }),
    { numRuns: 500 },
  )
})
