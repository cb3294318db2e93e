/** Statements from their text to the events of the sink: planner, job model, worker, store. */
import { expect, test } from 'vitest'
import { embeddedJobs } from '../../support/embedded-jobs.ts'
import { POLL } from '../../support/speeds.ts'

const CPU_IN =
  'hostname STRING, cpu STRING, usage DOUBLE, occurred_at BIGINT, proctime AS PROCTIME(), ' +
  "time_ltz AS TO_TIMESTAMP_LTZ(occurred_at, 3), WATERMARK FOR time_ltz AS time_ltz - INTERVAL '10' SECOND"
const BASE_MS = 1_633_956_780_000
/** The input of the vendor's tutorial. */
const EVENTS: readonly (readonly [hostname: string, cpu: string, usage: number, afterMs: number])[] = [
  ['doc', 'cpu1', 50.0, 0],
  ['dopey', 'cpu4', 98.5, 9277],
  ['sleepy', 'cpu2', 87.25, 3483],
  ['doc', 'cpu1', 10.0, 20000],
  ['happy', 'cpu2', 70.0, 29999],
  ['sneezy', 'cpu1', 80.5, 30000],
  ['visitor', 'cpu1', 99.0, 32000],
  ['dopey', 'cpu4', 91.5, 40001],
  ['doc', 'cpu1', 90.0, 10000],
  ['flush', 'cpu0', 1.0, 100000],
]
const FILTER = 'INSERT INTO `OUT` SELECT time_ltz, hostname, cpu, usage FROM `IN` WHERE usage > 80'
const AGGREGATE =
  'INSERT INTO `OUT` SELECT window_start, window_end, hostname, cpu, AVG(usage), MAX(usage) FROM TABLE( TUMBLE( TABLE `IN`, ' +
  "DESCRIPTOR(time_ltz), INTERVAL '30' SECONDS)) GROUP BY window_start, window_end, hostname, cpu"

async function postAll(jobs: Awaited<ReturnType<typeof embeddedJobs>>, from = 0, to = EVENTS.length) {
  for (const [hostname, cpu, usage, afterMs] of EVENTS.slice(from, to))
    await jobs.postJson({ hostname, cpu, usage, occurred_at: BASE_MS + afterMs })
}

test('the filter of the tutorial', async () => {
  const jobs = await embeddedJobs({
    tables: { IN: CPU_IN, OUT: 'time_ltz TIMESTAMP(3), hostname STRING, cpu STRING, usage DOUBLE' },
  })
  await postAll(jobs)
  const jid = await jobs.create(FILTER)
  await expect.poll(async () => (await jobs.resultsJson()).length, POLL).toBe(6)
  expect((await jobs.resultsJson())[0]).toEqual({
    ...{ time_ltz: '2021-10-11 12:53:09.277', hostname: 'dopey', cpu: 'cpu4', usage: 98.5 },
  })
  expect(jobs.view(jid).vertices.map(({ kind }) => kind)).toEqual(['source', 'query', 'sink'])
})

test('the aggregate of the tutorial, over a restart of the service between its events', async () => {
  const schema =
    'window_start TIMESTAMP(3), window_end TIMESTAMP(3), hostname STRING, cpu STRING, usage_avg DOUBLE, usage_max DOUBLE'
  const jobs = await embeddedJobs({ tables: { IN: CPU_IN, OUT: schema } })
  await postAll(jobs, 0, 4)
  const jid = await jobs.create(AGGREGATE)
  await expect.poll(() => jobs.view(jid).figures?.sources[0]?.recordsIn, POLL).toBe(4)
  await jobs.restart()
  await postAll(jobs, 4)
  await expect.poll(async () => (await jobs.resultsJson()).length, POLL).toBe(7)
  const rows = (await jobs.resultsJson()) as Record<string, unknown>[]
  expect(rows.map((row) => [row.window_start, row.hostname, row.usage_avg, row.usage_max])).toEqual([
    ['2021-10-11 12:53:00', 'doc', 30, 50],
    ['2021-10-11 12:53:00', 'dopey', 98.5, 98.5],
    ['2021-10-11 12:53:00', 'happy', 70, 70],
    ['2021-10-11 12:53:00', 'sleepy', 87.25, 87.25],
    ['2021-10-11 12:53:30', 'dopey', 91.5, 91.5],
    ['2021-10-11 12:53:30', 'sneezy', 80.5, 80.5],
    ['2021-10-11 12:53:30', 'visitor', 99, 99],
  ])
  await expect.poll(() => jobs.view(jid).figures?.inserts[0]?.recordsLate, POLL).toBe(1)
})

test('a statement that cannot run is refused at its place, and a table that is not listed', async () => {
  const jobs = await embeddedJobs({ tables: { IN: 'a INT', OUT: 'a INT' } })
  const { jobs: service } = jobs.now()
  const refused = (statement: string, tableIds: readonly string[] = []) =>
    service
      .create('default' as never, { statement, tableIds, name: undefined }, undefined)
      .catch((error) => error)
  expect(await refused('INSERT INTO `OUT` SELECT nope FROM `IN`')).toMatchObject({
    ...{ name: 'SqlProblem', place: { line: 1, column: 26, endLine: 1, endColumn: 29 } },
  })
  const [{ id }] = [{ id: '00000000-0000-0000-0000-000000000002' }]
  expect((await refused('INSERT INTO `OUT` SELECT a FROM `IN`', [id])).reason).toBe(
    'table IN is not in table_ids',
  )
})
