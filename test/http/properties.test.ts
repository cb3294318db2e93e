import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const S = `${STREAMS}/s`
const GENERIC =
  'Invalid stream configuration. Please check that the configuration is a valid JSON Object with a valid schema.'
const generic = (cause: string) => plain(400, `${GENERIC} Cause: ${cause}`)

const TEXT_SCHEMA = '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}'
const TEXT = `{"name":"text","schema":${TEXT_SCHEMA},"settings":{}}`
const ONE_FIELD = '{"type":"record","name":"event","fields":[{"name":"f1","type":"string"}]}'

interface Printed {
  ttl?: string
  format?: string
  threshold?: string
  /** The members after those three. */
  rest?: string
}

/** The whole answer of GET, every member in its place. */
function properties({ ttl = '9223372036854775', format = TEXT, threshold = '1024', rest = '' }: Printed) {
  return json(`{"ttl":${ttl},"format":${format},"notification.threshold.mb":${threshold}${rest}}`)
}

/** How properties get to a stream: at its creation, later, and later the old way. */
const ways = [
  { way: 'create', existing: [], path: S },
  { way: 'set', existing: ['s'], path: `${S}/properties` },
  { way: 'set by /v2', existing: ['s'], path: '/v2/streams/s/config' },
]

describe.each(ways)('$way', ({ existing, path }) => {
  const csv = `{"name":"csv","schema":{"type":"record","name":"streamEvent","fields":[{"name":"body","type":{"type":"array","items":"string"}}]},"settings":{}}`
  const accepted: { body: string; printed: Printed }[] = [
    { body: '{}', printed: {} },
    { body: '{"nope":{"a":[1,{}]},"__proto__":{"ttl":5}}', printed: {} },
    { body: '{"ttl":0}', printed: { ttl: '0' } },
    { body: '{"ttl": 88888}', printed: { ttl: '88888' } },
    { body: '{"ttl":"5"}', printed: { ttl: '5' } },
    { body: '{"ttl":1.0}', printed: { ttl: '1' } },
    { body: '{"ttl":1e3}', printed: { ttl: '1000' } },
    { body: '{"ttl":[7]}', printed: { ttl: '7' } },
    { body: '{"ttl":1800000000000}', printed: { ttl: '1800000000000' } },
    { body: '{"ttl":9007199254740993}', printed: { ttl: '9007199254740993' } },
    { body: '{"ttl":9223372036854774}', printed: { ttl: '9223372036854774' } },
    { body: '{"ttl":9223372036854775}', printed: {} },
    { body: '{"ttl":9223372036854776}', printed: {} },
    { body: '{"ttl":9223372036854775807}', printed: {} },
    { body: '{"notification.threshold.mb":1}', printed: { threshold: '1' } },
    { body: '{"notification.threshold.mb":2147483647}', printed: { threshold: '2147483647' } },
    { body: '{"notification.threshold.mb":1.9}', printed: { threshold: '1' } },
    { body: '{"description":"Web access logs"}', printed: { rest: ',"description":"Web access logs"' } },
    { body: '{"description":"é\\"\\u0000"}', printed: { rest: ',"description":"é\\"\\u0000"' } },
    { body: '{"description":5}', printed: { rest: ',"description":"5"' } },
    { body: '{"description":true}', printed: { rest: ',"description":"true"' } },
    { body: '{"description":""}', printed: { rest: ',"description":""' } },
    { body: '{"format":null}', printed: {} },
    { body: '{"format":{"name":"text"}}', printed: {} },
    { body: '{"format":{"name":"csv"}}', printed: { format: csv } },
    { body: '{"format":{"name":"CSV"}}', printed: { format: csv.replace('csv', 'CSV') } },
    { body: '{"format":{"name":"tsv"}}', printed: { format: csv.replace('csv', 'tsv') } },
    {
      body: '{"format":{"name":"co.cask.cdap.format.TextRecordFormat"}}',
      printed: { format: TEXT.replace('text', 'co.cask.cdap.format.TextRecordFormat') },
    },
    {
      body: '{"format":{"name":"csv","settings":{"delimiter":" ","n":5,"b":true,"unknown":"kept","10":"order"}}}',
      printed: {
        format: csv.replace(
          '"settings":{}',
          '"settings":{"delimiter":" ","n":"5","b":"true","unknown":"kept","10":"order"}',
        ),
      },
    },
    {
      body: `{"format":{"name":"csv","schema":${ONE_FIELD}}}`,
      printed: { format: `{"name":"csv","schema":${ONE_FIELD},"settings":{}}` },
    },
    {
      body: `{"format":{"name":"avro","schema":${ONE_FIELD}}}`,
      printed: { format: `{"name":"avro","schema":${ONE_FIELD},"settings":{}}` },
    },
    {
      body:
        '{"format":{"name":"avro","schema":{"fields":[{"type":{"type":"int"},"name":"a","doc":"x"},' +
        '{"name":"b","type":["NULL",{"items":"bytes","type":"array"}],"default":null},' +
        '{"name":"c","type":{"values":"long","type":"map","keys":"string"}}],"name":"r","type":"Record"}}}',
      printed: {
        format:
          '{"name":"avro","schema":{"type":"record","name":"r","fields":[{"name":"a","type":"int"},' +
          '{"name":"b","type":["null",{"type":"array","items":"bytes"}],"default":null},' +
          '{"name":"c","type":{"type":"map","keys":"string","values":"long"}}]},"settings":{}}',
      },
    },
    {
      body: `{'ttl'=5; 'description': words, # a comment\n format: {'name': 'text'}}`,
      printed: { ttl: '5', rest: ',"description":"words"' },
    },
    {
      // The example of the reference.
      body: `{ "ttl" : 86400, "format": { "name": "csv", "schema": { "type": "record", "name": "event", "fields": [
        { "name": "f1", "type": "string" }, { "name": "f2", "type": "int" }, { "name": "f3", "type": "double" } ] },
        "settings": { "delimiter": " " } }, "notification.threshold.mb" : 1000 }`,
      printed: {
        ttl: '86400',
        format:
          '{"name":"csv","schema":{"type":"record","name":"event","fields":[{"name":"f1","type":"string"},' +
          '{"name":"f2","type":"int"},{"name":"f3","type":"double"}]},"settings":{"delimiter":" "}}',
        threshold: '1000',
      },
    },
  ]
  test.each(accepted)('$body', async ({ body, printed }) => {
    const app = await testApp({ streams: existing })
    expect(answerOf(await app.put(path, { body }))).toEqual(empty(200))
    expect(answerOf(await app.get(S))).toEqual(properties(printed))
    expect(answerOf(await app.get('/v2/streams/s/info'))).toEqual(properties(printed))
  })

  test.each(['avro', 'csv', 'tsv', 'text', 'clf', 'grok', 'syslog'])(
    'the format %s, and GET tells of it under its name with a schema',
    async (name) => {
      const schema = name === 'avro' ? `,"schema":${ONE_FIELD}` : ''
      const app = await testApp({ streams: existing })
      const body = `{"format":{"name":"${name}"${schema}}}`
      expect(answerOf(await app.put(path, { body }))).toEqual(empty(200))
      const { format } = (await app.get(S)).json() as { format: { schema: unknown } }
      expect(format).toEqual({
        name,
        schema: { type: 'record', name: expect.any(String), fields: expect.any(Array) },
        settings: {},
      })
    },
  )

  const format = (rest: string) => `{"format":{"name":"csv",${rest}}}`
  const field = (type: string) =>
    format(`"schema":{"type":"record","name":"r","fields":[{"name":"f","type":${type}}]}`)
  const notSupported = plain(
    400,
    'Format csv does not support the requested schema. Cause: field f is neither of a simple type nor a nullable one',
  )
  const notInstantiated = (name: string) => plain(400, `Invalid format, unable to instantiate format ${name}`)
  const refused = [
    { body: '{"ttl":-1}', answer: plain(400, 'TTL value should be positive.') },
    { body: '{"ttl":"-1"}', answer: plain(400, 'TTL value should be positive.') },
    { body: '{"ttl":1.5}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":-0.5}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":null}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":true}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":"ten"}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":{}}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":92233720368547758070}', answer: generic('ttl is not a whole number of seconds') },
    { body: '{"ttl":1e999999999}', answer: generic('ttl is not a whole number of seconds') },
    {
      body: '{"notification.threshold.mb":0}',
      answer: plain(400, 'Threshold value should be greater than zero.'),
    },
    {
      body: '{"notification.threshold.mb":-1}',
      answer: plain(400, 'Threshold value should be greater than zero.'),
    },
    {
      body: '{"notification.threshold.mb":2147483648}',
      answer: generic('notification.threshold.mb is not a whole number of megabytes'),
    },
    { body: '{"description":null}', answer: generic('description is not a text') },
    { body: '{"description":{}}', answer: generic('description is not a text') },
    { body: '{"format":"csv"}', answer: generic('format is not an object') },
    { body: '{"format":{}}', answer: plain(400, 'A format name must be specified.') },
    { body: '{"format":{"name":null}}', answer: plain(400, 'A format name must be specified.') },
    { body: '{"format":{"name":"gibberish"}}', answer: notInstantiated('gibberish') },
    { body: '{"format":{"name":""}}', answer: notInstantiated('') },
    { body: '{"format":{"name":"java.lang.String"}}', answer: notInstantiated('java.lang.String') },
    { body: '{"format":{"name":"__proto__"}}', answer: notInstantiated('__proto__') },
    { body: '{"format":{"name":"constructor"}}', answer: notInstantiated('constructor') },
    {
      body: '{"format":{"name":"avro"}}',
      answer: plain(
        400,
        'Format avro does not support the requested schema. Cause: the format has no schema of its own; give one',
      ),
    },
    { body: field('{"type":"map","keys":"string","values":"int"}'), answer: notSupported },
    {
      body: field('{"type":"record","name":"i","fields":[{"name":"x","type":"int"}]}'),
      answer: notSupported,
    },
    {
      body: field('{"type":"array","items":{"type":"map","keys":"string","values":"int"}}'),
      answer: notSupported,
    },
    {
      body: field('"double"').replace('csv', 'text'),
      answer: plain(
        400,
        'Format text does not support the requested schema. Cause: wanted exactly one field, a string',
      ),
    },
    { body: '{"format":{"name":"text","settings":{"charset":"klingon"}}}', answer: notInstantiated('text') },
    { body: format('"settings":{"mapping":""}'), answer: notInstantiated('csv') },
    {
      body: format(`"schema":${ONE_FIELD},"settings":{"mapping":"0:f1,1:f2"}`),
      answer: notInstantiated('csv'),
    },
    { body: format(`"schema":${ONE_FIELD},"settings":{"mapping":"0:nope"}`), answer: notInstantiated('csv') },
    { body: format('"settings":{"mapping":"0:body"}'), answer: notInstantiated('csv') },
    {
      body: '{"format":{"name":"grok","settings":{"pattern":"%{NOPE:x"}}}',
      answer: notInstantiated('grok'),
    },
    {
      body: '{"format":{"name":"grok","settings":{"pattern":"(unclosed"}}}',
      answer: notInstantiated('grok'),
    },
    {
      body: field('"strin"'),
      answer: generic(
        "schema: $.fields.f.type is 'strin', which is neither a type nor a record defined before",
      ),
    },
    { body: format('"schema":{"name":"x"}'), answer: generic('schema: $ has no "type" that is a text') },
    {
      body: format('"schema":{"type":"record","name":"x","fields":[]}'),
      answer: generic('schema: $ is a record without fields'),
    },
    {
      body: format(
        '"schema":{"type":"record","name":"x","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
      ),
      answer: generic("schema: $ has two fields 'a'"),
    },
    { body: format('"settings":{"delimiter":{}}'), answer: generic('settings is not an object of texts') },
    { body: format('"settings":[]'), answer: generic('settings is not an object of texts') },
    { body: '{"principal":5}', answer: generic('principal is not a text') },
    {
      body: '{"principal":"a@b@c"}',
      answer: plain(
        400,
        "principal is 'a@b@c'; use primary/instance@REALM, where /instance and @REALM may be left out",
      ),
    },
    { body: '[]', answer: generic('the body is not a JSON object') },
    { body: 'null', answer: generic('the body is not a JSON object') },
    { body: '5', answer: generic('the body is not a JSON object') },
    { body: '"ttl"', answer: generic('the body is not a JSON object') },
    { body: 'ttl:2', answer: generic('something follows the end of the JSON at line 1 column 4') },
    { body: '{"ttl":2} x', answer: generic('something follows the end of the JSON at line 1 column 11') },
    { body: '{"ttl":2', answer: generic("expected ',' or '}' at line 1 column 9") },

    // The first failure wins: JSON, ttl, format name, format, threshold, principal.
    { body: '{"ttl":-1,"description":{}}', answer: generic('description is not a text') },
    { body: '{"format":{},"ttl":-1}', answer: plain(400, 'TTL value should be positive.') },
    {
      body: '{"notification.threshold.mb":0,"format":{}}',
      answer: plain(400, 'A format name must be specified.'),
    },
    {
      body: '{"principal":"@","notification.threshold.mb":0}',
      answer: plain(400, 'Threshold value should be greater than zero.'),
    },
  ]
  test.each(refused)('not $body', async ({ body, answer }) => {
    const app = await testApp({ streams: existing })
    const before = answerOf(await app.get(S))
    expect(answerOf(await app.put(path, { body }))).toEqual(answer)
    // Nor anything that stands beside it.
    const more = `{"ttl":5,"notification.threshold.mb":5,${body.slice(1)}`
    if (body.startsWith('{')) expect((await app.put(path, { body: more })).status).toBe(400)
    expect(answerOf(await app.get(S))).toEqual(before)
  })
})

describe('a change', () => {
  const before = `{"ttl":77,"format":{"name":"csv","schema":${ONE_FIELD},"settings":{"delimiter":";"}},"notification.threshold.mb":7,"description":"d","principal":"me@HERE"}`
  const kept: Required<Printed> = {
    ttl: '77',
    format: `{"name":"csv","schema":${ONE_FIELD},"settings":{"delimiter":";"}}`,
    threshold: '7',
    rest: ',"description":"d","principal":"me@HERE"',
  }
  const changes: { body: string; printed: Printed }[] = [
    { body: '{}', printed: {} },
    { body: '{"ttl":1}', printed: { ttl: '1' } },
    { body: '{"ttl":9223372036854775807}', printed: { ttl: '9223372036854775' } },
    { body: '{"notification.threshold.mb":1024}', printed: { threshold: '1024' } },
    { body: '{"description":"e"}', printed: { rest: ',"description":"e","principal":"me@HERE"' } },
    { body: '{"principal":"me@HERE"}', printed: {} },
    { body: '{"format":null}', printed: {} },
    { body: '{"format":{"name":"text"}}', printed: { format: TEXT } },
    {
      body: `{"format":{"name":"csv","schema":${ONE_FIELD}}}`,
      printed: { format: `{"name":"csv","schema":${ONE_FIELD},"settings":{}}` },
    },
    {
      body: '{"ttl":2,"format":{"name":"text"},"notification.threshold.mb":3,"description":""}',
      printed: { ttl: '2', format: TEXT, threshold: '3', rest: ',"description":"","principal":"me@HERE"' },
    },
  ]
  test.each(changes)('by $body changes what it names and nothing else', async ({ body, printed }) => {
    const app = await testApp()
    await app.put(S, { body: before })
    expect(answerOf(await app.put(`${S}/properties`, { body }))).toEqual(empty(200))
    expect(answerOf(await app.get(S))).toEqual(properties({ ...kept, ...printed }))
  })

  test.each([
    { name: 'without a body', options: {}, cause: 'the body is empty' },
    { name: 'with an empty chunked body', options: { chunks: [] }, cause: 'the body is empty' },
    { name: 'with white space', options: { body: ' \n' }, cause: 'the body is empty' },
  ])('$name is refused', async ({ options, cause }) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.put(`${S}/properties`, options))).toEqual(generic(cause))
  })

  test.each([
    { owner: 'me@HERE', principal: 'you@HERE' },
    { owner: 'me@HERE', principal: 'ME@here' },
    { owner: undefined, principal: 'you' },
  ])(
    'of the principal from $owner to $principal is refused, and all beside it',
    async ({ owner, principal }) => {
      const app = await testApp()
      await app.put(S, { body: owner === undefined ? '' : `{"principal":"${owner}"}` })
      const unchanged = answerOf(await app.get(S))
      expect(
        answerOf(await app.put(`${S}/properties`, { body: `{"ttl":1,"principal":"${principal}"}` })),
      ).toEqual(
        plain(
          403,
          `STREAM 's' already exists and the specified principal '${principal}' is not the same as the existing one. ` +
            'The principal of an entity cannot be changed.',
        ),
      )
      expect(answerOf(await app.get(S))).toEqual(unchanged)
    },
  )

  test('of different properties at once keeps all of them', async () => {
    const app = await testApp({ streams: ['s'] })
    const bodies = [
      '{"ttl":5}',
      '{"notification.threshold.mb":5}',
      '{"description":"d"}',
      '{"format":{"name":"text"}}',
    ]
    await Promise.all(bodies.map((body) => app.put(`${S}/properties`, { body })))
    expect(answerOf(await app.get(S))).toEqual(
      properties({ ttl: '5', threshold: '5', rest: ',"description":"d"' }),
    )
  })

  test('leaves the events alone', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.post(S, { body: 'a,b' })
    await app.put(`${S}/properties`, { body: before.replace(',"principal":"me@HERE"', '') })
    expect(await app.events('s')).toEqual([{ timestamp: 1_000_000, headers: {}, body: 'a,b' }])
  })

  test('of what GET printed changes nothing', async () => {
    const app = await testApp()
    await app.put(S, { body: before })
    const { text } = await app.get(S)
    expect(answerOf(await app.put(`${S}/properties`, { body: text }))).toEqual(empty(200))
    expect((await app.get(S)).text).toBe(text)
  })
})
