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
  'a batch': async (app) => {
    const connection = await open(app, `POST ${STREAMS}/s/batch HTTP/1.1`)
    connection.write('Content-Type: text/plain\r\nContent-Length: 1000\r\n\r\nfirst\n')
    await sleep(100)
    return connection
  },
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
    const body = `${'x'.repeat(99)}\n`.repeat(MANY_BYTES / 100)
    if (name !== 'a batch') {
      const headers = { ...tokens.bearer('all'), 'Content-Type': 'text/plain' }
      await app.post(`${STREAMS}/s/batch`, { headers, body })
    }
    const connection = await begin(app)
    await end(app, tokens)
    if (name !== 'a follower' && name !== 'a batch') await sleep(CUT_MS - 500)
    connection.resume()
    if (name === 'a long read' || name === 'an export') {
      await expect(connection.received(MANY_BYTES), 'the answer is not complete').rejects.toThrow()
    }
    expect(await endsWithin(connection, CUT_MS)).toBe(true)
    if (name === 'a batch') {
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

  test('is paused while its token is not good, and is told the size when it is again', async () => {
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
