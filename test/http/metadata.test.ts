/** Metadata of streams and views: properties and tags of both scopes, search, and the empty lineage. */
import { describe, expect, test } from 'vitest'
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

/** Of metadata, and of searches in the form of CDAP 4 and 5: clients of CDAP 5 read the members behind the type. */
const ENTITY_OF_ALL = { ...ENTITY, namespace: 'default', stream: 's', entity: 'STREAM' }
const VIEW_ENTITY_OF_ALL = {
  ...VIEW_ENTITY,
  namespace: 'default',
  stream: 's',
  view: 'v',
  entity: 'STREAM_VIEW',
}

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
    { entityId: VIEW_ENTITY_OF_ALL, scope: 'USER', properties: { owner: 'ann' }, tags: [] },
    {
      entityId: VIEW_ENTITY_OF_ALL,
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
    { entityId: ENTITY_OF_ALL, scope: 'USER', properties: user, tags: ['explore', 'x'] },
    { entityId: ENTITY_OF_ALL, scope: 'SYSTEM', properties: system, tags: ['explore'] },
  ])
  expect((await app.get(`${M}?scope=system`)).json()).toEqual([
    { entityId: ENTITY_OF_ALL, scope: 'SYSTEM', properties: system, tags: ['explore'] },
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
test.each(farTimes)('the lineage of $query has all its digits', async ({ query, start, end }) => {
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

describe('a search that asks for pages', () => {
  const SEARCH = '/v3/namespaces/default/metadata/search'

  interface PageJson {
    readonly total: number
    readonly results: { readonly entityId: { readonly id: NestedId } }[]
    readonly cursors: string[]
  }

  async function appWithFour(): Promise<TestApp> {
    const app = await testApp({ nowMs: NOW_MS })
    for (const stream of ['b', 'A', 'c', '_hidden']) {
      await app.put(`${STREAMS}/${stream}`)
      app.nowMs += 1000
    }
    await app.put(`${STREAMS}/b/views/a2`, { body: VIEW })
    await app.post(`${STREAMS}/c/metadata/tags`, { body: '["x","x1"]' })
    await app.post(`${STREAMS}/A/metadata/tags`, { body: '["x"]' })
    return app
  }

  const search = async (app: TestApp, query: string) => {
    const answer = await app.get(`${SEARCH}?${query}`)
    expect(answer.status, answer.text).toBe(200)
    expect(answer.headers['content-type']).toBe('application/json')
    return answer.json() as PageJson
  }

  const names = ({ results }: PageJson) =>
    results.map(({ entityId: { id } }) => id.streamName ?? `${id.stream!.streamName}/${id.id}`)

  test('answers to the letter as CDAP 4 does', async () => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
    await app.post(`${M}/tags`, { body: '["x"]' })
    const answer = await app.get(`${SEARCH}?query=x&offset=0&limit=2147483647&numCursors=0`)
    const user = '"USER":{"properties":{},"tags":["x"]}'
    const system = `"SYSTEM":${JSON.stringify({ properties: SYSTEM, tags: ['explore'] })}`
    const result = `{"entityId":${JSON.stringify(ENTITY_OF_ALL)},"metadata":{${user},${system}}}`
    expect(answer.text).toBe(
      `{"sort":"null WEIGHTED","offset":0,"limit":2147483647,"numCursors":0,"total":1,"results":[${result}],"cursors":[],"showHidden":false,"entityScope":["USER","SYSTEM"]}`,
    )
  })

  const anyOfThem = [
    'offset=0',
    'limit=5',
    'numCursors=0',
    'cursor=',
    'sort=',
    'showHidden=false',
    'entityScope=user',
    'responseFormat=v4',
    'responseFormat=v5',
  ]
  test.each(anyOfThem)('%s is enough for the object', async (parameter) => {
    const app = await testApp({ streams: ['s'] })
    expect(await search(app, `query=*&${parameter}`)).toMatchObject({ total: 1, offset: 0, cursors: [] })
  })

  test.each(['', '&target=stream', '&responseFormat=v3', '&responseFormat=v3&limit=1'])(
    'query=*%s is answered with an array, as in CDAP 3',
    async (parameters) => {
      const app = await testApp({ streams: ['s', 't'] })
      expect((await app.get(`${SEARCH}?query=*${parameters}`)).json()).toHaveLength(2)
    },
  )

  test('HEAD tells the type', async () => {
    const app = await testApp({ streams: ['s'] })
    const { status, headers, text } = await app.request('HEAD', `${SEARCH}?query=*&limit=5`)
    expect([status, headers['content-type'], text]).toEqual([200, 'application/json', ''])
  })

  const pages: { query: string; found: string[]; total?: number; cursors?: string[]; more?: object }[] = [
    { query: 'query=x*&limit=9', found: ['c', 'A'] }, // c has two such tags
    { query: 'query=x*&limit=1', found: ['c'], total: 2 },
    { query: 'query=x*&limit=1&offset=1', found: ['A'], total: 2, more: { offset: 1, limit: 1 } },
    { query: 'query=x*&offset=2', found: [], total: 2 },
    { query: 'query=x*&offset=2147483647&limit=2147483647', found: [], total: 2 },
    { query: 'query=x*&limit=0', found: [], total: 2 },
    { query: 'query=x*&target=VIEW&limit=9', found: [] },
    { query: 'query=x*&target=dataset&target=stream&limit=9', found: ['c', 'A'] },
    { query: 'query=x*&target=NAMESPACE&limit=9', found: [] },
    { query: 'query=nothing&limit=9', found: [] },
    { query: 'query=x*&entityScope=User', found: ['c', 'A'], more: { entityScope: ['USER'] } },
    { query: 'query=x*&entityScope=SYSTEM', found: [], more: { entityScope: ['SYSTEM'] } },
    {
      query: 'query=entity-name:_hid*&showHidden=true',
      found: ['_hidden'],
      more: { showHidden: true },
    },
    { query: 'query=entity-name:_hid*&showHidden=false', found: [] },
    {
      query: 'query=*&sort=entity-name+asc',
      found: ['A', 'b/a2', 'b', 'c'],
      more: { sort: 'entity-name ASC' },
    },
    { query: 'query=*&sort=Entity-Name%20%20DESC', found: ['c', 'b', 'b/a2', 'A'] },
    { query: 'query=*&sort=creation-time+asc', found: ['b', 'A', 'c'] }, // a view has none
    {
      query: 'query=*&sort=creation-time+desc',
      found: ['c', 'A', 'b'],
      more: { sort: 'creation-time DESC' },
    },
    {
      query: 'query=*&sort=entity-name+asc&limit=1&numCursors=2',
      found: ['A'],
      total: 4,
      cursors: ['a2:b:a2', 'b:b'],
    },
    {
      query: 'query=*&sort=entity-name+asc&limit=3&numCursors=9',
      found: ['A', 'b/a2', 'b'],
      total: 4,
      cursors: ['c:c'],
      more: { numCursors: 9 },
    },
    { query: 'query=*&sort=entity-name+asc&limit=2&cursor=a2:b:a2', found: ['b/a2', 'b'], total: 4 },
    { query: 'query=*&sort=entity-name+asc&limit=2&cursor=b', found: ['b', 'c'], total: 4 },
    { query: 'query=*&sort=entity-name+asc&limit=2&offset=1&cursor=b:b', found: ['c'], total: 4 },
    { query: 'query=*&sort=entity-name+asc&cursor=b:a', found: ['b', 'c'], total: 4 }, // is gone
    { query: 'query=*&sort=entity-name+asc&cursor=z', found: [], total: 4 },
    { query: 'query=*&sort=entity-name+desc&cursor=b', found: ['b', 'b/a2', 'A'], total: 4 },
    { query: 'query=*&sort=entity-name+asc&limit=0&numCursors=5', found: [], total: 4, cursors: [] },
  ]
  test.each(pages)('$query', async ({ query, found, total = found.length, cursors = [], more = {} }) => {
    const page = await search(await appWithFour(), query)
    expect(names(page)).toEqual(found)
    expect(page).toMatchObject({ total, cursors, ...more })
  })

  test('goes through everything by its cursors', async () => {
    const app = await appWithFour()
    const seen: string[] = []
    let cursor: string | undefined = ''
    while (cursor !== undefined) {
      const page: PageJson = await search(
        app,
        `query=*&sort=entity-name+asc&limit=1&numCursors=1&cursor=${cursor}`,
      )
      seen.push(...names(page))
      cursor = page.cursors[0]
    }
    expect(seen).toEqual(['A', 'b/a2', 'b', 'c'])
  })

  const refused = [
    { query: 'limit=-1', text: 'limit must not be negative' },
    { query: 'offset=-5', text: 'offset must not be negative' },
    { query: 'limit=x', text: "limit is 'x'; use a whole number from 0 to 2147483647" },
    { query: 'limit=', text: "limit is ''; use a whole number from 0 to 2147483647" },
    { query: 'offset=2147483648', text: "offset is '2147483648'; use a whole number from 0 to 2147483647" },
    { query: 'numCursors=1', text: 'Cursors are not supported when sort info is not specified.' },
    { query: 'cursor=a', text: 'Cursors are not supported when sort info is not specified.' },
    {
      query: 'sort=name',
      text: "sort is 'name'; use entity-name or creation-time, a space, and asc or desc",
    },
    {
      query: 'sort=entity-name+up',
      text: "sort is 'entity-name up'; use entity-name or creation-time, a space, and asc or desc",
    },
    { query: 'showHidden=1', text: "showHidden is '1'; use true or false" },
    {
      query: 'entityScope=x',
      text: "Invalid entity scope 'x'. Expected 'USER' or 'SYSTEM' for entities from specified scope, or just omit the parameter to get entities from both scopes",
    },
    {
      query: 'responseFormat=v6',
      text: "responseFormat is 'v6'; use v3 for an array, v4 or v5 for an object",
    },
  ]
  test.each(refused)('$query is refused', async ({ query, text }) => {
    const answer = await (await testApp()).get(`${SEARCH}?query=*&${query}`)
    expect([answer.status, answer.text]).toEqual([400, text])
  })

  test('finds, and counts, what the grants include', async () => {
    const tokens = await tokenFile([{ name: 'all' }, { name: 'one', grants: ['default:a:read'] }])
    const app = await testApp({ config: { authFile: tokens.path } })
    for (const stream of ['a', 'b']) await app.put(`${STREAMS}/${stream}`, { headers: tokens.bearer('all') })
    const answer = await app.get(`${SEARCH}?query=*&sort=entity-name+asc&limit=1&numCursors=5`, {
      headers: tokens.bearer('one'),
    })
    expect(answer.json()).toMatchObject({ total: 1, results: [{}], cursors: [] })
  })
})
