/** What a webhook is sent, when it is sent again, and what is not sent. */
import { createHmac } from 'node:crypto'
import { MemoryLevel } from 'memory-level'
import { expect, onTestFinished, test } from 'vitest'
import { SizeFeed } from '../../src/notifications/size-feed.ts'
import { postToWebhook, signatureOf } from '../../src/notifications/webhook-post.ts'
import { Webhooks } from '../../src/notifications/webhooks.ts'
import type { NamespaceName, StreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn, type Storage } from '../../storage/level/open.ts'
import { webhookReceiver } from '../support/webhook-receiver.ts'

const NOW_MS = 1_700_000_000_000
const SECRET = 'a secret of a webhook'
const MIB = 1024 * 1024
const ID = { namespace: 'default' as NamespaceName, stream: 's' as StreamName }

async function rooms(storage?: Storage) {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const nowMs = () => NOW_MS
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
    random: () => 0,
    allowPrivate: true,
    firstPauseMs: 20,
  })
  onTestFinished(() => {
    feed.stop()
    webhooks.stop()
  })
  const grow = (bytes: number) => {
    streams.traffic.wrote(streams.get(ID).counts, 1, bytes)
    feed.look()
  }
  return { store, streams, feed, usage, webhooks, grow }
}

const sizes = (received: readonly { readonly body: string }[]) =>
  received.map(({ body }) => (JSON.parse(body) as { size: number }).size)

test('a webhook is told at once, and when the stream has grown by more than its threshold; signed', async () => {
  const receiver = await webhookReceiver()
  const { webhooks, grow } = await rooms()
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
  const signed = createHmac('sha256', SECRET)
    .update(`${NOW_MS / 1000}.${body}`)
    .digest('hex')
  expect(headers['x-millrace-signature']).toBe(`t=${NOW_MS / 1000},v1=${signed}`)
  expect(signatureOf('another secret', body, NOW_MS)).not.toContain(signed)
  expect(webhooks.list(ID)).toMatchObject([
    { url: receiver.url, waiting: 0, delivered: 3, dropped: 0, last: '200' },
  ])
})

test('a changed threshold counts at the next look', async () => {
  const receiver = await webhookReceiver()
  const { streams, webhooks, grow } = await rooms()
  await streams.setProperties(ID, { notificationThresholdMb: 100 })
  await webhooks.register(ID, { url: receiver.url, secret: SECRET })
  grow(5 * MIB)
  await streams.setProperties(ID, { notificationThresholdMb: 1 })
  grow(0)
  await expect.poll(() => sizes(receiver.received)).toEqual([0, 5 * MIB])
})

test.each([500, 404, 302])('an answer of %s is no delivery: it is tried again, in order', async (status) => {
  const receiver = await webhookReceiver()
  receiver.status = status
  const { webhooks, grow } = await rooms()
  await webhooks.register(ID, { url: receiver.url, secret: SECRET })
  grow(2 * MIB)
  await expect.poll(() => receiver.received.length).toBeGreaterThan(2)
  expect(new Set(sizes(receiver.received))).toEqual(new Set([0]))
  expect(receiver.received.every(({ path }) => path === '/hook')).toBe(true) // redirects are not followed
  receiver.status = 204
  await expect.poll(() => sizes(receiver.received).at(-1)).toBe(2 * MIB)
  await expect.poll(() => webhooks.list(ID)[0]).toMatchObject({ waiting: 0, delivered: 2, dropped: 0 })
})

test('what waits is bounded: the oldest give way', async () => {
  const receiver = await webhookReceiver()
  receiver.status = undefined
  const { webhooks, grow } = await rooms()
  await webhooks.register(ID, { url: receiver.url, secret: SECRET })
  for (let i = 0; i < 100; i++) grow(2 * MIB)
  const [state] = webhooks.list(ID)
  expect(state!.waiting).toBeLessThanOrEqual(32)
  expect(state!.waiting + state!.dropped).toBe(101)
})

test('after a restart it is told the size as it is', async () => {
  const receiver = await webhookReceiver()
  const first = await rooms()
  await first.webhooks.register(ID, { url: receiver.url, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(1)
  first.webhooks.stop()
  const second = await rooms(first.store)
  await expect.poll(() => receiver.received.length).toBe(2)
  expect(second.webhooks.list(ID)).toMatchObject([{ url: receiver.url }])
})

test('deleting the webhook or the stream ends it, also after a restart', async () => {
  const receiver = await webhookReceiver()
  const first = await rooms()
  const hook = await first.webhooks.register(ID, { url: receiver.url, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(1)
  expect(await first.webhooks.remove(ID, hook)).toBe(true)
  expect(await first.webhooks.remove(ID, hook)).toBe(false)
  first.grow(2 * MIB)
  await first.webhooks.register(ID, { url: `${receiver.url}/2`, secret: SECRET })
  await expect.poll(() => receiver.received.length).toBe(2)
  await first.streams.delete(ID)
  const second = await rooms(first.store)
  expect(second.webhooks.list(ID)).toEqual([])
  expect(receiver.received.length).toBe(2)
})

test('the same URL again replaces the webhook', async () => {
  const receiver = await webhookReceiver()
  const { webhooks } = await rooms()
  const ids = [
    await webhooks.register(ID, { url: receiver.url, secret: SECRET }),
    await webhooks.register(ID, { url: `${receiver.url}#x`, secret: 'another secret of it' }),
  ]
  expect(new Set(ids).size).toBe(1)
  expect(webhooks.list(ID).length).toBe(1)
})

test('without leave of the operator nothing is sent to this machine, by address or by name', async () => {
  const receiver = await webhookReceiver()
  const post = {
    secret: SECRET,
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
