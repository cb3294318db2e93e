/** A store that fails under the running service, and what people see until it takes writes again. */
import { expect, test, vi } from 'vitest'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { handleOf } from '../support/explore.ts'
import { FaultyLevel } from '../support/faulty-level.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

/** A busy machine may take its time; a service that does not recover is still found out. */
const SOON = { timeout: 20_000, interval: 50 }
const FULL = new Error('IO error: 000003.log: No space left on device')
const TEXT = { headers: { 'Content-Type': 'text/plain' } }

async function faultyApp() {
  const db = new FaultyLevel()
  const opening: { failWith?: Error } = {}
  const app = await testApp({
    streams: ['s'],
    async openStorage(nowMs): Promise<Storage> {
      if (opening.failWith !== undefined) throw opening.failWith
      await db.open()
      return openStorageOn(db as unknown as Level, { nowMs, sync: true })
    },
  })
  return { app, db, opening }
}

async function bodies(app: TestApp, stream = 's'): Promise<string[]> {
  return (await app.events(stream)).map(({ body }) => body)
}

async function untilWell(app: TestApp): Promise<void> {
  await vi.waitUntil(async () => (await app.get('/status')).status === 200, SOON)
}

test('writes are refused with 503 and reads go on, until the store has been opened again by itself', async () => {
  const { app, db } = await faultyApp()
  await app.post(`${STREAMS}/s`, { body: 'before' })
  db.failWith = FULL
  const sentence = 'the disk is full: IO error: 000003.log: No space left on device'
  const writes = [
    await app.post(`${STREAMS}/s`, { body: 'a' }),
    await app.post(`${STREAMS}/s/async`, { body: 'a' }),
    await app.post(`${STREAMS}/s/batch`, { ...TEXT, body: 'a\nb' }),
    await app.put(`${STREAMS}/other`),
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":100}' }),
    await app.post(`${STREAMS}/s/truncate`),
    await app.delete(`${STREAMS}/s`),
  ]
  expect(writes.map(({ status, headers, text }) => [status, headers['retry-after'], text])).toEqual(
    writes.map(() => [503, '5', sentence]),
  )
  expect(await bodies(app)).toEqual(['before'])
  const status = await app.get('/status')
  expect([status.status, status.text]).toEqual([
    503,
    `writes are refused since one failed (${sentence}), until the disk takes writes again\n`,
  ])
  expect((await app.get('/v3/system/services/streams/status')).text).toBe('{"status":"NOTOK"}')
  expect((await app.get('/ping')).status).toBe(200)

  db.failWith = undefined
  await untilWell(app)
  expect((await app.post(`${STREAMS}/s`, { body: 'after' })).status).toBe(200)
  expect((await app.put(`${STREAMS}/other`)).status).toBe(200)
  expect(await bodies(app)).toEqual(['before', 'after'])
  expect(app.reported).toContain('the store has been opened again, and takes writes')
})

test('what failed and is on disk all the same shows itself once the store is open again', async () => {
  const { app, db } = await faultyApp()
  await app.post(`${STREAMS}/s`, { body: 'before' })
  db.failWith = FULL
  db.writesWhatFails = true
  expect((await app.post(`${STREAMS}/s`, { body: 'uncertain' })).status).toBe(503)
  expect(await bodies(app)).toEqual(['before'])
  db.failWith = undefined
  await untilWell(app)
  await app.post(`${STREAMS}/s`, { body: 'after' })
  const events = await app.events('s', 'cursor=true')
  expect(events.map(({ body }) => body)).toEqual(['before', 'uncertain', 'after'])
})

test('a request that frees disk space waits until the store is opened again', async () => {
  const { app, db, opening } = await faultyApp()
  await app.put(`${STREAMS}/t`)
  await app.post(`${STREAMS}/s`, { body: 'before' })
  db.failWith = FULL
  opening.failWith = FULL // or the store in memory, which has no disk to try first, opens and is well until its next write
  expect((await app.post(`${STREAMS}/s`, { body: 'a' })).status).toBe(503)
  const freeing = [app.post(`${STREAMS}/s/truncate?x`), app.delete(`${STREAMS}/t`)]
  expect((await app.put(`${STREAMS}/other`)).status).toBe(503) // others do not wait
  expect((await app.get('/status')).status).toBe(503)
  db.failWith = undefined
  delete opening.failWith
  expect((await Promise.all(freeing)).map(({ status }) => status)).toEqual([200, 200])
  expect(await bodies(app)).toEqual([])
  expect((await app.get(`${STREAMS}/t`)).status).toBe(404)
})

const changes = [
  {
    name: 'a stream created',
    change: (app: TestApp) => app.put(`${STREAMS}/new`),
    look: (app: TestApp) => app.get(`${STREAMS}/new`),
    before: 404,
    after: 200,
  },
  {
    name: 'a stream deleted',
    change: (app: TestApp) => app.delete(`${STREAMS}/s`),
    look: (app: TestApp) => app.get(`${STREAMS}/s`),
    before: 200,
    after: 404,
  },
  {
    name: 'a stream truncated',
    change: (app: TestApp) => app.post(`${STREAMS}/s/truncate`),
    look: (app: TestApp) => app.get(`${STREAMS}/s/events`),
    before: 200,
    after: 204,
  },
]
test.each(changes)('$name by a write that failed and is on disk is so afterwards', async (one) => {
  const { app, db } = await faultyApp()
  await app.post(`${STREAMS}/s`, { body: 'before' })
  db.failWith = FULL
  db.writesWhatFails = true
  expect((await one.change(app)).status).toBe(503)
  expect((await one.look(app)).status).toBe(one.before)
  db.failWith = undefined
  await untilWell(app)
  expect((await one.look(app)).status).toBe(one.after)
  // and log ids are handed out where they were: nothing of another stream shows up in a new one
  await app.put(`${STREAMS}/newer`)
  expect((await app.get(`${STREAMS}/newer/events`)).status).toBe(204)
})

test('opening the store is retried, and meanwhile writes are answered with Retry-After', async () => {
  const { app, db, opening } = await faultyApp()
  await app.post(`${STREAMS}/s`, { body: 'before' })
  db.failWith = FULL
  await app.post(`${STREAMS}/s`, { body: 'a' })
  opening.failWith = new StorageError('unavailable', 'data folder d cannot be opened: on fire')
  db.failWith = undefined
  await vi.waitUntil(async () => (await app.get(`${STREAMS}/s/events`)).status === 503, SOON)
  const read = await app.get(`${STREAMS}/s/events`)
  expect([read.status, read.headers['retry-after'], read.text]).toEqual([503, '5', 'the store is closed'])
  expect((await app.post(`${STREAMS}/s`, { body: 'b' })).status).toBe(503)
  await vi.waitUntil(async () => (await app.get('/status')).text.includes('on fire'), SOON)
  delete opening.failWith
  await untilWell(app)
  expect(await bodies(app)).toEqual(['before'])
})

test('a service whose store failed stops as any other', async () => {
  const { app, db } = await faultyApp()
  await app.post(`${STREAMS}/s`, { body: 'before' })
  db.failWith = FULL
  await app.post(`${STREAMS}/s`, { body: 'a' })
  db.failWith = undefined
  await app.restart()
  expect(await bodies(app)).toEqual(['before'])
})

test('events that were answered 202 and could not be written are counted for the operator', async () => {
  const { app, db } = await faultyApp()
  db.failWith = FULL
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => app.post(`${STREAMS}/s/async`, { body: 'a' })),
  )
  const accepted = answers.filter(({ status }) => status === 202).length
  expect(accepted).toBeGreaterThan(0)
  await vi.waitUntil(async () => (await app.get('/status')).status === 503, SOON)
  db.failWith = undefined
  await untilWell(app)
  expect(app.reported).toContain(`events that were answered 202 and could not be written: ${accepted}`)
})

test('which programs asked is remembered once the store is open again, but for streams that are gone', async () => {
  const { app, db } = await faultyApp()
  await app.put(`${STREAMS}/t`)
  await handleOf(app, 'SELECT 1 FROM stream_s, stream_t', { app: 'Shop', program: 'Counter' })
  const used = async () => (await app.get('/v3/namespaces/default/apps/Shop/streams')).text
  db.failWith = FULL
  db.writesWhatFails = true
  expect((await app.delete(`${STREAMS}/t`)).status).toBe(503)
  expect(await used()).toContain('"streamName":"t"')
  db.failWith = undefined
  await untilWell(app)
  expect(await used()).toBe('[{"namespace":{"id":"default"},"streamName":"s"}]')
  await app.delete(`${STREAMS}/s`)
  expect(await used()).toBe('[]')
})
