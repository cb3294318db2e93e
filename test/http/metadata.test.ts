/** Metadata of streams: properties and tags of both scopes, search, and the empty lineage. */
import { expect, test } from 'vitest'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const M = `${STREAMS}/s/metadata`
const NOW_MS = 1_700_000_000_000
const ENTITY = { id: { namespace: { id: 'default' }, streamName: 's' }, type: 'stream' }
const SCHEMA = '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}'
const SYSTEM = {
  'entity-name': 's',
  ttl: '9223372036854775807',
  'creation-time': `${NOW_MS}`,
  schema: SCHEMA,
}

const noted = async (app: TestApp) => [
  (await app.get(`${M}/properties?scope=user`)).json(),
  (await app.get(`${M}/tags?scope=USER`)).json(),
]

test('what is noted is there, with the texts of CDAP, until it is removed', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
  const steps = [
    {
      verb: 'POST',
      path: '/properties',
      body: '{"owner":"ann","stage":"test"}',
      text: 'Metadata added successfully to stream:default.s',
      after: [{ owner: 'ann', stage: 'test' }, []],
    },
    {
      verb: 'POST',
      path: '/properties',
      body: '{"stage":"live","n":5}',
      text: 'Metadata added successfully to stream:default.s',
      after: [{ owner: 'ann', stage: 'live', n: '5' }, []],
    },
    {
      verb: 'POST',
      path: '/tags',
      body: '["a","b","a"]',
      text: 'Added tags to stream stream:default.s successfully.',
      after: [{ owner: 'ann', stage: 'live', n: '5' }, ['a', 'b']],
    },
    {
      verb: 'POST',
      path: '/tags',
      body: '["c","a"]',
      text: 'Added tags to stream stream:default.s successfully.',
      after: [{ owner: 'ann', stage: 'live', n: '5' }, ['a', 'b', 'c']],
    },
    {
      verb: 'DELETE',
      path: '/properties/n',
      text: 'Metadata property n for stream stream:default.s deleted successfully.',
      after: [{ owner: 'ann', stage: 'live' }, ['a', 'b', 'c']],
    },
    {
      verb: 'DELETE',
      path: '/properties/nope',
      text: 'Metadata property nope for stream stream:default.s deleted successfully.',
      after: [{ owner: 'ann', stage: 'live' }, ['a', 'b', 'c']],
    },
    {
      verb: 'DELETE',
      path: '/tags/b',
      text: 'Tag b for stream stream:default.s deleted successfully.',
      after: [{ owner: 'ann', stage: 'live' }, ['a', 'c']],
    },
    {
      verb: 'DELETE',
      path: '/tags',
      text: 'Tags for stream stream:default.s deleted successfully.',
      after: [{ owner: 'ann', stage: 'live' }, []],
    },
    {
      verb: 'POST',
      path: '/tags',
      body: '["z"]',
      text: 'Added tags to stream stream:default.s successfully.',
      after: [{ owner: 'ann', stage: 'live' }, ['z']],
    },
    {
      verb: 'DELETE',
      path: '/properties',
      text: 'Metadata properties for stream stream:default.s deleted successfully.',
      after: [{}, ['z']],
    },
    {
      verb: 'DELETE',
      path: '',
      text: 'Metadata for stream stream:default.s deleted successfully.',
      after: [{}, []],
    },
  ]
  for (const { verb, path, body = '', text, after } of steps) {
    const answer = await app.request(verb, M + path, { body })
    expect([answer.status, answer.text], `${verb} ${path}`).toEqual([200, text])
    expect(await noted(app), `${verb} ${path}`).toEqual(after)
    await app.restart()
    expect(await noted(app), `${verb} ${path} after a restart`).toEqual(after)
  }
})

test('both scopes: records, and the two together', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":60,"description":"Orders"}' })
  await app.post(`${M}/properties`, { body: '{"owner":"ann","ttl":"mine"}' })
  await app.post(`${M}/tags`, { body: '["explore","x"]' })
  const system = { ...SYSTEM, ttl: '60000', description: 'Orders' }
  const user = { owner: 'ann', ttl: 'mine' }
  expect((await app.get(M)).json()).toEqual([
    { entityId: ENTITY, scope: 'USER', properties: user, tags: ['explore', 'x'] },
    { entityId: ENTITY, scope: 'SYSTEM', properties: system, tags: ['explore'] },
  ])
  expect((await app.get(`${M}?scope=system`)).json()).toEqual([
    { entityId: ENTITY, scope: 'SYSTEM', properties: system, tags: ['explore'] },
  ])
  expect((await app.get(`${M}/properties`)).json()).toEqual({ ...system, ...user })
  expect((await app.get(`${M}/tags`)).json()).toEqual(['explore', 'x'])
  expect((await app.get(`${M}/tags?scope=system`)).json()).toEqual(['explore'])
})

test('truncating keeps metadata and age; deleting the stream, or its namespace, takes it with it', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
  await app.post(`${M}/tags`, { body: '["x"]' })
  app.nowMs += 5000
  await app.post(`${STREAMS}/s/truncate`)
  expect((await app.get(`${M}/tags?scope=user`)).json()).toEqual(['x'])
  expect((await app.get(`${M}/properties`)).json()).toEqual(SYSTEM)
  for (const remove of [`${STREAMS}/s`, '/v3/unrecoverable/namespaces/default']) {
    await app.post(`${M}/tags`, { body: '["x"]' })
    await app.delete(remove)
    expect((await app.get(M)).status).toBe(404)
    await app.put(`${STREAMS}/s`)
    expect(await noted(app), remove).toEqual([{}, []])
    await app.restart()
    expect(await noted(app), remove).toEqual([{}, []])
  }
})

const long = 'x'.repeat(51)
const refused = [
  {
    verb: 'GET',
    path: `${M}?scope=x`,
    status: 400,
    text: "Invalid metadata scope 'x'. Expected 'USER' or 'SYSTEM'",
  },
  {
    verb: 'GET',
    path: `${M}/tags?scope=`,
    status: 400,
    text: "Invalid metadata scope ''. Expected 'USER' or 'SYSTEM'",
  },
  {
    verb: 'POST',
    path: `${M}/properties`,
    body: '[]',
    status: 400,
    text: 'Unable to read metadata properties from the request.',
  },
  {
    verb: 'POST',
    path: `${M}/properties`,
    body: '',
    status: 400,
    text: 'Unable to read metadata properties from the request.',
  },
  {
    verb: 'POST',
    path: `${M}/properties`,
    body: '{"a":{}}',
    status: 400,
    text: 'Unable to read metadata properties from the request.',
  },
  {
    verb: 'POST',
    path: `${M}/properties`,
    body: '{"tags":"a"}',
    status: 400,
    text: "a property cannot be called 'tags'; use another name",
  },
  {
    verb: 'POST',
    path: `${M}/properties`,
    body: `{"${long}":"a"}`,
    status: 400,
    text: 'the name of a property has 51 characters; use 1 to 50',
  },
  {
    verb: 'POST',
    path: `${M}/properties`,
    body: `{"a":"${'x'.repeat(1001)}"}`,
    status: 400,
    text: "property 'a' has 1001 characters; use at most 1000",
  },
  {
    verb: 'POST',
    path: `${M}/tags`,
    body: '{}',
    status: 400,
    text: 'Unable to read a list of tags from the request.',
  },
  {
    verb: 'POST',
    path: `${M}/tags`,
    body: '[["a"]]',
    status: 400,
    text: 'Unable to read a list of tags from the request.',
  },
  {
    verb: 'POST',
    path: `${M}/tags`,
    body: '[""]',
    status: 400,
    text: 'the name of a tag has 0 characters; use 1 to 50',
  },
  ...['GET', 'DELETE'].map((verb) => ({
    verb,
    path: `${STREAMS}/nope/metadata`,
    status: 404,
    text: "'stream:default.nope' was not found.",
  })),
  {
    verb: 'POST',
    path: `${STREAMS}/nope/metadata/tags`,
    body: '["a"]',
    status: 404,
    text: "'stream:default.nope' was not found.",
  },
  {
    verb: 'DELETE',
    path: `${STREAMS}/nope/metadata/tags/a`,
    status: 404,
    text: "'stream:default.nope' was not found.",
  },
  { verb: 'GET', path: `${STREAMS}/nope/lineage`, status: 404, text: "'stream:default.nope' was not found." },
  {
    verb: 'GET',
    path: `${STREAMS}/s/lineage?start=9&end=8`,
    status: 400,
    text: 'end is 8, before start, which is 9',
  },
  {
    verb: 'GET',
    path: '/v3/namespaces/default/metadata/search',
    status: 400,
    text: 'query is missing; use words to look for',
  },
  {
    verb: 'GET',
    path: '/v3/namespaces/nope/metadata/search?query=x',
    status: 404,
    text: "'namespace:nope' was not found.",
  },
  {
    verb: 'GET',
    path: '/v3/namespaces/default/metadata/search?query=x&target=y',
    status: 400,
    text: "target is 'y'; use all, artifact, app, dataset, program, stream, view",
  },
]
test.each(refused)('$verb $path $body is refused', async ({ verb, path, body = '', status, text }) => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  const answer = await app.request(verb, path, { body })
  expect([answer.status, answer.text]).toEqual([status, text])
})

test('metadata has a bound', async () => {
  const app = await testApp({ streams: ['s'] })
  const add = (i: number) =>
    app.post(`${M}/properties`, { body: JSON.stringify({ [`p${i}`]: 'x'.repeat(1000) }) })
  for (let i = 0; i < 10; i++) expect((await add(i)).status).toBe(200)
  const answer = await add(10)
  expect([answer.status, answer.text]).toEqual([
    400,
    expect.stringMatching(/^the metadata of the stream would have 1\d{4} bytes; keep it within 10240$/),
  ])
})

test('names that mean something to JavaScript are names', async () => {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${M}/properties`, { body: '{"__proto__":"a","constructor":"b"}' })
  expect((await app.get(`${M}/properties?scope=user`)).text).toBe('{"__proto__":"a","constructor":"b"}')
})

test('searching', async () => {
  const app = await testApp({ streams: ['orders', 'clicks', 'plain'] })
  await app.post(`${STREAMS}/orders/metadata/properties`, {
    body: '{"type":"Production","author":"Joe Bloggs"}',
  })
  await app.post(`${STREAMS}/clicks/metadata/tags`, { body: '["production","web"]' })
  await app.put(`${STREAMS}/clicks/properties`, {
    body: '{"format":{"name":"csv","schema":{"type":"record","name":"click","fields":[{"name":"visitor","type":["int","null"]}]}}}',
  })
  const searches: { query: string; target?: string; found: string[] }[] = [
    { query: 'production', found: ['clicks', 'orders'] },
    { query: 'PROD*', found: ['clicks', 'orders'] },
    { query: 'type:prod*', found: ['orders'] },
    { query: 'tags:production', found: ['clicks'] },
    { query: 'tags:prod* author:joe', found: ['clicks', 'orders'] },
    { query: 'joe', found: ['orders'] },
    { query: 'visitor', found: ['clicks'] },
    { query: 'visitor:int', found: ['clicks'] },
    { query: 'visitor:string', found: [] },
    { query: 'entity-name:plain', found: ['plain'] },
    { query: 'explore', found: ['clicks', 'orders', 'plain'] },
    { query: '*', found: ['clicks', 'orders', 'plain'] },
    { query: 'plain', target: 'stream', found: ['plain'] },
    { query: 'plain', target: 'dataset', found: [] },
    { query: 'nothing', found: [] },
    { query: '', found: [] },
    { query: '.*', found: [] },
  ]
  for (const { query, target, found } of searches) {
    const asked = new URLSearchParams({ query, ...(target && { target }) })
    const answer = await app.get(`/v3/namespaces/default/metadata/search?${asked}`)
    expect(answer.status, query).toBe(200)
    const entities = answer.json() as { entityId: { id: { streamName: string } } }[]
    expect(
      entities.map(({ entityId }) => entityId.id.streamName),
      query,
    ).toEqual(found)
  }
  const [one] = (await app.get('/v3/namespaces/default/metadata/search?query=web')).json() as unknown[]
  expect(one).toMatchObject({
    entityId: { id: { namespace: { id: 'default' }, streamName: 'clicks' }, type: 'stream' },
    metadata: { SYSTEM: { tags: ['explore'] }, USER: { properties: {}, tags: ['production', 'web'] } },
  })
})

const called = [
  'text',
  '',
  '{',
  'null',
  '5',
  '[]',
  '{"fields":5}',
  '{"fields":[null]}',
  '{"fields":[{"name":5}]}',
  '{"type":"record","name":"x","fields":[{"name":"own","type":"int"}]}',
]
test.each(called)('a property of a user that is called schema and is %s stops no search', async (schema) => {
  const app = await testApp({ streams: ['s', 't'] })
  expect((await app.post(`${M}/properties`, { body: JSON.stringify({ schema }) })).status).toBe(200)
  const found = await app.get('/v3/namespaces/default/metadata/search?query=body:string')
  expect([found.status, (found.json() as unknown[]).length]).toEqual([200, 2])
})

const hostile = [
  'a/b',
  'a%2Fb',
  '..',
  'ä😀',
  'a b',
  '"',
  '<script>',
  '\u0000',
  '\ud800',
  'a\nb',
  '__proto__',
  '*',
  'x:y',
]
test.each(hostile)('a tag and a property may be called %j, and be removed', async (name) => {
  const app = await testApp({ streams: ['s'], onDisk: true })
  await app.post(`${M}/tags`, { body: JSON.stringify([name, 'other']) })
  await app.post(`${M}/properties`, { body: JSON.stringify({ [name]: name, other: 'o' }) })
  await app.restart()
  expect(await noted(app)).toEqual([
    JSON.parse(JSON.stringify({ [name]: name, other: 'o' })),
    [name, 'other'],
  ])
  const path = encodeURIComponent(Buffer.from(name).toString())
  if (name !== Buffer.from(name).toString() || name === '..') return // no URL can name it; removing all of them can
  expect((await app.delete(`${M}/tags/${path}`)).status).toBe(200)
  expect((await app.delete(`${M}/properties/${path}`)).status).toBe(200)
  expect(await noted(app)).toEqual([{ other: 'o' }, ['other']])
})

test('a search finds what the grants include', async () => {
  const tokens = await tokenFile([{ name: 'all' }, { name: 'one', grants: ['default:a:read'] }])
  const app = await testApp({ config: { authFile: tokens.path } })
  for (const stream of ['a', 'b']) await app.put(`${STREAMS}/${stream}`, { headers: tokens.bearer('all') })
  const answer = await app.get('/v3/namespaces/default/metadata/search?query=*', {
    headers: tokens.bearer('one'),
  })
  expect(answer.text).toContain('"streamName":"a"')
  expect(answer.text).not.toContain('"streamName":"b"')
})

test('the lineage is empty, and says so', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  const answer = await app.get(`${STREAMS}/s/lineage?start=now-1h&end=now`)
  const end = NOW_MS / 1000
  expect(answer.json()).toEqual({ start: end - 3600, end, relations: [], data: {}, programs: {} })
})
