/** Heads that two readers could take for two requests: the service and a proxy before it, or two routes of the service. */
import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { rawRequest } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const PATHS = [
  `POST ${STREAMS}/s`,
  `POST ${STREAMS}/s/async`,
  `POST ${STREAMS}/s/batch`,
  `POST ${STREAMS}/s?x=1`,
  `PUT ${STREAMS}/s`,
]

describe('a request with', () => {
  const refused = [
    {
      name: 'two hosts',
      lines: 'Host: a\r\nHost: b',
      text: 'the request cannot be read: it has two Host headers; send one',
    },
    {
      name: 'one host twice',
      lines: 'Host: a\r\nhost: a',
      text: 'the request cannot be read: it has two Host headers; send one',
    },
    {
      name: 'no host',
      lines: 'X: y',
      text: 'the request cannot be read: it has no Host header, which HTTP/1.1 needs',
    },
    ...[
      'a b',
      'a/b',
      'http://a',
      'user@a',
      'a:b',
      'a"b',
      '[::1',
      '<a>',
      'a\\b',
      'a?b',
      'a#b',
      'a, b',
      'caf\xe9',
    ].map((host) => ({
      name: `the host ${host}`,
      lines: `Host: ${host}`,
      text: 'the request cannot be read: its Host header is no name or address of a host; send one, with a port if need be',
    })),
    {
      name: 'two types',
      lines: 'Host: a\r\nContent-Type: text/plain\r\nContent-type: text/csv',
      text: 'the request cannot be read: it has two Content-Type headers that differ; send one',
    },
  ]
  test.each(refused)('$name is refused on every path', async ({ lines, text }) => {
    const app = await testApp({ streams: ['s'] })
    for (const path of [...PATHS, 'GET /status', 'GET /nowhere']) {
      for (const more of ['', 'Expect: 100-continue\r\n']) {
        const answer = await rawRequest(
          app.port,
          `${path} HTTP/1.1\r\n${lines}\r\n${more}Content-Length: 1\r\n\r\nx`,
        )
        expect(answerOf(answer)).toEqual(plain(400, text))
        expect(answer.headers.connection).toBe('close')
      }
    }
    expect(await app.events('s')).toEqual([])
    expect(app.reported).toEqual([])
  })

  const taken = [
    { name: 'one host', lines: 'Host: streams.example.org:11015' },
    { name: 'an address', lines: 'HOST: [::1]:11015' },
    { name: 'a host without a port', lines: 'Host: a:' },
    { name: 'an empty host', lines: 'Host:' },
    { name: 'a host with an underscore', lines: 'Host: a_b' },
    {
      name: 'any Authorization, where no tokens are required,',
      lines: 'Host: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b',
    },
    { name: 'one type twice', lines: 'Host: a\r\nContent-Type: text/plain\r\nContent-Type: text/plain' },
  ]
  test.each(taken)('$name is taken', async ({ lines }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await rawRequest(
      app.port,
      `POST ${STREAMS}/s HTTP/1.1\r\n${lines}\r\nContent-Length: 1\r\n\r\nx`,
    )
    expect(answerOf(answer)).toEqual(empty(200))
  })

  test('two tokens that differ is refused where tokens are required', async () => {
    const tokens = await tokenFile([{ name: 'all' }, { name: 'other' }])
    const app = await testApp({ config: { authFile: tokens.path } })
    const answerTo = (first: string, second: string) =>
      rawRequest(
        app.port,
        `PUT ${STREAMS}/s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${first}\r\nauthorization: Bearer ${second}\r\n\r\n`,
      )
    const { all, other } = tokens.secrets as { all: string; other: string }
    const text = 'the request cannot be read: it has two Authorization headers that differ; send one'
    expect(answerOf(await answerTo(all, other))).toEqual(plain(400, text))
    expect(answerOf(await answerTo(all, 'nonsense'))).toEqual(plain(400, text))
    expect(answerOf(await answerTo(all, all))).toEqual(empty(200))
  })

  test('no host in HTTP/1.0 is taken, and so is a whole URL', async () => {
    const app = await testApp({ streams: ['s'] })
    expect((await rawRequest(app.port, 'GET /ping HTTP/1.0\r\n\r\n')).status).toBe(200)
    const whole = `POST http://elsewhere.example${STREAMS}/s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx`
    expect(answerOf(await rawRequest(app.port, whole))).toEqual(empty(200))
    expect((await app.events('s')).length).toBe(1)
  })
})

describe('a slash at the end', () => {
  const same = [
    { request: 'GET /ping', status: 200 },
    { request: 'GET /status', status: 200 },
    { request: 'GET /metrics', status: 200 },
    { request: 'GET /v3/version', status: 200 },
    { request: 'GET /v3/system/services/status', status: 200 },
    { request: 'GET /v3/namespaces', status: 200 },
    { request: 'GET /v3/namespaces/default', status: 200 },
    { request: `GET ${STREAMS}`, status: 200 },
    { request: `GET ${STREAMS}/s`, status: 200 },
    { request: `GET ${STREAMS}/s/events`, status: 204 },
    { request: `GET ${STREAMS}/s/events`, query: '?limit=1', status: 204 },
    { request: `GET ${STREAMS}/s/export`, status: 200 },
    { request: `GET ${STREAMS}/s/views`, status: 200 },
    { request: `GET ${STREAMS}/s/metadata/tags`, query: '?scope=user', status: 200 },
    { request: 'GET /v2/streams', status: 200 },
    { request: 'GET /v2/streams/s/info', status: 200 },
    { request: 'POST /v2/streams/s', status: 200 },
    { request: `PUT ${STREAMS}/t`, status: 200 },
    { request: `PUT ${STREAMS}/s/properties`, status: 400 },
    { request: `POST ${STREAMS}/s`, status: 200 },
    { request: `POST ${STREAMS}/s`, query: '?x=/', status: 200 },
    { request: `POST ${STREAMS}/s/async`, status: 202 },
    { request: `POST ${STREAMS}/s/truncate`, status: 200 },
    { request: `POST ${STREAMS}/missing`, status: 404 },
    { request: `PATCH ${STREAMS}/s`, status: 405 },
    { request: 'GET /nowhere', status: 404 },
  ]
  test.each(same)('of $request is none', async ({ request, query = '', status }) => {
    const app = await testApp({ streams: ['s'] })
    const [method, path] = request.split(' ') as [string, string]
    const body = method === 'POST' ? 'x' : ''
    expect((await app.request(method, `${path}${query}`, { body })).status).toBe(status)
    expect((await app.request(method, `${path}/${query}`, { body })).status).toBe(status)
    expect((await app.request(method, `${path}//${query}`, { body })).status).toBe(404)
    expect([400, 404, 405]).toContain((await app.request(method, `${path}%2F${query}`, { body })).status)
    expect(app.reported).toEqual([])
  })

  test('stores the event in the stream, with its headers', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s/`, { body: 'one', headers: { 's.k': 'v' } })
    await app.post(`${STREAMS}/s/`, { chunks: [Buffer.from('two')], headers: { 's.k': 'v' } })
    await app.post(`${STREAMS}/s/batch/`, { body: 'three', headers: { 'Content-Type': 'text/plain' } })
    expect((await app.events('s')).map(({ body }) => body)).toEqual(['one', 'two', 'three'])
  })

  test('that is encoded is a character of the name, not a slash', async () => {
    const app = await testApp({ streams: ['s'] })
    for (const path of [`${STREAMS}/s%2F`, `${STREAMS}/s%2f`, `${STREAMS}/s%2F/`, `${STREAMS}/s%252F`]) {
      expect((await app.post(path, { body: 'x' })).status, path).toBe(400)
      expect((await app.delete(path)).status, path).toBe(400)
    }
    expect(await app.events('s')).toEqual([])
  })

  test('opens nothing that a token may not have', async () => {
    const tokens = await tokenFile([{ name: 'reader', grants: ['default:s:read'] }, { name: 'all' }])
    const app = await testApp({ config: { authFile: tokens.path } })
    const as = (name: string) => ({ headers: { Authorization: `Bearer ${tokens.secrets[name]}` } })
    await app.put(`${STREAMS}/s`, as('all'))
    await app.put(`${STREAMS}/t`, as('all'))
    const statusOf = async (request: Promise<{ status: number }>) => (await request).status
    expect(await statusOf(app.get(`${STREAMS}/s/events/`))).toBe(401)
    expect(await statusOf(app.post(`${STREAMS}/s/`, { body: 'x' }))).toBe(401)
    expect(await statusOf(app.get(`${STREAMS}/s/events/`, as('reader')))).toBe(204)
    expect(await statusOf(app.get(`${STREAMS}/t/events/`, as('reader')))).toBe(403)
    expect(await statusOf(app.post(`${STREAMS}/s/`, { ...as('reader'), body: 'x' }))).toBe(403)
    expect(await statusOf(app.post(`${STREAMS}/s/async/`, { ...as('reader'), body: 'x' }))).toBe(403)
    expect(await statusOf(app.delete(`${STREAMS}/s/`, as('reader')))).toBe(403)
    expect(await statusOf(app.put(`${STREAMS}/u/`, as('reader')))).toBe(403)
    expect(answerOf(await app.get(`${STREAMS}/`, as('reader')))).toEqual(json('[{"name":"s"}]'))
    expect(await statusOf(app.get('/status/'))).toBe(200)
    expect(await statusOf(app.delete(`${STREAMS}/t/`, as('all')))).toBe(200)
    expect(app.logged.some((line) => line.includes('"stream.delete"') && line.includes('"t"'))).toBe(true)
  })

  test('is no part of the link to the next page', async () => {
    const app: TestApp = await testApp({ streams: ['s'] })
    for (const body of ['1', '2']) await app.post(`${STREAMS}/s`, { body })
    const { headers } = await app.get(`${STREAMS}/s/events/?limit=1`)
    expect(headers.link).toMatch(new RegExp(`^<${STREAMS}/s/events\\?limit=1&after=[^>]+>; rel="next"$`))
  })
})
