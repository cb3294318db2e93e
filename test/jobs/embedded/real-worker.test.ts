/** Jobs in a real worker with DuckDB: results, restarts of the service, the store and the process, gaps, deletion. */
import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { embeddedJobs, IN, OUT } from '../../support/embedded-jobs.ts'
import { POLL } from '../../support/speeds.ts'

const UP_TO = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('events of the source become events of the sink, once and in order', async () => {
  const jobs = await embeddedJobs()
  await jobs.post(5, 20)
  const jid = await jobs.create()
  await expect.poll(() => jobs.results(), POLL).toEqual([20])
  expect(jobs.view(jid).state).toBe('RUNNING')
  await jobs.post(30, 7, 40)
  await expect.poll(() => jobs.results(), POLL).toEqual([20, 30, 40])
  await expect.poll(() => jobs.view(jid).figures?.sources[0]?.recordsIn, POLL).toBe(5)
  expect(jobs.view(jid).figures?.inserts[0]).toMatchObject({ recordsOut: 3, recordsLate: 0 })
  expect(jobs.reported).toEqual([])
})

test('a job goes on after a restart of the service, with its counters', async () => {
  const jobs = await embeddedJobs()
  const jid = await jobs.create()
  await jobs.post(...UP_TO(11, 60))
  await jobs.restart()
  await jobs.post(...UP_TO(61, 70))
  await expect.poll(() => jobs.results(), POLL).toEqual(UP_TO(11, 70))
  await expect.poll(() => jobs.view(jid).figures?.sources[0]?.recordsIn, POLL).toBe(60)
  expect([jobs.view(jid).state, jobs.view(jid).exceptions]).toEqual(['RUNNING', []])
})

test('the end of the process between commit and emission neither loses nor repeats events', async () => {
  let kill = 3
  const jobs = await embeddedJobs({
    worker: {
      async beforeEmit() {
        if (kill-- > 0) throw new Error('killed')
      },
    },
  })
  const jid = await jobs.create()
  await jobs.post(...UP_TO(11, 30))
  await expect.poll(() => jobs.results(), POLL).toEqual(UP_TO(11, 30))
  expect(jobs.view(jid).attempt).toBeGreaterThan(0)
})

test('a truncated source fails the job and names the gap', async () => {
  const jobs = await embeddedJobs()
  const jid = await jobs.create()
  await jobs.post(20)
  await expect.poll(() => jobs.results(), POLL).toEqual([20])
  await jobs.now().streams.truncate(IN)
  await expect.poll(() => jobs.view(jid).state, POLL).toBe('FAILED')
  expect(jobs.view(jid).exceptions.at(-1)?.message).toMatch(/stream in .*truncated/)
  await expect.poll(() => existsSync(join(jobs.folder, 'data', 'jobs', jid)), POLL).toBe(false)
})

test('a deleted sink fails the job', async () => {
  const jobs = await embeddedJobs()
  const jid = await jobs.create()
  await jobs.post(20)
  await expect.poll(() => jobs.results(), POLL).toEqual([20])
  await jobs.now().streams.delete(OUT)
  await jobs.post(30)
  await expect.poll(() => jobs.view(jid).state, POLL).toBe('FAILED')
  expect(jobs.view(jid).exceptions.at(-1)?.message).toContain("'stream:default.out' was not found")
})

test('a truncated sink gets the results that follow', async () => {
  const jobs = await embeddedJobs()
  await jobs.create()
  await jobs.post(20)
  await expect.poll(() => jobs.results(), POLL).toEqual([20])
  await jobs.now().streams.truncate(OUT)
  await jobs.post(30)
  await expect.poll(() => jobs.results(), POLL).toEqual([30])
})

test('events that cannot be read are counted and skipped', async () => {
  const jobs = await embeddedJobs()
  const jid = await jobs.create()
  const { streams } = jobs.now()
  await streams.append(streams.get(IN), { headers: [], body: Buffer.from('no json') })
  await jobs.post(20)
  await expect.poll(() => jobs.results(), POLL).toEqual([20])
  await expect.poll(() => jobs.view(jid).badRecords.length, POLL).toBe(1)
  expect(jobs.view(jid)).toMatchObject({ state: 'RUNNING', badRecords: [{ tableName: 'IN', sequence: 0 }] })
})

test('while the disk is low jobs pause, and go on afterwards', async () => {
  const jobs = await embeddedJobs()
  const jid = await jobs.create()
  await jobs.post(20)
  await expect.poll(() => jobs.results(), POLL).toEqual([20])
  jobs.space.low = true
  await expect.poll(() => jobs.view(jid).state, POLL).toBe('RESTARTING')
  jobs.space.low = false
  await jobs.post(30)
  await expect.poll(() => jobs.results(), POLL).toEqual([20, 30])
  expect(jobs.view(jid).exceptions[0]?.message).toBe('the disk is nearly full')
})

test('a cancelled job leaves no state, and folders without a job are removed at the start', async () => {
  const jobs = await embeddedJobs()
  const [one, other] = [await jobs.create(), await jobs.create()]
  await jobs.post(20)
  await expect.poll(() => jobs.results(), POLL).toEqual([20, 20])
  await jobs.now().jobs.cancel(IN.namespace, one)
  await expect.poll(() => jobs.view(one).state, POLL).toBe('CANCELED')
  const orphan = 'f'.repeat(32)
  const states = join(jobs.folder, 'data', 'jobs')
  await expect.poll(() => readdir(states), POLL).toEqual([other])
  for (const name of [orphan, 'not-a-job']) await mkdir(join(states, name))
  await jobs.restart()
  await expect.poll(() => readdir(states), POLL).toEqual([other, 'not-a-job'].sort())
  await expect.poll(() => jobs.view(other).state, POLL).toBe('RUNNING')
})

test('the emission of many events is one write, and a job reads its backlog to the end', async () => {
  const jobs = await embeddedJobs()
  const batch = jobs.now().streams.startBatch(IN)
  const lines = UP_TO(1, 150_000).map((a) => `{"a":${a}}`)
  const bytes = Buffer.from(lines.join(''))
  const ends = Uint32Array.from(
    lines,
    (
      (end) => (line: string) =>
        (end += line.length)
    )(0),
  )
  const starts = Uint32Array.from([0, ...ends.subarray(0, -1)])
  await batch.add({ bytes, starts, ends, count: lines.length }, [])
  await batch.commit()
  await jobs.create()
  await expect.poll(async () => (await jobs.results()).length, { ...POLL, interval: 200 }).toBe(149_990)
  expect(await jobs.results()).toEqual(UP_TO(11, 150_000))
})
