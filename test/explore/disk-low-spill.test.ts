/** On a disk that is nearly full queries give back what they have on it; those in memory go on. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { ended, handleOf, QUERIES, rowsOf } from '../support/explore.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const SOON = { timeout: 20_000, interval: 20 }
const SMALL = 'SELECT body FROM stream_s'
const LARGE = 'SELECT range, hash(range) AS h, md5(range::VARCHAR) AS m FROM range(3000000)'

test('spilled data is removed when the disk has less free space than it must keep', async () => {
  const disk = { free: 5_000 }
  const dataFolder = await temporaryFolder()
  const app = await testApp({
    streams: ['s'],
    config: { minFreeDiskBytes: 1_000, dataFolder },
    limits: { maxQueryMemoryBytes: 64 * 1024 * 1024 },
    freeBytes: () => disk.free,
  })
  const spill = join(dataFolder, 'explore-spill')
  const spilled = () => existsSync(spill) && readdirSync(spill).length > 0
  const stateOf = async (handle: string) =>
    (await app.get(`${QUERIES}/${handle}/status`)).json() as { status: string }
  const seen = (status: number) =>
    vi.waitUntil(async () => (await app.get('/status')).status === status, SOON)
  await app.post(`${STREAMS}/s`, { body: 'a' })

  const inMemory = await handleOf(app, SMALL)
  await ended(app, inMemory)
  disk.free = 999
  await seen(503)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect((await stateOf(inMemory)).status).toBe('FINISHED')

  disk.free = 5_000
  await seen(200)
  const large = await handleOf(app, LARGE)
  expect((await ended(app, large)).status).toBe('FINISHED')
  expect(spilled()).toBe(true)

  disk.free = 999
  await vi.waitUntil(async () => (await stateOf(large)).status === 'ERROR', SOON)
  expect(await stateOf(large)).toMatchObject({
    sqlState: '53000',
    errorMessage: expect.stringMatching(/^the disk is nearly full: queries gave back [0-9]+ bytes of it$/),
  })
  await vi.waitUntil(() => !spilled(), SOON)
  expect(await rowsOf(app, 'SELECT count(*) FROM stream_s')).toEqual([[1]])
  expect(app.reported.some((report) => /queries gave back/.test(String(report)))).toBe(true)
})
