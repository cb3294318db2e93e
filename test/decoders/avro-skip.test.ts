import avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileSkip, DATUM_DEPTH_MAX } from '../../src/decoders/avro-skip.ts'
import { AvroProblem } from '../../src/schemas/avro-problem.ts'
import { parseSchema } from '../../src/schemas/avro-schema.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { long, prefixed } from './avro-file.ts'
import { schemaAndValues } from './avro-values.ts'

const skipper = (schema: unknown) => compileSkip(parseSchema(JSON.stringify(schema)))

/** Where the datum ends that starts after three bytes and has two after its block. */
function skip(schema: unknown, ...datum: readonly Buffer[]): number {
  const data = Buffer.concat(datum)
  const bytes = Buffer.concat([Buffer.alloc(3, 0xff), data, Buffer.alloc(2)])
  return skipper(schema)(bytes, 3, 3 + data.length) - 3
}

test('data of any schema end where the next begins', () => {
  fc.assert(
    fc.property(schemaAndValues(), ({ schema, values }) => {
      const type = avro.Type.forSchema(schema, { wrapUnions: 'always' })
      const data = values.map((value) => type.toBuffer(value))
      const bytes = Buffer.concat(data)
      const skipDatum = skipper(schema)
      let at = 0
      for (const datum of data) {
        const end = skipDatum(bytes, at, bytes.length)
        expect(end - at).toBe(datum.length)
        at = end
      }
    }),
    { numRuns: 500 },
  )
})

test('data cut off anywhere are refused', () => {
  fc.assert(
    fc.property(schemaAndValues(), fc.nat(), ({ schema, values }, cut) => {
      const type = avro.Type.forSchema(schema, { wrapUnions: 'always' })
      const [datum] = values.map((value) => type.toBuffer(value)).filter((bytes) => bytes.length > 0)
      fc.pre(datum !== undefined)
      expect(() => skipper(schema)(datum, 0, cut % datum.length)).toThrow(AvroProblem)
    }),
    { numRuns: 500 },
  )
})

const three = Buffer.concat([long(1), long(2), long(3)])
const array = (items: unknown) => ({ type: 'array', items })
const list = {
  type: 'record',
  name: 'List',
  fields: [
    { name: 'value', type: 'int' },
    { name: 'next', type: ['null', 'List'] },
  ],
}

describe('passes over', () => {
  const whole: { name: string; schema: unknown; datum: Buffer[] }[] = [
    { name: 'the longest long', schema: 'long', datum: [long(-(2n ** 63n))] },
    { name: 'the longest int', schema: 'int', datum: [long(-(2 ** 31))] },
    {
      name: 'an array with its size in front',
      schema: array('int'),
      datum: [long(-3), long(3), three, long(0)],
    },
    {
      name: 'an array in blocks of both kinds',
      schema: array('int'),
      datum: [long(3), three, long(-3), long(3), three, long(1), long(300), long(0)],
    },
    {
      name: 'a map with its size in front',
      schema: { type: 'map', values: 'int' },
      datum: [long(-1), long(3), prefixed('a'), long(1), long(1), prefixed('b'), long(2), long(0)],
    },
    {
      name: '2^60 nulls in an array',
      schema: array('null'),
      datum: [long(2n ** 60n), long(2n ** 60n), long(0)],
    },
    {
      name: '2^60 records without fields',
      schema: array({ type: 'record', name: 'R', fields: [{ name: 'n', type: 'null' }] }),
      datum: [long(2n ** 60n), long(0)],
    },
    { name: '-2^63 nulls in an array', schema: array('null'), datum: [long(-(2n ** 63n)), long(0), long(0)] },
    { name: 'doubles', schema: array('double'), datum: [long(2), Buffer.alloc(16), long(0)] },
    { name: 'a fixed of no bytes', schema: { type: 'fixed', name: 'F', size: 0 }, datum: [] },
    {
      name: 'an int after a branch without bytes',
      schema: { type: 'map', values: ['null', 'int'] },
      datum: [long(2), prefixed('a'), long(0), prefixed('b'), long(1), long(77), long(0)],
    },
    { name: 'a list', schema: list, datum: [long(1), long(1), long(2), long(1), long(3), long(0)] },
    {
      name: 'as much depth as is allowed',
      schema: list,
      datum: [Buffer.alloc(2 * (DATUM_DEPTH_MAX - 1), 2), long(1), long(0)],
    },
    {
      name: 'a record that a wrapper in it mentions',
      schema: {
        type: 'record',
        name: 'A',
        fields: [
          { name: 'n', type: { type: 'record', name: 'B', fields: [{ name: 'u', type: ['null', 'A'] }] } },
          { name: 'b', type: ['null', 'B'] },
        ],
      },
      datum: [long(1), long(1), long(0), long(0), long(0), long(1), long(0)],
    },
  ]
  const onlyNext = (type: unknown) => ({ type: 'record', name: 'R', fields: [{ name: 'next', type }] })
  whole.push(
    { name: 'a list of nothing', schema: onlyNext(['null', 'R']), datum: [long(1), long(1), long(0)] },
    {
      name: 'a tree of nothing',
      schema: onlyNext(array('R')),
      datum: [long(2), long(1), long(0), long(0), long(0), long(0)],
    },
    {
      name: 'a record that wraps what wraps it',
      schema: onlyNext({ type: 'map', values: { ...onlyNext('R'), name: 'S' } }),
      datum: [long(1), prefixed('a'), long(1), prefixed('b'), long(0), long(0), long(0)],
    },
  )
  test.each(whole)('$name', ({ schema, datum }) => {
    expect(skip(schema, ...datum)).toBe(Buffer.concat(datum).length)
  })
})

describe('refuses', () => {
  const refused: { name: string; schema: unknown; datum: Buffer[]; problem: string }[] = [
    { name: 'nothing', schema: 'int', datum: [], problem: 'it runs past the end of the block' },
    {
      name: 'half a double',
      schema: 'double',
      datum: [Buffer.alloc(7)],
      problem: 'it runs past the end of the block',
    },
    {
      name: 'an int of 6 bytes',
      schema: 'int',
      datum: [Buffer.from('808080808000', 'hex')],
      problem: 'a number takes more than 5 bytes',
    },
    {
      name: 'a long of 11 bytes',
      schema: 'long',
      datum: [Buffer.alloc(10, 0x80), Buffer.alloc(1)],
      problem: 'a number takes more than 10 bytes',
    },
    {
      name: 'a string length of 11 bytes',
      schema: 'string',
      datum: [Buffer.alloc(10, 0x80), Buffer.alloc(1)],
      problem: 'a number takes more than 10 bytes',
    },
    {
      name: 'a string length of -1',
      schema: 'string',
      datum: [long(-1), Buffer.alloc(9)],
      problem: 'the length of a string or bytes is negative: -1',
    },
    {
      name: 'a bytes length of -1000',
      schema: 'bytes',
      datum: [long(-1000), Buffer.alloc(9)],
      problem: 'the length of a string or bytes is negative: -1000',
    },
    {
      name: 'a string longer than the block',
      schema: 'string',
      datum: [long(10), Buffer.alloc(9)],
      problem: 'a string or bytes claims 10 bytes, and the block has 9 left',
    },
    {
      name: 'a string of 2^62 bytes',
      schema: 'string',
      datum: [long(2n ** 62n)],
      problem: 'a string or bytes claims 4611686018427388000 bytes, and the block has 0 left',
    },
    {
      name: 'a union index above',
      schema: ['null', 'int'],
      datum: [long(2)],
      problem: 'the union index 2 is not one of its 2 branches',
    },
    {
      name: 'a union index below',
      schema: ['null', 'int'],
      datum: [long(-1)],
      problem: 'the union index -1 is not one of its 2 branches',
    },
    {
      name: 'a union index far above',
      schema: ['null', 'int'],
      datum: [long(2 ** 32)],
      problem: 'the union index 4294967296 is not one of its 2 branches',
    },
    {
      name: 'a union without branches',
      schema: [],
      datum: [long(0)],
      problem: 'the union index 0 is not one of its 0 branches',
    },
    {
      name: 'an enum index above',
      schema: { type: 'enum', name: 'E', symbols: ['A'] },
      datum: [long(1)],
      problem: 'the enum index 1 is not one of its 1 symbols',
    },
    {
      name: 'an enum index below',
      schema: { type: 'enum', name: 'E', symbols: ['A'] },
      datum: [long(-1)],
      problem: 'the enum index -1 is not one of its 1 symbols',
    },
    {
      name: 'an array of 2^60 ints',
      schema: array('int'),
      datum: [long(2n ** 60n), three],
      problem: 'an array or map claims 1152921504606847000 items, more than the block has bytes for',
    },
    {
      name: 'an array of 3 doubles in 16 bytes',
      schema: array('double'),
      datum: [long(3), Buffer.alloc(16)],
      problem: 'an array or map claims 3 items, more than the block has bytes for',
    },
    {
      name: 'an array block of negative size',
      schema: array('int'),
      datum: [long(-1), long(-1)],
      problem: 'the size of an array or map is negative: -1',
    },
    {
      name: 'an array block of a size above the block',
      schema: array('int'),
      datum: [long(-1), long(4), three],
      problem: 'it runs past the end of the block',
    },
    {
      name: 'an array that does not end',
      schema: array('int'),
      datum: [long(3), three],
      problem: 'it runs past the end of the block',
    },
    {
      name: 'data that are too deep',
      schema: list,
      datum: [Buffer.alloc(2 * DATUM_DEPTH_MAX + 2, 2), long(0)],
      problem: `it is nested deeper than ${DATUM_DEPTH_MAX} levels`,
    },
    {
      name: 'a record that cannot end',
      schema: {
        type: 'record',
        name: 'R',
        fields: [
          { name: 'a', type: 'R' },
          { name: 'b', type: 'R' },
        ],
      },
      datum: [Buffer.alloc(9)],
      problem: `it is nested deeper than ${DATUM_DEPTH_MAX} levels`,
    },
  ]
  test.each(refused)('$name', ({ schema, datum, problem }) => {
    expect(() => skip(schema, ...datum)).toThrow(new AvroProblem(problem))
  })
})

/** R0 to Rn, each a record of the same fields, whose types are the one before. */
function chain(length: number, fieldNames: readonly string[], first: string): unknown {
  const records: unknown[] = []
  for (let i = 0; i < length; i++) {
    const fields = fieldNames.map((name) => ({ name, type: i === 0 ? first : `R${i - 1}` }))
    records.push({ name: `r${i}`, type: ['null', { type: 'record', name: `R${i}`, fields }] })
  }
  const items = { name: 'all', type: array(`R${length - 1}`) }
  return { type: 'record', name: 'Root', fields: [...records, items] }
}

describe('the work is bounded by the bytes', () => {
  const nulls = (length: number) => Buffer.alloc(length)

  test('a million records in 5000 records each, of one byte', () => {
    const items = 1_000_000
    const datum = [nulls(5000), long(items), Buffer.alloc(items), long(0)]
    const startMs = cpuMs()
    expect(skip(chain(5000, ['x'], 'int'), ...datum)).toBe(Buffer.concat(datum).length)
    expect(cpuMs() - startMs).toBeLessThan(2000)
  })

  test('2^60 records of 2^5000 nulls', () => {
    const datum = [nulls(5000), long(2n ** 60n), long(0)]
    expect(skip(chain(5000, ['x', 'y'], 'null'), ...datum)).toBe(Buffer.concat(datum).length)
  })

  test('a record of 2^5000 doubles', () => {
    const datum = [nulls(5000), long(1), Buffer.alloc(100)]
    expect(() => skip(chain(5000, ['x', 'y'], 'double'), ...datum)).toThrow('claims 1 items, more than')
  })

  test('a record of 2^5000 ints', () => {
    const datum = [nulls(5000), long(1), Buffer.alloc(100)]
    expect(() => skip(chain(5000, ['x', 'y'], 'int'), ...datum)).toThrow('it runs past the end of the block')
  })
})
