/**
 * Resolution beside avsc: over pairs of schemas at random, both read the same values from the same bytes. Where avsc and
 * the specification differ, the specification is followed; those cases stand below, with what avsc makes of them.
 */
import avsc, { type Schema, type Type } from 'avsc'
import { expect, test } from 'vitest'
import { effort, SEED } from '../support/effort.ts'
import { TestReader } from '../support/records.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { PairMaker } from './avro-pairs.ts'

const PAIRS = effort({ short: 150, long: 10_000 })
const VALUES = 4
const TIMEOUT_MS = effort({ short: 120_000, long: 900_000 })
/** By itself avsc compares full names; the specification leaves namespaces out. */
const unqualified = () => ({ ignoreNamespaces: true }) // avsc writes into it

test(
  'values of random schemas are those that avsc reads',
  () => {
    for (let pair = 0; pair < PAIRS; pair++) {
      const seed = SEED + pair
      const { writer, reader, value } = new PairMaker(seededRandom(seed)).pair()
      const told = `seed ${seed}\nwriter ${JSON.stringify(writer)}\nreader ${JSON.stringify(reader)}`
      const writerType = typeOf(writer)
      const readerType = typeOf(reader)
      const resolver = readerType.createResolver(writerType, unqualified())
      const ours = new TestReader({ format: 'avro', schema: reader as object })
      for (let index = 0; index < VALUES; index++) {
        const bytes = writerType.toBuffer(value())
        const theirs = readerType.fromBuffer(bytes, resolver)
        const read = ours.read(bytes, [['schema', JSON.stringify(writer)]])
        expect(plain(read), told).toEqual(comparable(theirs, readerType))
      }
    }
  },
  TIMEOUT_MS,
)

test(
  'a reader of some of the fields reads the same values of them',
  () => {
    for (let pair = 0; pair < PAIRS / 5; pair++) {
      const random = seededRandom(SEED + pair)
      const { writer, reader, value } = new PairMaker(random).pair()
      const { fields } = reader as { fields: readonly { name: string }[] }
      const wanted = fields.map(({ name }) => name).filter(() => random.next() < 0.5)
      const headers = [['schema', JSON.stringify(writer)]] as const
      const all = new TestReader({ format: 'avro', schema: reader as object })
      const some = new TestReader({ format: 'avro', schema: reader as object, wanted })
      const bytes = typeOf(writer).toBuffer(value())
      const whole = all.read(bytes, headers) as Record<string, unknown>
      expect(some.read(bytes, headers)).toEqual(Object.fromEntries(wanted.map((name) => [name, whole[name]])))
    }
  },
  TIMEOUT_MS,
)

const record = (name: string, ...fields: object[]) => ({ type: 'record', name, fields })
const f = (type: unknown, more: object = {}) => ({ name: 'f', type, ...more })

/** What avsc does is the message of its error, or the value. */
const deviations: {
  what: string
  writer: object
  value: unknown
  reader: object
  avsc: unknown
  ours: unknown
}[] = [
  {
    what: 'names of records matter only in unions, as in Avro for Java',
    writer: record('W', f('int')),
    value: { f: 1 },
    reader: record('R', f('int')),
    avsc: 'no alias found for W',
    ours: { f: 1 },
  },
  {
    what: 'a branch that the reader does not take is an error of the data that have it',
    writer: record('W', f(['int', 'string'])),
    value: { f: { int: 1 } },
    reader: record('W', f('long')),
    avsc: 'cannot read "string" as "long"',
    ours: { f: 1 },
  },
  {
    what: 'so is a symbol that an enum without a default does not have',
    writer: record('W', f({ type: 'enum', name: 'E', symbols: ['A', 'B'] })),
    value: { f: 'A' },
    reader: record('W', f({ type: 'enum', name: 'E', symbols: ['A'] })),
    avsc: 'cannot read',
    ours: { f: 'A' },
  },
  {
    what: 'a field has its own name before an alias',
    writer: record('W', f('int'), { name: 'g', type: 'int' }),
    value: { f: 1, g: 2 },
    reader: record('W', f('int', { aliases: ['g'] })),
    avsc: 'ambiguous aliasing',
    ours: { f: 1 },
  },
  {
    what: 'the default of a union is of the first branch that takes it, since Avro 1.12',
    writer: record('W', { name: 'g', type: 'int' }),
    value: { g: 1 },
    reader: record('W', f(['null', 'string'], { default: 'x' })),
    avsc: 'incompatible field default',
    ours: { f: 'x' },
  },
  {
    what: 'a long that is read as a float is rounded to one',
    writer: record('W', f('long')),
    value: { f: 16_777_217 },
    reader: record('W', f('float')),
    avsc: { f: 16_777_217 },
    ours: { f: 16_777_216 },
  },
  {
    what: 'of a union the member that takes a number as it is comes first, as in Avro for Java',
    writer: record('W', f('long')),
    value: { f: 2 ** 51 },
    reader: record('W', f(['float', 'long', 'null'])),
    avsc: { f: { float: 2 ** 51 } },
    ours: { f: 2 ** 51 },
  },
  {
    what: 'beyond Avro: without a default null stands for what was not written, where it may',
    writer: record('W', { name: 'g', type: 'int' }),
    value: { g: 1 },
    reader: record('W', f(['string', 'null'])),
    avsc: 'no matching field for default-less',
    ours: { f: null },
  },
  {
    what: 'beyond Avro: an enum is read as a string',
    writer: record('W', f({ type: 'enum', name: 'E', symbols: ['A', 'B'] })),
    value: { f: 'B' },
    reader: record('W', f('string')),
    avsc: 'cannot read',
    ours: { f: 'B' },
  },
  {
    what: 'beyond Avro: a fixed is read as bytes',
    writer: record('W', f({ type: 'fixed', name: 'F', size: 2 })),
    value: { f: Buffer.from('ab') },
    reader: record('W', f('bytes')),
    avsc: 'cannot read',
    ours: { f: Buffer.from('ab') },
  },
]
test.each(deviations)('$what', ({ writer, value, reader, avsc: theirs, ours }) => {
  const bytes = typeOf(writer).toBuffer(value)
  const byAvsc = () => {
    const type = typeOf(reader)
    return { ...(type.fromBuffer(bytes, type.createResolver(typeOf(writer))) as object) }
  }
  if (typeof theirs === 'string') expect(byAvsc).toThrow(theirs)
  else expect(byAvsc()).toEqual(theirs)
  const read = new TestReader({ format: 'avro', schema: reader }).read(bytes, [
    ['schema', JSON.stringify(writer)],
  ])
  expect(plain(read)).toEqual(plain(ours))
})

function typeOf(schema: unknown): Type {
  return avsc.Type.forSchema(schema as Schema, { wrapUnions: 'always' })
}

/** A value of avsc's as ours is by `plain`: unions unwrapped, floats rounded. */
function comparable(value: unknown, type: Type): unknown {
  const { typeName } = type
  if (typeName.startsWith('union')) {
    if (value === null) return null
    const [branch, inner] = Object.entries(value as Record<string, unknown>)[0]!
    const { types } = type as unknown as { types: Type[] }
    return comparable(inner, types.find(({ branchName }) => branchName === branch)!)
  }
  switch (typeName) {
    case 'float':
      return Math.fround(value as number)
    case 'array': {
      const { itemsType } = type as unknown as { itemsType: Type }
      return (value as unknown[]).map((item) => comparable(item, itemsType))
    }
    case 'map': {
      const { valuesType } = type as unknown as { valuesType: Type }
      return entriesOf(value).map(([key, item]) => [key, comparable(item, valuesType)])
    }
    case 'record': {
      const { fields } = type as unknown as { fields: { name: string; type: Type }[] }
      const of = value as Record<string, unknown>
      return fields.map(({ name, type }) => [name, comparable(of[name], type)])
    }
    default:
      return plain(value)
  }
}

/** Bytes as hex, maps and records as their entries. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return entriesOf(value).map(([key, inner]) => [key, plain(inner)])
}

function entriesOf(value: unknown): [string, unknown][] {
  return value instanceof Map ? [...(value as Map<string, unknown>)] : Object.entries(value as object)
}
