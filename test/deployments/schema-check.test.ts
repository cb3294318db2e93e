import { describe, expect, test } from 'vitest'
import type { AttributeError } from '../../src/deployments/deployment-error.ts'
import type { Json } from '../../src/deployments/resources.ts'
import type { Schema } from '../../src/deployments/schema.ts'
import { check, defaultsOf } from '../../src/deployments/schema-check.ts'

const closed = (members: Record<string, Schema>): Schema => ({ kind: 'object', members, others: 'refused' })

function checked(schema: Schema, value: Json, isPartial = false) {
  const errors: AttributeError[] = []
  const result = check(schema, value, errors, '', { isPartial })
  return errors.length === 0 ? result : errors.map(({ attribute, message }) => `${attribute}: ${message}`)
}

const text: Schema = {
  kind: 'text',
  charactersMin: 1,
  charactersMax: 3,
  pattern: /^a/,
  wanted: 'must begin with a',
}

const cases: readonly { name: string; schema: Schema; value: Json; result: unknown }[] = [
  { name: 'a text', schema: text, value: 'ab', result: 'ab' },
  { name: 'an empty text', schema: text, value: '', result: [': must not be empty'] },
  { name: 'a long text', schema: text, value: 'abcd', result: [': must have at most 3 characters'] },
  { name: 'another text', schema: text, value: 'b', result: [': must begin with a'] },
  { name: 'a number as text', schema: text, value: 1, result: [': must be a text'] },
  { name: 'a scalar', schema: { kind: 'text', takesScalars: true }, value: 1.5, result: '1.5' },
  { name: 'false as text', schema: { kind: 'text', takesScalars: true }, value: false, result: 'false' },
  {
    name: 'a list as text',
    schema: { kind: 'text', takesScalars: true },
    value: [],
    result: [': must be a text'],
  },
  {
    name: 'one of',
    schema: { kind: 'choice', of: ['a', 'b'] },
    value: 'c',
    result: [': must be one of a, b'],
  },
  { name: 'the only one', schema: { kind: 'choice', of: ['v1'] }, value: 'v2', result: [': must be v1'] },
  { name: 'an integer', schema: { kind: 'integer', min: 1 }, value: 1, result: 1 },
  {
    ...{ name: 'a low integer', schema: { kind: 'integer', min: 1 }, value: 0 },
    result: [': must be greater than or equal to 1'],
  },
  {
    ...{ name: 'a high integer', schema: { kind: 'integer', max: 9 }, value: 10 },
    result: [': must be less than or equal to 9'],
  },
  { name: 'a fraction', schema: { kind: 'integer' }, value: 1.5, result: [': must be a whole number'] },
  {
    name: 'a text as integer',
    schema: { kind: 'integer' },
    value: '1',
    result: [': must be a whole number'],
  },
  { name: 'a text as number', schema: { kind: 'number' }, value: '1', result: [': must be a number'] },
  { name: 'no boolean', schema: { kind: 'boolean' }, value: 'true', result: [': must be true or false'] },
  { name: 'any', schema: { kind: 'any' }, value: { a: [1] }, result: { a: [1] } },
  { name: 'a list', schema: { kind: 'list', items: { kind: 'integer' } }, value: [1, 2], result: [1, 2] },
  {
    ...{
      name: 'a list with others',
      schema: { kind: 'list', items: { kind: 'integer' } },
      value: ['a', null],
    },
    result: ['[0]: must be a whole number', '[1]: must not be null'],
  },
  { name: 'no list', schema: { kind: 'list', items: text }, value: {}, result: [': must be a list'] },
  { name: 'no object', schema: closed({}), value: [], result: [': must be an object'] },
  {
    name: 'an unknown member',
    schema: closed({ a: text }),
    value: { b: 1 },
    result: ['b: unknown attribute'],
  },
  { name: 'an unknown null', schema: closed({ a: text }), value: { b: null }, result: {} },
  {
    ...{
      name: 'others ignored',
      schema: { kind: 'object', members: {}, others: 'ignored' },
      value: { b: 1 },
    },
    result: {},
  },
  {
    ...{ name: 'others kept', schema: { kind: 'object', members: { a: text }, others: 'kept' } },
    ...{ value: { b: 1, a: 'a' }, result: { a: 'a', b: 1 } },
  },
  {
    ...{ name: 'a map', schema: { kind: 'map', values: { kind: 'text', takesScalars: true } } },
    ...{ value: { a: 1, b: null, c: 'x' }, result: { a: '1', c: 'x' } },
  },
  { name: 'no map', schema: { kind: 'map', values: text }, value: 'x', result: [': must be an object'] },
  {
    ...{ name: 'a read-only member', schema: closed({ id: { kind: 'text', isReadOnly: true } }) },
    ...{ value: { id: 7 }, result: {} },
  },
  {
    ...{
      name: 'what is required',
      schema: closed({ a: { ...text, isRequired: true }, b: { ...BOOLEAN(), isRequired: true } }),
    },
    ...{ value: { b: null }, result: ['a: must not be empty', 'b: must not be null'] },
  },
  {
    ...{ name: 'members of a required object', value: {} },
    schema: closed({ o: { ...closed({ a: { ...BOOLEAN(), isRequired: true } }), isRequired: true } }),
    result: ['o.a: must not be null'],
  },
  {
    ...{ name: 'members of an object that may be absent', value: {} },
    schema: closed({ o: closed({ a: { ...BOOLEAN(), isRequired: true } }) }),
    result: {},
  },
  {
    ...{ name: 'defaults', schema: closed({ o: closed({ a: { kind: 'integer', default: 4 } }), b: text }) },
    ...{ value: { b: 'a' }, result: { o: { a: 4 }, b: 'a' } },
  },
  {
    ...{ name: 'several errors', schema: closed({ a: text, o: closed({ b: text }) }) },
    ...{ value: { a: 1, o: { b: 2, c: 3 } } },
    result: ['a: must be a text', 'o.b: must be a text', 'o.c: unknown attribute'],
  },
]

function BOOLEAN(): Schema {
  return { kind: 'boolean' }
}

test.each(cases)('$name', ({ schema, value, result }) => {
  expect(checked(schema, value)).toEqual(result)
})

describe('a partial body', () => {
  const schema = closed({
    a: { ...text, isRequired: true },
    b: { kind: 'integer', default: 4 },
    o: { ...closed({ c: { ...text, isRequired: true } }), isRequired: true },
  })
  test.each([
    [{}, {}],
    [{ b: 1 }, { b: 1 }],
    [{ o: {} }, { o: {} }],
    [{ b: 'x', d: 1 }, ['b: must be a whole number', 'd: unknown attribute']],
  ])('%j', (value, result) => {
    expect(checked(schema, value as Json, true)).toEqual(result)
  })
})

test('members are in the order of the schema', () => {
  const schema = closed({ a: { kind: 'integer' }, b: { kind: 'integer' } })
  expect(JSON.stringify(checked(schema, { b: 1, a: 2 }))).toBe('{"a":2,"b":1}')
})

test('__proto__ and constructor are members like any other', () => {
  const map: Schema = { kind: 'map', values: { kind: 'text' } }
  const value = JSON.parse('{"__proto__":"x","constructor":"y"}')
  expect(JSON.stringify(checked(map, value))).toBe('{"__proto__":"x","constructor":"y"}')
  expect(checked(closed({}), value)).toEqual([
    '__proto__: unknown attribute',
    'constructor: unknown attribute',
  ])
  const required = closed({ constructor: { kind: 'text', isRequired: true } } as Record<string, Schema>)
  expect(checked(required, {})).toEqual(['constructor: must not be null'])
})

test('the defaults of a schema', () => {
  const schema = closed({
    a: { kind: 'integer', default: 1 },
    o: closed({ b: text }),
    m: { kind: 'any', default: {} },
  })
  expect(defaultsOf(schema)).toEqual({ a: 1, m: {} })
})
