/** Size notifications over HTTP: server-sent events, webhooks and who uses a stream, feeds. */
import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RawConnection } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'
import { webhookReceiver } from '../support/webhook-receiver.ts'

const N = '/v3/namespaces/default'
const NOW_MS = 1_700_000_000_000
const SECRET = 'a secret of a webhook'
const MIB = 1024 * 1024

/** Text that came so far, and whether it has ended. */
function follow(app: TestApp, path: string): { text: string; ended: boolean } {
  const seen = { text: '', ended: false }
  const outgoing = request({ host: '127.0.0.1', port: app.port, path }, (incoming) => {
    incoming.on('data', (chunk: Buffer) => {
      seen.text += chunk.toString()
    })
    incoming.on('end', () => {
      seen.ended = true
    })
    incoming.on('error', () => {})
  })
  outgoing.on('error', () => {})
  outgoing.end()
  onTestFinished(() => void outgoing.destroy())
  return seen
}

const sizeEvent = (size: number) => `event: size\ndata: {"timestamp":${NOW_MS},"size":${size}}\n\n`

describe('server-sent events', () => {
  test('the size as it is, and then when the threshold is passed', { timeout: 30_000 }, async () => {
    const app = await testApp({ nowMs: NOW_MS })
    await app.put(`${STREAMS}/s`, { body: '{"notification.threshold.mb":1}' })
    await app.post(`${STREAMS}/s`, { body: 'abc' })
    const seen = follow(app, `${STREAMS}/s/notifications`)
    await expect.poll(() => seen.text).toBe(sizeEvent(3))
    await app.post(`${STREAMS}/s`, { body: Buffer.alloc(MIB) })
    await app.post(`${STREAMS}/s/truncate`)
    await app.post(`${STREAMS}/s`, { body: 'x' })
    await expect.poll(() => seen.text, { timeout: 20_000 }).toBe(sizeEvent(3) + sizeEvent(MIB + 4))
    expect(seen.ended).toBe(false)
  })

  test('a number of them, and the head alone', async () => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
    const answer = await app.get(`${STREAMS}/s/notifications?limit=1`)
    expect([answer.status, answer.headers['content-type'], answer.text]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      sizeEvent(0),
    ])
    const head = await app.request('HEAD', `${STREAMS}/s/notifications`)
    expect([head.status, head.headers['content-type'], head.text]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
      '',
    ])
  })

  test('are kept alive more often than connections without a word are closed', {
    timeout: 30_000,
  }, async () => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS, limits: { idleSeconds: 1 } })
    const seen = follow(app, `${STREAMS}/s/notifications`)
    await expect.poll(() => seen.text, { timeout: 20_000 }).toBe(`${sizeEvent(0)}${':\n\n'.repeat(4)}`)
    expect(seen.ended).toBe(false)
  })

  test('clients that disconnect free their place', { timeout: 60_000 }, async () => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
    const path = `GET ${STREAMS}/s/notifications HTTP/1.1\r\nHost: x\r\n\r\n`
    for (let i = 0; i < 300; i++) {
      const connection = await RawConnection.open(app.port)
      connection.write(path.repeat(3)) // two of them wait for the first
      await connection.status()
      connection.destroy()
    }
    await expect
      .poll(async () => (await app.get(`${STREAMS}/s/notifications?limit=1`)).status, { timeout: 20_000 })
      .toBe(200)
    const connections = await Promise.all(Array.from({ length: 512 }, () => RawConnection.open(app.port)))
    for (const connection of connections) connection.write(path)
    expect(await Promise.all(connections.map((connection) => connection.status()))).toEqual(
      connections.map(() => 200),
    )
    expect((await app.get(`${STREAMS}/s/notifications?limit=1`)).status).toBe(503)
    for (const connection of connections) connection.destroy()
    await expect
      .poll(async () => (await app.get(`${STREAMS}/s/notifications?limit=1`)).status, { timeout: 20_000 })
      .toBe(200)
  })

  const ends = {
    'when the stream is deleted': (app: TestApp) => app.delete(`${STREAMS}/s`),
    'when its namespace is deleted': (app: TestApp) => app.delete('/v3/unrecoverable/namespaces/default'),
    'when the service stops, at once': (app: TestApp) => app.restart(60_000),
  }
  test.each(Object.entries(ends))('end %s', { timeout: 20_000 }, async (_, end) => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
    const seen = follow(app, `${STREAMS}/s/notifications`)
    await expect.poll(() => seen.text).toBe(sizeEvent(0))
    await end(app)
    await expect.poll(() => seen.ended).toBe(true)
  })

  const refused = [
    { path: 'nope/notifications', status: 404, text: "'stream:default.nope' was not found." },
    { path: 's/notifications?limit=0', status: 400, text: "limit is '0'; use a whole number above 0" },
  ]
  test.each(refused)('$path is refused', async ({ path, status, text }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await app.get(`${STREAMS}/${path}`)
    expect([answer.status, answer.text]).toEqual([status, text])
  })
})

describe('webhooks', () => {
  test('are registered, notified, listed without their secret, and deleted', async () => {
    const receiver = await webhookReceiver()
    const app = await testApp({
      streams: ['s'],
      nowMs: NOW_MS,
      onDisk: true,
      config: { allowPrivateWebhooks: true },
    })
    await app.post(`${STREAMS}/s`, { body: 'abc' })
    const body = JSON.stringify({
      url: receiver.url,
      secret: SECRET,
      app: 'Shop',
      program: 'Counter',
      type: 'Worker',
    })
    const { id } = (await app.post(`${STREAMS}/s/webhooks`, { body })).json() as { id: string }
    await expect
      .poll(() => receiver.received.map(({ body }) => body))
      .toEqual([`{"timestamp":${NOW_MS},"size":3,"namespace":"default","stream":"s"}`])
    const list = async () => (await app.get(`${STREAMS}/s/webhooks`)).json()
    const program = { app: 'Shop', program: 'Counter', type: 'Worker' }
    await expect
      .poll(list)
      .toEqual([{ id, url: receiver.url, waiting: 0, delivered: 1, dropped: 0, last: '200', ...program }])
    const users = async () => (await app.get(`${STREAMS}/s/programs`)).text
    const used =
      '[{"application":{"namespace":{"id":"default"},"applicationId":"Shop"},"type":"Worker","id":"Counter"}]'
    expect(await users()).toBe(used)
    expect((await app.get(`${N}/apps/Shop/workers/Counter/streams`)).text).toBe(
      '[{"namespace":{"id":"default"},"streamName":"s"}]',
    )
    await app.restart()
    expect(await users()).toBe(used)
    await expect.poll(() => receiver.received.length).toBe(2)
    expect((await app.delete(`${STREAMS}/s/webhooks/${id}`)).status).toBe(200)
    expect((await app.delete(`${STREAMS}/s/webhooks/${id}`)).status).toBe(404)
    expect([await list(), await users()]).toEqual([[], '[]'])
  })

  test('deleting the stream ends its use', async () => {
    const app = await testApp({ streams: ['s'], config: { allowPrivateWebhooks: true } })
    const body = JSON.stringify({ url: 'http://127.0.0.1:9/', secret: SECRET, app: 'A', program: 'P' })
    await app.post(`${STREAMS}/s/webhooks`, { body })
    expect((await app.get(`${STREAMS}/s/programs`)).text).toContain('"type":"Service"')
    await app.delete(`${STREAMS}/s`)
    expect((await app.get(`${STREAMS}/s/programs`)).text).toBe('[]')
  })

  test('a name that is this machine is not connected to', async () => {
    const receiver = await webhookReceiver()
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS })
    const url = receiver.url.replace('127.0.0.1', 'localhost')
    await app.post(`${STREAMS}/s/webhooks`, { body: JSON.stringify({ url, secret: SECRET }) })
    await expect
      .poll(async () => (await app.get(`${STREAMS}/s/webhooks`)).json(), { timeout: 20_000 })
      .toMatchObject([{ delivered: 0, last: 'not delivered' }])
    expect(receiver.received).toEqual([])
  })

  const receivers = [
    {
      name: 'switches protocols',
      answer: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
      last: 'not delivered',
    },
    { name: 'is no web server', answer: '220 mail.example.org ESMTP\r\n', last: 'not delivered' },
    {
      name: 'sends more headers than anybody reads',
      answer: `HTTP/1.1 200 OK\r\n${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(1000)}`,
      last: 'not delivered',
    },
    {
      name: 'says 200 and never ends',
      answer: 'HTTP/1.1 200 OK\r\n\r\n'.padEnd(10_000_000, 'x'),
      last: '200',
    },
    { name: 'hangs up', answer: '', last: 'not delivered' },
  ]
  test.each(receivers)(
    'a receiver that $name delays no other one',
    { timeout: 30_000 },
    async ({ answer, last }) => {
      let connected = 0
      let closed = 0
      const server = createServer((socket) => {
        connected++
        socket.on('error', () => {})
        socket.on('close', () => closed++)
        if (answer === '') socket.destroy()
        else socket.once('data', () => socket.write(answer))
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close())
      const good = await webhookReceiver()
      const app = await testApp({
        streams: ['s', 't', 'u', 'v'],
        nowMs: NOW_MS,
        config: { allowPrivateWebhooks: true },
      })
      const { port } = server.address() as AddressInfo
      for (let i = 0; i < 40; i++) {
        const body = JSON.stringify({ url: `http://127.0.0.1:${port}/${i}`, secret: SECRET })
        await app.post(`${STREAMS}/${['s', 't', 'u'][i % 3]}/webhooks`, { body })
      }
      await app.post(`${STREAMS}/v/webhooks`, { body: JSON.stringify({ url: good.url, secret: SECRET }) })
      await expect.poll(() => good.received.length, { timeout: 5000 }).toBe(1)
      await expect
        .poll(async () => (await app.get(`${STREAMS}/s/webhooks`)).json(), { timeout: 20_000 })
        .toEqual(expect.arrayContaining([expect.objectContaining({ last })]))
      await expect.poll(() => connected - closed, { timeout: 20_000 }).toBeLessThan(40)
    },
  )

  test('no answer has a secret', async () => {
    const tokens = await tokenFile([{ name: 'all' }])
    const receiver = await webhookReceiver()
    const app = await testApp({ config: { authFile: tokens.path, allowPrivateWebhooks: true } })
    const headers = tokens.bearer('all')
    const path = `${STREAMS}/s/webhooks`
    await app.put(`${STREAMS}/s`, { headers })
    const good = JSON.stringify({ url: receiver.url, secret: SECRET })
    const answers = []
    for (const body of [
      good,
      good,
      good.slice(0, -1),
      `[${good}]`,
      good.replace('http', 'ftp'),
      good.replace(SECRET, `${SECRET}`.repeat(20)),
    ])
      answers.push(await app.post(path, { headers, body }))
    answers.push(await app.get(path, { headers }), await app.get('/metrics', { headers }))
    await expect.poll(() => receiver.received.length).toBeGreaterThan(0)
    const { id } = answers[0]!.json() as { id: string }
    answers.push(await app.delete(`${path}/${id}`, { headers }))
    const told = [
      ...answers.map(({ text }) => text),
      ...app.logged,
      ...app.reported.map(String),
      JSON.stringify(receiver.received),
    ]
    expect(told.filter((text) => text.includes(SECRET))).toEqual([])
    expect(app.logged.filter((line) => line.includes('webhook')).length).toBe(7)
  })

  const signatures = [
    { name: 'with a secret is signed', secret: SECRET, signed: true },
    { name: 'without a secret is not signed', secret: undefined, signed: false },
  ]
  test.each(signatures)('a POST to a webhook $name', async ({ secret, signed }) => {
    const receiver = await webhookReceiver()
    const app = await testApp({ streams: ['s'], config: { allowPrivateWebhooks: true } })
    const body = JSON.stringify({ url: receiver.url, secret })
    expect((await app.post(`${STREAMS}/s/webhooks`, { body })).status).toBe(200)
    await expect.poll(() => receiver.received.length).toBe(1)
    const names = Object.keys(receiver.received[0]!.headers)
    expect(names).toEqual(expect.arrayContaining(['webhook-id', 'webhook-timestamp']))
    const both = names.filter((name) => name.endsWith('-signature'))
    expect(both.sort()).toEqual(signed ? ['webhook-signature', 'x-millrace-signature'] : [])
  })

  const GOOD = { url: 'https://example.org/', secret: SECRET }
  const NOT_UNDERSTOOD =
    'the webhook is not understood; use {"url":…,"secret":…,"app":…,"program":…}, the last two only together'
  const refused = [
    { body: {}, text: NOT_UNDERSTOOD },
    { body: { ...GOOD, url: {} }, text: NOT_UNDERSTOOD },
    { body: { ...GOOD, secret: 'short' }, text: 'secret has 5 characters; use 16 to 256' },
    { body: { ...GOOD, secret: ['x'] }, text: NOT_UNDERSTOOD },
    {
      body: { ...GOOD, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS' },
      text: 'secret begins with whsec_ and the rest is not base64 of 24 to 64 bytes; use such a key, or a secret without whsec_',
    },
    {
      body: { ...GOOD, secret: `whsec_${'c2hvcnQga2V5'.repeat(2)}` },
      text: 'secret begins with whsec_ and the rest is not base64 of 24 to 64 bytes; use such a key, or a secret without whsec_',
    },
    {
      body: { ...GOOD, url: 'ftp://example.org/' },
      text: 'url is not understood; use http:// or https://, without user and password',
    },
    {
      body: { ...GOOD, url: 'https://a:b@example.org/' },
      text: 'url is not understood; use http:// or https://, without user and password',
    },
    {
      body: { ...GOOD, url: 'http://169.254.169.254/latest' },
      text: 'url leads to an address that is not public; the operator may allow it with --allow-private-webhooks',
    },
    {
      body: { ...GOOD, url: 'http://2130706433/' },
      text: 'url leads to an address that is not public; the operator may allow it with --allow-private-webhooks',
    },
    { body: { ...GOOD, app: 'A' }, text: 'app and program go together; give both or neither' },
    {
      body: { ...GOOD, app: 'A', program: 'P', type: 'x' },
      text: "type is 'x'; use Flow, Mapreduce, Workflow, Webapp, Service, Spark, Worker",
    },
    {
      body: { ...GOOD, app: 'A.', program: 'P' },
      text: 'Invalid application ID: A.. Should only contain alphanumeric characters and _ or -.',
    },
  ]
  test.each(refused)('refused: $text', async ({ body, text }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await app.post(`${STREAMS}/s/webhooks`, { body: JSON.stringify(body) })
    expect([answer.status, answer.text]).toEqual([400, text])
    expect((await app.get(`${STREAMS}/s/webhooks`)).text).toBe('[]')
  })

  test('no more than sixteen for a stream', async () => {
    const app = await testApp({ streams: ['s'], config: { allowPrivateWebhooks: true } })
    const register = (i: number) =>
      app.post(`${STREAMS}/s/webhooks`, {
        body: JSON.stringify({ url: `http://127.0.0.1:9/${i}`, secret: SECRET }),
      })
    for (let i = 0; i < 16; i++) expect((await register(i)).status).toBe(200)
    expect((await register(3)).status).toBe(200) // is there already
    const answer = await register(16)
    expect([answer.status, answer.text]).toEqual([400, 'the stream has 16 webhooks; delete one first'])
  })
})

describe('feeds', () => {
  const F = `${N}/feeds/categories`

  test('are made, listed beside those of streams, and deleted', async () => {
    const app = await testApp({ streams: ['s'], onDisk: true })
    const ofStream =
      '{"description":"Size updates feed for Stream stream:default.s every 1024MB","category":"stream","feed":"sSize","namespace":"default","entity":"NOTIFICATION_FEED"}'
    const own =
      '{"description":"Mine","category":"a","feed":"b","namespace":"default","entity":"NOTIFICATION_FEED"}'
    const steps = [
      {
        verb: 'PUT',
        path: `${F}/a/names/b`,
        body: '{"description":"Mine"}',
        status: 200,
        text: 'Notification Feed created successfully',
      },
      {
        verb: 'PUT',
        path: `${F}/a/names/b`,
        body: '',
        status: 200,
        text: 'Notification Feed already exists.',
      },
      {
        verb: 'PUT',
        path: `${F}/stream/names/sSize`,
        body: '',
        status: 200,
        text: 'Notification Feed already exists.',
      },
      { verb: 'GET', path: `${F}/a/names/b`, status: 200, text: own },
      { verb: 'GET', path: `${F}/stream/names/sSize`, status: 200, text: ofStream },
      { verb: 'GET', path: `${F}/stream/names/noSize`, status: 404, text: '' },
      { verb: 'GET', path: `${N}/feeds`, status: 200, text: `[${ofStream},${own}]` },
      {
        verb: 'DELETE',
        path: `${F}/stream/names/sSize`,
        status: 400,
        text: "the feed belongs to stream 's', and goes with it",
      },
      { verb: 'DELETE', path: `${F}/a/names/b`, status: 200, text: '' },
      { verb: 'DELETE', path: `${F}/a/names/b`, status: 404, text: '' },
      { verb: 'GET', path: `${F}/a/names/b`, status: 404, text: '' },
      {
        verb: 'PUT',
        path: `${F}/a/names/b`,
        body: '[',
        status: 400,
        text: 'Invalid json object provided in request body.',
      },
      {
        verb: 'PUT',
        path: `${F}/a/names/b`,
        body: '{"description":{}}',
        status: 400,
        text: 'Invalid json object provided in request body.',
      },
      {
        verb: 'PUT',
        path: `${F}/a.b/names/b`,
        status: 400,
        text: 'Could not create Notification Feed. Invalid category ID: a.b. Should only contain alphanumeric characters and _ or -.',
      },
      {
        verb: 'PUT',
        path: `${F}/a/names/b`,
        body: JSON.stringify({ description: 'x'.repeat(1001) }),
        status: 400,
        text: 'Could not create Notification Feed. The description has 1001 characters; use at most 1000.',
      },
      {
        verb: 'PUT',
        path: '/v3/namespaces/nope/feeds/categories/a/names/b',
        status: 404,
        text: "'namespace:nope' was not found.",
      },
    ]
    for (const { verb, path, body = '', status, text } of steps) {
      const answer = await app.request(verb, path, { body })
      expect([answer.status, answer.text], `${verb} ${path}`).toEqual([status, text])
      await app.restart()
    }
  })

  test('go with their namespace', async () => {
    const app = await testApp({ onDisk: true })
    await app.put(`${F}/a/names/b`)
    await app.delete('/v3/unrecoverable/namespaces/default')
    expect((await app.get(`${N}/feeds`)).text).toBe('[]')
    await app.restart()
    expect((await app.get(`${N}/feeds`)).text).toBe('[]')
  })

  test('of streams are visible with a grant for the stream', async () => {
    const tokens = await tokenFile([{ name: 'all' }, { name: 'one', grants: ['default:a:read'] }])
    const app = await testApp({ config: { authFile: tokens.path } })
    for (const stream of ['a', 'b']) await app.put(`${STREAMS}/${stream}`, { headers: tokens.bearer('all') })
    const headers = tokens.bearer('one')
    expect((await app.get(`${N}/feeds`, { headers })).text).toMatch(/^\[\{[^{}]*"feed":"aSize"[^{}]*\}\]$/)
    expect((await app.get(`${F}/stream/names/bSize`, { headers })).status).toBe(404)
  })
})

describe('what became of a webhook tells nothing of a network', () => {
  const unreachable = [
    { name: 'a name that is unknown', url: 'http://nope.invalid/', allowPrivateWebhooks: false },
    { name: 'a name of this machine', url: 'http://localhost/', allowPrivateWebhooks: false },
    { name: 'a port without a listener', url: 'http://127.0.0.1:9/', allowPrivateWebhooks: true },
  ]
  test.each(unreachable)('$name', { timeout: 30_000 }, async ({ url, allowPrivateWebhooks }) => {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS, config: { allowPrivateWebhooks } })
    const body = JSON.stringify({ url, secret: SECRET })
    expect((await app.post(`${STREAMS}/s/webhooks`, { body })).status).toBe(200)
    await expect
      .poll(async () => (await app.get(`${STREAMS}/s/webhooks`)).json(), { timeout: 20_000 })
      .toMatchObject([{ delivered: 0, last: 'not delivered' }])
  })

  const refused = [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '[::1]',
    '[fd00::1]',
    '0x7f000001',
    '192.168.0.1:8080',
  ]
  test.each(refused)('http://%s is refused with the text of all', async (host) => {
    const app = await testApp({ streams: ['s'] })
    const body = JSON.stringify({ url: `http://${host}/`, secret: SECRET })
    expect((await app.post(`${STREAMS}/s/webhooks`, { body })).text).toBe(
      'url leads to an address that is not public; the operator may allow it with --allow-private-webhooks',
    )
  })
})
