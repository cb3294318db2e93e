/** Metadata of streams and views: properties and tags of both scopes, search, and the empty lineage. */
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

const V = `${STREAMS}/s/views/v`
const VIEW = '{"format":{"name":"text"}}'
const VIEW_ENTITY = { id: { stream: ENTITY.id, id: 'v' }, type: 'view' }

const noted = async (app: TestApp, metadata = M) => [
  (await app.get(`${metadata}/properties?scope=user`)).json(),
  (await app.get(`${metadata}/tags?scope=USER`)).json(),
]

const ofWhat = [
  { of: 'stream stream:default.s', metadata: M, dot: '.' },
  { of: 'view stream_view:default.s.v', metadata: `${V}/metadata`, dot: '' },
]
test.each(ofWhat)(
  'what is noted of $of is there, with the texts of CDAP, until it is removed',
  async ({ of, metadata, dot }) => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
    await app.put(V, { body: VIEW })
    const [, name] = of.split(' ')
    const steps = [
      {
        verb: 'POST',
        path: '/properties',
        body: '{"owner":"ann","stage":"test"}',
        text: `Metadata added successfully to ${name}`,
        after: [{ owner: 'ann', stage: 'test' }, []],
      },
      {
        verb: 'POST',
        path: '/properties',
        body: '{"stage":"live","n":5}',
        text: `Metadata added successfully to ${name}`,
        after: [{ owner: 'ann', stage: 'live', n: '5' }, []],
      },
      {
        verb: 'POST',
        path: '/tags',
        body: '["a","b","a"]',
        text: `Added tags to ${of} successfully${dot}`,
        after: [{ owner: 'ann', stage: 'live', n: '5' }, ['a', 'b']],
      },
      {
        verb: 'POST',
        path: '/tags',
        body: '["c","a"]',
        text: `Added tags to ${of} successfully${dot}`,
        after: [{ owner: 'ann', stage: 'live', n: '5' }, ['a', 'b', 'c']],
      },
      {
        verb: 'DELETE',
        path: '/properties/n',
        text: `Metadata property n for ${of} deleted successfully.`,
        after: [{ owner: 'ann', stage: 'live' }, ['a', 'b', 'c']],
      },
      {
        verb: 'DELETE',
        path: '/properties/nope',
        text: `Metadata property nope for ${of} deleted successfully.`,
        after: [{ owner: 'ann', stage: 'live' }, ['a', 'b', 'c']],
      },
      {
        verb: 'DELETE',
        path: '/tags/b',
        text: `Tag b for ${of} deleted successfully.`,
        after: [{ owner: 'ann', stage: 'live' }, ['a', 'c']],
      },
      {
        verb: 'DELETE',
        path: '/tags',
        text: `Tags for ${of} deleted successfully.`,
        after: [{ owner: 'ann', stage: 'live' }, []],
      },
      {
        verb: 'POST',
        path: '/tags',
        body: '["z"]',
        text: `Added tags to ${of} successfully${dot}`,
        after: [{ owner: 'ann', stage: 'live' }, ['z']],
      },
      {
        verb: 'DELETE',
        path: '/properties',
        text: `Metadata properties for ${of} deleted successfully.`,
        after: [{}, ['z']],
      },
      {
        verb: 'DELETE',
        path: '',
        text: `Metadata for ${of} deleted successfully.`,
        after: [{}, []],
      },
    ]
    for (const { verb, path, body = '', text, after } of steps) {
      const answer = await app.request(verb, metadata + path, { body })
      expect([answer.status, answer.text], `${verb} ${path}`).toEqual([200, text])
      expect(await noted(app, metadata), `${verb} ${path}`).toEqual(after)
      await app.restart()
      expect(await noted(app, metadata), `${verb} ${path} after a restart`).toEqual(after)
    }
  },
)

test('a view has metadata of its own', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  await app.put(V, { body: VIEW })
  await app.post(`${V}/metadata/properties`, { body: '{"owner":"ann"}' })
  await app.post(`${M}/tags`, { body: '["x"]' })
  expect((await app.get(`${V}/metadata`)).json()).toEqual([
    { entityId: VIEW_ENTITY, scope: 'USER', properties: { owner: 'ann' }, tags: [] },
    {
      entityId: VIEW_ENTITY,
      scope: 'SYSTEM',
      properties: { 'entity-name': 'v', schema: SCHEMA },
      tags: ['s'],
    },
  ])
  expect(await noted(app)).toEqual([{}, ['x']])
})

const endings = [
  { name: 'the view', path: V },
  { name: 'its stream', path: `${STREAMS}/s` },
  { name: 'its namespace', path: '/v3/unrecoverable/namespaces/default' },
]
test.each(endings)('metadata of a view goes with $name, and does not come back', async ({ path }) => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
  await app.put(V, { body: VIEW })
  await app.post(`${V}/metadata/tags`, { body: '["x"]' })
  await app.post(`${STREAMS}/s/truncate`)
  await app.put(V, { body: VIEW })
  expect(await noted(app, `${V}/metadata`)).toEqual([{}, ['x']])
  expect((await app.delete(path)).status).toBe(200)
  expect((await app.get(`${V}/metadata`)).status).toBe(404)
  for (const restart of [false, true]) {
    if (restart) await app.restart()
    await app.put(`${STREAMS}/s`)
    await app.put(V, { body: VIEW })
    expect(await noted(app, `${V}/metadata`)).toEqual([{}, []])
  }
})

test('deleting one of two views leaves what is noted of the other and of the stream', async () => {
  const app = await testApp({ streams: ['s'], onDisk: true })
  for (const view of ['v', 'w']) await app.put(`${STREAMS}/s/views/${view}`, { body: VIEW })
  for (const path of [`${STREAMS}/s`, V, `${STREAMS}/s/views/w`]) {
    await app.post(`${path}/metadata/tags`, { body: '["x"]' })
  }
  await app.delete(V)
  await app.restart()
  expect(await noted(app)).toEqual([{}, ['x']])
  expect(await noted(app, `${STREAMS}/s/views/w/metadata`)).toEqual([{}, ['x']])
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
  ...['GET', 'DELETE'].flatMap((verb) => [
    {
      verb,
      path: `${V}/metadata`,
      status: 404,
      text: "'stream_view:default.s.v' was not found.",
    },
    {
      verb,
      path: `${STREAMS}/s/views/a.b/metadata`,
      status: 400,
      text: 'java.lang.IllegalArgumentException: Invalid view ID: a.b. Should only contain alphanumeric characters and _ or -.',
    },
    {
      verb,
      path: `${STREAMS}/nope/views/v/metadata/tags`,
      status: 404,
      text: "'stream:default.nope' was not found.",
    },
  ]),
  {
    verb: 'POST',
    path: `${V}/metadata/tags`,
    body: '["a"]',
    status: 404,
    text: "'stream_view:default.s.v' was not found.",
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
    expect.stringMatching(/^the metadata would have 1\d{4} bytes; keep it within 10240$/),
  ])
})

test('names that mean something to JavaScript are names', async () => {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${M}/properties`, { body: '{"__proto__":"a","constructor":"b"}' })
  expect((await app.get(`${M}/properties?scope=user`)).text).toBe('{"__proto__":"a","constructor":"b"}')
})

interface NestedId {
  readonly streamName?: string
  readonly stream?: { readonly streamName: string }
  readonly id?: string
}

test('searching', async () => {
  const app = await testApp({ streams: ['orders', 'clicks', 'plain'] })
  await app.post(`${STREAMS}/orders/metadata/properties`, {
    body: '{"type":"Production","author":"Joe Bloggs"}',
  })
  await app.post(`${STREAMS}/clicks/metadata/tags`, { body: '["production","web"]' })
  await app.put(`${STREAMS}/clicks/properties`, {
    body: '{"format":{"name":"csv","schema":{"type":"record","name":"click","fields":[{"name":"visitor","type":["int","null"]}]}}}',
  })
  await app.put(`${STREAMS}/plain/views/hits`, {
    body: '{"format":{"name":"csv","schema":{"type":"record","name":"hit","fields":[{"name":"page","type":"string"}]}}}',
  })
  await app.post(`${STREAMS}/plain/views/hits/metadata/properties`, { body: '{"owner":"ann"}' })
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
    { query: '*', found: ['clicks', 'orders', 'plain', 'plain/hits'] },
    { query: '*', target: 'stream', found: ['clicks', 'orders', 'plain'] },
    { query: '*', target: 'View', found: ['plain/hits'] },
    { query: 'owner:ann', found: ['plain/hits'] },
    { query: 'owner:ann', target: 'stream', found: [] },
    { query: 'page:string', target: 'view', found: ['plain/hits'] },
    { query: 'plain', target: 'stream', found: ['plain'] },
    { query: 'plain', target: 'all', found: ['plain', 'plain/hits'] },
    { query: 'plain', target: 'dataset', found: [] },
    { query: 'nothing', found: [] },
    { query: '', found: [] },
    { query: '.*', found: [] },
  ]
  for (const { query, target, found } of searches) {
    const asked = new URLSearchParams({ query, ...(target && { target }) })
    const answer = await app.get(`/v3/namespaces/default/metadata/search?${asked}`)
    expect(answer.status, query).toBe(200)
    const entities = answer.json() as { entityId: { id: NestedId } }[]
    expect(
      entities.map(({ entityId: { id } }) => id.streamName ?? `${id.stream!.streamName}/${id.id}`),
      `${query} ${target}`,
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
  for (const stream of ['a', 'b']) {
    await app.put(`${STREAMS}/${stream}`, { headers: tokens.bearer('all') })
    await app.put(`${STREAMS}/${stream}/views/v`, { headers: tokens.bearer('all'), body: VIEW })
  }
  const answer = await app.get('/v3/namespaces/default/metadata/search?query=*', {
    headers: tokens.bearer('one'),
  })
  expect(answer.text).toContain('"streamName":"a"},"type":"stream"')
  expect(answer.text).toContain('"streamName":"a"},"id":"v"')
  expect(answer.text).not.toContain('"streamName":"b"')
})

test('the lineage is empty, and says so', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  const answer = await app.get(`${STREAMS}/s/lineage?start=now-1h&end=now`)
  const end = NOW_MS / 1000
  expect(answer.json()).toEqual({ start: end - 3600, end, relations: [], data: {}, programs: {} })
})

const farTimes = [
  { query: 'start=0&end=9223372036854775807', start: '0', end: '9223372036854775807' },
  { query: 'end=9223372036854775807', start: '0', end: '9223372036854775807' },
  { query: 'start=9223372036854775807&end=9223372036854775807', start: '9223372036854775807' },
  { query: 'start=1&end=9007199254740993&levels=2', start: '1', end: '9007199254740993' },
  { query: 'start=now&end=now%2B9223372036854775807d', end: '9223372036854775807' },
]
test.each(farTimes)('the lineage of $query is told with all its digits', async ({ query, start, end }) => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  const { status, text } = await app.get(`${STREAMS}/s/lineage?${query}`)
  const [from, to] = [start ?? `${NOW_MS / 1000}`, end ?? '9223372036854775807']
  expect([status, text]).toEqual([
    200,
    `{"start":${from},"end":${to},"relations":[],"data":{},"programs":{}}`,
  ])
})

const wrongTimes = ['9223372036854775808', '99999999999999999999999', '-1', '1.5', 'tomorrow']
test.each(wrongTimes)('a lineage that ends at %s is refused', async (end) => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
  expect((await app.get(`${STREAMS}/s/lineage?start=0&end=${end}`)).status).toBe(400)
})
