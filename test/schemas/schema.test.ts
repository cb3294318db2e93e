import { expect, test } from 'vitest'
import { isSimpleOrNullableSimple, nonNullable } from '../../src/schemas/schema.ts'
import { parseSchema } from '../../src/schemas/schema-json.ts'

const record = { type: 'record', name: 'r', fields: [{ name: 'f', type: 'int' }] }

const schemas = [
  { json: 'string', nonNull: undefined, simple: true },
  { json: 'null', nonNull: undefined, simple: true },
  { json: ['string', 'null'], nonNull: 'string', simple: true },
  { json: ['null', 'int'], nonNull: 'int', simple: true },
  { json: ['null', 'null'], nonNull: undefined, simple: false },
  { json: ['null'], nonNull: undefined, simple: false },
  { json: ['int', 'long'], nonNull: undefined, simple: false },
  { json: ['int', 'long', 'null'], nonNull: undefined, simple: false },
  { json: { type: 'array', items: 'int' }, nonNull: undefined, simple: false },
  {
    json: [{ type: 'array', items: 'int' }, 'null'],
    nonNull: { type: 'array', items: 'int' },
    simple: false,
  },
  { json: { type: 'enum', symbols: ['A'] }, nonNull: undefined, simple: false },
  { json: { type: 'map', keys: 'int', values: 'int' }, nonNull: undefined, simple: false },
  { json: record, nonNull: undefined, simple: false },
  { json: ['null', record], nonNull: record, simple: false },
]
test.each(schemas)(
  '$json: not null is $nonNull, simple or nullable simple is $simple',
  ({ json, nonNull, simple }) => {
    const schema = parseSchema(json)
    expect(nonNullable(schema)).toEqual(nonNull === undefined ? undefined : parseSchema(nonNull))
    expect(isSimpleOrNullableSimple(schema)).toBe(simple)
  },
)
