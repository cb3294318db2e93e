/** Malformed JSON documents: each is taken whole or refused with a sentence, and never stored in part. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseNamespaceChange } from '../../../src/http/cdap/namespace-json.ts'
import { parsePropertiesChange, printProperties } from '../../../src/http/cdap/properties-json.ts'
import {
  type LenientJson,
  LenientJsonError,
  LenientNumber,
  parseLenientJson,
} from '../../../src/http/messages/lenient-json.ts'
import { parseSchema, parseSchemaText, printSchema, SchemaError } from '../../../src/schemas/schema-json.ts'
import { ServiceError } from '../../../src/service-error.ts'
import { DEFAULT_PROPERTIES, mergeProperties } from '../../../src/streams/properties.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from '../../support/fuzz.ts'
import { STREAMS, testApp } from '../../support/test-app.ts'
import { mutated, mutations } from './mutations.ts'

const word = fc.constantFrom(
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    ';',
    '=',
    '=>',
    '"',
    "'",
    '\\',
    '#',
    '//',
    '/*',
    '*/',
    '\n',
    ' ',
    '\u2028',
    '\ufeff',
  ],
  ...[
    '"ttl"',
    '"format"',
    '"name"',
    '"csv"',
    '"schema"',
    '"settings"',
    '"type"',
    '"record"',
    '"fields"',
    '"grok"',
    '"clf"',
  ],
  ...[
    '"description"',
    '"principal"',
    '"notification.threshold.mb"',
    '"config"',
    '"keytabURI"',
    '"pattern"',
    '"charset"',
  ],
  ...[
    '1',
    '-',
    '-1',
    '0',
    '1e3',
    '1e999999999',
    '-0.0',
    '9223372036854775807',
    '9223372036854775808',
    '0.1',
    '1e-400',
  ],
  ...[
    'null',
    'true',
    'TRUE',
    'NaN',
    'Infinity',
    '__proto__',
    '"__proto__"',
    '"constructor"',
    '"toString"',
    '\\u0000',
    '\ud800',
  ],
  ...[
    '{"type":"record","name":"r","fields":[{"name":"f","type":',
    '{"type":"array","items":',
    '["string","null"]',
    '"r"',
  ],
)
const VALID = [
  '{"ttl":86400,"format":{"name":"csv","schema":{"type":"record","name":"event","fields":[{"name":"f1","type":"string"},{"name":"f2","type":["int","null"]}]},"settings":{"delimiter":" "}},"notification.threshold.mb":1000}',
  '{"format":{"name":"grok","settings":{"pattern":"%{GREEDYDATA:body}"}},"description":"é","principal":"a/b@c"}',
  '{"format":{"name":"avro","schema":{"type":"record","name":"a","fields":[{"name":"all","type":{"type":"map","keys":"string","values":{"type":"array","items":"long"}}},{"name":"e","type":{"type":"enum","symbols":["x","y"]}}]}}}',
  '{"format":{"name":"text","settings":{"charset":"utf-16"}}}',
  '{"description":"d","config":{"a":"b","principal":"p","keytabURI":"k"}}',
]
const nested = fc
  .tuple(
    fc.constantFrom('[', '{"a":', '{"type":"array","items":', '{"format":', '["x",'),
    fc.integer({ min: 1, max: 200 }),
  )
  .map(([open, depth]) => open.repeat(depth) + closing(open).repeat(depth))
const texts: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.array(word, { maxLength: 30 }).map((words) => words.join('')) },
  { weight: 2, arbitrary: fc.json() },
  { weight: 1, arbitrary: nested },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...VALID), mutations)
      .map(([text, wrong]) => mutated(Buffer.from(text), wrong).toString('latin1')),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
)
const DEEP = 200_000
const CORPUS: readonly string[] = [
  ...VALID,
  ...[
    '',
    ' ',
    '#',
    '//',
    '/*',
    '/* */',
    '{',
    '}',
    '[]',
    'null',
    '"',
    "'",
    '\\',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{a=b;c=>d}',
  ],
  '['.repeat(DEEP),
  '{"a":'.repeat(DEEP),
  `${'['.repeat(64)}${']'.repeat(64)}`,
  `${'['.repeat(65)}${']'.repeat(65)}`,
  `"${'\\u00'.repeat(DEEP)}"`,
  `/*${'*'.repeat(DEEP)}`,
  `${'#\n'.repeat(DEEP)}`,
  `${' '.repeat(DEEP)}{`,
  `{"ttl":${'9'.repeat(DEEP)}}`,
  `{"ttl":1e${'9'.repeat(DEEP)}}`,
  `{"ttl":0.${'0'.repeat(DEEP)}1}`,
  `{"ttl":${'['.repeat(63)}1${']'.repeat(63)}}`,
  '{"ttl":1,"ttl":2,"ttl":"x"}',
  '{"ttl":-1}',
  '{"ttl":1e-999999999}',
  '{"__proto__":{"ttl":1},"constructor":{"prototype":{"polluted":true}}}',
  '{"format":{"__proto__":{"name":"csv"}}}',
  '{"format":{"name":"__proto__"}}',
  '{"format":{"name":"constructor","schema":"toString","settings":{"__proto__":"x"}}}',
  `{"format":{"name":"grok","settings":{"pattern":"${'('.repeat(50_000)}"}}}`,
  '{"format":{"name":"grok","settings":{"pattern":"(a+)+$"}}}',
  '{"format":{"name":"grok","settings":{"pattern":"%{A:%{A:%{A"}}}',
  '{"description":"\\ud800"}',
  '{"notification.threshold.mb":2147483648}',
]

test(
  'properties are read whole or refused, and print to what reads back the same',
  async () => {
    let taken = 0
    await fuzz('properties', {
      input: texts,
      corpus: CORPUS,
      longSeconds: 35,
      tell: () => ({ taken }),
      check(text) {
        const change = orRefusal(() => parsePropertiesChange(Buffer.from(text)))
        assertNothingPolluted()
        if (change === undefined) return
        taken++
        const printed = printProperties(mergeProperties(DEFAULT_PROPERTIES, change))
        JSON.parse(printed)
        const again = parsePropertiesChange(Buffer.from(printed))
        expect(printProperties(mergeProperties(DEFAULT_PROPERTIES, again))).toBe(printed)
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test(
  'namespace documents are read or refused',
  () =>
    fuzz('namespace documents', {
      input: texts,
      corpus: CORPUS,
      longSeconds: 15,
      check(text) {
        orRefusal(() => parseNamespaceChange(Buffer.from(text)))
        assertNothingPolluted()
      },
    }),
  FUZZ_TIMEOUT_MS,
)

test(
  'lenient JSON is what JSON.parse makes of it, where that can read it',
  () =>
    fuzz('lenient JSON', {
      input: texts,
      corpus: CORPUS,
      longSeconds: 25,
      check(text) {
        let lenient: LenientJson | undefined
        try {
          lenient = parseLenientJson(text)
        } catch (error) {
          if (!(error instanceof LenientJsonError)) throw error
          expect(error.message).toMatch(/ at line \d+ column \d+$/)
          if (!/nested deeper/.test(error.message)) expect(() => JSON.parse(text)).toThrow()
          return
        }
        let strict: unknown
        try {
          strict = JSON.parse(text)
        } catch {
          return
        }
        expect(plain(lenient!)).toEqual(mapped(strict))
      },
    }),
  FUZZ_TIMEOUT_MS,
)

const schemaJson = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 6, depthSize: 'medium' },
    fc.constantFrom(
      'string',
      'int',
      'INT',
      'null',
      'r',
      '',
      '__proto__',
      'record',
      'bytes',
      1,
      null,
      true,
      [],
      {},
    ),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.record({ type: fc.constantFrom('array', 'Array'), items: tie('json') }),
    fc.record(
      { type: fc.constant('map'), keys: tie('json'), values: tie('json') },
      { requiredKeys: ['type', 'values'] },
    ),
    fc.record({
      type: fc.constant('enum'),
      symbols: fc.array(fc.constantFrom('a', 'b', 'toString', 1), { maxLength: 3 }),
    }),
    fc.record({
      type: fc.constant('record'),
      name: fc.constantFrom('r', 's', '', '__proto__'),
      fields: fc.array(
        fc.record(
          { name: fc.constantFrom('f', 'g', '__proto__', ''), type: tie('json') },
          { requiredKeys: ['name'] },
        ),
        { maxLength: 3 },
      ),
    }),
    fc.record({ type: tie('json') }),
  ),
})).json

test(
  'a schema that is none is refused with its place, and one that is prints to one that is the same',
  async () => {
    let taken = 0
    await fuzz('schemas', {
      input: schemaJson,
      corpus: [deep(10_000), deep(32), deep(33)],
      longSeconds: 25,
      tell: () => ({ taken }),
      check(json) {
        let printed: string
        try {
          printed = printSchema(parseSchema(json))
        } catch (error) {
          if (!(error instanceof SchemaError)) throw error
          expect(error.message).toMatch(/^\$.* /)
          return
        }
        taken++
        expect(printSchema(parseSchemaText(printed))).toBe(printed)
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test(
  'a refused document leaves everything as it was',
  async () => {
    const app = await testApp({ streams: ['s'] })
    const places = [
      { put: `${STREAMS}/s/properties`, shown: `${STREAMS}/s` },
      { put: `${STREAMS}/new`, shown: `${STREAMS}/new` },
      { put: `${STREAMS}/s`, shown: `${STREAMS}/s` },
      { put: '/v3/namespaces/default/properties', shown: '/v3/namespaces/default' },
      { put: '/v3/namespaces/new', shown: '/v3/namespaces/new' },
      { put: '/v2/streams/s/config', shown: '/v2/streams/s/info' },
    ]
    let taken = 0
    await fuzz('documents over HTTP', {
      input: fc.tuple(texts, fc.constantFrom(...places), fc.constantFrom('utf8' as const, 'latin1' as const)),
      corpus: CORPUS.flatMap((text) =>
        places.map((place) => [text, place, 'utf8'] as [string, typeof place, 'utf8']),
      ),
      longSeconds: 35,
      tell: () => ({ taken }),
      async check([text, { put, shown }, encoding]) {
        const before = (await app.get(shown)).text
        const answer = await app.put(put, { body: Buffer.from(text, encoding) })
        const after = await app.get(shown)
        if (answer.status === 200) {
          taken++
          JSON.parse(after.text)
          if (put.endsWith('new'))
            await app.delete(put.replace('/v3/namespaces/new', '/v3/unrecoverable/namespaces/new'))
        } else {
          expect([400, 403, 413]).toContain(answer.status)
          expect(answer.text.length).toBeGreaterThan(10)
          expect(after.text).toBe(before)
        }
        expect(app.reported).toEqual([])
      },
    })
    expect((await app.get('/status')).status).toBe(200)
  },
  FUZZ_TIMEOUT_MS,
)

function closing(open: string): string {
  return open.startsWith('[') ? ']' : '}'
}

function deep(levels: number): unknown {
  let schema: unknown = 'int'
  for (let level = 1; level < levels; level++) schema = { type: 'array', items: schema }
  return schema
}

/** Undefined if it is refused, as it should be done. */
function orRefusal<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    expect(error.code).toMatch(/^(invalid_properties|principal_mismatch)$/)
    expect(error.message.length).toBeGreaterThan(10)
    return undefined
  }
}

function assertNothingPolluted(): void {
  expect(Object.keys(Object.prototype)).toEqual([])
  expect((Object.prototype as Record<string, unknown>).polluted).toBeUndefined()
}

/** Numbers as JavaScript has them, objects as Maps. */
function plain(json: LenientJson): unknown {
  if (json instanceof LenientNumber) return Number(json.text)
  if (json instanceof Map) return new Map([...json].map(([key, value]) => [key, plain(value)]))
  return Array.isArray(json) ? json.map(plain) : json
}

function mapped(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(mapped)
  if (typeof json !== 'object' || json === null) return json
  return new Map(Object.entries(json).map(([key, value]) => [key, mapped(value)]))
}
