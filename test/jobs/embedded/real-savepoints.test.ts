/**
 * Savepoint, stop and restore of jobs of every way, in both formats: planner, job model, worker, store. What the jobs have written
 * together is what one job writes that was never stopped.
 */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Operation, SavepointFormat } from '../../../src/jobs/savepoints/savepoint.ts'
import { checkSavepoint } from '../../../src/jobs/savepoints/savepoint-files.ts'
import { DEFAULT_NAMESPACE } from '../../../src/streams/names.ts'
import { type EmbeddedOptions, embeddedJobs } from '../../support/embedded-jobs.ts'
import { POLL } from '../../support/speeds.ts'

type Jobs = Awaited<ReturnType<typeof embeddedJobs>>

const SLOW = { ...POLL, timeout: 60_000 }
const TIMES = "ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND"
const WINDOWS = 'window_start TIMESTAMP(3), k STRING, n BIGINT, total DECIMAL(38, 2)'
const SUM = 'COUNT(*) AS n, SUM(d) AS total'
const windows = (kind: string) =>
  `INSERT INTO \`OUT\` SELECT window_start, k, ${SUM} FROM TABLE(${kind}) GROUP BY window_start, window_end, k`

interface WayOf {
  readonly name: string
  readonly tables: Readonly<Record<string, string>>
  readonly upsert: readonly string[]
  readonly statement: string
}

const WAYS: readonly WayOf[] = [
  {
    name: 'arrival',
    tables: { IN: `k STRING, d DECIMAL(10, 2), ${TIMES}`, OUT: 'k STRING, d DECIMAL(10, 2)' },
    upsert: [],
    statement: 'INSERT INTO `OUT` SELECT k, d FROM `IN` WHERE d > 10',
  },
  {
    name: 'TUMBLE',
    tables: { IN: `k STRING, d DECIMAL(10, 2), ${TIMES}`, OUT: WINDOWS },
    upsert: [],
    statement: windows("TUMBLE(TABLE `IN`, DESCRIPTOR(ts), INTERVAL '10' SECONDS)"),
  },
  {
    name: 'HOP',
    tables: { IN: `k STRING, d DECIMAL(10, 2), ${TIMES}`, OUT: WINDOWS },
    upsert: [],
    statement: windows("HOP(TABLE `IN`, DESCRIPTOR(ts), INTERVAL '5' SECONDS, INTERVAL '10' SECONDS)"),
  },
  {
    name: 'CUMULATE',
    tables: { IN: `k STRING, d DECIMAL(10, 2), ${TIMES}`, OUT: WINDOWS },
    upsert: [],
    statement: windows("CUMULATE(TABLE `IN`, DESCRIPTOR(ts), INTERVAL '5' SECONDS, INTERVAL '10' SECONDS)"),
  },
  {
    name: 'running',
    tables: {
      IN: `k STRING, d DECIMAL(10, 2), ${TIMES}`,
      OUT: 'k STRING, n BIGINT, total DECIMAL(38, 2), different BIGINT, sums BIGINT, PRIMARY KEY (k) NOT ENFORCED',
    },
    upsert: ['OUT'],
    statement: `INSERT INTO \`OUT\` SELECT k, ${SUM}, COUNT(DISTINCT d), SUM(ms) FROM \`IN\` GROUP BY k`,
  },
  {
    name: 'refresh',
    tables: {
      IN: 'id INT, k STRING, d DECIMAL(10, 2), ms BIGINT, PRIMARY KEY (id) NOT ENFORCED',
      OUT: 'k STRING, n BIGINT, total DECIMAL(38, 2), PRIMARY KEY (k) NOT ENFORCED',
    },
    upsert: ['IN', 'OUT'],
    statement: `INSERT INTO \`OUT\` SELECT k, ${SUM} FROM \`IN\` GROUP BY k`,
  },
]

const EVENTS = Array.from({ length: 60 }, (_, i) => ({
  ...{ id: i % 17, k: `k${(i * 7) % 4}`, d: ((i * 37) % 50) + 0.25, ms: 1_700_000_000_000 + i * 900 },
}))
const HALF = 31

/** One by one, so that each has its place; the job has read them all when this resolves. */
async function post(jobs: Jobs, jid: string, from: number, to: number): Promise<void> {
  for (const event of EVENTS.slice(from, to))
    await jobs.postJson(event, [['key', JSON.stringify({ id: event.id })]])
  await expect.poll(() => jobs.view(jid).figures?.sources[0]?.recordsIn, SLOW).toBe(to)
}

async function begun(options: EmbeddedOptions, statement: string): Promise<{ jobs: Jobs; jid: string }> {
  const jobs = await embeddedJobs(options)
  const jid = await jobs.create(statement)
  await expect.poll(() => jobs.view(jid).state, SLOW).toBe('RUNNING')
  return { jobs, jid }
}

async function ended(jobs: Jobs, jid: string, trigger: string): Promise<Operation> {
  const operation = () => jobs.now().jobs.operation(DEFAULT_NAMESPACE, jid, trigger)
  await expect.poll(() => operation().state, SLOW).not.toBe('in-progress')
  return operation()
}

async function stopped(jobs: Jobs, jid: string, more: { drains?: boolean; format?: SavepointFormat } = {}) {
  const request = {
    directory: undefined,
    drains: false,
    format: 'CANONICAL',
    triggerId: undefined,
    ...more,
  } as const
  const trigger = await jobs.now().jobs.stop(DEFAULT_NAMESPACE, jid, request)
  return ended(jobs, jid, trigger)
}

function locationOf(operation: Operation): string {
  if (operation.state !== 'completed') throw new Error(JSON.stringify(operation))
  return operation.location!
}

const WANTED = new Map<string, Promise<unknown[]>>()

/** All that a job writes that was never stopped. */
function uninterrupted(way: WayOf): Promise<unknown[]> {
  const known = WANTED.get(way.name) ?? written(way)
  WANTED.set(way.name, known)
  return known
}

async function written({ name, tables, upsert, statement }: WayOf): Promise<unknown[]> {
  const { jobs, jid } = await begun({ tables, upsert }, statement)
  await post(jobs, jid, 0, HALF)
  const trigger = await jobs.now().jobs.checkpoint(DEFAULT_NAMESPACE, jid, undefined)
  expect(await ended(jobs, jid, trigger)).toMatchObject({ state: 'completed' })
  await post(jobs, jid, HALF, EVENTS.length)
  await stopped(jobs, jid)
  const rows = await jobs.resultsJson()
  expect(rows.length, name).toBeGreaterThan(5)
  return rows
}

/** The last row of each key. Running results have a row for each tick, and ticks differ. */
function last(rows: readonly unknown[]): Map<unknown, unknown> {
  return new Map(rows.map((row) => [(row as { k: string }).k, row]))
}

describe.each(WAYS)('$name', (way) => {
  test.each(['CANONICAL', 'NATIVE'] as const)(
    'savepoint %s, stop and restore: no row is lost or doubled',
    async (format) => {
      const wanted = await uninterrupted(way)
      const { tables, upsert, statement } = way
      const { jobs, jid } = await begun({ tables, upsert }, statement)
      await post(jobs, jid, 0, HALF)
      const location = locationOf(await stopped(jobs, jid, { format }))
      expect(jobs.view(jid).state).toBe('FINISHED')
      const metadata = await checkSavepoint(fileURLToPath(location))
      expect(metadata).toMatchObject({ kind: format, statement, jid, drained: false })
      const before = await jobs.resultsJson()
      const next = await jobs.create(statement, { location })
      await post(jobs, next, HALF, EVENTS.length)
      await jobs.restart() // the commit protocol of a restored job
      await stopped2(jobs, next)
      const rows = await jobs.resultsJson()
      expect(rows.slice(0, before.length)).toEqual(before)
      if (upsert.length === 0) expect(rows).toEqual(wanted)
      else expect(last(rows)).toEqual(last(wanted))
      expect(jobs.reported).toEqual([])
    },
  )
})

async function stopped2(jobs: Jobs, jid: string): Promise<void> {
  await expect.poll(() => jobs.view(jid).state, SLOW).toBe('RUNNING')
  locationOf(await stopped(jobs, jid))
}

test('drain closes all windows, and a restored job writes none of them again', async () => {
  const { tables, upsert, statement } = WAYS[1]!
  const { jobs, jid } = await begun({ tables, upsert }, statement)
  await post(jobs, jid, 0, HALF)
  const location = locationOf(await stopped(jobs, jid, { drains: true }))
  const drained = (await jobs.resultsJson()) as { n: number; window_start: string }[]
  expect(drained.reduce((sum, { n }) => sum + n, 0)).toBe(HALF)
  expect((await checkSavepoint(fileURLToPath(location))).drained).toBe(true)
  const next = await jobs.create(statement, { location })
  await post(jobs, next, HALF, EVENTS.length)
  await stopped(jobs, next, { drains: true })
  const rows = (await jobs.resultsJson()) as { k: string; n: number; window_start: string }[]
  const keys = rows.map(({ k, window_start }) => `${window_start} ${k}`)
  expect(new Set(keys).size).toBe(keys.length)
  // Rows of the windows that the drain closed are late.
  await expect
    .poll(() => jobs.view(next).figures?.inserts[0]?.recordsLate)
    .toBe(EVENTS.length - rows.reduce((sum, { n }) => sum + n, 0))
})
