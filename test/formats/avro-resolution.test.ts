/** Avro's rules of resolution, one by one: what each type has for a field that was not written, and what a value becomes. */
import avsc from 'avsc'
import { describe, expect, test } from 'vitest'
import { DEFAULT_VALUES_MAX } from '../../src/formats/avro-default.ts'
import { AVRO_VALUES_BEYOND_BYTES } from '../../src/formats/avro-reader.ts'
import type { Value } from '../../src/formats/record-reader.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { TestReader } from '../support/records.ts'

const record = (name: string, ...fields: object[]) => ({ type: 'record', name, fields })
const OLD = record('Car', { name: 'id', type: 'int' })
const bytes = (...values: number[]) => new Uint8Array(values)

function encode(schema: unknown, value: unknown): Buffer {
  return avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: 'always' }).toBuffer(value)
}

/** As Avro writes a long; avsc itself takes no more than 53 bits. */
function encodeLong(value: bigint): Uint8Array {
  const out: number[] = []
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80)
  return bytes(...out, Number(rest))
}

/** Field `f` of what the writer's data are read as, or why not. */
function read(writer: object, value: unknown, reader: object): unknown {
  return readBytes(writer, encode(writer, value), reader)
}

function readBytes(writer: object, body: Uint8Array, reader: object): unknown {
  const result = new TestReader({ format: 'avro', schema: reader }).read(body, [
    ['schema', JSON.stringify(writer)],
  ])
  return typeof result === 'string' ? result : result.f
}

/** What a record that was written without the field has. */
function defaulted(type: unknown, json: unknown): unknown {
  return read(OLD, { id: 1 }, record('Car', { name: 'f', type, default: json }, { name: 'id', type: 'int' }))
}

const INNER = record(
  'Inner',
  { name: 'a', type: 'int' },
  { name: 'b', type: ['null', 'string'], default: null },
  { name: 'c', type: { type: 'array', items: 'int' }, default: [7] },
)

describe('defaults', () => {
  const defaults: { type: unknown; json: unknown; value: Value | RegExp }[] = [
    { type: 'string', json: 'green', value: 'green' },
    { type: 'string', json: '', value: '' },
    { type: 'null', json: null, value: null },
    { type: 'boolean', json: true, value: true },
    { type: 'int', json: -2147483648, value: -2147483648 },
    { type: 'long', json: 2 ** 40, value: 2 ** 40 },
    { type: 'float', json: 0.1, value: Math.fround(0.1) },
    { type: 'double', json: 5, value: 5 },
    { type: 'double', json: '-Infinity', value: -Infinity },
    { type: 'float', json: 'NaN', value: Number.NaN },
    { type: 'bytes', json: '\u0000ÿA', value: bytes(0, 255, 65) },
    { type: { type: 'fixed', name: 'F', size: 2 }, json: 'é\u0001', value: bytes(233, 1) },
    { type: { type: 'enum', name: 'E', symbols: ['RED', 'GREEN'] }, json: 'GREEN', value: 'GREEN' },
    { type: { type: 'array', items: 'long' }, json: [1, 2], value: [1, 2] },
    { type: { type: 'array', items: 'long' }, json: [], value: [] },
    { type: { type: 'map', values: 'bytes' }, json: { k: 'a' }, value: new Map([['k', bytes(97)]]) },
    {
      type: INNER,
      json: { a: 5 },
      value: new Map<string, Value>([
        ['a', 5],
        ['b', null],
        ['c', [7]],
      ]),
    },
    { type: ['null', 'string'], json: null, value: null },
    { type: ['string', 'null'], json: 'x', value: 'x' },
    { type: ['null', 'string'], json: 'x', value: 'x' },
    { type: ['string', 'null'], json: null, value: null },
    { type: ['null', 'int', 'double'], json: 1.5, value: 1.5 },
    { type: { type: 'int', logicalType: 'date' }, json: 3, value: 3 },
    { type: { type: 'long', logicalType: 'timestamp-millis' }, json: 3, value: 3_000 },
    { type: { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 }, json: 'ÿ', value: -1 },
    {
      type: { type: 'array', items: { type: 'int', logicalType: 'time-millis' } },
      json: [1],
      value: ['00:00:00.001'],
    },
    // A default that is none of its type is no default, and only matters to who needs it.
    { type: 'int', json: 'x', value: /^field f has a default that is not int$/ },
    { type: 'int', json: 1.5, value: /not int$/ },
    { type: 'int', json: 2 ** 31, value: /not int$/ },
    { type: 'string', json: null, value: /not string$/ },
    { type: 'bytes', json: 'Ā', value: /not bytes$/ },
    { type: { type: 'fixed', name: 'F', size: 2 }, json: 'a', value: /not a fixed of 2 bytes$/ },
    { type: { type: 'enum', name: 'E', symbols: ['A'] }, json: 'B', value: /not one of the symbols$/ },
    { type: INNER, json: {}, value: /not a record: it has no a$/ },
    { type: ['null', 'string'], json: 5, value: /not of the union$/ },
    {
      type: { type: 'bytes', logicalType: 'decimal', precision: 1 },
      json: 'd',
      value: /more than 1 digits$/,
    },
  ]
  test.each(defaults)('of $type: $json is $value', ({ type, json, value }) => {
    const found = defaulted(type, json)
    if (value instanceof RegExp) expect(found).toMatch(value)
    else expect(found).toEqual(value)
  })

  test('a long beyond the numbers that are exact', () => {
    const reader = `{"type":"record","name":"Car","fields":[{"name":"f","type":"long","default":-9223372036854775808}]}`
    const one = new TestReader({ format: 'avro', schema: JSON.parse(reader) as object })
    expect(one.read(bytes(2), [['schema', JSON.stringify(OLD)]])).toBe(
      'field f has a default that is not long',
    )
    // JSON.parse has rounded it above; as the service reads it, it is exact: test/http/avro-schema.test.ts.
  })

  test('of a field within records that are within arrays', () => {
    const line = (...more: object[]) => record('Line', { name: 'n', type: 'int' }, ...more)
    const lines = (type: object) => record('Car', { name: 'f', type: { type: 'array', items: type } })
    const reader = lines(line({ name: 'color', type: 'string', default: 'green' }))
    expect(read(lines(line()), { f: [{ n: 1 }, { n: 2 }] }, reader)).toEqual(
      [1, 2].map(
        (n) =>
          new Map<string, Value>([
            ['n', n],
            ['color', 'green'],
          ]),
      ),
    )
  })

  test('one that never ends, or doubles at every step, is none', () => {
    const endless = record('R', { name: 'f', type: 'R', default: {} }, { name: 'id', type: 'int' })
    const optional = record('R', { name: 'f', type: ['R', 'null'], default: {} })
    expect(() => new TestReader({ format: 'avro', schema: endless })).not.toThrow()
    expect(readBytes(OLD, bytes(2), optional)).toBe('field f has a default that never ends')
    let type: unknown = 'int'
    for (let depth = 0; depth < 12; depth++) {
      const fields = ['a', 'b', 'c', 'd'].map((name, index) => ({
        name,
        type: index === 0 ? type : depth === 0 ? 'int' : `R${depth - 1}`,
        default: depth === 0 ? 0 : {},
      }))
      type = record(`R${depth}`, ...fields)
    }
    const begun = cpuMs()
    expect(defaulted(type, {})).toBe(`field f has a default of more than ${DEFAULT_VALUES_MAX} values`)
    expect(cpuMs() - begun).toBeLessThan(5_000)
  })
})

const E = (symbols: string[], more: object = {}) => ({ type: 'enum', name: 'E', symbols, ...more })
const F = (size: number, more: object = {}) => ({ type: 'fixed', name: 'F', size, ...more })
const decimal = (precision: number, scale: number, more: object = { type: 'bytes' }) => ({
  ...more,
  logicalType: 'decimal',
  precision,
  scale,
})
const long = (logicalType: string) => ({ type: 'long', logicalType })
const int = (logicalType: string) => ({ type: 'int', logicalType })

const conversions: { what: string; writer: unknown; value: unknown; reader: unknown; read: unknown }[] = [
  { what: 'symbols in another order', writer: E(['A', 'B']), value: 'B', reader: E(['B', 'A']), read: 'B' },
  {
    what: 'a symbol that the reader lacks is its default',
    writer: E(['A', 'B']),
    value: 'B',
    reader: E(['A', 'X'], { default: 'X' }),
    read: 'X',
  },
  {
    what: 'without a default it is an error',
    writer: E(['A', 'B']),
    value: 'B',
    reader: E(['A']),
    read: "field f has the symbol 'B', which its enum does not have, nor a default",
  },
  {
    what: "the writer's default does not matter",
    writer: E(['A', 'B'], { default: 'A' }),
    value: 'B',
    reader: E(['A']),
    read: "field f has the symbol 'B', which its enum does not have, nor a default",
  },
  {
    what: 'an enum of another name',
    writer: E(['A']),
    value: 'A',
    reader: { ...E(['A']), name: 'G' },
    read: 'field f was written as enum E and is read as enum G',
  },
  {
    what: 'an enum of another name with an alias',
    writer: E(['A']),
    value: 'A',
    reader: { ...E(['A']), name: 'x.G', aliases: ['y.E'] },
    read: 'A',
  },
  {
    what: 'an enum of the same name in another namespace',
    writer: { ...E(['A']), namespace: 'x' },
    value: 'A',
    reader: E(['A']),
    read: 'A',
  },
  {
    what: 'a fixed of another size',
    writer: F(2),
    value: Buffer.from('ab'),
    reader: F(3),
    read: 'field f was written as fixed F of 2 bytes and is read as fixed F of 3 bytes',
  },
  {
    what: 'a fixed of another name',
    writer: F(2),
    value: Buffer.from('ab'),
    reader: F(2, { name: 'G' }),
    read: 'field f was written as fixed F of 2 bytes and is read as fixed G of 2 bytes',
  },
  {
    what: 'a fixed with an alias',
    writer: F(2),
    value: Buffer.from('ab'),
    reader: F(2, { name: 'G', aliases: ['F'] }),
    read: Buffer.from('ab'),
  },
  {
    what: 'bytes are no fixed',
    writer: 'bytes',
    value: Buffer.from('ab'),
    reader: F(2),
    read: 'field f was written as bytes and is read as fixed F of 2 bytes',
  },
  {
    what: 'a string is no enum',
    writer: 'string',
    value: 'A',
    reader: E(['A']),
    read: 'field f was written as string and is read as enum E',
  },
  {
    what: 'a branch that is read, of a union with one that is not',
    writer: ['boolean', 'int'],
    value: { int: 3 },
    reader: 'long',
    read: 3,
  },
  {
    what: 'a branch that is not read',
    writer: ['boolean', 'int'],
    value: { boolean: true },
    reader: 'long',
    read: 'field f was written as boolean and is read as long',
  },
  {
    what: 'a union in another order',
    writer: ['null', 'string'],
    value: { string: 'x' },
    reader: ['string', 'null'],
    read: 'x',
  },
  {
    what: 'a promotion within a union',
    writer: ['null', 'int'],
    value: { int: 5 },
    reader: ['double', 'null'],
    read: 5,
  },
  { what: 'no union, read as one', writer: 'int', value: 5, reader: ['null', 'string', 'float'], read: 5 },
  {
    what: 'of a union of records the one of the name',
    writer: record('B', { name: 'x', type: 'int' }),
    value: { x: 1 },
    reader: [
      record('A', { name: 'x', type: 'int' }),
      record('B', { name: 'y', type: 'int', aliases: ['x'] }),
    ],
    read: new Map([['y', 1]]),
  },
  {
    what: 'of a union of records without the name the one whose fields are there',
    writer: record('C', { name: 'y', type: 'int' }),
    value: { y: 1 },
    reader: [record('A', { name: 'x', type: 'int' }), record('B', { name: 'y', type: 'int' })],
    read: new Map([['y', 1]]),
  },
  // Logical types.
  { what: 'a decimal', writer: decimal(4, 2), value: Buffer.from([1]), reader: decimal(4, 2), read: 1 },
  {
    what: 'a decimal with more digits than it was written with',
    writer: decimal(4, 2),
    value: Buffer.from([1]),
    reader: decimal(9, 2),
    read: 1,
  },
  {
    what: 'a decimal of another scale',
    writer: decimal(4, 2),
    value: Buffer.from([1]),
    reader: decimal(4, 1),
    read: 'field f was written as a decimal of scale 2 and is read as one of scale 1',
  },
  {
    what: 'bytes as a decimal',
    writer: 'bytes',
    value: Buffer.from([255, 127]),
    reader: decimal(4, 2),
    read: -129,
  },
  {
    what: 'a decimal in a fixed as one in bytes',
    writer: decimal(4, 2, F(3)),
    value: Buffer.from([255, 255, 254]),
    reader: decimal(4, 2),
    read: -2,
  },
  {
    what: 'a decimal with needless bytes',
    writer: 'bytes',
    value: Buffer.alloc(1_000, 0),
    reader: decimal(4, 2),
    read: 0,
  },
  {
    what: 'a decimal that is too long',
    writer: 'bytes',
    value: Buffer.from([39, 16]),
    reader: decimal(4, 2),
    read: 'field f has a decimal of more than 4 digits',
  },
  {
    what: 'a decimal that is far too long',
    writer: 'bytes',
    value: Buffer.alloc(1_000_000, 1),
    reader: decimal(38, 2),
    read: 'field f has a decimal of more than 38 digits',
  },
  {
    what: 'a decimal of no bytes',
    writer: 'bytes',
    value: Buffer.alloc(0),
    reader: decimal(4, 2),
    read: 'field f has a decimal without bytes',
  },
  {
    what: 'millis as micros',
    writer: long('timestamp-millis'),
    value: 5,
    reader: long('timestamp-micros'),
    read: 5_000,
  },
  {
    what: 'millis as nanos',
    writer: long('timestamp-millis'),
    value: 5,
    reader: long('timestamp-nanos'),
    read: 5_000_000,
  },
  {
    what: 'nanos as millis',
    writer: long('timestamp-nanos'),
    value: -1,
    reader: long('timestamp-millis'),
    read: -1,
  },
  { what: 'a plain long as millis', writer: 'long', value: 5, reader: long('timestamp-millis'), read: 5_000 },
  { what: 'an int as micros', writer: 'int', value: 5, reader: long('timestamp-micros'), read: 5 },
  { what: 'micros as a plain long', writer: long('timestamp-micros'), value: 5, reader: 'long', read: 5 },
  {
    what: 'time of millis as micros',
    writer: int('time-millis'),
    value: 1,
    reader: long('time-micros'),
    read: '00:00:00.001',
  },
  {
    what: 'a timestamp that no calendar has',
    writer: 'long',
    value: 2 ** 51,
    reader: long('timestamp-millis'),
    read: `field f has timestamp ${2 ** 51}, which is not within the years 1 to 9999`,
  },
  {
    what: 'the last microsecond',
    writer: 'long',
    value: 253402300799999,
    reader: long('timestamp-millis'),
    read: 253402300799999000n,
  },
  {
    what: 'one millisecond later',
    writer: 'long',
    value: 253402300800000,
    reader: long('timestamp-millis'),
    read: 'field f has timestamp 253402300800000, which is not within the years 1 to 9999',
  },
  {
    what: 'nanos beyond 53 bits',
    writer: long('timestamp-nanos'),
    value: 1_700_000_000_123_456_789n,
    reader: long('timestamp-nanos'),
    read: 1_700_000_000_123_456_789n,
  },
  {
    what: 'nanos beyond 53 bits before 1970',
    writer: 'long',
    value: -1_700_000_000_123_456_789n,
    reader: long('timestamp-nanos'),
    read: -1_700_000_000_123_456_789n,
  },
  {
    what: 'nanos at the end of 64 bits',
    writer: long('timestamp-nanos'),
    value: 2n ** 63n - 1n,
    reader: long('timestamp-nanos'),
    read: `field f has timestamp ${2n ** 63n - 1n}, which is not within the years 1678 to 2261`,
  },
  ...['millis', 'micros'].map((unit) => ({
    what: `${unit} beyond 53 bits`,
    writer: 'long',
    value: 2n ** 62n,
    reader: long(`timestamp-${unit}`),
    read: `field f has timestamp ${2n ** 62n}, which is not within the years 1 to 9999`,
  })),
  {
    what: 'millis beyond 53 bits as nanos',
    writer: long('timestamp-millis'),
    value: -(2n ** 62n),
    reader: long('timestamp-nanos'),
    read: `field f has timestamp ${-(2n ** 62n)}, which is not within the years 1678 to 2261`,
  },
  {
    what: 'a day that no calendar has',
    writer: 'int',
    value: 2_932_897,
    reader: int('date'),
    read: 'field f has day 2932897, which is not within the years 1 to 9999',
  },
  {
    what: 'a time beyond its day',
    writer: 'int',
    value: 86_400_000,
    reader: int('time-millis'),
    read: 'field f has time 86400000, which is not within a day',
  },
]
test.each(conversions)('$what', ({ writer, value, reader, read: expected }) => {
  const written = record('W', { name: 'f', type: writer })
  const body = typeof value === 'bigint' ? encodeLong(value) : encode(written, { f: value })
  expect(readBytes(written, body, record('R', { name: 'f', type: reader }))).toEqual(expected)
})

test('a field is found by an alias, whatever the characters of its old name', () => {
  const writer = record('W', { name: 'other', type: 'int' }, { name: 'old-name', type: 'int' })
  const reader = record('R', { name: 'f', type: 'long', aliases: ['none', 'old-name', 'other'] })
  expect(readBytes(writer, bytes(2, 14), reader)).toBe(7)
})

test('a field that does not fit is null, and the others have their values', () => {
  const writer = record(
    'W',
    { name: 'a', type: 'int' },
    { name: 'b', type: { type: 'array', items: E(['A', 'B']) } },
    { name: 'c', type: 'string' },
    { name: 'd', type: 'double' },
  )
  const reader = new TestReader({
    format: 'avro',
    schema: record(
      'R',
      { name: 'd', type: 'int' },
      { name: 'c', type: 'string' },
      { name: 'b', type: { type: 'array', items: E(['A']) } },
      { name: 'a', type: 'int' },
      { name: 'e', type: 'int' },
    ),
  })
  const body = encode(writer, { a: 5, b: ['A', 'B', 'A'], c: 'x', d: 1.5 })
  const values: Value[] = []
  expect(reader.into(values, body, [['schema', JSON.stringify(writer)]])).toEqual({
    reason: "field b has the symbol 'B', which its enum does not have, nor a default",
    partial: true,
  })
  expect(values).toEqual([null, 'x', null, 5, null])
})

test('arrays and maps in blocks that say how long they are', () => {
  const writer = record(
    'W',
    { name: 'skipped', type: { type: 'map', values: 'string' } },
    { name: 'f', type: { type: 'array', items: 'int' } },
  )
  const map = [3, 12, 2, 97, 2, 120, 2, 98, 0, 0] // two entries in 6 bytes, though it says 12
  const sound = [3, 14, 2, 97, 2, 120, 2, 98, 0, 0]
  const array = [3, 4, 2, 4, 2, 6, 0] // two items in 2 bytes, then one
  const reader = record('R', { name: 'f', type: { type: 'array', items: 'long' } })
  expect(readBytes(writer, bytes(...sound, ...array), reader)).toEqual([1, 2, 3])
  expect(readBytes(writer, bytes(...map, ...array), reader)).not.toEqual([1, 2, 3])
})

describe('what a datum may cost', () => {
  const nulls = record('W', { name: 'f', type: { type: 'array', items: 'null' } })

  test.each([
    ['2^31 items without bytes', [0x80, 0x80, 0x80, 0x80, 0x10, 0]],
    ['2^62 of them', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0]],
    ['-2^31 of them, in a block that says how long it is', [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]],
  ])('%s', (_, body) => {
    const begun = cpuMs()
    expect(readBytes(nulls, bytes(...body), nulls)).toBe('the datum makes more values than it has bytes')
    const none = record('R', { name: 'g', type: ['null', 'int'] })
    expect(readBytes(nulls, bytes(...body), none)).toBeUndefined() // passed over
    expect(cpuMs() - begun).toBeLessThan(1_000)
  })

  test('nullable and logical items count once', () => {
    const items = record('W', { name: 'f', type: { type: 'array', items: ['null', int('date')] } })
    const count = AVRO_VALUES_BEYOND_BYTES * 2
    expect(read(items, { f: Array(count).fill(null) }, items)).toHaveLength(count)
    const days = record('W', { name: 'f', type: { type: 'array', items: int('date') } })
    expect(read(days, { f: Array(count).fill(0) }, days)).toHaveLength(count)
  })

  test('defaults within items that take no bytes', () => {
    const empty = (...fields: object[]) =>
      record('W', { name: 'f', type: { type: 'array', items: record('E', ...fields) } })
    const long = { name: 's', type: 'string', default: 'x'.repeat(64_000) }
    const body = bytes(0x80, 0x80, 0x04, 0) // 32,768 of them
    expect(readBytes(empty(), body, empty(long))).toBe('the datum makes more values than it has bytes')
  })

  test('two schemas that meet in millions of pairs of records', () => {
    const wide = (prefix: string, count: number) => {
      const names = Array.from({ length: count }, (_, index) => `${prefix}${index}`)
      const inner = names.map((name, index) =>
        record(
          name,
          ...['a', 'b'].map((field) => ({
            name: field,
            type: ['null', names[(index * 2 + 1) % (index + 1)]],
          })),
        ),
      )
      return record('Root', { name: 'f', type: ['null', ...inner] })
    }
    const begun = cpuMs()
    const found = readBytes(wide('W', 3_000), bytes(0), wide('R', 400))
    expect(found === null || typeof found === 'string').toBe(true)
    expect(cpuMs() - begun).toBeLessThan(10_000)
  })
})
