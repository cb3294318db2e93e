import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const DEFAULTS =
  '{"ttl":9223372036854775,"format":{"name":"text","schema":{"type":"record","name":"stringBody",' +
  '"fields":[{"name":"body","type":"string"}]},"settings":{}},"notification.threshold.mb":1024}'

const badName = (name: string) =>
  plain(
    400,
    `java.lang.IllegalArgumentException: Invalid stream ID: ${name}. Should only contain alphanumeric characters and _ or -.`,
  )
const missing = (stream: string, namespace = 'default') =>
  plain(404, `'stream:${namespace}.${stream}' was not found.`)
const missingNamespace = plain(404, "'namespace:nope' was not found.")
const badNamespace = plain(
  400,
  'Invalid namespace ID: my-ns. Should only contain alphanumeric characters or _.',
)
const mismatch = (stream: string, principal: string) =>
  plain(
    403,
    `STREAM '${stream}' already exists and the specified principal '${principal}' is not the same as the existing one. ` +
      'The principal of an entity cannot be changed.',
  )
const invalid = (reason: string) =>
  plain(
    400,
    'Invalid stream configuration. Please check that the configuration is a valid JSON Object with a valid schema. ' +
      `Cause: ${reason}`,
  )

describe('listing', () => {
  const lists = [
    { name: 'no stream', path: '', streams: [], answer: json('[]') },
    { name: 'no stream, with a slash', path: '/', streams: [], answer: json('[]') },
    { name: 'one stream', path: '', streams: ['a'], answer: json('[{"name":"a"}]') },
    {
      name: 'several streams by name',
      path: '',
      streams: ['b', 'A', '_c', 'a-b', 'a'],
      answer: json('[{"name":"A"},{"name":"_c"},{"name":"a"},{"name":"a-b"},{"name":"b"}]'),
    },
    {
      name: 'several streams, with a slash',
      path: '/',
      streams: ['b', 'a'],
      answer: json('[{"name":"a"},{"name":"b"}]'),
    },
  ]
  test.each(lists)('tells of $name', async ({ path, streams, answer }) => {
    const app = await testApp({ streams })
    expect(answerOf(await app.get(STREAMS + path))).toEqual(answer)
  })

  const refused = [
    { name: 'a namespace that is missing', path: '/v3/namespaces/nope/streams', answer: missingNamespace },
    {
      name: 'such a namespace, with a slash',
      path: '/v3/namespaces/nope/streams/',
      answer: missingNamespace,
    },
    { name: 'a namespace that cannot be', path: '/v3/namespaces/my-ns/streams', answer: badNamespace },
  ]
  test.each(refused)('refuses $name', async ({ path, answer }) => {
    const app = await testApp()
    expect(answerOf(await app.get(path))).toEqual(answer)
  })
})

describe('creating', () => {
  const bodies = [
    { name: 'without a body', options: {} },
    { name: 'with a body of no bytes', options: { headers: { 'Content-Length': '0' } } },
    { name: 'with an empty chunked body', options: { chunks: [] } },
    { name: 'with white space', options: { body: ' \n' } },
    { name: 'with no properties', options: { body: '{}' } },
    { name: 'with unknown properties', options: { body: '{"nope":1}' } },
  ]
  test.each(bodies)('$name makes a stream of default properties', async ({ options }) => {
    const app = await testApp()
    expect(answerOf(await app.put(`${STREAMS}/new`, options))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/new`))).toEqual(json(DEFAULTS))
    expect(answerOf(await app.get(STREAMS))).toEqual(json('[{"name":"new"}]'))
  })

  test('takes all properties from the body', async () => {
    const app = await testApp()
    const body =
      '{"principal":"me@HERE","description":"Web access logs","notification.threshold.mb":5,' +
      '"format":{"name":"csv","settings":{"delimiter":" "},"schema":' +
      '{"type":"record","name":"event","fields":[{"name":"f1","type":"string"}]}},"ttl":86400}'
    expect(answerOf(await app.put(`${STREAMS}/new`, { body }))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/new`))).toEqual(
      json(
        '{"ttl":86400,"format":{"name":"csv","schema":{"type":"record","name":"event",' +
          '"fields":[{"name":"f1","type":"string"}]},"settings":{"delimiter":" "}},' +
          '"notification.threshold.mb":5,"description":"Web access logs","principal":"me@HERE"}',
      ),
    )
  })

  const again = [
    { name: 'without a body', body: '', answer: empty(200) },
    {
      name: 'with other properties',
      body: '{"ttl":1,"description":"other","format":{"name":"csv"},"notification.threshold.mb":1}',
      answer: empty(200),
    },
    { name: 'with its principal', body: '{"principal":"me@HERE"}', answer: empty(200) },
    { name: 'with another principal', body: '{"principal":"you@HERE"}', answer: mismatch('s', 'you@HERE') },
    { name: 'with a bad property', body: '{"ttl":-1}', answer: plain(400, 'TTL value should be positive.') },
    {
      name: 'with a body that is no object',
      body: '[]',
      answer: invalid('the body is not a JSON object'),
    },
  ]
  test.each(again)('an existing stream $name leaves it as it is', async ({ body, answer }) => {
    const app = await testApp()
    await app.put(`${STREAMS}/s`, { body: '{"ttl":77,"description":"first","principal":"me@HERE"}' })
    await app.post(`${STREAMS}/s`, { body: 'kept' })
    const before = await app.get(`${STREAMS}/s`)

    expect(answerOf(await app.put(`${STREAMS}/s`, { body }))).toEqual(answer)
    expect(answerOf(await app.get(`${STREAMS}/s`))).toEqual(answerOf(before))
    expect(await app.events('s')).toEqual([{ timestamp: 1_000_000, headers: {}, body: 'kept' }])
  })

  test('an existing stream without an owner cannot get one', async () => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.put(`${STREAMS}/s`, { body: '{"principal":"me"}' }))).toEqual(
      mismatch('s', 'me'),
    )
  })

  const refused = [
    { name: 'a name outside the grammar', path: `${STREAMS}/inv@lid`, answer: badName('inv@lid') },
    { name: 'a name with a dot', path: `${STREAMS}/a.b`, answer: badName('a.b') },
    { name: 'an escaped name outside it', path: `${STREAMS}/inv%40lid`, answer: badName('inv@lid') },
    { name: 'a namespace that is missing', path: '/v3/namespaces/nope/streams/s', answer: missingNamespace },
    {
      name: 'a missing namespace before a bad name',
      path: '/v3/namespaces/nope/streams/inv@lid',
      answer: missingNamespace,
    },
    {
      name: 'a missing namespace before a bad body',
      path: '/v3/namespaces/nope/streams/s',
      body: 'ttl:2',
      answer: missingNamespace,
    },
    { name: 'a bad name before a bad body', path: `${STREAMS}/a.b`, body: 'ttl:2', answer: badName('a.b') },
    { name: 'a namespace that cannot be', path: '/v3/namespaces/my-ns/streams/s', answer: badNamespace },
    {
      name: 'a negative ttl',
      path: `${STREAMS}/s`,
      body: '{"ttl":-1}',
      answer: plain(400, 'TTL value should be positive.'),
    },
    {
      name: 'a format that is not known',
      path: `${STREAMS}/s`,
      body: '{"format":{"name":"gibberish"}}',
      answer: plain(400, 'Invalid format, unable to instantiate format gibberish'),
    },
    {
      name: 'what is not JSON',
      path: `${STREAMS}/s`,
      body: 'ttl:2',
      answer: invalid('something follows the end of the JSON at line 1 column 4'),
    },
  ]
  test.each(refused)('refuses $name and makes nothing', async ({ path, body = '', answer }) => {
    const app = await testApp()
    expect(answerOf(await app.put(path, { body }))).toEqual(answer)
    expect(answerOf(await app.get(STREAMS))).toEqual(json('[]'))
  })

  const names = ['s', 'S', '0', '-', '_', '_hidden', 'a-b_c-9', 'test_stream1', 'x'.repeat(1024)]
  const wordsOfPaths = ['events', 'batch', 'async', 'truncate', 'properties', 'programs', 'streams']
  test.each([...names, ...wordsOfPaths])('the name %s is as good as any', async (name) => {
    const app = await testApp()
    const path = `${STREAMS}/${name}`
    expect(answerOf(await app.put(path))).toEqual(empty(200))
    expect(answerOf(await app.post(path, { headers: { [`${name}.k`]: 'v' }, body: 'b' }))).toEqual(empty(200))
    expect(answerOf(await app.get(path))).toEqual(json(DEFAULTS))
    expect(await app.events(name)).toEqual([{ timestamp: 1_000_000, headers: { k: 'v' }, body: 'b' }])
    expect(answerOf(await app.post(`${path}/truncate`))).toEqual(empty(200))
    expect(answerOf(await app.delete(path))).toEqual(empty(200))
  })

  test('names that differ in case are different streams', async () => {
    const app = await testApp({ streams: ['s', 'S'] })
    await app.post(`${STREAMS}/S`, { body: 'upper' })
    expect([await app.events('s'), await app.events('S')]).toEqual([
      [],
      [{ timestamp: 1_000_000, headers: {}, body: 'upper' }],
    ])
  })

  test('escaped letters in a path are those letters', async () => {
    const app = await testApp()
    expect(answerOf(await app.put(`${STREAMS}/%73%2D1`))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/s-1`))).toEqual(json(DEFAULTS))
  })

  test('the same stream many times at once makes it once, with the properties of one request', async () => {
    const app = await testApp()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => app.put(`${STREAMS}/s`, { body: `{"ttl":${i + 1}}` })),
    )
    expect(answers.map(answerOf)).toEqual(answers.map(() => empty(200)))
    const { ttl } = (await app.get(`${STREAMS}/s`)).json() as { ttl: number }
    expect(answers.map((_, i) => i + 1)).toContain(ttl)
    expect(answerOf(await app.get(STREAMS))).toEqual(json('[{"name":"s"}]'))
  })
})

describe('a stream that does not exist', () => {
  const requests = [
    { method: 'GET', path: '' },
    { method: 'DELETE', path: '' },
    { method: 'POST', path: '' },
    { method: 'POST', path: '/async' },
    { method: 'POST', path: '/batch', headers: { 'Content-Type': 'text/plain' } },
    { method: 'POST', path: '/batch' },
    { method: 'POST', path: '/truncate' },
    { method: 'PUT', path: '/properties', body: '{"ttl":1}' },
    { method: 'PUT', path: '/properties', body: 'no JSON' },
    { method: 'PUT', path: '/properties' },
  ]
  test.each(requests)('answers 404 to $method …$path $body', async ({ method, path, body, headers }) => {
    const app = await testApp()
    const options = { ...(headers && { headers }), ...(body !== undefined && { body }) }
    expect(answerOf(await app.request(method, `${STREAMS}/nope${path}`, options))).toEqual(missing('nope'))
    const elsewhere = `/v3/namespaces/nowhere/streams/x${path}`
    expect(answerOf(await app.request(method, elsewhere, options))).toEqual(missing('x', 'nowhere'))
  })

  test('answers 404 without a text to a read', async () => {
    const app = await testApp()
    expect(answerOf(await app.get(`${STREAMS}/nope/events`))).toEqual(empty(404))
    expect(answerOf(await app.get('/v3/namespaces/nowhere/streams/x/events'))).toEqual(empty(404))
  })

  test.each([...requests, { method: 'GET', path: '/events' }])(
    'an invalid name is reported before that to $method …$path $body',
    async ({ method, path, ...options }) => {
      const app = await testApp()
      expect(answerOf(await app.request(method, `${STREAMS}/inv@lid${path}`, options))).toEqual(
        badName('inv@lid'),
      )
      const elsewhere = `/v3/namespaces/my-ns/streams/x${path}`
      expect(answerOf(await app.request(method, elsewhere, options))).toEqual(badNamespace)
    },
  )
})

describe('truncating', () => {
  test('removes all events at once and keeps the properties', async () => {
    const app = await testApp()
    await app.put(`${STREAMS}/s`, { body: '{"ttl":77,"description":"d","format":{"name":"csv"}}' })
    const before = answerOf(await app.get(`${STREAMS}/s`))
    for (const body of ['a', 'b']) await app.post(`${STREAMS}/s`, { body })

    expect(answerOf(await app.post(`${STREAMS}/s/truncate`))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/s/events`))).toEqual(empty(204))
    expect(answerOf(await app.get(`${STREAMS}/s`))).toEqual(before)

    await app.post(`${STREAMS}/s`, { body: 'c' })
    expect(await app.events('s')).toEqual([{ timestamp: 1_000_000, headers: {}, body: 'c' }])
  })

  test('an empty stream is no error, nor is a body', async () => {
    const app = await testApp({ streams: ['s'] })
    for (const options of [{}, {}, { body: 'ignored' }, { chunks: [Buffer.from('ignored')] }]) {
      expect(answerOf(await app.post(`${STREAMS}/s/truncate`, options))).toEqual(empty(200))
    }
  })

  test('leaves other streams alone', async () => {
    const app = await testApp({ streams: ['s', 't'] })
    await app.post(`${STREAMS}/t`, { body: 'kept' })
    await app.post(`${STREAMS}/s/truncate`)
    expect(await app.events('t')).toHaveLength(1)
  })

  test('amid writers loses no event that is written after it', async () => {
    const app = await testApp({ streams: ['s'] })
    const before = Array.from({ length: 20 }, () => app.post(`${STREAMS}/s`, { body: 'either' }))
    const truncated = app.post(`${STREAMS}/s/truncate`)
    const statuses = (await Promise.all([...before, truncated])).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map(() => 200))
    await app.post(`${STREAMS}/s`, { body: 'after' })
    expect((await app.events('s')).at(-1)).toEqual({ timestamp: 1_000_000, headers: {}, body: 'after' })
    expect(app.reported).toEqual([])
  })
})

describe('deleting', () => {
  test('removes the stream and all its events', async () => {
    const app = await testApp({ streams: ['s', 't'] })
    await app.post(`${STREAMS}/s`, { body: 'gone' })
    expect(answerOf(await app.delete(`${STREAMS}/s`))).toEqual(empty(200))
    expect(answerOf(await app.get(STREAMS))).toEqual(json('[{"name":"t"}]'))
    expect(answerOf(await app.get(`${STREAMS}/s`))).toEqual(missing('s'))
    expect(answerOf(await app.post(`${STREAMS}/s`, { body: 'x' }))).toEqual(missing('s'))
    expect(answerOf(await app.get(`${STREAMS}/s/events`))).toEqual(empty(404))
  })

  test('twice is an error', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.delete(`${STREAMS}/s`)
    expect(answerOf(await app.delete(`${STREAMS}/s`))).toEqual(missing('s'))
  })

  test('and creating again gives an empty stream of default properties', async () => {
    const app = await testApp()
    await app.put(`${STREAMS}/s`, { body: '{"ttl":77,"description":"d","principal":"me@HERE"}' })
    await app.post(`${STREAMS}/s`, { body: 'gone' })
    await app.delete(`${STREAMS}/s`)
    expect(answerOf(await app.put(`${STREAMS}/s`))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/s`))).toEqual(json(DEFAULTS))
    expect(answerOf(await app.get(`${STREAMS}/s/events`))).toEqual(empty(204))
  })

  test('an owned stream frees its name for another owner', async () => {
    const app = await testApp()
    await app.put(`${STREAMS}/s`, { body: '{"principal":"me@HERE"}' })
    await app.delete(`${STREAMS}/s`)
    expect(answerOf(await app.put(`${STREAMS}/s`, { body: '{"principal":"you@HERE"}' }))).toEqual(empty(200))
  })

  test('amid writers answers them 200 or 404 and nothing else', async () => {
    const app = await testApp({ streams: ['s'] })
    const writes = Array.from({ length: 20 }, () => app.post(`${STREAMS}/s`, { body: 'x' }))
    const statuses = (await Promise.all([...writes, app.delete(`${STREAMS}/s`)])).map(({ status }) => status)
    expect(statuses.filter((status) => status !== 200 && status !== 404)).toEqual([])
    expect(app.reported).toEqual([])
  })
})
