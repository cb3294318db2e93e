import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const V2 = '/v2/streams'
const missing = plain(404, "'stream:default.nope' was not found.")
const badName = plain(
  400,
  'java.lang.IllegalArgumentException: Invalid stream ID: a.b. Should only contain alphanumeric characters and _ or -.',
)

test('a stream made there is one of the default namespace', async () => {
  const app = await testApp()
  expect(answerOf(await app.put(`${V2}/s`))).toEqual(empty(200))
  expect(answerOf(await app.put(`${V2}/s`, { chunks: [] }))).toEqual(empty(200))
  expect(answerOf(await app.get(STREAMS))).toEqual(json('[{"name":"s"}]'))
  expect(answerOf(await app.put(`${V2}/t`, { body: '{"ttl":5}' }))).toEqual(empty(200))
  expect((await app.get(`${STREAMS}/t`)).json()).toMatchObject({ ttl: 5 })
})

test('streams are listed as records', async () => {
  const app = await testApp({ streams: ['b', 'a'] })
  await app.put('/v3/namespaces/x')
  await app.put('/v3/namespaces/x/streams/elsewhere')
  const list = json('[{"type":"Stream","id":"a","name":"a"},{"type":"Stream","id":"b","name":"b"}]')
  expect(answerOf(await app.get(V2))).toEqual(list)
  expect(answerOf(await app.get(`${V2}/`))).toEqual(list)
  expect(answerOf(await app.get(`${V2}/a`))).toEqual(json('{"type":"Stream","id":"a","name":"a"}'))
})

test('info and config are the properties', async () => {
  const app = await testApp({ streams: ['s'] })
  const before = answerOf(await app.get(`${STREAMS}/s`))
  expect(answerOf(await app.get(`${V2}/s/info`))).toEqual(before)
  expect(answerOf(await app.put(`${V2}/s/config`, { body: '{"ttl":86400}' }))).toEqual(empty(200))
  expect((await app.get(`${V2}/s/info`)).text).toBe(before.text.replace(/"ttl":[0-9]+/, '"ttl":86400'))
})

test('events go in every way and come out again', async () => {
  const app = await testApp({ streams: ['s'] })
  const headers = { 's.k': 'v' }
  expect(answerOf(await app.post(`${V2}/s`, { headers, body: 'one' }))).toEqual(empty(200))
  expect(answerOf(await app.post(`${V2}/s/async`, { headers, body: 'two' }))).toEqual(empty(202))
  const batch = { headers: { ...headers, 'Content-Type': 'text/plain' }, body: 'three\nfour' }
  expect(answerOf(await app.post(`${V2}/s/batch`, batch))).toEqual(empty(200))
  const fromV2 = await app.get(`${V2}/s/events?start=0&limit=10`)
  expect(fromV2.headers['content-type']).toBe('application/json; charset=utf-8')
  expect(fromV2.json()).toEqual([
    { timestamp: 1_000_000, headers: { k: 'v' }, body: 'one' },
    { timestamp: 1_000_000, headers: { k: 'v' }, body: 'two' },
    { timestamp: 1_000_000, headers: { 'content.type': 'text/plain', k: 'v' }, body: 'three' },
    { timestamp: 1_000_000, headers: { 'content.type': 'text/plain', k: 'v' }, body: 'four' },
  ])
  expect((await app.get(`${STREAMS}/s/events`)).text).toBe(fromV2.text)
  expect(answerOf(await app.post(`${V2}/s/truncate`))).toEqual(empty(200))
  expect(answerOf(await app.get(`${V2}/s/events`))).toEqual(empty(204))
})

describe('what /v3 refuses is refused the same', () => {
  const requests = [
    { method: 'GET', path: '' },
    { method: 'GET', path: '/info' },
    { method: 'PUT', path: '/config', body: '{"ttl":1}' },
    { method: 'POST', path: '' },
    { method: 'POST', path: '/async' },
    { method: 'POST', path: '/batch' },
    { method: 'POST', path: '/truncate' },
  ]
  const ask = (app: TestApp, stream: string, { method, path, body = '' }: (typeof requests)[number]) =>
    app.request(method, `${V2}/${stream}${path}`, { body })

  test.each(requests)('$method …$path', async (request) => {
    const app = await testApp()
    expect(answerOf(await ask(app, 'nope', request))).toEqual(missing)
    expect(answerOf(await ask(app, 'a.b', request))).toEqual(badName)
  })

  test('reading and creating', async () => {
    const app = await testApp()
    expect(answerOf(await app.get(`${V2}/nope/events`))).toEqual(empty(404))
    expect(answerOf(await app.get(`${V2}/a.b/events`))).toEqual(badName)
    expect(answerOf(await app.get(`${V2}/nope/events?limit=0`))).toEqual(
      plain(400, 'Cannot request for <=0 events'),
    )
    expect(answerOf(await app.put(`${V2}/a.b`))).toEqual(badName)
    expect(answerOf(await app.put(`${V2}/s`, { body: '{"ttl":-1}' }))).toEqual(
      plain(400, 'TTL value should be positive.'),
    )
  })

  test.each([
    { method: 'DELETE', path: `${V2}/s`, allow: 'GET, HEAD, POST, PUT' },
    { method: 'PUT', path: `${V2}/s/info`, allow: 'GET, HEAD' },
    { method: 'GET', path: `${V2}/s/config`, allow: 'PUT' },
    { method: 'GET', path: `${V2}/s/truncate`, allow: 'POST' },
  ])('$method $path is no verb of it', async ({ method, path, allow }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await app.request(method, path)
    expect(answerOf(answer)).toEqual(plain(405, `Problem accessing: ${path}. Reason: Method Not Allowed`))
    expect(answer.headers.allow).toBe(allow)
  })

  test.each(['/v2', '/v2/', `${V2}/s/properties`, `${V2}/s/programs`, '/v2/namespaces'])(
    '%s is no path of it',
    async (path) => {
      const app = await testApp({ streams: ['s'] })
      expect(answerOf(await app.get(path))).toEqual(
        plain(404, `Problem accessing: ${path}. Reason: Not Found`),
      )
    },
  )
})
