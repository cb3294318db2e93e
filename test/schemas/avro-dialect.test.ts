/** What Avro has besides the dialect is kept for the format avro, and means nothing to the others. */
import { expect, test } from 'vitest'
import { parseSchema as parseAvro } from '../../src/schemas/avro-schema.ts'
import { parseSchemaText, printAvroSchema, printSchema, SchemaError } from '../../src/schemas/schema-json.ts'

const inRecord = (...fields: string[]) =>
  `{"type":"record","name":"r","fields":[${fields.map((type, index) => `{"name":"f${index}","type":${type}}`).join(',')}]}`
const SUIT = '{"type":"enum","name":"Suit","symbols":["A","B"]}'

const canonical = [
  '"int"',
  '{"type":"int","logicalType":"date"}',
  '{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}',
  '{"type":"bytes","logicalType":"decimal","precision":9}',
  '{"type":"long","logicalType":"no such"}',
  '{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}',
  '{"type":"fixed","name":"F","namespace":"a.b","aliases":["x.G"],"size":0}',
  '{"type":"enum","name":"Suit","aliases":["Colour"],"symbols":["A","B"],"default":"B"}',
  '{"type":"record","name":"a.b.R","fields":[{"name":"f","type":"int"}]}',
  '{"type":"record","name":"R","namespace":"","fields":[{"name":"f","type":"int"}]}',
  // A mention of what was defined before, of every kind; and by its full name from another namespace.
  inRecord(SUIT, '["null","Suit"]'),
  inRecord('{"type":"fixed","name":"F","size":2}', '{"type":"array","items":"F"}'),
  '{"type":"record","name":"R","namespace":"a","fields":[{"name":"f","type":{"type":"record","name":"S","fields":[{"name":"g","type":["null","R"]}]}},' +
    '{"name":"h","type":{"type":"enum","name":"T","namespace":"b","symbols":["X"]}},{"name":"i","type":"b.T"},{"name":"j","type":"S"}]}',
  // Defaults as they were written.
  ...[
    'null',
    '1.0',
    '-9223372036854775808',
    '"a\\nÿ"',
    '[]',
    '{}',
    '{"a":[1,{"b":null}],"__proto__":1e400}',
  ].map((json) => `{"type":"record","name":"r","fields":[{"name":"f","type":"int","default":${json}}]}`),
  '{"type":"record","name":"r","fields":[{"name":"f","type":"int","aliases":["g","h"]}]}',
]
test.each(canonical)('%s is kept', (text) => {
  expect(printAvroSchema(parseSchemaText(text))).toBe(text)
})

const read = [
  {
    name: 'a schema in an object of its own',
    text: '{"type":{"type":"array","items":{"type":["null",{"type":"int"}]}}}',
    printed: '{"type":"array","items":["null","int"]}',
  },
  { name: 'an error', text: inRecord('"int"').replace('record', 'error'), printed: inRecord('"int"') },
  {
    name: 'a record without fields within another',
    text: inRecord('{"type":"record","name":"e","fields":[]}'),
    printed: inRecord('{"type":"record","name":"e","fields":[]}'),
  },
  {
    name: 'what means nothing to a reader',
    text: '{"type":"record","name":"r","doc":"d","x":[1],"fields":[{"name":"f","type":{"type":"string","avro.java.string":"String"},"order":"ignore","doc":"d","y":{}}]}',
    printed: '{"type":"record","name":"r","fields":[{"name":"f","type":"string"}]}',
  },
  {
    name: 'aliases that are none',
    text: inRecord('"int"').replace('"r"', '"r","aliases":[]'),
    printed: inRecord('"int"'),
  },
  {
    name: 'a type called as a type word in another case',
    text: inRecord('{"type":"fixed","name":"Long","size":1}', '"Long"', '{"type":"Long"}', '"LONG"'),
    printed: inRecord('{"type":"fixed","name":"Long","size":1}', '"Long"', '"Long"', '"long"'),
  },
]
test.each(read)('$name is read', ({ text, printed }) => {
  expect(printAvroSchema(parseSchemaText(text))).toBe(printed)
})

test('other formats see the dialect alone', () => {
  const text =
    '{"type":"record","name":"R","namespace":"a","aliases":["Q"],"fields":[{"name":"f","type":{"type":"int","logicalType":"date"},"default":5,"aliases":["g"]},' +
    '{"name":"h","type":{"type":"enum","name":"E","symbols":["A"],"default":"A"}},{"name":"i","type":"E"}]}'
  expect(printSchema(parseSchemaText(text))).toBe(
    '{"type":"record","name":"R","fields":[{"name":"f","type":"int"},{"name":"h","type":{"type":"enum","symbols":["A"]}},{"name":"i","type":{"type":"enum","symbols":["A"]}}]}',
  )
})

const refused = [
  {
    text: '{"type":{"type":"record","name":"e","fields":[]}}',
    message: '$.type is a record without fields',
  },
  {
    text: inRecord('{"type":"fixed","name":"F"}'),
    message: '$.fields.f0.type is a fixed whose size is no whole number from 0 to 2147483647',
  },
  { text: inRecord('{"type":"fixed","name":"F","size":-1}'), message: 'size is no whole number' },
  { text: inRecord('{"type":"fixed","name":"F","size":2147483648}'), message: 'size is no whole number' },
  { text: inRecord('{"type":"fixed","size":1}'), message: '$.fields.f0.type is a fixed without a name' },
  {
    text: inRecord(SUIT, '"suit"'),
    message: "$.fields.f1.type is 'suit', which is neither a type nor a record defined before",
  },
  { text: inRecord(SUIT, '"x.Suit"'), message: "$.fields.f1.type is 'x.Suit', which is neither" },
]
test.each(refused)('$text is refused', ({ text, message }) => {
  expect(() => parseSchemaText(text)).toThrow(SchemaError)
  expect(() => parseSchemaText(text)).toThrow(message)
})

test('what is kept means the same to Avro as what was sent', () => {
  for (const text of [...canonical, ...read.map((one) => one.text)]) {
    const printed = printAvroSchema(parseSchemaText(text))
    expect(() => parseAvro(printed)).not.toThrow()
  }
})
