import { createHash } from 'node:crypto'
import avro from 'avsc'
import { describe, expect, test } from 'vitest'
import { schemaText } from '../../src/decoders/avro-schema-text.ts'
import { parseSchema } from '../../src/schemas/avro-schema.ts'
import { SCHEMA_DEPTH_MAX } from '../../src/schemas/avro-schema-json.ts'

const print = (json: string) => schemaText(parseSchema(json))

test('the schema of the contract prints to its text and hash', () => {
  const text = print(`{
    "fields": [ { "type": { "type": "int" }, "name": "id" }, { "type": ["null", "string"], "name": "name" } ],
    "name": "Record", "type": "record"
  }`)
  expect(text).toBe(
    '{"type":"record","name":"Record","fields":[{"name":"id","type":"int"},{"name":"name","type":["null","string"]}]}',
  )
  expect(createHash('md5').update(text, 'utf8').digest('hex')).toBe('19d61ad4deaa8452909648f836d40067')
})

// Every text on the right was printed by Java Avro 1.7.7.
const printed: { name: string; json: string; text: string }[] = [
  { name: 'a primitive', json: '{"type":"int"}', text: '"int"' },
  { name: 'a primitive in words', json: ' "int"', text: '"int"' },
  {
    name: 'a primitive with other members',
    json: '{"avro.java.string":"String","type":"string","doc":"gone","size":3}',
    text: '{"type":"string","avro.java.string":"String"}',
  },
  {
    name: 'every member of a record, in order',
    json: '{"fields":[{"type":{"type":"int","logicalType":"date"},"name":"x","doc":"d","order":"descending","aliases":["q","q","z"],"foo":1,"default":3}],"aliases":["Old","other.Older","a.b.Same"],"p":{"z":1,"a":[1.50,1e10,true,null]},"namespace":"a.b","doc":"hi","name":"R","type":"record"}',
    text: '{"type":"record","name":"R","namespace":"a.b","doc":"hi","fields":[{"name":"x","type":{"type":"int","logicalType":"date"},"doc":"d","default":3,"order":"descending","aliases":["q","z"],"foo":1}],"p":{"z":1,"a":[1.5,1.0E10,true,null]},"aliases":["Old","other.Older","Same"]}',
  },
  {
    name: 'enum, fixed, names with dots and mentions',
    json: '{"type":"record","name":"a.b.R","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"],"default":"A","doc":"ed","aliases":["EE"]}},{"name":"f","type":{"type":"fixed","name":"c.F","size":16,"logicalType":"decimal","precision":10}},{"name":"f2","type":"c.F"},{"name":"e2","type":"E"},{"name":"e3","type":"a.b.E"},{"name":"self","type":["null","R"]}]}',
    text: '{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"e","type":{"type":"enum","name":"E","doc":"ed","symbols":["A","B"],"default":"A","aliases":["EE"]}},{"name":"f","type":{"type":"fixed","name":"F","namespace":"c","size":16,"logicalType":"decimal","precision":10}},{"name":"f2","type":"c.F"},{"name":"e2","type":"E"},{"name":"e3","type":"E"},{"name":"self","type":["null","R"]}]}',
  },
  {
    name: 'an enum whose namespace does not leak to its neighbour',
    json: '[{"type":"enum","name":"E","namespace":"a","symbols":["A"]},{"type":"record","name":"R","namespace":"a","fields":[{"name":"e","type":"E"}]}]',
    text: '[{"type":"enum","name":"E","namespace":"a","symbols":["A"]},{"type":"record","name":"R","namespace":"a","fields":[{"name":"e","type":"E"}]}]',
  },
  {
    name: 'no namespace inside one',
    json: '{"type":"record","name":"R","namespace":"a","fields":[{"name":"n","type":{"type":"record","name":"N","namespace":"","fields":[]}},{"name":"m","type":"N"}]}',
    text: '{"type":"record","name":"R","namespace":"a","fields":[{"name":"n","type":{"type":"record","name":"N","namespace":"","fields":[]}},{"name":"m","type":"N"}]}',
  },
  {
    name: 'one name in two namespaces',
    json: '{"type":"record","name":"R","fields":[{"name":"x","type":{"type":"record","name":"R","namespace":"k","fields":[{"name":"y","type":["null","k.R"]}]}}, {"name":"z","type":"k.R"}, {"name":"w","type":["null","R"]}]}',
    text: '{"type":"record","name":"R","fields":[{"name":"x","type":{"type":"record","name":"R","namespace":"k","fields":[{"name":"y","type":["null","R"]}]}},{"name":"z","type":"k.R"},{"name":"w","type":["null","R"]}]}',
  },
  {
    name: 'mutual recursion',
    json: '{"type":"record","name":"R","fields":[{"name":"u","type":["null",{"type":"record","name":"S","fields":[{"name":"r","type":"R"}]}],"default":null}]}',
    text: '{"type":"record","name":"R","fields":[{"name":"u","type":["null",{"type":"record","name":"S","fields":[{"name":"r","type":"R"}]}],"default":null}]}',
  },
  {
    name: 'an error',
    json: '{"type":"error","name":"Err","fields":[{"name":"m","type":"string","default":null}]}',
    text: '{"type":"error","name":"Err","fields":[{"name":"m","type":"string","default":null}]}',
  },
  {
    name: 'array and map',
    json: '{"type":"array","items":{"type":"map","values":"bytes","x":"y"},"java-class":"L","doc":"gone","name":"gone"}',
    text: '{"type":"array","items":{"type":"map","values":"bytes","x":"y"},"java-class":"L"}',
  },
  {
    name: 'names that JavaScript objects know, and names like numbers',
    json: '{"type":"record","name":"R","fields":[{"name":"__proto__","type":"int"},{"name":"constructor","type":"int"}],"__proto__":"x","10":"b","2":"c"}',
    text: '{"type":"record","name":"R","fields":[{"name":"__proto__","type":"int"},{"name":"constructor","type":"int"}],"__proto__":"x","10":"b","2":"c"}',
  },
  {
    name: 'a doc and namespace that are no strings',
    json: '{"type":"record","name":"R","fields":[{"name":"x","type":"int","doc":7,"x":null,"aliases":[]}],"doc":5,"namespace":7,"y":null}',
    text: '{"type":"record","name":"R","fields":[{"name":"x","type":"int","x":null}],"y":null}',
  },
  {
    name: 'aliases without repetitions',
    json: '{"type":"fixed","name":"F","size":4,"aliases":["F","G","G"]}',
    text: '{"type":"fixed","name":"F","size":4,"aliases":["F","G"]}',
  },
  {
    name: 'names that Java does not check in a file',
    json: '[{"type":"record","name":"bad name","fields":[]},{"type":"enum","name":"x.int","symbols":[]}]',
    text: '[{"type":"record","name":"bad name","fields":[]},{"type":"enum","name":"int","namespace":"x","symbols":[]}]',
  },
  {
    name: 'escapes',
    json: '{"type":"record","name":"R","doc":"\\u001f \\u2028 \\u00e9 \\/ \\" \\\\ \\\\u001f \\n\\u007f\\ud83d\\ude00","fields":[]}',
    text: '{"type":"record","name":"R","doc":"\\u001F \u2028 é / \\" \\\\ \\\\u001f \\n\u007f😀","fields":[]}',
  },
  ...[
    ['double', '1.0', '1.0'],
    ['double', '1', '1'],
    ['double', '100', '100'],
    ['double', '"1.5"', '1.5'],
    ['double', '"NaN"', '"NaN"'],
    ['double', '"-Infinity"', '"-Infinity"'],
    ['double', '1e-5', '1.0E-5'],
    ['double', '0.001', '0.001'],
    ['double', '12345678.9', '1.23456789E7'],
    ['double', '9999999.0', '9999999.0'],
    ['double', '1E7', '1.0E7'],
    ['double', '-0.0', '-0.0'],
    ['double', '1e400', '"Infinity"'],
    ['float', '0.1', '0.1'],
    ['long', '9223372036854775807', '9223372036854775807'],
    ['long', '123456789012345678901234567890', '123456789012345678901234567890'],
    ['long', '-0', '0'],
    ['string', '"2"', '"2"'],
  ].map(([type, written, text]) => ({
    name: `a ${type} default of ${written}`,
    json: `{"type":"record","name":"R","fields":[{"name":"x","type":"${type}","default":${written}}]}`,
    text: `{"type":"record","name":"R","fields":[{"name":"x","type":"${type}","default":${text}}]}`,
  })),
]
test.each(printed)('prints $name', ({ json, text }) => {
  expect(print(json)).toBe(text)
})

test.each(printed)('prints $name so that it reads back the same', ({ text }) => {
  expect(print(text)).toBe(text)
})

test('a type wrapped in an object without a meaning of its own is that type, which Java refuses', () => {
  expect(print('{"type":{"type":["null",{"type":"long"}]}}')).toBe('["null","long"]')
})

test('avsc reads the text as the schema it was', () => {
  const schema = {
    type: 'record',
    name: 'org.example.Tree',
    fields: [
      { name: 'kind', type: { type: 'enum', name: 'Kind', symbols: ['LEAF', 'NODE'] }, order: 'ignore' },
      { name: 'children', type: { type: 'array', items: 'Tree' }, default: [] },
      { name: 'digest', type: { type: 'fixed', name: 'other.Md5', size: 16 } },
      { name: 'same', type: ['null', 'other.Md5', 'Kind'], default: null },
    ],
  } as const
  const read = (json: unknown) => avro.Type.forSchema(json as avro.Schema).schema({ exportAttrs: true })
  expect(read(JSON.parse(print(JSON.stringify(schema))))).toEqual(read(schema))
})

const field = (json: string) => `{"type":"record","name":"R","fields":[${json}]}`

describe('a schema is refused', () => {
  const refused = [
    { name: 'no JSON', json: 'nope', problem: /not JSON: "n" at character 1 is out of place/ },
    { name: 'nothing', json: ' ', problem: /not JSON: it ends too early/ },
    { name: 'JSON that goes on', json: '"int" x', problem: /not JSON: "x" at character 7/ },
    { name: 'JSON that stops', json: '{"type":"int"', problem: /not JSON: it ends too early/ },
    { name: 'a string that stops', json: '"in', problem: /not JSON: it ends inside a string/ },
    { name: 'a bad escape', json: '"\\x"', problem: /the string at character 1 has an invalid escape/ },
    { name: 'a number', json: '7', problem: /must be a name, an object or an array, not 7/ },
    { name: 'null', json: 'null', problem: /not null/ },
    { name: 'an unknown name', json: '"Nope"', problem: /does not define the name "Nope"/ },
    {
      name: 'a name of JavaScript',
      json: '"constructor"',
      problem: /does not define the name "constructor"/,
    },
    {
      name: 'a type of JavaScript',
      json: '{"type":"__proto__"}',
      problem: /does not define the name "__proto__"/,
    },
    { name: 'no type', json: '{}', problem: /no "type"/ },
    {
      name: 'a record without a name',
      json: '{"type":"record","fields":[]}',
      problem: /a record has no "name"/,
    },
    {
      name: 'a record without fields',
      json: '{"type":"record","name":"R"}',
      problem: /a record has no "fields"/,
    },
    {
      name: 'fields that are no array',
      json: '{"type":"record","name":"R","fields":{}}',
      problem: /"R" are no array/,
    },
    { name: 'a field that is a string', json: field('"x"'), problem: /a field must be an object, not "x"/ },
    { name: 'a field without a name', json: field('{"type":"int"}'), problem: /a field has no "name"/ },
    { name: 'a field without a type', json: field('{"name":"x"}'), problem: /field "x" has no "type"/ },
    {
      name: 'a field twice',
      json: field('{"name":"x","type":"int"},{"name":"x","type":"int"}'),
      problem: /record "R" has field "x" twice/,
    },
    {
      name: 'an unknown order',
      json: field('{"name":"x","type":"int","order":"bogus"}'),
      problem: /the order of field "x" is "bogus"/,
    },
    {
      name: 'aliases in words',
      json: field('{"name":"x","type":"int","aliases":"y"}'),
      problem: /"aliases" must be/,
    },
    {
      name: 'a symbol twice',
      json: '{"type":"enum","name":"E","symbols":["A","A"]}',
      problem: /same symbol twice/,
    },
    {
      name: 'a symbol of 1',
      json: '{"type":"enum","name":"E","symbols":[1]}',
      problem: /no array of strings/,
    },
    { name: 'an array of nothing', json: '{"type":"array"}', problem: /an array has no "items"/ },
    { name: 'a map of nothing', json: '{"type":"map"}', problem: /a map has no "values"/ },
    { name: 'a fixed of 1.0', json: '{"type":"fixed","name":"F","size":1.0}', problem: /no whole number/ },
    { name: 'a fixed of -1', json: '{"type":"fixed","name":"F","size":-1}', problem: /no whole number/ },
    {
      name: 'a fixed of 2^31',
      json: '{"type":"fixed","name":"F","size":2147483648}',
      problem: /up to 2147483647/,
    },
    { name: 'a union in a union', json: '["null",["int"]]', problem: /may not hold a union/ },
    { name: 'a union of one type twice', json: '["int","int"]', problem: /the type "int" twice/ },
    {
      name: 'the name of a primitive',
      json: '{"type":"fixed","name":"int","size":1}',
      problem: /may not be named "int"/,
    },
    {
      name: 'a name defined twice',
      json: '[{"type":"fixed","name":"F","size":1},{"type":"array","items":{"type":"fixed","name":"F","size":1}}]',
      problem: /defines the name "F" twice/,
    },
    {
      name: 'a record that only holds itself',
      json: field('{"name":"x","type":{"type":"record","name":"S","fields":[{"name":"r","type":"R"}]}}'),
      problem: /always holds another one of itself/,
    },
  ]
  test.each(refused)('for $name', ({ json, problem }) => {
    expect(() => print(json)).toThrow(problem)
  })

  test('for depth, whatever is deep', () => {
    const deep = SCHEMA_DEPTH_MAX + 1
    const arrays = (levels: number) =>
      `${'{"type":"array","items":'.repeat(levels)}"int"${'}'.repeat(levels)}`
    expect(print(arrays(SCHEMA_DEPTH_MAX))).toBe(arrays(SCHEMA_DEPTH_MAX))
    for (const json of [
      arrays(deep),
      '['.repeat(500_000),
      '{"type":'.repeat(100_000),
      `{"x":${'['.repeat(deep)}`,
    ]) {
      expect(() => print(json)).toThrow(`nested deeper than ${SCHEMA_DEPTH_MAX} levels`)
    }
  })
})
