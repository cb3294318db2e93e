/** A storage engine whose failures end by themselves: the service waits for it, and does not open the store again. */
import { expect, test, vi } from 'vitest'
import { StorageError } from '../../storage/storage-error.ts'
import { STREAMS, testApp } from '../support/test-app.ts'
import { newWeakData, openWeakStorage, type WeakStorage } from '../support/weak-engine/weak-storage.ts'

const SOON = { timeout: 20_000, interval: 20 }

async function weakApp() {
  const data = newWeakData()
  const opened: WeakStorage[] = []
  const app = await testApp({
    streams: ['s'],
    async openStorage(nowMs) {
      opened.push(openWeakStorage(data, nowMs))
      return opened.at(-1)!
    },
  })
  return { app, opened }
}

test('writes are refused with 503 while it fails, reads go on, and it takes writes again without being opened anew', async () => {
  const { app, opened } = await weakApp()
  await app.post(`${STREAMS}/s`, { body: 'before' })
  opened[0]!.fail(new StorageError('unavailable', 'no leader'))
  const refused = [
    await app.post(`${STREAMS}/s`, { body: 'a' }),
    await app.post(`${STREAMS}/s/async`, { body: 'a' }),
    await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': 'text/plain' }, body: 'a\nb' }),
    await app.put(`${STREAMS}/other`),
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":100}' }),
  ]
  expect(refused.map(({ status, headers, text }) => [status, headers['retry-after'], text])).toEqual(
    refused.map(() => [503, '5', 'no leader']),
  )
  expect((await app.events('s')).map(({ body }) => body)).toEqual(['before'])
  expect((await app.get('/status')).status).toBe(503)
  await new Promise((resolve) => setTimeout(resolve, 1_500)) // longer than between two polls of the supervisor
  expect(opened).toHaveLength(1)

  opened[0]!.heal()
  await vi.waitUntil(async () => (await app.get('/status')).status === 200, SOON)
  expect((await app.post(`${STREAMS}/s`, { body: 'after' })).status).toBe(200)
  expect((await app.events('s')).map(({ body }) => body)).toEqual(['before', 'after'])
  expect(opened).toHaveLength(1)
})

test('deleting a stream waits for it to heal, as it does for a store that is opened again', async () => {
  const { app, opened } = await weakApp()
  opened[0]!.fail(new StorageError('full', 'the disk is full'))
  const deleting = app.delete(`${STREAMS}/s`)
  setTimeout(() => opened[0]!.heal(), 300)
  expect((await deleting).status).toBe(200)
  expect(opened).toHaveLength(1)
})
