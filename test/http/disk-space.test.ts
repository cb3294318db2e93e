/** The watermark: a disk with too little free space accepts no events, but every request that frees space. */
import { randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { STREAMS, type TestApp, testApp, testOnLevelDb } from '../support/test-app.ts'

const SOON = { timeout: 20_000, interval: 20 }
const MARK = 1_000
const SENTENCE =
  'the disk has 999 bytes free, and 1000 are to stay free; free disk space, truncate or delete streams, or lower --min-free-disk'
const TEXT = { headers: { 'Content-Type': 'text/plain' } }

/** A service and its free disk space, which it polls. */
async function appOnDisk() {
  const disk = { free: 5_000 }
  const app = await testApp({
    streams: ['s', 't'],
    config: { minFreeDiskBytes: MARK },
    freeBytes: () => disk.free,
  })
  const seen = (status: number) =>
    vi.waitUntil(async () => (await app.get('/status')).status === status, SOON)
  return { app, disk, seen }
}

const LINES = Array.from({ length: 20_000 }, (_, i) => `line ${i}`.padEnd(99, '.')).join('\n')
const writes = [
  { name: 'an event', send: (app: TestApp) => app.post(`${STREAMS}/s`, { body: 'a' }), status: 200 },
  {
    name: 'an event that is compressed',
    send: (app: TestApp) =>
      app.post(`${STREAMS}/s`, { headers: { 'Content-Encoding': 'identity' }, body: 'a' }),
    status: 200,
  },
  {
    name: 'an async event',
    send: (app: TestApp) => app.post(`${STREAMS}/s/async`, { body: 'a' }),
    status: 202,
  },
  {
    name: 'a small batch',
    send: (app: TestApp) => app.post(`${STREAMS}/s/batch`, { ...TEXT, body: 'a\nb' }),
    status: 200,
  },
  {
    name: 'a large batch',
    send: (app: TestApp) => app.post(`${STREAMS}/s/batch`, { ...TEXT, body: LINES }),
    status: 200,
  },
]

test.each(writes)(
  '$name is refused with 507 below the mark, stored at the mark',
  async ({ send, status }) => {
    const { app, disk, seen } = await appOnDisk()
    disk.free = MARK - 1
    await seen(503)
    const { status: got, headers, text } = await send(app)
    expect([got, headers['retry-after'], text]).toEqual([507, '30', SENTENCE])
    expect(await app.events('s')).toEqual([])
    disk.free = MARK
    await seen(200)
    expect((await send(app)).status).toBe(status)
  },
)

test('reads, changes and requests that free space continue below the mark', async () => {
  const { app, disk, seen } = await appOnDisk()
  for (const stream of ['s', 't']) await app.post(`${STREAMS}/${stream}`, { body: 'a' })
  await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":10}' })
  disk.free = MARK - 1
  await seen(503)
  expect((await app.get('/status')).text.split('\n')[0]).toBe(`events are refused: ${SENTENCE}`)
  expect((await app.get('/v3/system/services/streams/status')).text).toBe('{"status":"NOTOK"}')
  expect((await app.events('s')).length).toBe(1)
  app.nowMs += 11_000
  expect(await app.tidy()).toBe(1) // what has expired
  expect((await app.post(`${STREAMS}/t/truncate`)).status).toBe(200)
  expect(await app.tidy()).toBe(1) // what was truncated
  expect((await app.delete(`${STREAMS}/t`)).status).toBe(200)
  expect((await app.put(`${STREAMS}/u`)).status).toBe(200)
})

test('a large batch is given up when the mark is crossed in its middle', async () => {
  const { app, disk, seen } = await appOnDisk()
  let go: () => void = () => {}
  const crossed = new Promise<void>((resolve) => {
    go = resolve
  })
  const half = Buffer.from(`${LINES}\n`)
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(half)
      await crossed
      controller.enqueue(half)
      controller.close()
    },
  })
  const request = { method: 'POST', headers: TEXT.headers, body, duplex: 'half' } as const
  const answering = fetch(`http://127.0.0.1:${app.port}${STREAMS}/s/batch`, request)
  disk.free = MARK - 1
  await seen(503)
  go()
  const answer = await answering
  expect([answer.status, await answer.text()]).toEqual([507, SENTENCE])
  expect(await app.events('s')).toEqual([])
  disk.free = MARK
  await seen(200)
  await app.tidy() // the pieces that were stored are swept
  expect((await app.post(`${STREAMS}/s`, { body: 'a' })).status).toBe(200)
})

testOnLevelDb('small blocks are not merged below the mark: merging needs space first', async () => {
  const { app, disk, seen } = await appOnDisk()
  for (let i = 0; i < 5; i++) await app.post(`${STREAMS}/s`, { body: 'a' })
  app.nowMs += 4_000_000
  disk.free = MARK - 1
  await seen(503)
  expect(await app.tidy()).toBe(0)
  disk.free = MARK
  await seen(200)
  expect(await app.tidy()).toBeGreaterThan(0)
})

test('with a mark of 0 the disk is not polled', async () => {
  let looks = 0
  const app = await testApp({ streams: ['s'], freeBytes: () => looks++ })
  expect((await app.post(`${STREAMS}/s`, { body: 'a' })).status).toBe(200)
  expect(looks).toBe(0)
})

test('a disk that cannot be asked is reported, and takes events', async () => {
  const app = await testApp({
    streams: ['s'],
    config: { minFreeDiskBytes: MARK },
    freeBytes() {
      throw new Error('no such disk')
    },
  })
  expect((await app.post(`${STREAMS}/s`, { body: 'a' })).status).toBe(200)
  expect(app.reported).toContainEqual(new Error('no such disk'))
})

const endings = [
  { name: 'truncated', end: (app: TestApp) => app.post(`${STREAMS}/s/truncate`) },
  { name: 'deleted', end: (app: TestApp) => app.delete(`${STREAMS}/s`) },
  {
    name: 'expired',
    async end(app: TestApp) {
      await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":1}' })
      app.nowMs += 2_000
    },
  },
]
const uploads = [
  { name: 'in large batches', lines: 60_000, times: 3 },
  { name: 'in small batches', lines: 2_000, times: 90 },
]
const cases = endings.flatMap((ending) => uploads.map((upload) => ({ ending, upload })))
testOnLevelDb.for(cases)(
  'the space of a stream that was $ending.name, sent $upload.name, is freed without a restart',
  async ({ ending, upload }) => {
    const app = await testApp({ onDisk: true, streams: ['s', 't'] })
    for (let i = 0; i < upload.times; i++) {
      // 100 bytes each, of a kind that does not compress
      const body = randomBytes(upload.lines * 75)
        .toString('base64')
        .replaceAll(/(.{99}). ?/g, '$1\n')
      await app.post(`${STREAMS}/s/batch`, { ...TEXT, body })
    }
    await app.post(`${STREAMS}/t`, { body: 'stays' })
    expect(bytesIn(app.dataFolder)).toBeGreaterThan(17e6)
    await ending.end(app)
    await app.tidy()
    // LevelDB removes files beside its other work
    await vi.waitUntil(() => bytesIn(app.dataFolder) < 9e6, SOON)
    expect(await app.events('t')).toHaveLength(1)
  },
)

function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + sizeOf(join(parentPath, name)), 0)
}

/** LevelDB may remove it meanwhile. */
function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
