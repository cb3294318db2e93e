/** The store fails under running jobs, and is opened again: jobs go on under their ids, and write every result once. */
import { expect, test, vi } from 'vitest'
import type { Level } from '../../../storage/level/level.ts'
import { openStorageOn } from '../../../storage/level/open.ts'
import { createJob, createTable, detailOf, FLINK, seen } from '../../support/aiven.ts'
import { FaultyLevel } from '../../support/faulty-level.ts'
import { STREAMS, type TestApp, testApp } from '../../support/test-app.ts'

const SOON = { timeout: 30_000, interval: 50 }
const FULL = new Error('IO error: 000003.log: No space left on device')

async function appWithJobs() {
  const db = new FaultyLevel()
  const app = await testApp({
    streams: ['source'],
    nowMs: Date.now(),
    async openStorage(nowMs) {
      await db.open()
      return openStorageOn(db as unknown as Level, { nowMs, sync: true })
    },
  })
  const time = 'seen TIMESTAMP(3), WATERMARK FOR seen AS seen'
  await createTable(app, { name: 'SOURCE', schema_sql: `node INT, ${time}` })
  await createTable(app, { name: 'COPY', schema_sql: 'node INT' })
  await createTable(app, { name: 'SUMS', schema_sql: 'window_end TIMESTAMP(3), total INT' })
  const ids = [
    await createJob(app, { statement: 'INSERT INTO COPY SELECT node FROM SOURCE' }),
    await createJob(app, {
      statement:
        "INSERT INTO SUMS SELECT window_end, SUM(node) FROM TABLE(TUMBLE(TABLE SOURCE, DESCRIPTOR(seen), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
    }),
  ]
  await expect.poll(() => states(app), SOON).toEqual(['RUNNING', 'RUNNING'])
  return { app, db, ids }
}

/** Of the jobs, newest first. */
async function states(app: TestApp): Promise<string[]> {
  const answer = await app.get(`${FLINK}/job`)
  return answer.status === 200
    ? (answer.json() as { jobs: { status: string }[] }).jobs.map(({ status }) => status)
    : []
}

/** An event for each number, at that second, all in one write. */
async function post(app: TestApp, from: number, to: number): Promise<void> {
  const lines = numbers(from, to).map((node) =>
    JSON.stringify({ node, seen: `2026-01-01 00:00:${String(node).padStart(2, '0')}` }),
  )
  const headers = { 'Content-Type': 'text/plain' }
  await app.post(`${STREAMS}/source/batch`, { headers, body: lines.join('\n') })
}

async function rows(app: TestApp, stream: string): Promise<Record<string, unknown>[]> {
  const answer = await app.get(`${STREAMS}/${stream}/events`)
  if (answer.status !== 200) return []
  return (answer.json() as { body: string }[]).map(({ body }) => JSON.parse(body))
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

const failures = [
  { name: 'writes that fail', areWritten: false },
  { name: 'writes that fail and are on disk all the same', areWritten: true },
]
test.each(failures)('$name', async ({ areWritten }) => {
  const { app, db, ids } = await appWithJobs()
  await post(app, 0, 24)
  await expect.poll(async () => (await rows(app, 'copy')).length, SOON).toBe(25)
  // The store fails when it has taken the events, and before the jobs have written their results.
  await post(app, 25, 44)
  db.writesWhatFails = areWritten
  db.failWith = FULL
  await post(app, 45, 45)
  await vi.waitUntil(async () => (await app.get('/status')).status === 503, SOON)
  db.failWith = undefined
  await vi.waitUntil(async () => (await app.get('/status')).status === 200, SOON)
  expect(seen(await app.get(`${FLINK}/job`))).toMatchObject([200, { jobs: [{ id: ids[1] }, { id: ids[0] }] }])
  await post(app, 46, 59)
  const source = (await rows(app, 'source')).map(({ node }) => node)
  expect(source).toEqual(expect.arrayContaining([...numbers(0, 44), ...numbers(46, 59)]))
  await expect.poll(() => rows(app, 'copy'), SOON).toEqual(source.map((node) => ({ node })))
  const sums = [10, 20, 30, 40, 50].flatMap((end) => {
    const within = source.filter((node) => Number(node) < end && Number(node) >= end - 10) as number[]
    const total = within.reduce((sum, node) => sum + node, 0)
    return within.length === 0 ? [] : [{ window_end: `2026-01-01 00:00:${end}`, total }]
  })
  await expect.poll(() => rows(app, 'sums'), SOON).toEqual(sums)
  expect(await states(app)).toEqual(['RUNNING', 'RUNNING'])
  for (const id of ids) expect((await detailOf(app, id)).millrace.recordsIn).toBe(source.length)
})
