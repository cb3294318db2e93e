/** What stands in the head of every answer, whichever way it took; and what web pages of elsewhere get. */
import { describe, expect, test } from 'vitest'
import { rawRequest } from '../support/raw-http.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const HOST = 'Host: x\r\n'
const request = (method: string, path: string, headers = '', body = '') =>
  `${method} ${path} HTTP/1.1\r\n${HOST}${headers}Content-Length: ${body.length}\r\n\r\n${body}`

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
}

const answers = [
  { name: 'an event, directly', raw: request('POST', `${STREAMS}/s`, '', 'x'), status: 200 },
  { name: 'an event for later', raw: request('POST', `${STREAMS}/s/async`, '', 'x'), status: 202 },
  { name: 'an event through Hono', raw: request('POST', `${STREAMS}/s?`, '', 'x'), status: 200 },
  {
    name: 'a batch',
    raw: request('POST', `${STREAMS}/s/batch`, 'Content-Type: text/plain\r\n', 'x'),
    status: 200,
  },
  { name: 'events', raw: request('GET', `${STREAMS}/full/events`), status: 200 },
  { name: 'events in many pieces', raw: request('GET', `${STREAMS}/long/events`), status: 200 },
  { name: 'no events', raw: request('GET', `${STREAMS}/s/events?end=1`), status: 204 },
  { name: 'a list', raw: request('GET', STREAMS), status: 200 },
  { name: 'an unknown path', raw: request('GET', '/nope'), status: 404 },
  { name: 'a verb that is none here', raw: request('OPTIONS', '/ping'), status: 405 },
  { name: 'a body too large', raw: request('POST', `${STREAMS}/s`, '', 'x'.repeat(1001)), status: 413 },
  { name: 'an unknown expectation', raw: request('GET', '/ping', 'Expect: tea\r\n'), status: 417 },
  { name: 'a target that cannot be read', raw: 'GET /ping HTTP/1.1\r\nHost: a b\r\n\r\n', status: 400 },
  { name: 'no Host', raw: 'GET /ping HTTP/1.1\r\n\r\n', status: 400 },
  { name: 'no HTTP', raw: 'hello\r\n\r\n', status: 400 },
  { name: 'headers too large', raw: request('GET', '/ping', `a: ${'x'.repeat(17_000)}\r\n`), status: 431 },
]

test.each(answers)('$name: $status', async ({ raw, status }) => {
  const app = await testApp({ streams: ['s', 'full', 'long'], config: { eventBytesMax: 1000 } })
  await app.post(`${STREAMS}/full`, { body: 'x' })
  const lines = 'line of a text\n'.repeat(50_000)
  await app.post(`${STREAMS}/long/batch`, { headers: { 'Content-Type': 'text/plain' }, body: lines })
  const answer = await rawRequest(app.port, raw)
  expect(answer.status).toBe(status)
  expect(answer.headers).toMatchObject(ALWAYS)
  expect(answer.headers).not.toHaveProperty('strict-transport-security')
  expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})

test('HEAD: 200', async () => {
  const app = await testApp()
  expect((await app.request('HEAD', '/ping')).headers).toMatchObject(ALWAYS)
})

test.each([
  { name: 'what is no HTTP', raw: 'hello\r\n\r\n', text: /^the request is not HTTP: Parse Error: \w/ },
  {
    name: 'headers too large',
    raw: request('GET', '/ping', `a: ${'x'.repeat(17_000)}\r\n`),
    text: /^request line and headers have more than 16384 bytes; send fewer$/,
  },
])('$name is answered with a sentence', async ({ raw, text }) => {
  const app = await testApp()
  const answer = await rawRequest(app.port, raw)
  expect(answer.text).toMatch(text)
  expect(answer.headers).toMatchObject({ 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
})

describe('with --cors-origin', () => {
  const PAGE = 'https://page.example'
  const EXPOSED = 'Allow, ETag, Link, Location, Retry-After, WWW-Authenticate'
  const preflight = (origin: string, headers = '') =>
    request(
      'OPTIONS',
      `${STREAMS}/s`,
      `Origin: ${origin}\r\nAccess-Control-Request-Method: POST\r\n${headers}`,
    )

  function corsOf(headers: Readonly<Record<string, string>>) {
    return Object.fromEntries(
      Object.entries(headers).filter(([name]) => name.startsWith('access-control') || name === 'vary'),
    )
  }

  test('a page of that origin is answered, and may read what it needs', async () => {
    const app = await testApp({ streams: ['s'], config: { corsOrigins: [PAGE, 'http://other.example'] } })
    for (const origin of [PAGE, 'http://other.example']) {
      for (const path of [`${STREAMS}/s`, `${STREAMS}/s?`, `${STREAMS}/none`]) {
        const answer = await rawRequest(app.port, request('POST', path, `Origin: ${origin}\r\n`, 'x'))
        expect(answer.headers).toMatchObject(ALWAYS)
        expect(corsOf(answer.headers)).toEqual({
          'access-control-allow-origin': origin,
          'access-control-expose-headers': EXPOSED,
          vary: 'Origin',
        })
      }
    }
  })

  test('the question of its browser is answered, whichever headers it wants to send', async () => {
    const app = await testApp({ streams: ['s'], config: { corsOrigins: [PAGE] } })
    const asked = 'authorization,s.host,content-type'
    const answer = await rawRequest(app.port, preflight(PAGE, `Access-Control-Request-Headers: ${asked}\r\n`))
    expect(answer.status).toBe(204)
    expect(corsOf(answer.headers)).toEqual({
      'access-control-allow-origin': PAGE,
      'access-control-expose-headers': EXPOSED,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': asked,
      'access-control-max-age': '600',
      vary: 'Origin',
    })
  })

  test('a page of another origin gets no word of it, nor does a client without one', async () => {
    const app = await testApp({ streams: ['s'], config: { corsOrigins: [PAGE] } })
    const others = [
      preflight('https://page.example:444'),
      preflight('null'),
      request('POST', `${STREAMS}/s`, 'Origin: http://page.example\r\n', 'x'),
      request('POST', `${STREAMS}/s`, '', 'x'),
    ]
    const seen = []
    for (const raw of others) {
      const { status, headers } = await rawRequest(app.port, raw)
      seen.push([status, corsOf(headers)])
    }
    expect(seen).toEqual([
      [405, { vary: 'Origin' }],
      [405, { vary: 'Origin' }],
      [200, { vary: 'Origin' }],
      [200, { vary: 'Origin' }],
    ])
  })

  test('of * any page is answered', async () => {
    const app = await testApp({ streams: ['s'], config: { corsOrigins: ['*'] } })
    const { status, headers } = await rawRequest(app.port, preflight('https://anything.example'))
    expect([status, headers['access-control-allow-origin']]).toEqual([204, '*'])
  })
})

test('without it a browser gets no CORS headers', async () => {
  const app = await testApp({ streams: ['s'] })
  const { status, headers } = await rawRequest(
    app.port,
    request(
      'OPTIONS',
      `${STREAMS}/s`,
      'Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n',
    ),
  )
  expect(status).toBe(405)
  expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})
