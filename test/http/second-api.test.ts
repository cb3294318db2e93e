/**
 * What one more API takes: a value, and a line in the list of APIs. Its routes get access control, audit and its own errors,
 * also where a request is refused before any route; the errors of CDAP stay as they are.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Api, apiOf, pathOf } from '../../src/http/api.ts'
import { APIS } from '../../src/http/app.ts'
import { answerJson } from '../../src/http/messages/answers.ts'
import { documentReader } from '../../src/http/messages/documents.ts'
import { readJson } from '../../src/http/messages/json-document.ts'
import type { ProblemShape } from '../../src/http/server/problem.ts'
import { ServiceError } from '../../src/service-error.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { rawRequest } from '../support/raw-http.ts'
import {
  STREAMS,
  type TestApp,
  type TestAppOptions,
  type TestResponse,
  testApp,
} from '../support/test-app.ts'
import { secretNumber, tokenFile } from '../support/tokens.ts'

const NOW_MS = 1_000_000

const asJson: ProblemShape = ({ status, code, text }) => ({
  contentType: 'application/json; charset=UTF-8',
  text: JSON.stringify({ errors: [{ status, code, text }] }),
})
const asXml: ProblemShape = ({ code }) => ({ contentType: 'application/xml', text: `<error>${code}</error>` })

/** Requests of its route `wait` end when this is called. */
let endWaiting: () => void = () => {}

const SECOND: Api = {
  name: 'second',
  owns: (path) => /^\/second(?:\/|$)/.test(path),
  problemShape: (accept) => (accept === 'application/xml' ? asXml : asJson),
  noRoute: (target, status) => `${status === 404 ? 'no' : 'other methods at'} ${target}`,
  routes({ streams }, options) {
    const documents = {
      api: 'second',
      parsers: {
        name: (body: Uint8Array, depthMax: number) =>
          readJson(body, depthMax, ({ message }) => new ServiceError('invalid_parameter', message)),
      },
      slow: new Set<never>(),
    } as const
    const readDocument = documentReader(documents, options)
    const S = '/second/:namespace/:stream'
    return [
      ['GET', '/second/wait', 'client', (c) => waiting(c.req.path)],
      [
        'GET',
        '/second/failing/:how',
        'client',
        (c) => {
          if (c.req.param('how') === 'bug') throw new Error('a bug')
          if (c.req.param('how') === 'disk') throw new StorageError('unavailable', 'the disk is gone')
          return answerJson(c, streams.get({ namespace: 'default', stream: 'none' } as never))
        },
      ],
      ['GET', S, 'read', (c) => answerJson(c, c.req.param())],
      ['PUT', S, 'admin', async (c) => answerJson(c, String(await readDocument(c, 'name'))), 'stream.create'],
      ['POST', S, 'write', (c) => answerJson(c, 'written')],
      ['PATCH', S, 'admin', (c) => answerJson(c, 'patched')],
    ]

    async function waiting(path: string): Promise<Response> {
      await options.load.whileDoing(0, () => new Promise<void>((resolve) => (endWaiting = resolve)))
      return new Response(path)
    }
  },
}

/** The line that adds it. */
const BOTH = [SECOND, ...APIS]

function appWithBoth(options: TestAppOptions = {}): Promise<TestApp> {
  return testApp({ nowMs: NOW_MS, apis: BOTH, ...options })
}

async function guardedApp(options: TestAppOptions = {}) {
  const tokens = await tokenFile([
    { name: 'all' },
    { name: 'reader', grants: ['default:s:read'] },
    { name: 'old', expiresMs: NOW_MS },
    { name: 'slow', grants: ['default:*:write'], eventsPerSecond: 1 },
  ])
  return { tokens, app: await appWithBoth({ ...options, config: { authFile: tokens.path } }) }
}

/** Status, the headers that belong to errors, and the body. */
function seen({
  status,
  headers,
  text,
}: Pick<TestResponse, 'status' | 'text'> & { headers: object }): unknown {
  const { 'content-type': type, ...all } = headers as Record<string, string>
  const names = ['retry-after', 'allow', 'www-authenticate'] as const
  const own = Object.fromEntries(names.flatMap((name) => (name in all ? [[name, all[name]]] : [])))
  return [status, type, own, type?.includes('json') ? JSON.parse(text) : text]
}

function refusal(status: number, code: string, text: string, headers: object = {}): unknown {
  return [status, 'application/json; charset=UTF-8', headers, { errors: [{ status, code, text }] }]
}

test('each path has one owner, and a route on the path of another API does not start', async () => {
  const owner = (target: string) => apiOf(BOTH, pathOf(target)).name
  expect(owner('/second')).toBe('second')
  expect(owner('/second/a?x=/v3')).toBe('second')
  expect(owner('http://host/second/a')).toBe('second')
  expect(owner('/%73econd/a')).toBe('second')
  expect(owner('/%zz')).toBe('cdap')
  expect(owner('/seconds')).toBe('cdap')
  expect(owner('')).toBe('cdap')
  expect(owner('*')).toBe('cdap')
  const inner: Api = { ...SECOND, name: 'inner', owns: (path) => path.startsWith('/second/inner/') }
  expect(apiOf([inner, ...BOTH], '/second/inner/a').name).toBe('inner')
  const stray: Api = { ...SECOND, name: 'stray', owns: () => false }
  await expect(testApp({ apis: [stray, ...BOTH] })).rejects.toThrow(
    'GET /second/wait of stray is on a path that second owns',
  )
})

describe('the shape of errors of routes', () => {
  const app = async () => appWithBoth({ limits: { maxDocumentBytes: 100 } })

  test('400, 404, 405, 413, 500 and 503', async () => {
    const { get, put, delete: remove, request, reported } = await app()
    expect(seen(await get('/second/default/s'))).toEqual([
      200,
      'application/json',
      {},
      { namespace: 'default', stream: 's' },
    ])
    expect(seen(await put('/second/default/s', { body: '{x' }))).toEqual(
      refusal(400, 'invalid_parameter', "expected ':' after a key at line 1 column 3"),
    )
    expect(seen(await get('/second/failing/stream'))).toEqual(
      refusal(404, 'stream_not_found', "'stream:default.none' was not found."),
    )
    expect(seen(await get('/second/a/b/c?d=1'))).toEqual(refusal(404, 'unknown_path', 'no /second/a/b/c?d=1'))
    const methods = { allow: 'GET, HEAD, POST, PUT, PATCH' }
    expect(seen(await remove('/second/default/s'))).toEqual(
      refusal(405, 'wrong_method', 'other methods at /second/default/s', methods),
    )
    expect((await request('PATCH', '/second/default/s')).status).toBe(200)
    expect(seen(await put('/second/default/s', { body: 'x'.repeat(101) }))).toEqual(
      refusal(413, 'document_too_large', 'the JSON document has 101 bytes; at most 100 bytes are taken'),
    )
    expect(seen(await get('/second/failing/bug'))).toEqual(
      refusal(500, 'internal', 'the server failed at this request; its log says how'),
    )
    expect(seen(await get('/second/failing/disk'))).toEqual(
      refusal(503, 'storage_unavailable', 'the disk is gone', { 'retry-after': '5' }),
    )
    expect(reported.map(String)).toEqual(['Error: a bug', 'StorageError: the disk is gone'])
  })

  test('by Accept, for an API that has more than one', async () => {
    const { get } = await app()
    const headers = { Accept: 'application/xml' }
    expect(seen(await get('/second', { headers }))).toEqual([
      404,
      'application/xml',
      {},
      '<error>unknown_path</error>',
    ])
  })

  test('of CDAP, beside it, is plain text', async () => {
    const { get } = await app()
    expect(seen(await get('/seconds'))).toEqual([
      404,
      'text/plain; charset=utf-8',
      {},
      'Problem accessing: /seconds. Reason: Not Found',
    ])
    expect((await get(`${STREAMS}/none`)).text).toBe("'stream:default.none' was not found.")
  })
})

describe('access control and audit', () => {
  const challenge = { 'www-authenticate': 'Bearer realm="millrace"' }
  const expired = 'Bearer realm="millrace", error="invalid_token", error_description="the token has expired"'

  test('401, 403 and 429', async () => {
    const { app, tokens } = await guardedApp()
    const path = '/second/default/s'
    expect(seen(await app.get(path))).toEqual(
      refusal(401, 'unauthenticated', 'send a token, as Bearer in the header Authorization', challenge),
    )
    expect(seen(await app.get(path, { headers: tokens.bearer('old') }))).toEqual(
      refusal(401, 'unauthenticated', 'the token has expired', { 'www-authenticate': expired }),
    )
    expect(seen(await app.get('/second/none/none/none'))).toEqual(
      refusal(401, 'unauthenticated', 'send a token, as Bearer in the header Authorization', challenge),
    )
    const reader = { headers: tokens.bearer('reader') }
    expect((await app.get(path, reader)).status).toBe(200)
    expect(seen(await app.put(path, reader))).toEqual(
      refusal(403, 'forbidden', "token 'reader' has no admin grant for this stream"),
    )
    await app.put(`${STREAMS}/s`, { headers: tokens.bearer('all') })
    const slow = { headers: tokens.bearer('slow'), body: 'x' }
    for (let i = 0; i < 2; i++) await app.post(`${STREAMS}/s`, slow)
    expect(seen(await app.post(path, slow))).toEqual(
      refusal(429, 'too_many_requests', "token 'slow' has sent more than its rate; come back in 1 s", {
        'retry-after': '1',
      }),
    )
    expect((await app.get(`${STREAMS}/s`)).json()).toEqual({ auth_uri: [expect.stringMatching(/\/token$/)] })
  })

  test('a line for every change, refusals included', async () => {
    const { app, tokens } = await guardedApp()
    for (const name of ['all', 'reader']) {
      await app.put('/second/default/s', { headers: tokens.bearer(name), body: '"x"' })
    }
    await app.put('/second/shop/s', { headers: tokens.bearer('all'), body: '{' })
    await app.put('/second/default/s')
    const lines = app.logged.map((line) => JSON.parse(line.slice(line.indexOf('{'))))
    expect(lines.map((one) => [one.audit, one.client, one.namespace, one.stream, one.status])).toEqual([
      ['stream.create', 'all', 'default', 's', 200],
      ['stream.create', 'reader', 'default', 's', 403],
      ['stream.create', 'all', 'shop', 's', 400],
      ['stream.create', null, 'default', 's', 401],
    ])
  })
})

describe('the shape of refusals before any route', () => {
  const head = (path: string, ...lines: string[]) => `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
  const HOST = 'Host: x'
  const NOT_HTTP = 'the request is not HTTP: Parse Error: Invalid character in chunk size'
  const chunks = 'Transfer-Encoding: chunked'

  const unreadable = [
    {
      name: 'an ambiguous head',
      request: (path: string) => head(path, HOST, 'Host: y'),
      status: 400,
      text: 'the request cannot be read: it has two Host headers; send one',
    },
    {
      name: 'a head that is too long',
      request: (path: string) => head(path, HOST, `X: ${'x'.repeat(17_000)}`),
      status: 431,
      text: 'request line and headers have more than 16384 bytes; send fewer',
    },
    {
      name: 'a header that is not HTTP',
      request: (path: string) => head(path, HOST, 'a b'),
      status: 400,
      text: 'the request is not HTTP: Parse Error: Invalid header token',
    },
    {
      name: 'a body that is not HTTP',
      request: (path: string) => `${head(path, HOST, chunks).replace('GET', 'PUT')}zz\r\n`,
      status: 400,
      text: NOT_HTTP,
    },
  ]
  test.each(unreadable)('$name answers $status', async ({ request, status, text }) => {
    const { port } = await appWithBoth()
    const answer = await rawRequest(port, request('/second/default/s'))
    expect(seen(answer)).toEqual(refusal(status, 'unreadable_request', text))
    expect(seen(await rawRequest(port, request(`${STREAMS}/s`)))).toEqual([
      status,
      'text/plain; charset=utf-8',
      {},
      text,
    ])
  })

  test('a host that makes no URL answers 400', async () => {
    const { port } = await appWithBoth()
    const answer = await rawRequest(port, head('/second/default/s', 'Host: x:99999'))
    expect(seen(answer)).toEqual(
      refusal(400, 'unreadable_request', expect.stringMatching(/^the request cannot be read: /) as never),
    )
  })

  test('bytes without a request line are answered in the shape of the last API', async () => {
    const { port } = await appWithBoth()
    expect((await rawRequest(port, 'nonsense\r\n\r\n')).headers['content-type']).toBe(
      'text/plain; charset=utf-8',
    )
  })

  test('a body that does not move answers 408', async () => {
    const { port } = await appWithBoth({ limits: { uploadIdleSeconds: 1 } })
    const request = `${head('/second/default/s', HOST, 'Content-Length: 9').replace('GET', 'PUT')}x`
    expect(seen(await rawRequest(port, request))).toEqual(
      refusal(408, 'request_timeout', 'less than 1024 bytes of the body came in 1 s; send it faster'),
    )
  })

  test('an overloaded service answers 503, also to a client that asks before it sends a body', async () => {
    const app = await appWithBoth({ limits: { maxRequests: 1 } })
    const first = app.get('/second/wait')
    onTestFinished(() => endWaiting())
    await expect.poll(async () => (await app.get('/second')).status).toBe(503)
    const busy = ['more requests come in than can be done; try again later', { 'retry-after': '1' }] as const
    expect(seen(await app.get('/second/default/s'))).toEqual(refusal(503, 'overloaded', ...busy))
    expect(seen(await app.get('/second/default/s'))).toEqual(refusal(503, 'overloaded', ...busy))
    expect(seen(await app.get(STREAMS))).toEqual([503, 'text/plain; charset=utf-8', busy[1], busy[0]])
    const expecting = head('/second/default/s', HOST, 'Content-Length: 9', 'Expect: 100-continue')
    expect(seen(await rawRequest(app.port, expecting.replace('GET', 'PUT')))).toEqual(
      refusal(503, 'overloaded', ...busy),
    )
    endWaiting()
    expect((await first).status).toBe(200)
  })

  test('too many connections answer 503', async () => {
    const app = await appWithBoth({ limits: { maxConnections: 1 } })
    endWaiting = () => {}
    const before = endWaiting
    const first = app.get('/second/wait')
    await expect.poll(() => endWaiting !== before).toBe(true)
    const text = '1 connections are open, and no more are taken; close some, or try again later'
    expect(seen(await rawRequest(app.port, head('/second/default/s', HOST)))).toEqual(
      refusal(503, 'overloaded', text, { 'retry-after': '1' }),
    )
    endWaiting()
    expect((await first).status).toBe(200)
  })

  test('a token that CDAP does not know is refused in its own shape', async () => {
    const { app } = await guardedApp()
    const headers = { Authorization: `Bearer ${secretNumber(99)}` }
    expect((await app.get(STREAMS, { headers })).json()).toEqual({
      auth_uri: [expect.any(String)],
      error: 'invalid_token',
      error_description: 'the token is not known',
    })
  })
})
