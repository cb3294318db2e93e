/** Several jobs in one worker: none waits long for another, idle ones cost nothing, and no state grows without end. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import {
  AGGREGATED,
  CPU,
  cpuSource,
  FILTER,
  FILTERED,
  planOf,
  windowInsert,
  windowOf,
} from '../../support/job-plans.ts'
import { JID, jobStart, streamTable, type TestWorker, testWorker } from '../../support/job-worker.ts'

const B = 1633956780000
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void
const usage = (n: number) =>
  JSON.stringify({ hostname: `host${n % 97}`, cpu: 'c', usage: 90 + (n % 7) / 10, occurred_at: B + n })

const jidOf = (n: number) => n.toString(16).padStart(32, '0')

/** A tick of this job takes about a second, or as many as `rows` says. */
function slow(rows: number): InsertPlan {
  return {
    way: 'arrival',
    sink: FILTER.sink,
    select: `SELECT __ord, NULL::TIMESTAMP AS c0, "hostname" AS c1, "cpu" AS c2, "usage" + (SELECT sum(sqrt(r.range + s0."usage")) FROM range(${rows}) r) * 0 AS c3 FROM s0`,
  }
}

async function startMany(worker: TestWorker, count: number, insert: InsertPlan = FILTER): Promise<void> {
  for (let n = 1; n <= count; n++) {
    await worker.store.create(`in${n}`, `out${n}`)
    const plan = planOf(
      [cpuSource('s0', `in${n}`)],
      [{ ...insert, sink: { ...insert.sink, tableId: `out${n}` } }],
    )
    const tables = [streamTable(`in${n}`, CPU), streamTable(`out${n}`, FILTERED)]
    await worker.start(jobStart(worker, plan, tables, { jid: jidOf(n) }))
  }
  await worker.until(() => worker.running >= count || worker.failure !== undefined)
  expect(worker.failure).toBeUndefined()
}

test('a job with long ticks does not starve the others', async () => {
  const worker = await testWorker()
  await startMany(worker, 8)
  await worker.store.create('cpu', 'out')
  await worker.start(
    jobStart(
      worker,
      planOf([cpuSource()], [slow(20_000_000)]),
      [streamTable('cpu', CPU), streamTable('out', FILTERED)],
      { tickEventsMax: 1 },
    ),
  )
  await worker.until(() => worker.running >= 9)
  await worker.store.append(
    'cpu',
    Array.from({ length: 200 }, (_, n) => usage(n)),
  ) // a backlog of slow ticks
  await worker.until(async () => (await worker.store.bodies('out')).length >= 1)
  const slowBefore = (await worker.store.bodies('out')).length
  for (let n = 1; n <= 8; n++) await worker.store.append(`in${n}`, [usage(n)])
  await worker.until(async () => {
    for (let n = 1; n <= 8; n++) if ((await worker.store.bodies(`out${n}`)).length === 0) return undefined
    return true
  })
  // Each of the eight took its turn after at most one or two slow ticks: reading and the transaction are a turn each.
  expect((await worker.store.bodies('out')).length - slowBefore).toBeLessThanOrEqual(4)
}, 60_000)

test('the pause after a tick does not count the time in which other jobs had the engine', async () => {
  const worker = await testWorker()
  await startMany(worker, 1)
  await worker.store.create('cpu', 'out')
  const plan = planOf([cpuSource()], [slow(40_000_000)])
  const tables = [streamTable('cpu', CPU), streamTable('out', FILTERED)]
  await worker.start(jobStart(worker, plan, tables, { tickEventsMax: 1 }))
  await worker.until(() => worker.running >= 2)
  let hasBegun = false
  worker.onTurn = (jid) => {
    hasBegun ||= jid === JID
  }
  await worker.store.append('cpu', [usage(1)])
  await worker.until(() => hasBegun)
  const msOf = async (event: number) => {
    const startMs = performance.now()
    await worker.store.append('in1', [usage(event)])
    await worker.until(async () => (await worker.store.bodies('out1')).length === event)
    return performance.now() - startMs
  }
  const waitedMs = await msOf(1)
  expect(await msOf(2)).toBeLessThan(Math.max(1_000, waitedMs))
}, 60_000)

test('a statement that runs too long is interrupted, and the job may start again', async () => {
  const worker = await testWorker({ statementMsMax: 300 })
  await worker.store.create('cpu', 'out')
  await worker.store.append('cpu', [usage(1)])
  await worker.start(
    jobStart(worker, planOf([cpuSource()], [slow(20_000_000_000)]), [
      streamTable('cpu', CPU),
      streamTable('out', FILTERED),
    ]),
  )
  expect(await worker.failed()).toEqual({
    ...{ kind: 'passing', message: 'a statement ran longer than 0.3 s' },
    ...{ exhausted: 'time', vertex: 1 }, // the query
  })
})

test('a cancelled job ends with its step and can start again', async () => {
  const worker = await testWorker()
  await startMany(worker, 1)
  await worker.store.append('in1', [usage(1)])
  await worker.cancel(jidOf(1))
  await worker.store.append('in1', [usage(2)])
  const plan = planOf([cpuSource('s0', 'in1')], [{ ...FILTER, sink: { ...FILTER.sink, tableId: 'out1' } }])
  await worker.start(
    jobStart(worker, plan, [streamTable('in1', CPU), streamTable('out1', FILTERED)], { jid: jidOf(1) }),
  )
  await worker.until(async () => (await worker.store.bodies('out1')).length === 2)
  expect(worker.failure).toBeUndefined()
})

test('50 idle jobs use no processor time and little memory', async () => {
  const worker = await testWorker()
  await startMany(worker, 1)
  collectGarbage()
  const before = process.memoryUsage.rss()
  const bytesOfEach = () => (process.memoryUsage.rss() - before) / 49
  for (let n = 2; n <= 50; n++) {
    await worker.store.create(`in${n}`, `out${n}`)
    const plan = planOf(
      [cpuSource('s0', `in${n}`)],
      [{ ...FILTER, sink: { ...FILTER.sink, tableId: `out${n}` } }],
    )
    const tables = [streamTable(`in${n}`, CPU), streamTable(`out${n}`, FILTERED)]
    await worker.start(jobStart(worker, plan, tables, { jid: jidOf(n) }))
  }
  await worker.until(() => worker.running >= 50)
  collectGarbage()
  const started = bytesOfEach()
  for (let n = 1; n <= 50; n++) await worker.store.append(`in${n}`, [usage(n)])
  await worker.until(async () => (await worker.store.bodies('out50')).length === 1)
  await new Promise((resolve) => setTimeout(resolve, 2_500)) // the last reports
  collectGarbage()
  const used = bytesOfEach()
  const cpu = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  const { user, system } = process.cpuUsage(cpu)
  const share = (user + system) / 1000 / 3_000
  const [startedMb, usedMb] = [started, used].map((bytes) => (bytes / 1e6).toFixed(1))
  console.log(
    `an idle job: ${startedMb} MB, after a tick ${usedMb} MB; 50: ${(share * 100).toFixed(2)} % of a core`,
  )
  expect(share).toBeLessThan(0.02)
  // Measured: 1.3 MB, and 2.1 MB with the memory that the engine and the allocator keep of the ticks of all jobs at once.
  expect(started).toBeLessThan(2e6)
  expect(used).toBeLessThan(3e6)
}, 60_000)

test('the state file stays within twice its live rows and 20 MB', async () => {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out')
  const plan = planOf(
    [cpuSource('s0', 'cpu', 0)],
    [windowInsert(windowOf({ sizeMs: 20_000, slideMs: 20_000 }))],
  )
  await worker.start(
    jobStart(worker, plan, [streamTable('cpu', CPU), streamTable('out', AGGREGATED)], {
      tickEventsMax: 5_000,
    }),
  )
  let largest = 0
  const folder = join(worker.jobsFolder, 'a'.repeat(32))
  const size = () =>
    ['state.duckdb', 'state.duckdb.wal'].reduce(
      (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    )
  for (let at = 0; at < 600_000; at += 20_000) {
    await worker.store.append(
      'cpu',
      Array.from({ length: 20_000 }, (_, n) => usage(at + n)),
    )
    await worker.until(() => (worker.figures?.sources[0]?.recordsIn ?? 0) >= at || undefined)
    largest = Math.max(largest, size())
  }
  // At most 45,000 rows wait at a time, of less than 100 bytes.
  expect(largest).toBeLessThan(2 * 4.5e6 + 20e6)
  console.log(`largest state: ${(largest / 1e6).toFixed(1)} MB`)
}, 120_000)
