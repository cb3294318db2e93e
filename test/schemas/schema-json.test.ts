import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RecordSchema } from '../../src/schemas/schema.ts'
import {
  parseSchema,
  parseSchemaText,
  printSchema,
  SCHEMA_DEPTH_MAX,
  SchemaError,
} from '../../src/schemas/schema-json.ts'

const simple = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string']
const canonical = [
  ...simple.map((type) => `"${type}"`),
  '["string","null"]',
  '["null","string"]',
  '["int","string","null"]',
  '{"type":"array","items":"string"}',
  '{"type":"array","items":["string","null"]}',
  '{"type":"map","keys":"string","values":"int"}',
  '{"type":"map","keys":{"type":"enum","symbols":["A"]},"values":["long","null"]}',
  '{"type":"enum","symbols":["SPADES","HEARTS"]}',
  '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}',
  '{"type":"record","name":"__proto__","fields":[{"name":"constructor","type":"string"},{"name":"__proto__","type":"int"}]}',
  '{"type":"record","name":"quote\\"\\n","fields":[{"name":"é😀","type":"string"}]}',
  // A record by name, after its definition and within it.
  '{"type":"record","name":"a","fields":[{"name":"x","type":{"type":"record","name":"b","fields":[{"name":"i","type":"int"}]}},{"name":"y","type":["b","null"]}]}',
  '{"type":"record","name":"node","fields":[{"name":"value","type":"int"},{"name":"next","type":["node","null"]}]}',
  // Names are case-sensitive, and the same name may be defined again: from there on it means the new one.
  '{"type":"record","name":"a","fields":[{"name":"x","type":{"type":"record","name":"A","fields":[{"name":"i","type":"A"}]}},{"name":"I","type":"a"},{"name":"i","type":"A"}]}',
  '{"type":"record","name":"a","fields":[{"name":"x","type":{"type":"record","name":"b","fields":[{"name":"i","type":"int"}]}},{"name":"y","type":{"type":"record","name":"b","fields":[{"name":"j","type":"int"}]}},{"name":"z","type":"b"}]}',
]
test.each(canonical)('%s is canonical', (text) => {
  expect(printSchema(parseSchemaText(text))).toBe(text)
})

const other = [
  { name: 'a type word as an object', text: '{"type":"int"}', printed: '"int"' },
  { name: 'a type word in capitals', text: '"STRING"', printed: '"string"' },
  {
    name: 'an array in capitals',
    text: '{"type":"ARRAY","items":"Int"}',
    printed: '{"type":"array","items":"int"}',
  },
  {
    name: 'a record with members in another order and more of them',
    text: '{ "namespace": "x", "fields": [ { "doc": {"a":[1]}, "type": {"type":"long"}, "default": null, "name": "f" } ], "doc": "…", "name": "r", "type": "Record" }',
    printed: '{"type":"record","name":"r","fields":[{"name":"f","type":"long"}]}',
  },
  {
    name: 'an enum with a name, which it does not have here',
    text: '{"type":"enum","name":"suit","symbols":["A","B"]}',
    printed: '{"type":"enum","symbols":["A","B"]}',
  },
  {
    name: 'a map without keys, as in Avro',
    text: '{"type":"map","values":"int"}',
    printed: '{"type":"map","keys":"string","values":"int"}',
  },
]
test.each(other)('$name is read', ({ text, printed }) => {
  expect(printSchema(parseSchemaText(text))).toBe(printed)
})

const refused = [
  { name: 'an unknown type word', text: '"strin"' },
  { name: 'an unknown type', text: '{"type":"fixed","size":4}' },
  { name: 'no type', text: '{}' },
  { name: 'no type but a name', text: '{"name":"x","fields":[{"name":"f","type":"int"}]}' },
  { name: 'a type that is a number', text: '{"type":7}' },
  { name: 'a number', text: '7' },
  { name: 'null', text: 'null' },
  { name: 'true', text: 'true' },
  { name: 'the empty text', text: '""' },
  { name: 'the bare word record', text: '"record"' },
  { name: 'a record without a name', text: '{"type":"record","fields":[{"name":"f","type":"int"}]}' },
  {
    name: 'a record with an empty name',
    text: '{"type":"record","name":"","fields":[{"name":"f","type":"int"}]}',
  },
  {
    name: 'a record with a number for a name',
    text: '{"type":"record","name":1,"fields":[{"name":"f","type":"int"}]}',
  },
  { name: 'a record without fields', text: '{"type":"record","name":"r"}' },
  { name: 'a record with no field', text: '{"type":"record","name":"r","fields":[]}' },
  {
    name: 'fields that are no list',
    text: '{"type":"record","name":"r","fields":{"name":"f","type":"int"}}',
  },
  { name: 'a field without a name', text: '{"type":"record","name":"r","fields":[{"type":"int"}]}' },
  {
    name: 'a field with an empty name',
    text: '{"type":"record","name":"r","fields":[{"name":"","type":"int"}]}',
  },
  { name: 'a field without a type', text: '{"type":"record","name":"r","fields":[{"name":"f"}]}' },
  { name: 'a field that is no object', text: '{"type":"record","name":"r","fields":["f"]}' },
  {
    name: 'two fields of a name',
    text: '{"type":"record","name":"r","fields":[{"name":"f","type":"int"},{"name":"f","type":"long"}]}',
  },
  {
    name: 'a record that is defined only later',
    text: '{"type":"record","name":"r","fields":[{"name":"a","type":"late"},{"name":"b","type":{"type":"record","name":"late","fields":[{"name":"f","type":"int"}]}}]}',
  },
  {
    name: 'a record whose name differs in case',
    text: '{"type":"record","name":"Node","fields":[{"name":"a","type":["node","null"]}]}',
  },
  { name: 'an array without items', text: '{"type":"array"}' },
  { name: 'a map without values', text: '{"type":"map","keys":"string"}' },
  { name: 'an enum without symbols', text: '{"type":"enum"}' },
  { name: 'an enum with no symbol', text: '{"type":"enum","symbols":[]}' },
  { name: 'an enum with a symbol twice', text: '{"type":"enum","symbols":["A","A"]}' },
  { name: 'an enum with a number', text: '{"type":"enum","symbols":[1]}' },
  { name: 'a union without members', text: '[]' },
  { name: 'what is no JSON', text: '{"type":' },
  {
    name: 'arrays beyond the limit',
    text: `${'{"type":"array","items":'.repeat(SCHEMA_DEPTH_MAX)}"int"${'}'.repeat(SCHEMA_DEPTH_MAX)}`,
  },
  { name: 'unions far beyond the limit', text: `${'['.repeat(100_000)}"int"${']'.repeat(100_000)}` },
]
test.each(refused)('$name is refused', ({ text }) => {
  expect(() => parseSchemaText(text)).toThrow(SchemaError)
})

test('schemas may be as deep as the limit', () => {
  const depth = SCHEMA_DEPTH_MAX - 1
  const text = `${'{"type":"array","items":'.repeat(depth)}"int"${'}'.repeat(depth)}`
  expect(printSchema(parseSchemaText(text))).toBe(text)
})

test('a refusal says where', () => {
  const json = {
    type: 'record',
    name: 'r',
    fields: [{ name: 'tags', type: { type: 'array', items: 'strin' } }],
  }
  expect(() => parseSchema(json)).toThrow(
    "$.fields.tags.type.items is 'strin', which is neither a type nor a record defined before",
  )
})

test('objects may be Maps, as the lenient parser makes them', () => {
  const field = new Map<string, unknown>([
    ['name', 'f'],
    ['type', ['int', 'null']],
  ])
  const json = new Map<string, unknown>([
    ['type', 'record'],
    ['name', 'r'],
    ['fields', [field]],
  ])
  expect(printSchema(parseSchema(json))).toBe(
    '{"type":"record","name":"r","fields":[{"name":"f","type":["int","null"]}]}',
  )
})

test('a record referred to by name is the very same one', () => {
  const node = parseSchemaText(
    '{"type":"record","name":"node","fields":[{"name":"next","type":{"type":"array","items":"node"}}]}',
  ) as RecordSchema
  const next = node.fields[0]!.schema
  expect(next.type === 'array' && next.items === node).toBe(true)
})

const anySchemaJson = fc.letrec((tie) => ({
  schema: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.constantFrom(...simple),
    fc.record({ type: fc.constant('array'), items: tie('schema') }),
    fc.record({ type: fc.constant('map'), keys: tie('schema'), values: tie('schema') }),
    fc.record({ type: fc.constant('enum'), symbols: fc.uniqueArray(fc.string(), { minLength: 1 }) }),
    fc.array(tie('schema'), { minLength: 1, maxLength: 3 }),
    fc.record({
      type: fc.constant('record'),
      name: fc.constantFrom('a', 'b', 'string', '__proto__'),
      fields: fc.uniqueArray(fc.record({ name: fc.string({ minLength: 1 }), type: tie('schema') }), {
        selector: (field) => field.name,
        minLength: 1,
        maxLength: 3,
      }),
    }),
  ),
})).schema

test('what was printed reads back as it was', () => {
  fc.assert(
    fc.property(anySchemaJson, (json) => {
      const schema = parseSchema(json)
      const printed = printSchema(schema)
      expect(printSchema(parseSchemaText(printed))).toBe(printed)
      expect(parseSchemaText(printed)).toEqual(schema)
    }),
  )
})

test('any JSON is a schema or a SchemaError', () => {
  const wordish = fc.oneof(fc.jsonValue(), fc.constantFrom('record', 'array', 'map', 'enum', 'int'))
  const objectish = fc.dictionary(
    fc.constantFrom('type', 'name', 'fields', 'items', 'keys', 'values', 'symbols'),
    wordish,
  )
  fc.assert(
    fc.property(fc.oneof(wordish, objectish, fc.array(objectish)), (json) => {
      try {
        parseSchema(json)
      } catch (error) {
        expect(error).toBeInstanceOf(SchemaError)
      }
    }),
  )
})
