/** What lasts ends with the right to it: within two seconds after a token was revoked, expired or lost its grant. */
import { rename, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { printTokenFile } from '../../src/auth/token-file.ts'
import { RawConnection } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { secretNumber, type TestToken, type TestTokens, tokenEntry, tokenFile } from '../support/tokens.ts'
import { webhookReceiver } from '../support/webhook-receiver.ts'

const NOW_MS = 1_000_000
const CUT_MS = 2_000
const SECRET = 'a secret of a webhook'
/** More than what a socket takes without a reader. */
const MANY_BYTES = 24 * 1024 * 1024

const GUEST: TestToken = { name: 'guest', grants: ['default:s:read,write,admin'] }
const GUEST_SECRET = secretNumber(2)

async function appWithGuest(guest: TestToken = GUEST): Promise<{ app: TestApp; tokens: TestTokens }> {
  const tokens = await tokenFile([{ name: 'all' }, guest])
  const app = await testApp({
    nowMs: NOW_MS,
    config: { authFile: tokens.path, allowPrivateWebhooks: true },
    limits: { maxFollowers: 8 },
  })
  await app.put(`${STREAMS}/s`, { headers: tokens.bearer('all') })
  return { app, tokens }
}

/** The file has these tokens from now on, beside `all`. */
async function rewrite(tokens: TestTokens, guests: readonly (TestToken & { readonly secret?: string })[]) {
  const entries = [
    tokenEntry({ name: 'all' }, secretNumber(1)),
    ...guests.map((guest) => tokenEntry(guest, guest.secret ?? GUEST_SECRET)),
  ]
  await writeFile(`${tokens.path}.new`, printTokenFile(entries))
  await rename(`${tokens.path}.new`, tokens.path)
}

async function open(app: TestApp, request: string): Promise<RawConnection> {
  const connection = await RawConnection.open(app.port)
  onTestFinished(() => connection.destroy())
  connection.write(`${request}\r\nHost: x\r\nAuthorization: Bearer ${GUEST_SECRET}\r\n`)
  return connection
}

async function endsWithin(connection: RawConnection, ms: number): Promise<boolean> {
  return Promise.race([connection.closed.then(() => true), sleep(ms, false)])
}

const lasting: Readonly<Record<string, (app: TestApp) => Promise<RawConnection>>> = {
  'a follower': async (app) => {
    const connection = await open(app, `GET ${STREAMS}/s/notifications HTTP/1.1`)
    connection.write('Connection: close\r\n\r\n')
    await connection.status()
    return connection
  },
  'a long read': (app) => slowReader(app, 'events'),
  'an export': (app) => slowReader(app, 'export'),
  'a batch': (app) => upload(app, `POST ${STREAMS}/s/batch`, 'Content-Length: 1000', 'first\n'),
  'an event': (app) => upload(app, `POST ${STREAMS}/s`, 'Content-Length: 1000', 'first'),
  'an event in chunks': (app) =>
    upload(app, `POST ${STREAMS}/s`, 'Transfer-Encoding: chunked', '5\r\nfirst\r\n'),
  'an event of /async': (app) => upload(app, `POST ${STREAMS}/s/async`, 'Content-Length: 1000', 'first'),
  'an event of /v2': (app) => upload(app, `POST /v2/streams/s`, 'Content-Length: 1000', 'first'),
  'a document': (app) => upload(app, `PUT ${STREAMS}/s/properties`, 'Content-Length: 1000', '{"ttl":'),
}

const answers = ['a follower', 'a long read', 'an export']

async function upload(app: TestApp, request: string, length: string, begin: string): Promise<RawConnection> {
  const connection = await open(app, `${request} HTTP/1.1`)
  connection.write(`Content-Type: text/plain\r\n${length}\r\n\r\n${begin}`)
  await sleep(100)
  return connection
}

async function slowReader(app: TestApp, what: string): Promise<RawConnection> {
  const connection = await open(app, `GET ${STREAMS}/s/${what} HTTP/1.1`)
  connection.write('Connection: close\r\n\r\n')
  await connection.status()
  connection.pause()
  return connection
}

const endings: Readonly<Record<string, (app: TestApp, tokens: TestTokens) => unknown>> = {
  revoked: (_, tokens) => rewrite(tokens, []),
  'given another secret': (_, tokens) => rewrite(tokens, [{ ...GUEST, secret: secretNumber(3) }]),
  'left without a grant for the stream': (_, tokens) =>
    rewrite(tokens, [{ ...GUEST, grants: ['default:t:read,write,admin'] }]),
  expired: (app) => {
    app.nowMs = NOW_MS + 60_000
  },
}

describe.each(Object.entries(lasting))('%s', (name, begin) => {
  test.each(Object.entries(endings))('ends when its token is %s', async (_, end) => {
    const { app, tokens } = await appWithGuest({ ...GUEST, expiresMs: NOW_MS + 60_000 })
    const isUpload = !answers.includes(name)
    if (!isUpload && name !== 'a follower') {
      const body = `${'x'.repeat(99)}\n`.repeat(MANY_BYTES / 100)
      const headers = { ...tokens.bearer('all'), 'Content-Type': 'text/plain' }
      await app.post(`${STREAMS}/s/batch`, { headers, body })
    }
    const connection = await begin(app)
    await end(app, tokens)
    if (name !== 'a follower' && !isUpload) await sleep(CUT_MS - 500)
    connection.resume()
    if (name === 'a long read' || name === 'an export') {
      await expect(connection.received(MANY_BYTES), 'the answer is not complete').rejects.toThrow()
    }
    expect(await endsWithin(connection, CUT_MS)).toBe(true)
    if (isUpload) {
      expect((await app.get(`${STREAMS}/s/events`, { headers: tokens.bearer('all') })).status).toBe(204)
    }
    expect(app.reported.filter((error) => error instanceof TypeError)).toEqual([])
  })
})

test('a token that changes and keeps what it needs goes on, and so do others', async () => {
  const { app, tokens } = await appWithGuest()
  const follower = await lasting['a follower']!(app)
  await rewrite(tokens, [{ ...GUEST, grants: ['default:*:read'], eventsPerSecond: 5 }])
  expect(await endsWithin(follower, CUT_MS)).toBe(false)
  await rewrite(tokens, [])
  expect(await endsWithin(follower, CUT_MS)).toBe(true)
})

test.each(['', '/async'])(
  'POST %s whose body arrives at once, after the revocation, stores nothing',
  async (path) => {
    const { app, tokens } = await appWithGuest()
    const connection = await upload(app, `POST ${STREAMS}/s${path}`, 'Content-Length: 5', '')
    await rewrite(tokens, [])
    const mine = () => app.get(`${STREAMS}/s`, { headers: { authorization: `Bearer ${GUEST_SECRET}` } })
    await expect.poll(async () => (await mine()).status, { timeout: CUT_MS }).toBe(401)
    connection.write('first')
    expect(await endsWithin(connection, CUT_MS)).toBe(true)
    expect((await app.get(`${STREAMS}/s/events`, { headers: tokens.bearer('all') })).status).toBe(204)
  },
)

describe('a query', () => {
  const QUERIES = '/v3/data/explore/queries'
  const ENDLESS = 'SELECT count(*) FROM range(1000000000000), stream_s WHERE range % 7 = 3'

  test.each([
    ['that runs', ENDLESS, 'RUNNING', 'CANCELED'],
    ['that has rows', 'SELECT body FROM stream_s', 'FINISHED', 'CLOSED'],
  ])('%s ends when its token is revoked', async (_, query, before, after) => {
    const { app, tokens } = await appWithGuest()
    await app.post(`${STREAMS}/s`, { headers: tokens.bearer('all'), body: 'first' })
    const headers = { authorization: `Bearer ${GUEST_SECRET}` }
    const body = JSON.stringify({ query })
    const submitted = await app.post('/v3/namespaces/default/data/explore/queries', { headers, body })
    const { handle } = submitted.json() as { handle: string }
    const status = async () =>
      ((await app.get(`${QUERIES}/${handle}/status`, { headers })).json() as { status: string }).status
    await expect.poll(status, { timeout: 10_000 }).toBe(before)
    await rewrite(tokens, [])
    await sleep(CUT_MS)
    await rewrite(tokens, [GUEST])
    const known = async () => (await app.get(`${STREAMS}/s`, { headers })).status
    await expect.poll(known, { timeout: CUT_MS }).toBe(200)
    expect(await status()).toBe(after)
  })
})

describe('places of followers', () => {
  test('are shared: the client with the most gives back', async () => {
    const { app, tokens } = await appWithGuest()
    const greedy = await Promise.all(Array.from({ length: 8 }, () => lasting['a follower']!(app)))
    const path = `${STREAMS}/s/notifications?limit=1`
    expect((await app.get(path, { headers: tokens.bearer('guest') })).status).toBe(503)
    const honest = await app.get(path, { headers: tokens.bearer('all') })
    expect(honest.status, honest.text).toBe(200)
    const ended = await Promise.all(greedy.map((connection) => endsWithin(connection, 500)))
    expect(ended.filter((has) => has)).toHaveLength(1)
  })
})

describe('a webhook', () => {
  const list = async (app: TestApp, tokens: TestTokens) =>
    (await app.get(`${STREAMS}/s/webhooks`, { headers: tokens.bearer('all') })).json()

  test('is paused while its token is not valid, and gets the size when it is valid again', async () => {
    const { app, tokens } = await appWithGuest()
    const receiver = await webhookReceiver()
    const body = JSON.stringify({ url: receiver.url, secret: SECRET })
    const registered = await app.post(`${STREAMS}/s/webhooks`, { headers: tokens.bearer('guest'), body })
    expect(registered.status, registered.text).toBe(200)
    await expect.poll(() => receiver.received.length).toBe(1)
    expect(await list(app, tokens)).toMatchObject([{ delivered: 1, last: '200' }])
    await rewrite(tokens, [])
    await expect
      .poll(() => list(app, tokens), { timeout: CUT_MS })
      .toMatchObject([{ waiting: 0, paused: true }])
    await app.post(`${STREAMS}/s`, { headers: tokens.bearer('all'), body: 'abc' })
    await app.restart()
    await sleep(500)
    expect(receiver.received.length).toBe(1)
    await rewrite(tokens, [GUEST])
    await expect.poll(() => receiver.received.length, { timeout: 2 * CUT_MS }).toBe(2)
    expect(JSON.parse(receiver.received[1]!.body)).toMatchObject({ size: 3 })
    await expect.poll(() => list(app, tokens)).toMatchObject([{ delivered: 1, last: '200' }])
    expect(JSON.stringify(await list(app, tokens))).not.toContain('paused')
  })
})
