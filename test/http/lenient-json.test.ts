import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  JSON_DEPTH_MAX,
  type LenientJson,
  LenientJsonError,
  LenientNumber,
  parseLenientJson,
  parseLenientJsonBytes,
} from '../../src/http/messages/lenient-json.ts'

/** What JSON.parse would make of it: numbers as numbers, objects as entries, so that no key is special. */
function plain(json: LenientJson | undefined): unknown {
  if (json instanceof LenientNumber) return Number(json.text)
  if (Array.isArray(json)) return json.map(plain)
  return json instanceof Map ? { entries: [...json].map(([key, value]) => [key, plain(value)]) } : json
}

function plainStrict(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(plainStrict)
  if (typeof json !== 'object' || json === null) return json
  return { entries: Object.entries(json).map(([key, value]) => [key, plainStrict(value)]) }
}

const obj = (...entries: [string, unknown][]) => ({ entries })

const readable = [
  {
    name: 'strict JSON',
    text: '{"ttl":1,"a":[true,false,null,"x"],"o":{}}',
    value: obj(['ttl', 1], ['a', [true, false, null, 'x']], ['o', obj()]),
  },
  { name: 'white space', text: ' \t\r\n{ "a" :\n1 , "b" : [ ] }\n', value: obj(['a', 1], ['b', []]) },
  { name: 'single quotes', text: `{'a':'it\\'s "x"'}`, value: obj(['a', 'it\'s "x"']) },
  {
    name: 'bare keys',
    text: '{ttl:1,notification.threshold.mb:2,a-b:3,1:4}',
    value: obj(['ttl', 1], ['notification.threshold.mb', 2], ['a-b', 3], ['1', 4]),
  },
  {
    name: 'bare texts',
    text: '{name:csv, o: [a.b, c-d]}',
    value: obj(['name', 'csv'], ['o', ['a.b', 'c-d']]),
  },
  { name: 'a quote within a bare text', text: "[it's]", value: ["it's"] },
  { name: '= for :', text: '{a=1,"b" = 2}', value: obj(['a', 1], ['b', 2]) },
  { name: '=> for :', text: '{a=>1,"b" => 2}', value: obj(['a', 1], ['b', 2]) },
  { name: '; for ,', text: '{a:1;b:[1;2]}', value: obj(['a', 1], ['b', [1, 2]]) },
  {
    name: 'comments',
    text: '# one\n{ // two\n"a" /* three\n */ : # four\r 1 /**/ }// five',
    value: obj(['a', 1]),
  },
  { name: 'words in any case', text: '[TRUE,False,NULL]', value: [true, false, null] },
  { name: 'quoted words', text: '["true","null","1"]', value: ['true', 'null', '1'] },
  {
    name: 'bare words that begin like others',
    text: '[nullable,truely,1a,01,+1,-,.5,1.,NaN]',
    value: ['nullable', 'truely', '1a', '01', '+1', '-', '.5', '1.', 'NaN'],
  },
  {
    name: 'escapes',
    text: '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\ude00\\\'"',
    value: '"\\/\b\f\n\r\té😀\'',
  },
  {
    name: 'control characters and line breaks within quotes',
    text: '"a\n\t\u0000b\u2028"',
    value: 'a\n\t\u0000b\u2028',
  },
  { name: 'a comment within quotes, which is none', text: '"a//b#c/*d*/"', value: 'a//b#c/*d*/' },
  {
    name: 'keys that mean something elsewhere',
    text: '{__proto__:{a:1},"constructor":2,toString:3}',
    value: obj(['__proto__', obj(['a', 1])], ['constructor', 2], ['toString', 3]),
  },
  { name: 'duplicate keys, of which the last wins', text: '{a:1,b:2,a:3}', value: obj(['a', 3], ['b', 2]) },
  { name: 'an empty key', text: '{"":1}', value: obj(['', 1]) },
  { name: 'a bare document', text: 'hello', value: 'hello' },
  {
    name: 'as many levels as the limit',
    text: '['.repeat(JSON_DEPTH_MAX) + ']'.repeat(JSON_DEPTH_MAX),
    value: JSON.parse('['.repeat(JSON_DEPTH_MAX) + ']'.repeat(JSON_DEPTH_MAX)),
  },
]
test.each(readable)('reads $name', ({ text, value }) => {
  expect(plain(parseLenientJson(text))).toEqual(value)
})

const numbers = [
  '0',
  '-0',
  '1',
  '-12',
  '9223372036854775807',
  '92233720368547758070',
  '1.50',
  '1e3',
  '1E+3',
  '1.5e-3',
]
test.each(numbers)('keeps the text of the number %s', (text) => {
  expect(parseLenientJson(text)).toEqual(new LenientNumber(text))
})

const nothing = ['', ' \n\t', '# nothing', '/* nothing */ // at all']
test.each(nothing)('finds no document in %j', (text) => {
  expect(parseLenientJson(text)).toBeUndefined()
})

const unreadable = [
  { name: 'trailing garbage', text: '{} x', at: [1, 4] },
  { name: 'a second document', text: '{}{}', at: [1, 3] },
  { name: 'members without an object', text: 'ttl:2', at: [1, 4] },
  { name: 'an object that is not closed', text: '{"a":1', at: [1, 7] },
  { name: 'an array that is not closed', text: '[1', at: [1, 3] },
  { name: 'an array closed as an object', text: '[1}', at: [1, 3] },
  { name: 'a text that is not closed', text: '{"a":"b}', at: [1, 6] },
  { name: 'a comment that is not closed', text: '{}\n /* x', at: [2, 2] },
  { name: 'a key without a value', text: '{"a"}', at: [1, 5] },
  { name: 'a key with a colon alone', text: '{"a":}', at: [1, 6] },
  { name: 'a value without a key', text: '{:1}', at: [1, 2] },
  { name: 'a comma before the end of an object', text: '{"a":1,}', at: [1, 8] },
  { name: 'a comma before the end of an array', text: '[1,]', at: [1, 4] },
  { name: 'a missing element', text: '[1,,2]', at: [1, 4] },
  { name: 'two values without a comma', text: '[1 2]', at: [1, 4] },
  { name: 'two members without a comma', text: '{"a":1 "b":2}', at: [1, 8] },
  { name: 'an unknown escape', text: '"\\x41"', at: [1, 2] },
  { name: 'a short unicode escape', text: '"\\u12"', at: [1, 2] },
  { name: 'a text that ends in a backslash', text: '"\\', at: [1, 2] },
  { name: 'a lone slash', text: '[/]', at: [1, 2] },
  { name: 'white space that is none', text: '[\u00a01]', at: [1, 2] },
  { name: 'an error on a later line', text: '{\n  "a": 1\n  "b": 2\n}', at: [3, 3] },
  { name: 'one level too many', text: '['.repeat(JSON_DEPTH_MAX + 1), at: [1, JSON_DEPTH_MAX + 1] },
  { name: 'very many levels', text: '{a:'.repeat(100_000), at: [1, JSON_DEPTH_MAX * 3 + 1] },
] as const
test.each(unreadable)('refuses $name, and says where', ({ text, at: [line, column] }) => {
  const error: unknown = (() => {
    try {
      return parseLenientJson(text)
    } catch (error) {
      return error
    }
  })()
  expect(error).toBeInstanceOf(LenientJsonError)
  expect(error).toMatchObject({
    line,
    column,
    message: expect.stringContaining(`at line ${line} column ${column}`),
  })
})

test('reads bytes as UTF-8, with or without a byte order mark', () => {
  expect(parseLenientJsonBytes(Buffer.from('"é😀"'))).toBe('é😀')
  expect(parseLenientJsonBytes(Buffer.from('\ufeff[]'))).toEqual([])
  expect(parseLenientJsonBytes(new Uint8Array())).toBeUndefined()
})

test.each([
  [[0x22, 0xe9, 0x22]],
  [[0x22, 0xc0, 0x80, 0x22]],
  [[0xff, 0xfe, 0x7b, 0]],
  [[0x22, 0xed, 0xa0, 0x80, 0x22]],
])('refuses bytes that are not UTF-8: %j', (bytes) => {
  expect(() => parseLenientJsonBytes(Uint8Array.from(bytes))).toThrow(LenientJsonError)
})

test('whatever JSON.stringify prints reads as what it was', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      expect(plain(parseLenientJson(text))).toEqual(plainStrict(JSON.parse(text)))
    }),
    { numRuns: 500 },
  )
})

test('whatever text there is, it is read or refused in a regular way', () => {
  const piece = fc.constantFrom(
    ...'{}[]:;,=>#/*\\"\' \n0-.e',
    'a',
    'true',
    '//',
    '/*',
    '*/',
    '\\u00',
    '\ud800',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(text, (text) => {
      try {
        parseLenientJson(text)
      } catch (error) {
        expect(error).toBeInstanceOf(LenientJsonError)
      }
    }),
    { numRuns: 2000 },
  )
})

test('whatever bytes there are, they are read or refused in a regular way', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      try {
        parseLenientJsonBytes(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(LenientJsonError)
      }
    }),
  )
})

test('reads a long text in linear time', () => {
  const long = 4_000_000 // characters; quadratic work would take minutes
  const texts = [
    `["${'\\n'.repeat(long)}"]`,
    `[${'a'.repeat(long)}]`,
    `[${' '.repeat(long)}]`,
    `#${'#'.repeat(long)}`,
    `[${'#\n'.repeat(long)}]`,
    `[${'0'.repeat(long)}]`,
    `[${'1,'.repeat(long / 4)}1]`,
  ]
  for (const text of texts) parseLenientJson(text)
})
