/** What a webhook gets, when a POST is retried, and what is not sent. */
import { createHmac } from 'node:crypto'
import { type AddressInfo, createServer } from 'node:net'
import { MemoryLevel } from 'memory-level'
import { expect, onTestFinished, test } from 'vitest'
import { SizeFeed } from '../../src/notifications/size-feed.ts'
import { postToWebhook, signatureHeaders } from '../../src/notifications/webhook-post.ts'
import { Webhooks } from '../../src/notifications/webhooks.ts'
import type { NamespaceName, StreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { type Received, webhookReceiver } from '../support/webhook-receiver.ts'

const NOW_MS = 1_700_000_000_000
const SECRET = 'a secret of a webhook'
const MIB = 1024 * 1024
const ID = { namespace: 'default' as NamespaceName, stream: 's' as StreamName }

async function notificationParts(storage?: Storage, clock = { nowMs: NOW_MS }) {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const nowMs = () => clock.nowMs
  const store = storage ?? (await openStorageOn(db as unknown as Level, { nowMs, sync: true }))
  const registry = await Registry.load(store.catalog)
  const streams = new Streams(store.log, registry, { nowMs, asyncQueueBytesMax: 1, onAsyncLost: () => {} })
  if (!streams.has(ID)) await streams.create(ID, { notificationThresholdMb: 1 })
  const feed = new SizeFeed(registry, nowMs)
  const usage = new UsageRegistry()
  const webhooks = await Webhooks.load({
    catalog: store.catalog,
    registry,
    feed,
    usage,
    nowMs,
    random: seededRandom(1).next,
    allowPrivate: true,
    firstPauseMs: 20,
  })
  onTestFinished(() => {
    feed.stop()
    webhooks.stop()
  })
  const grow = (bytes: number) => {
    streams.traffic.wrote(streams.get(ID).counts, 1, bytes)
    feed.poll()
  }
  return { store, streams, feed, usage, webhooks, grow }
}

const sizes = (received: readonly { readonly body: string }[]) =>
  received.map(({ body }) => (JSON.parse(body) as { size: number }).size)

test('a webhook gets the size at once, and when the stream has grown by more than its threshold', async () => {
  const receiver = await webhookReceiver()
  const { webhooks, grow } = await notificationParts()
  await webhooks.register(ID, { url: receiver.url, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(1)
  grow(MIB) // not more than the threshold
  grow(1)
  await expect.poll(() => receiver.received.length).toBe(2)
  grow(3 * MIB)
  await expect.poll(() => sizes(receiver.received)).toEqual([0, MIB + 1, 4 * MIB + 1])
  const { headers, body, path } = receiver.received[1]!
  expect([path, headers['content-type'], body]).toEqual([
    '/hook',
    'application/json',
    `{"timestamp":${NOW_MS},"size":${MIB + 1},"namespace":"default","stream":"s"}`,
  ])
  // The receiver has the last POST before the sender has its answer.
  await expect
    .poll(() => webhooks.list(ID))
    .toMatchObject([{ url: receiver.url, waiting: 0, delivered: 3, dropped: 0, last: '200' }])
})

/** What a receiver computes by Standard Webhooks 1.0: whether one of the signatures is right. */
function isSignedWith(key: Buffer | string, { headers, body }: Received): boolean {
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
  const wanted = createHmac('sha256', key).update(signed, 'utf8').digest().toString('base64')
  return String(headers['webhook-signature']).split(' ').includes(`v1,${wanted}`)
}

/** Of the tests of the libraries of Standard Webhooks. */
const EXAMPLE = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  body: '{"test": 2432232314}',
  nowMs: 1_614_265_330_000,
}

test('the signature of the published example is the published one', () => {
  expect(signatureHeaders(EXAMPLE)).toMatchObject({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

const secrets: readonly { readonly name: string; readonly secret: string; readonly key: Buffer | string }[] =
  [
    { name: 'a key', secret: EXAMPLE.secret, key: Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64') },
    { name: 'any text', secret: SECRET, key: SECRET },
  ]

test.each(secrets)(
  'a receiver with $name as secret verifies what it gets; retries keep the id and have their own time',
  async ({ secret, key }) => {
    const clock = { nowMs: NOW_MS }
    const receiver = await webhookReceiver()
    receiver.status = 500
    const { webhooks, grow } = await notificationParts(undefined, clock)
    await webhooks.register(ID, { url: receiver.url, secret })
    await expect.poll(() => receiver.received.length).toBeGreaterThan(0)
    clock.nowMs += 7_000
    const before = receiver.received.length
    await expect.poll(() => receiver.received.length).toBeGreaterThan(before + 1)
    receiver.status = 200
    await expect.poll(() => webhooks.list(ID)[0]!.waiting).toBe(0)
    grow(2 * MIB)
    await expect.poll(() => sizes(receiver.received).at(-1)).toBe(2 * MIB)
    const tries = receiver.received.slice(0, -1)
    const ids = [...new Set(tries.map(({ headers }) => headers['webhook-id']))]
    const times = [...new Set(tries.map(({ headers }) => headers['webhook-timestamp']))]
    expect([ids, times]).toEqual([
      [expect.stringMatching(/^msg_[0-9a-f]{32}$/)],
      [`${NOW_MS / 1000}`, `${NOW_MS / 1000 + 7}`],
    ])
    expect(receiver.received.at(-1)!.headers['webhook-id']).not.toBe(ids[0])
    for (const one of receiver.received) {
      expect(isSignedWith(key, one)).toBe(true)
      expect(isSignedWith('another secret', one)).toBe(false)
      const seconds = one.headers['webhook-timestamp']
      const own = createHmac('sha256', secret).update(`${seconds}.${one.body}`).digest('hex')
      expect(one.headers['x-millrace-signature']).toBe(`t=${seconds},v1=${own}`)
    }
  },
)

test('without a secret nothing is signed, also after a restart', async () => {
  const receiver = await webhookReceiver()
  const first = await notificationParts()
  await first.webhooks.register(ID, { url: receiver.url })
  await expect.poll(() => receiver.received.length).toBe(1)
  first.webhooks.stop()
  await notificationParts(first.store)
  await expect.poll(() => receiver.received.length).toBe(2)
  for (const { headers } of receiver.received) {
    expect(headers['webhook-id']).toMatch(/^msg_/)
    expect(headers['webhook-timestamp']).toBe(`${NOW_MS / 1000}`)
    expect(headers).not.toHaveProperty('webhook-signature')
    expect(headers).not.toHaveProperty('x-millrace-signature')
  }
})

test('a changed threshold counts at the next poll', async () => {
  const receiver = await webhookReceiver()
  const { streams, webhooks, grow } = await notificationParts()
  await streams.setProperties(ID, { notificationThresholdMb: 100 })
  await webhooks.register(ID, { url: receiver.url, secret: SECRET })
  grow(5 * MIB)
  await streams.setProperties(ID, { notificationThresholdMb: 1 })
  grow(0)
  await expect.poll(() => sizes(receiver.received)).toEqual([0, 5 * MIB])
})

test.each([500, 404, 302])(
  'an answer of %s is no delivery: the POST is retried, in order',
  async (status) => {
    const receiver = await webhookReceiver()
    receiver.status = status
    const { webhooks, grow } = await notificationParts()
    await webhooks.register(ID, { url: receiver.url, secret: SECRET })
    grow(2 * MIB)
    await expect.poll(() => receiver.received.length).toBeGreaterThan(2)
    expect(new Set(sizes(receiver.received))).toEqual(new Set([0]))
    expect(receiver.received.every(({ path }) => path === '/hook')).toBe(true) // redirects are not followed
    receiver.status = 204
    await expect.poll(() => sizes(receiver.received).at(-1)).toBe(2 * MIB)
    await expect.poll(() => webhooks.list(ID)[0]).toMatchObject({ waiting: 0, delivered: 2, dropped: 0 })
  },
)

test('the queue is bounded: the oldest are dropped', async () => {
  const receiver = await webhookReceiver()
  receiver.status = undefined
  const { webhooks, grow } = await notificationParts()
  await webhooks.register(ID, { url: receiver.url, secret: SECRET })
  for (let i = 0; i < 100; i++) grow(2 * MIB)
  const [state] = webhooks.list(ID)
  expect(state!.waiting).toBeLessThanOrEqual(32)
  expect(state!.waiting + state!.dropped).toBe(101)
})

test('after a restart a webhook gets the size at that time', async () => {
  const receiver = await webhookReceiver()
  const first = await notificationParts()
  await first.webhooks.register(ID, { url: receiver.url, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(1)
  first.webhooks.stop()
  const second = await notificationParts(first.store)
  await expect.poll(() => receiver.received.length).toBe(2)
  expect(second.webhooks.list(ID)).toMatchObject([{ url: receiver.url }])
})

test('deleting the webhook or the stream ends it, also after a restart', async () => {
  const receiver = await webhookReceiver()
  const first = await notificationParts()
  const hook = await first.webhooks.register(ID, { url: receiver.url, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(1)
  expect(await first.webhooks.remove(ID, hook)).toBe(true)
  expect(await first.webhooks.remove(ID, hook)).toBe(false)
  first.grow(2 * MIB)
  await first.webhooks.register(ID, { url: `${receiver.url}/2`, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(2)
  await first.streams.delete(ID)
  const second = await notificationParts(first.store)
  expect(second.webhooks.list(ID)).toEqual([])
  expect(receiver.received.length).toBe(2)
})

test('the same URL again replaces the webhook', async () => {
  const receiver = await webhookReceiver()
  const { webhooks } = await notificationParts()
  const ids = [
    await webhooks.register(ID, { url: receiver.url, secret: SECRET }),
    await webhooks.register(ID, { url: `${receiver.url}#x`, secret: 'another secret of it' }),
  ]
  expect(new Set(ids).size).toBe(1)
  expect(webhooks.list(ID).length).toBe(1)
})

const silent = [
  { name: 'sends nothing', again: '' },
  { name: 'sends one interim answer after the other', again: 'HTTP/1.1 102 Processing\r\n\r\n' },
  { name: 'never ends its headers', first: 'HTTP/1.1 200 OK\r\nX-A: ', again: 'a' },
]
test.each(silent)('a POST to a receiver that $name ends at the time limit', async ({ first = '', again }) => {
  let closed = false
  const server = createServer((socket) => {
    socket.write(first)
    const timer = setInterval(() => socket.write(again), 5)
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.on('close', () => {
      clearInterval(timer)
      closed = true
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const post = {
    url: new URL(`http://127.0.0.1:${port}/`),
    secret: SECRET,
    id: 'msg_1',
    body: '{}',
    nowMs: NOW_MS,
    allowPrivate: true,
    signal: new AbortController().signal,
    timeoutMs: 200,
  }
  await expect(postToWebhook(post)).rejects.toMatchObject({ name: 'TimeoutError' })
  await expect.poll(() => closed).toBe(true)
})

test('receivers that fail do not delay the others', async () => {
  const silent = await webhookReceiver()
  const good = await webhookReceiver()
  silent.status = 500
  const { webhooks, streams, feed } = await notificationParts()
  const ids = Array.from({ length: 4 }, (_, i) => ({ ...ID, stream: `t${i}` as StreamName }))
  for (const id of ids) {
    await streams.create(id, { notificationThresholdMb: 1 })
    for (let i = 0; i < 16; i++) await webhooks.register(id, { url: `${silent.url}${i}`, secret: SECRET })
  }
  const haveFailed = () => ids.flatMap((id) => webhooks.list(id)).every(({ last }) => last === '500')
  await expect.poll(haveFailed, { timeout: 20_000 }).toBe(true)
  silent.status = undefined // from now on each POST ends at its limit of ten seconds
  const before = silent.received.length
  await expect.poll(() => silent.received.length).toBeGreaterThanOrEqual(before + 16)
  await webhooks.register(ID, { url: good.url, secret: SECRET })
  await expect.poll(() => good.received.length, { timeout: 8_000 }).toBe(1)
  feed.stop()
})

test('unless the operator allows it nothing is sent to this machine, by address or by name', async () => {
  const receiver = await webhookReceiver()
  const post = {
    secret: SECRET,
    id: 'msg_1',
    body: '{}',
    nowMs: NOW_MS,
    allowPrivate: false,
    signal: new AbortController().signal,
  }
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]']) {
    const url = new URL(receiver.url.replace('127.0.0.1', host))
    await expect(postToWebhook({ ...post, url }), host).rejects.toThrow(/not public/)
  }
  expect(receiver.received).toEqual([])
})
