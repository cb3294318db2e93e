/** What a client sees where tokens are required, beside who may do what (access-matrix.test.ts). */
import { rename, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { answerOf, json, plain } from '../support/answer.ts'
import { failingStorage } from '../support/failing-storage.ts'
import { RawConnection, rawRequest } from '../support/raw-http.ts'
import { STREAMS, type TestApp, type TestAppOptions, testApp } from '../support/test-app.ts'
import { secretNumber, type TestToken, type TestTokens, tokenEntry, tokenFile } from '../support/tokens.ts'

const NOW_MS = 1_000_000

/** Tokens `all` and those given; stream `s` with one event in it. */
async function appWith(
  tokens: readonly TestToken[] = [],
  options: TestAppOptions = {},
): Promise<{ app: TestApp; tokens: TestTokens }> {
  const file = await tokenFile([{ name: 'all' }, ...tokens])
  const config = { authFile: file.path, ...options.config }
  const app = await testApp({ nowMs: NOW_MS, ...options, config })
  const headers = file.bearer('all')
  await app.put(`${STREAMS}/s`, { headers })
  await app.post(`${STREAMS}/s`, { headers, body: 'first' })
  return { app, tokens: file }
}

async function bodies(app: TestApp, tokens: TestTokens, stream = 's'): Promise<string[]> {
  const answer = await app.get(`${STREAMS}/${stream}/events`, { headers: tokens.bearer('all') })
  return answer.status === 204 ? [] : (answer.json() as { body: string }[]).map(({ body }) => body)
}

describe('401', () => {
  const unauthenticated = [
    { name: 'no token', headers: {} },
    { name: 'an empty value', headers: { Authorization: '' } },
    { name: 'what CDAP’s Python client sends without one', headers: { Authorization: '{0} {1}' } },
    { name: 'another scheme', headers: { Authorization: `Basic ${btoa(`all:${secretNumber(1)}`)}` } },
    { name: 'a bare secret', headers: { Authorization: secretNumber(1) } },
  ]
  test.each(unauthenticated)('$name: where to get one', async ({ headers }) => {
    const { app } = await appWith()
    const answer = await app.get('/ping', { headers })
    expect({ ...answerOf(answer), authenticate: answer.headers['www-authenticate'] }).toEqual({
      ...json(`{"auth_uri":["http://127.0.0.1:${app.port}/token"]}`),
      status: 401,
      authenticate: 'Bearer realm="millrace"',
    })
    expect(answer.headers['cache-control']).toBe('no-store')
  })

  const badTokens = [
    { name: 'an unknown token', token: secretNumber(99), description: 'the token is not known' },
    { name: 'something else', token: 'abc', description: 'the token is not known' },
    { name: 'a hash instead of a secret', token: 'a'.repeat(64), description: 'the token is not known' },
    { name: 'an expired token', token: secretNumber(2), description: 'the token has expired' },
  ]
  test.each(badTokens)('$name: what is wrong with it', async ({ token, description }) => {
    const { app } = await appWith([{ name: 'old', expiresMs: NOW_MS }])
    const answer = await app.get('/ping', { headers: { Authorization: `Bearer ${token}` } })
    expect({
      status: answer.status,
      authenticate: answer.headers['www-authenticate'],
      body: answer.json(),
    }).toEqual({
      status: 401,
      authenticate: `Bearer realm="millrace", error="invalid_token", error_description="${description}"`,
      body: {
        auth_uri: [`http://127.0.0.1:${app.port}/token`],
        error: 'invalid_token',
        error_description: description,
      },
    })
  })

  test.each(['streams.example.org', 'evil.org:8080', '[::1]:11015', 'a_b'])(
    'auth_uri is as configured, whatever host %s the client names',
    async (host) => {
      const { app } = await appWith()
      for (const proxied of [
        '',
        'X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.org\r\nForwarded: host=evil.org\r\n',
      ]) {
        for (const target of ['/ping', 'http://evil.org/ping']) {
          const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${proxied}\r\n`
          const { status, text } = await rawRequest(app.port, request)
          expect([status, text]).toEqual([401, `{"auth_uri":["http://127.0.0.1:${app.port}/token"]}`])
        }
      }
    },
  )

  const configured = [
    { publicUrl: 'https://streams.example.org', host: '127.0.0.1', uri: 'https://streams.example.org/token' },
    { publicUrl: 'http://x.org:8080/streams', host: '0.0.0.0', uri: 'http://x.org:8080/streams/token' },
    { publicUrl: undefined, host: 'localhost', uri: 'http://localhost:PORT/token' },
    { publicUrl: undefined, host: '0.0.0.0', uri: 'http://127.0.0.1:PORT/token' },
    { publicUrl: undefined, host: '::ffff:127.0.0.1', uri: 'http://127.0.0.1:PORT/token' },
  ]
  test.each(configured)(
    'with host $host and public URL $publicUrl it is $uri',
    async ({ publicUrl, host, uri }) => {
      const tokens = await tokenFile([{ name: 'all' }])
      const app = await testApp({ config: { authFile: tokens.path, publicUrl, host } })
      const text = `{"auth_uri":["${uri.replace('PORT', String(app.port))}"]}`
      expect(answerOf(await app.get('/ping'))).toEqual({ ...json(text), status: 401 })
      expect(answerOf(await app.get('/token'))).toEqual({ ...json(text), status: 401 })
    },
  )

  test.each(['evil.org/x?', 'a"b', 'user@evil.org', 'a b', '<script>', 'x:99999999', ''])(
    'a host that is none, %j, gets into no answer',
    async (host) => {
      const { app } = await appWith()
      const { status, text } = await rawRequest(app.port, `GET /ping HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
      expect([400, 401]).toContain(status)
      if (status === 401) expect(text).toBe(`{"auth_uri":["http://127.0.0.1:${app.port}/token"]}`)
    },
  )
})

const FORMS = ['Bearer TOKEN', 'bearer TOKEN', 'BEARER TOKEN', "'Bearer TOKEN'", 'Bearer   TOKEN ']
const AIVEN_FORMS = ['aivenv1 TOKEN', 'AivenV1 TOKEN', 'AIVENV1  TOKEN']
test.each([...FORMS, ...AIVEN_FORMS])('a good token in the form "%s" is taken', async (form) => {
  const { app, tokens } = await appWith()
  const headers = { Authorization: form.replace('TOKEN', tokens.secrets.all!) }
  expect(answerOf(await app.get('/ping', { headers }))).toEqual(plain(200, 'OK.\n'))
  expect((await app.post(`${STREAMS}/s`, { headers, body: 'second' })).status).toBe(200)
  expect(await bodies(app, tokens)).toEqual(['first', 'second'])
})

describe('GET /token', () => {
  const basic = (user: string, password: string) => ({
    Authorization: `Basic ${btoa(`${user}:${password}`)}`,
  })
  const tokenOf = async (app: TestApp, headers: Record<string, string>) => {
    const answer = await app.get('/token', { headers })
    return { status: answer.status, authenticate: answer.headers['www-authenticate'], body: answer.json() }
  }

  test('gives the token that CDAP’s clients send from then on', async () => {
    const { app, tokens } = await appWith([{ name: 'shop', expiresMs: NOW_MS + 90_500 }])
    const answer = await app.get('/token', { headers: basic('shop', tokens.secrets.shop!) })
    expect(answerOf(answer)).toEqual(
      json(`{"access_token":"${tokens.secrets.shop}","token_type":"Bearer","expires_in":90}`),
    )
    expect(answer.headers['cache-control']).toBe('no-store')
    const { access_token, token_type } = answer.json() as Record<string, string>
    expect(
      (await app.get('/ping', { headers: { Authorization: `${token_type} ${access_token}` } })).status,
    ).toBe(200)
  })

  test('a token without an end is said to last a year, as clients compute with it', async () => {
    const { app, tokens } = await appWith()
    const { body } = await tokenOf(app, basic('all', tokens.secrets.all!))
    expect(body).toMatchObject({ expires_in: 31_536_000 })
  })

  const refused = [
    { name: 'no credentials', headers: {} },
    { name: 'a Bearer token', headers: { Authorization: `Bearer ${secretNumber(1)}` } },
    { name: 'what is not base64', headers: { Authorization: 'Basic !!!' } },
    { name: 'no colon', headers: { Authorization: `Basic ${btoa(secretNumber(1))}` } },
    { name: 'an unknown name', headers: basic('unknown', secretNumber(1)) },
    { name: 'the name of another token', headers: basic('old', secretNumber(1)) },
    { name: 'an unknown secret', headers: basic('all', secretNumber(99)) },
    { name: 'an expired token', headers: basic('old', secretNumber(2)) },
    { name: 'the hash for the secret', headers: basic('all', 'a'.repeat(64)) },
  ]
  test.each(refused)('$name: 401, whatever is wrong', async ({ headers }) => {
    const { app } = await appWith([{ name: 'old', expiresMs: NOW_MS }])
    expect(await tokenOf(app, headers)).toEqual({
      status: 401,
      authenticate: 'Basic realm="millrace"',
      body: { auth_uri: [`http://127.0.0.1:${app.port}/token`] },
    })
  })
})

describe('lists show what the grants include', () => {
  const seen = [
    { grants: ['default:a-*:read'], streams: ['a-1', 'a-2'], other: 403, namespaces: ['default'] },
    { grants: ['default:a-1:write'], streams: ['a-1'], other: 403, namespaces: ['default'] },
    { grants: ['*:b:admin'], streams: ['b'], other: 200, namespaces: ['default', 'other', 'third'] },
    {
      grants: ['default:none:read', 'other:*:read'],
      streams: [],
      other: 200,
      namespaces: ['default', 'other'],
    },
    { grants: ['nowhere:*:read,write,admin'], streams: 403, other: 403, namespaces: [] },
  ]
  test.each(seen)('$grants', async ({ grants, streams, other, namespaces }) => {
    const { app, tokens } = await appWith([{ name: 'reader', grants }])
    const all = tokens.bearer('all')
    for (const namespace of ['other', 'third']) await app.put(`/v3/namespaces/${namespace}`, { headers: all })
    for (const stream of ['a-1', 'a-2', 'b']) await app.put(`${STREAMS}/${stream}`, { headers: all })
    await app.delete(`${STREAMS}/s`, { headers: all })
    const headers = tokens.bearer('reader')
    for (const path of [STREAMS, `${STREAMS}/`, '/v2/streams', '/v2/streams/']) {
      const answer = await app.get(path, { headers })
      const names = answer.status === 200 && (answer.json() as { name: string }[]).map(({ name }) => name)
      expect(names || answer.status, path).toEqual(streams)
    }
    expect((await app.get('/v3/namespaces/other/streams', { headers })).status).toBe(other)
    const listed = (await app.get('/v3/namespaces', { headers })).json() as { name: string }[]
    expect(listed.map(({ name }) => name)).toEqual(namespaces)
  })
})

test('a token that is revoked, or gets other grants, is good for what the file says now', {
  timeout: 60_000,
}, async () => {
  const { app, tokens } = await appWith([{ name: 'shop', grants: ['default:s:read'] }])
  const headers = tokens.bearer('shop')
  const read = async () => (await app.get(`${STREAMS}/s/events`, { headers })).status
  expect(await read()).toBe(200)
  const replace = async (entries: Parameters<typeof printTokenFile>[0]) => {
    await writeFile(`${tokens.path}.new`, printTokenFile(entries))
    await rename(`${tokens.path}.new`, tokens.path)
  }
  await replace([tokenEntry({ name: 'shop', grants: ['default:s:write'] }, tokens.secrets.shop!)])
  await expect.poll(read, { timeout: 20_000 }).toBe(403)
  await replace([tokenEntry({ name: 'other' }, secretNumber(50))])
  await expect.poll(read, { timeout: 20_000 }).toBe(401)
  expect(app.logged.map((line) => JSON.parse(line)).filter(({ audit }) => audit === 'tokens')).toMatchObject([
    { added: [], removed: ['all'], changed: ['shop'] },
    { added: ['other'], removed: ['shop'], changed: [] },
  ])
})

describe('what is refused', () => {
  const ways = [
    { way: 'the short way', query: '' },
    { way: 'through Hono', query: '?' },
  ]
  const refusals = [
    { name: 'without a token', token: undefined, status: 401 },
    { name: 'with an unknown token', token: secretNumber(99), status: 401 },
    { name: 'without the grant', token: secretNumber(2), status: 403 },
    { name: 'above the rate', token: secretNumber(3), status: 429 },
  ]
  const cases = ways.flatMap((way) => refusals.map((refusal) => ({ ...way, ...refusal })))

  async function prepared() {
    const { app, tokens } = await appWith([
      { name: 'reader', grants: ['default:*:read'] },
      { name: 'slow', grants: ['default:*:write'], eventsPerSecond: 1 },
    ])
    await app.post(`${STREAMS}/s`, { headers: tokens.bearer('slow'), body: 'slow' })
    return { app, tokens }
  }

  test.each(cases)(
    '$name, on $way: $status, the connection goes on, nothing is stored',
    async ({ query, token, status }) => {
      const { app, tokens } = await prepared()
      const connection = await RawConnection.open(app.port)
      const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
      for (const body of ['x', 'y'.repeat(300_000), '']) {
        connection.write(
          `POST ${STREAMS}/s${query} HTTP/1.1\r\nHost: x\r\n${authorization}Content-Length: ${body.length}\r\n\r\n${body}`,
        )
        expect((await connection.response()).status).toBe(status)
      }
      connection.write(
        `POST ${STREAMS}/s${query} HTTP/1.1\r\nHost: x\r\n${authorization}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
      )
      expect((await connection.response()).status).toBe(status)
      connection.write(
        `POST ${STREAMS}/s/batch HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: text/plain\r\nContent-Length: 4\r\n\r\na\nb\n`,
      )
      expect((await connection.response()).status).toBe(status)
      connection.write(
        `POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokens.secrets.all}\r\nContent-Length: 4\r\n\r\nlast`,
      )
      expect((await connection.response()).status).toBe(200)
      connection.destroy()
      expect(await bodies(app, tokens)).toEqual(['first', 'slow', 'last'])
    },
  )

  test.each(refusals)(
    '$name: a body that does not end is answered at once, and is not kept',
    async ({ token, status }) => {
      const { app, tokens } = await prepared()
      const connection = await RawConnection.open(app.port)
      const authorization = token === undefined ? '' : `Authorization: Bearer ${token}\r\n`
      connection.write(
        `POST ${STREAMS}/s/batch HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: text/plain\r\nContent-Length: 100000000\r\n\r\n`,
      )
      expect((await connection.response()).status).toBe(status)
      // It is dropped as it comes, for a while; then the connection is closed.
      const piece = Buffer.alloc(65_536, 'x\n')
      const sending = (async () => {
        for (let i = 0; i < 1000; i++) await connection.flushed(piece)
      })()
      await connection.closed
      await sending
      expect(await bodies(app, tokens)).toEqual(['first', 'slow'])
    },
  )

  test('who asks before sending a body is not asked for it', async () => {
    const { app, tokens } = await prepared()
    const expecting = (secret: string) =>
      `POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secret}\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`
    expect((await rawRequest(app.port, expecting(secretNumber(99)))).status).toBe(401)
    const connection = await RawConnection.open(app.port)
    connection.write(expecting(tokens.secrets.all!))
    expect((await connection.response()).status).toBe(100)
    connection.write('abc')
    expect((await connection.response()).status).toBe(200)
    connection.destroy()
    expect(await bodies(app, tokens)).toEqual(['first', 'slow', 'abc'])
  })
})

describe('the rate of a token', () => {
  const SLOW = { name: 'slow', grants: ['default:*:write'] }

  const ways = [
    { way: 'the short way', suffix: '' },
    { way: 'through Hono', suffix: '?' },
    { way: 'for later', suffix: '/async' },
    { way: 'to /async, through Hono', suffix: '/async?' },
  ]
  test.each(ways)('counts events sent on $way', async ({ suffix }) => {
    const { app, tokens } = await appWith([{ ...SLOW, eventsPerSecond: 3 }])
    const send = () => app.post(`${STREAMS}/s${suffix}`, { headers: tokens.bearer('slow'), body: 'x' })
    const good = suffix.startsWith('/async') ? 202 : 200
    const statuses = []
    for (let i = 0; i < 5; i++) statuses.push((await send()).status)
    expect(statuses).toEqual([good, good, good, 429, 429])
    const refused = await send()
    expect({ ...answerOf(refused), retryAfter: refused.headers['retry-after'] }).toEqual({
      ...plain(429, "token 'slow' has sent more than its rate; come back in 1 s"),
      retryAfter: '1',
    })
    app.nowMs += 1000
    expect((await send()).status).toBe(good)
  })

  test.each(ways)('holds for requests on $way whose bodies arrive together', async ({ suffix }) => {
    const { app, tokens } = await appWith([{ ...SLOW, eventsPerSecond: 3 }])
    const { Authorization } = tokens.bearer('slow')
    const head = `POST ${STREAMS}/s${suffix} HTTP/1.1\r\nHost: x\r\nAuthorization: ${Authorization}\r\nContent-Length: 1\r\n\r\n`
    const connections = await Promise.all(Array.from({ length: 6 }, () => RawConnection.open(app.port)))
    for (const connection of connections) connection.write(head)
    await new Promise((resolve) => setTimeout(resolve, 100))
    for (const connection of connections) connection.write('x')
    const statuses = await Promise.all(connections.map((connection) => connection.status()))
    for (const connection of connections) connection.destroy()
    const good = suffix.startsWith('/async') ? 202 : 200
    expect(statuses.sort()).toEqual([good, good, good, 429, 429, 429])
  })

  test('counts bytes, and events of batches, which may go beyond it once', async () => {
    const { app, tokens } = await appWith([{ ...SLOW, eventsPerSecond: 100, bytesPerSecond: 1000 }])
    const headers = { ...tokens.bearer('slow'), 'Content-Type': 'text/plain' }
    const batch = (body: string) => app.post(`${STREAMS}/s/batch`, { headers, body })
    expect((await batch('x'.repeat(5000))).status).toBe(200)
    expect((await batch('x')).headers['retry-after']).toBe('5')
    app.nowMs += 5000
    expect((await batch('x\n'.repeat(1100))).status).toBe(200)
    expect((await batch('x')).headers['retry-after']).toBe('11')
    app.nowMs += 11_000
    expect((await batch('x')).status).toBe(200)
  })

  test('is of one token: others, and what is no sending, go on', async () => {
    const { app, tokens } = await appWith([
      { name: 'slow', eventsPerSecond: 1 },
      { name: 'other', eventsPerSecond: 1 },
    ])
    const headers = tokens.bearer('slow')
    const send = async (name: string) =>
      (await app.post(`${STREAMS}/s`, { headers: tokens.bearer(name), body: 'x' })).status
    expect([await send('slow'), await send('slow'), await send('other'), await send('all')]).toEqual([
      200, 429, 200, 200,
    ])
    expect((await app.get(`${STREAMS}/s/events`, { headers })).status).toBe(200)
    expect((await app.put(`${STREAMS}/t`, { headers })).status).toBe(200)
  })

  test('tells nothing about what exists', async () => {
    const { app, tokens } = await appWith([{ ...SLOW, eventsPerSecond: 1 }])
    const send = async (stream: string) => {
      const { status, text } = await app.post(`${STREAMS}/${stream}`, {
        headers: tokens.bearer('slow'),
        body: 'x',
      })
      return { status, text }
    }
    expect((await send('s')).status).toBe(200)
    const refused = await send('s')
    expect(refused.status).toBe(429)
    expect(await send('none')).toEqual(refused)
  })
})

test('/status reports refused writes without a token, and the reason with one', async () => {
  const tokens = await tokenFile([{ name: 'all' }, { name: 'any', grants: ['other:x:read'] }])
  const app = await testApp({ nowMs: NOW_MS, openStorage: failingStorage, config: { authFile: tokens.path } })
  const any = tokens.bearer('any')
  expect(answerOf(await app.get('/status'))).toEqual(plain(200, 'OK.\n'))
  expect(answerOf(await app.get('/status', { headers: any }))).toEqual(plain(200, 'OK.\n'))
  await app.put(`${STREAMS}/s`, { headers: tokens.bearer('all') })
  expect((await app.post(`${STREAMS}/s`, { headers: tokens.bearer('all'), body: 'x' })).status).toBe(503)
  expect(answerOf(await app.get('/status'))).toEqual(plain(503, 'writes are refused\n'))
  expect(answerOf(await app.get('/status', { headers: any }))).toMatchObject({
    status: 503,
    text: expect.stringContaining('No space left on device'),
  })
  expect(app.reported).toHaveLength(1)
  app.reported.length = 0
})
