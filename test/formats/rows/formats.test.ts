/** Formats besides JSON, keys, changes; and properties of all formats: what is written is read again, no bytes make a reader throw. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventHeaders, Value } from '../../../src/formats/record-reader.ts'
import {
  type ChangeReadOptions,
  openChangeReader,
  openChangeWriter,
  openKeyWriter,
  openRowReader,
  openRowWriter,
  type RowOptions,
  rowOptionsProblem,
} from '../../../src/formats/rows/index.ts'
import type { RowChange, RowColumn } from '../../../src/formats/rows/row-format.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { types, valuesOf } from '../../support/row-values.ts'

const INT: DataType = { kind: 'INT' }
const STRING: DataType = { kind: 'STRING' }
const column = (name: string, type: DataType, nullable = true): RowColumn => ({ name, type, nullable })
const TWO = [column('a', INT), column('b', STRING)]
const defaults: RowOptions = {
  valueFormat: 'json',
  keyFormat: undefined,
  keyFields: [],
  valueFieldsInclude: 'ALL',
  columns: TWO,
}

function read(
  options: RowOptions,
  body: string | Uint8Array,
  headers: EventHeaders = [],
  key?: Uint8Array | null,
) {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  const into: Value[] = []
  const wanted = options.columns.map((_, index) => index)
  return openRowReader({ ...options, wanted }).read(bytes, 0, bytes.length, headers, into, key) ?? into
}

describe('csv', () => {
  const lines: readonly (readonly [line: string, row: unknown])[] = [
    ['1,x', [1, 'x']],
    ['1,x\n', [1, 'x']],
    [' 1 , x \r\n', [1, ' x ']],
    ['1,', [1, null]],
    ['1,""', [1, '']],
    [',x', [null, 'x']],
    ['"1","x, ""y""\n"', [1, 'x, "y"\n']],
    ['\ufeff1,x', [1, 'x']],
    ['1', { reason: 'the line has 1 values; the table has 2 columns' }],
    ['', { reason: 'the line has 1 values; the table has 2 columns' }],
    ['1,x,y', { reason: 'the line has more values; the table has 2 columns' }],
    ['1,x,', { reason: 'the line has more values; the table has 2 columns' }],
    ['1,"x', { reason: 'a quoted value is not closed' }],
    ['1,"x"y', { reason: 'text stands after a closing quote' }],
    ['x,y', { reason: "column a has 'x', which is not INT" }],
  ]
  test.each(lines)('%j', (line, row) => {
    expect(read({ ...defaults, valueFormat: 'csv' }, line)).toEqual(row)
  })

  test('an array is JSON', () => {
    const columns = [column('a', { kind: 'ARRAY', element: STRING })]
    const options = { ...defaults, valueFormat: 'csv', columns } as const
    const body = openRowWriter(options).write([['x', null]])
    expect(Buffer.from(body).toString()).toBe('"[""x"",null]"')
    expect(read(options, body)).toEqual([['x', null]])
    expect(read(options, '"[1')).toEqual({ reason: 'a quoted value is not closed' })
    expect(read(options, '[1')).toEqual({ reason: "column a has '[1', which is not ARRAY<STRING>" })
  })
})

describe('raw', () => {
  const bodies: readonly (readonly [type: DataType, hex: string, value: unknown])[] = [
    [STRING, '6162', ['ab']],
    [STRING, '', ['']],
    [STRING, 'ff', { reason: 'column a has a text that is not UTF-8' }],
    [{ kind: 'BYTES' }, 'ff00', [Uint8Array.of(255, 0)]],
    [{ kind: 'BOOLEAN' }, '01', [true]],
    [INT, 'ffffffff', [-1]],
    [INT, '', [null]],
    [INT, 'ff', { reason: 'column a has 1 bytes; INT has 4' }],
    [{ kind: 'BIGINT' }, '7fffffffffffffff', [9_223_372_036_854_775_807n]],
    [{ kind: 'DOUBLE' }, '3ff8000000000000', [1.5]],
  ]
  test.each(bodies)('%o %s', (type, hex, row) => {
    const options = { ...defaults, valueFormat: 'raw', columns: [column('a', type)] } as const
    expect(read(options, Buffer.from(hex, 'hex'))).toEqual(row)
    if (Array.isArray(row)) expect(Buffer.from(openRowWriter(options).write(row)).toString('hex')).toBe(hex)
  })
})

describe('options that cannot work', () => {
  const problems: readonly (readonly [options: Partial<RowOptions>, problem: string | undefined])[] = [
    [{}, undefined],
    [{ valueFormat: 'raw' }, 'the format raw needs exactly one column; there are 2'],
    [
      { valueFormat: 'raw', columns: [column('a', { kind: 'DATE' })] },
      'the format raw cannot hold DATE; use STRING, BYTES, BOOLEAN, an integer, FLOAT or DOUBLE',
    ],
    [
      { valueFormat: 'avro', columns: [column('a b', INT)] },
      "the name 'a b' is none in Avro; use letters, digits and _, no digit first",
    ],
    [{ keyFormat: 'json', keyFields: ['c'] }, 'the key field c is no physical column'],
    [
      { valueFormat: 'raw', keyFormat: 'json', keyFields: ['a'], valueFieldsInclude: 'EXCEPT_KEY' },
      undefined,
    ],
  ]
  test.each(problems)('%o', (options, problem) => {
    expect(rowOptionsProblem({ ...defaults, ...options })).toBe(problem)
  })
})

describe('keys', () => {
  const keyed = {
    ...defaults,
    keyFormat: 'json',
    keyFields: ['b'],
    valueFieldsInclude: 'EXCEPT_KEY',
  } as const
  const row = [1, 'é"']

  test('the key is out of the body, and read from the header or from beside the body', () => {
    expect(Buffer.from(openRowWriter(keyed).write(row)).toString()).toBe('{"a":1}')
    const writer = openKeyWriter(keyed)!
    expect(Buffer.from(writer.write(row)).toString()).toBe('{"b":"é\\""}')
    const header = writer.headerText(row)
    expect(header).toBe('{"b":"\\u00e9\\""}')
    expect(read(keyed, '{"a":1}', [['key', header]])).toEqual(row)
    expect(read(keyed, '{"a":1}', [['key', '{"b":"other"}']], Buffer.from(header))).toEqual(row)
    expect(read(keyed, '{"a":1}', [['key', header]], null)).toEqual([1, null])
    expect(read(keyed, '{"a":1,"b":"x"}', [])).toEqual([1, null])
    expect(read(keyed, '{"a":1}', [['key', '{"b"']])).toEqual({ reason: 'the key: the JSON ends too early' })
  })

  test('without EXCEPT_KEY the body has all columns', () => {
    const all = { ...keyed, valueFieldsInclude: 'ALL' } as const
    expect(read(all, '{"a":1,"b":"x"}', [['key', '{"b":"y"}']])).toEqual([1, 'x'])
  })

  test.each(['json', 'csv', 'avro', 'raw'] as const)('a key of format %s returns', (keyFormat) => {
    for (const keyFields of [['b'], ['a']]) {
      const options = { ...keyed, keyFormat, keyFields } as const
      const writer = openKeyWriter(options)!
      const body = openRowWriter(options).write(row)
      expect(read(options, body, [['key', writer.headerText(row)]])).toEqual(row)
      expect(read(options, body, [], writer.write(row))).toEqual(row)
      expect(writer.headerText(row)).toMatch(/^[^\r\n]*$/)
    }
  })

  test('a table without key format writes no keys', () => {
    expect(openKeyWriter(defaults)).toBeUndefined()
  })
})

describe('changes', () => {
  const upsert: ChangeReadOptions = {
    ...defaults,
    columns: [column('a', INT, false), column('b', STRING)],
    keyFormat: 'json',
    keyFields: ['a'],
    primaryKey: ['a'],
    wanted: [0, 1],
  }
  const debezium: ChangeReadOptions = {
    ...upsert,
    valueFormat: 'debezium-json',
    keyFormat: undefined,
    keyFields: [],
  }

  function changes(options: ChangeReadOptions, body: string, headers: EventHeaders = []) {
    const bytes = Buffer.from(body)
    const into: RowChange[] = []
    return openChangeReader(options).read(bytes, 0, bytes.length, headers, into) ?? into
  }

  const upserts: readonly (readonly [body: string, key: string | undefined, changes: unknown])[] = [
    ['{"a":1,"b":"x"}', undefined, [{ op: 'upsert', values: [1, 'x'] }]],
    ['', '{"a":1}', [{ op: 'delete', values: [1, null] }]],
    ['', undefined, { reason: 'column a has no value, and is part of the primary key' }],
    ['', '{"a":"x"}', { reason: expect.stringContaining('the key: column a has') }],
    ['{"b":"x"}', undefined, { reason: 'column a has no value, and is NOT NULL' }],
  ]
  test.each(upserts)('upsert %s with key %s', (body, key, expected) => {
    expect(changes(upsert, body, key === undefined ? [] : [['key', key]])).toEqual(expected)
  })

  const envelopes: readonly (readonly [body: string, changes: unknown])[] = [
    ['{"before":null,"after":{"a":1,"b":"x"},"op":"c"}', [{ op: 'upsert', values: [1, 'x'] }]],
    ['{"op":"r","after":{"a":1}}', [{ op: 'upsert', values: [1, null] }]],
    ['{"op":"u","before":{"a":1,"b":"x"},"after":{"a":1,"b":"y"}}', [{ op: 'upsert', values: [1, 'y'] }]],
    [
      '{"op":"u","before":{"a":1,"b":"x"},"after":{"a":2,"b":"x"}}',
      [
        { op: 'delete', values: [1, 'x'] },
        { op: 'upsert', values: [2, 'x'] },
      ],
    ],
    ['{"op":"u","before":null,"after":{"a":1}}', [{ op: 'upsert', values: [1, null] }]],
    ['{"op":"d","before":{"a":1},"after":null}', [{ op: 'delete', values: [1, null] }]],
    ['{"op":"t","before":null,"after":null}', [{ op: 'clear', values: [] }]],
    ['{"schema":{},"payload":{"op":"c","after":{"a":1}}}', [{ op: 'upsert', values: [1, null] }]],
    ['', []],
    ['{"op":"x"}', { reason: "the envelope has op 'x'; use r, c, u, d or t" }],
    ['{"after":{"a":1}}', { reason: 'the envelope has no op' }],
    ['{"op":"c","after":null}', { reason: 'the envelope has no after' }],
    ['{"op":"c","after":{"b":"x"}}', { reason: 'column a has no value, and is part of the primary key' }],
    ['{"op":"c","after":{"a":"x"}}', { reason: expect.stringContaining('column a has') }],
    ['[]', { reason: 'the body is not a JSON object' }],
    ['{"op":"u","before":{"a":1},"after":{"a":"x"}}', { reason: expect.stringContaining('column a has') }],
  ]
  test.each(envelopes)('debezium %s', (body, expected) => {
    expect(changes(debezium, body)).toEqual(expected)
  })

  test('a delete without before takes the key of the event', () => {
    const headers: EventHeaders = [['key', '{"a":7}']]
    expect(changes(debezium, '{"op":"d","before":null,"after":null}', headers)).toEqual([
      { op: 'delete', values: [7, null] },
    ])
  })

  test('written envelopes have the row before and after', () => {
    const writer = openChangeWriter({ ...defaults, valueFormat: 'debezium-json' })
    const bodies = (
      [
        ['c', [1, 'x']],
        ['b', [1, 'x']],
        ['u', [1, 'y']],
        ['d', [1, 'y']],
      ] as const
    ).map(([op, values]) => writer.write(op, values))
    expect(bodies.map((body) => body && Buffer.from(body).toString())).toEqual([
      '{"before":null,"after":{"a":1,"b":"x"},"op":"c"}',
      undefined,
      '{"before":{"a":1,"b":"x"},"after":{"a":1,"b":"y"},"op":"u"}',
      '{"before":{"a":1,"b":"y"},"after":null,"op":"d"}',
    ])
  })
})

/** Bytes as Uint8Array: readers may return a Buffer. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, plain(item)]))
  return Array.isArray(value) ? value.map(plain) : value
}

describe('properties', () => {
  const rows = fc
    .array(types, { minLength: 1, maxLength: 5 })
    .chain((list) => fc.tuple(fc.constant(list), fc.tuple(...list.map((type) => valuesOf(type)))))

  test.each(['json', 'csv', 'avro'] as const)('a row written as %s is read again', (valueFormat) => {
    fc.assert(
      fc.property(rows, ([list, row]) => {
        const columns = list.map((type, index) => column(`c${index}`, type))
        const options = { ...defaults, valueFormat, columns }
        expect(plain(read(options, openRowWriter(options).write(row)))).toEqual(row)
      }),
      { numRuns: 300 },
    )
  })

  test.each(['json', 'csv', 'avro', 'raw', 'debezium-json'] as const)(
    'no bytes make a reader of %s throw',
    (valueFormat) => {
      const columns =
        valueFormat === 'raw'
          ? [column('a', INT)]
          : [...TWO, column('c', { kind: 'DECIMAL', precision: 38, scale: 9 })]
      const options = {
        ...defaults,
        columns,
        valueFormat,
        wanted: columns.map((_, index) => index),
        primaryKey: ['a'],
      }
      const reader = valueFormat === 'debezium-json' ? undefined : openRowReader(options)
      const changes = openChangeReader(options)
      const part = fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ':',
        ',',
        '"',
        '"a"',
        '"b"',
        '"c"',
        '1',
        'e',
        '.',
        '-',
        '\\',
        'null',
        '"op"',
        '"u"',
        '"after"',
      )
      const body = fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.array(part, { maxLength: 30 }).map((parts) => Buffer.from(parts.join(''))),
      )
      fc.assert(
        fc.property(body, (bytes) => {
          reader?.read(bytes, 0, bytes.length, [], [])
          changes.read(bytes, 0, bytes.length, [], [])
        }),
        { numRuns: 2000 },
      )
    },
  )

  test('the time of reading grows with the body, not faster', () => {
    const DECIMAL: DataType = { kind: 'DECIMAL', precision: 38, scale: 9 }
    const options = {
      ...defaults,
      columns: [column('a', { kind: 'BIGINT' }), column('b', STRING), column('c', DECIMAL)],
    }
    const long = (digits: number): string[] => [
      `{"c":0.${'3'.repeat(digits)}}`,
      `{"c":"${'0'.repeat(digits)}1"}`,
      `{"a":${'1'.repeat(digits)}}`,
      `{"a":1${'0'.repeat(digits)}e-${digits}}`,
      `{${'"a":"x",'.repeat(digits / 8)}"a":1}`,
      `{"b":${'['.repeat(40)}${'1 ,'.repeat(digits / 3)}1${']'.repeat(40)}}`,
    ]
    const cpuMs = (bodies: readonly string[]) => {
      const start = process.cpuUsage()
      for (const body of bodies) read(options, body)
      const { user, system } = process.cpuUsage(start)
      return (user + system) / 1000
    }
    cpuMs(long(8_000))
    const [small, large] = [cpuMs(long(80_000)), cpuMs(long(1_600_000))]
    expect(large).toBeLessThan(60 * Math.max(small, 4))
  })
})
