/** Jobs of every way for tests of savepoints: statements, events, and what they write if they are never stopped. */
import { expect } from 'vitest'
import type { Operation, SavepointFormat } from '../../src/jobs/savepoints/savepoint.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import { type EmbeddedOptions, embeddedJobs } from './embedded-jobs.ts'
import { POLL } from './speeds.ts'

export type Jobs = Awaited<ReturnType<typeof embeddedJobs>>

export const SLOW = { ...POLL, timeout: 120_000 }
const TIMES = "ms BIGINT, ts AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND"
const WINDOWS = 'window_start TIMESTAMP(3), k STRING, n BIGINT, total DECIMAL(38, 2)'
const SUM = 'COUNT(*) AS n, SUM(d) AS total'
const windows = (kind: string) =>
  `INSERT INTO \`OUT\` SELECT window_start, k, ${SUM} FROM TABLE(${kind}) GROUP BY window_start, window_end, k`

export interface WayOf {
  readonly name: string
  readonly tables: Readonly<Record<string, string>>
  readonly upsert: readonly string[]
  readonly statement: string
}

export const WAYS: readonly WayOf[] = [
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

export const EVENTS = Array.from({ length: 60 }, (_, i) => ({
  ...{ id: i % 17, k: `k${(i * 7) % 4}`, d: ((i * 37) % 50) + 0.25, ms: 1_700_000_000_000 + i * 900 },
}))
export const HALF = 31

export function postEvent(jobs: Jobs, event: (typeof EVENTS)[number]): Promise<void> {
  return jobs.postJson(event, [['key', JSON.stringify({ id: event.id })]])
}

/** In order; the job has read them all when this resolves. */
export async function post(jobs: Jobs, jid: string, from: number, to: number): Promise<void> {
  await Promise.all(EVENTS.slice(from, to).map((event) => postEvent(jobs, event)))
  const read = () => {
    const { state, exceptions, figures } = jobs.view(jid)
    if (state === 'FAILED') throw new Error(exceptions.at(-1)?.message)
    return figures?.sources[0]?.recordsIn
  }
  await expect.poll(read, SLOW).toBe(to)
}

export async function begun(
  options: EmbeddedOptions,
  statement: string,
): Promise<{ jobs: Jobs; jid: string }> {
  const jobs = await embeddedJobs(options)
  const jid = await jobs.create(statement)
  await expect.poll(() => jobs.view(jid).state, SLOW).toBe('RUNNING')
  return { jobs, jid }
}

export async function ended(jobs: Jobs, jid: string, trigger: string): Promise<Operation> {
  const operation = () => jobs.now().jobs.operation(DEFAULT_NAMESPACE, jid, trigger)
  await expect.poll(() => operation().state, SLOW).not.toBe('in-progress')
  return operation()
}

export async function stopped(
  jobs: Jobs,
  jid: string,
  more: { drains?: boolean; format?: SavepointFormat } = {},
) {
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

export function locationOf(operation: Operation): string {
  if (operation.state !== 'completed') throw new Error(JSON.stringify(operation))
  return operation.location!
}

const WANTED = new Map<string, Promise<unknown[]>>()

/** All that a job writes that was never stopped. */
export function uninterrupted(way: WayOf): Promise<unknown[]> {
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
export function last(rows: readonly unknown[]): Map<unknown, unknown> {
  return new Map(rows.map((row) => [(row as { k: string }).k, row]))
}

/** A changing result is written when it differs from the row before: an emission that is written twice shows. */
export function expectNoRepeats(rows: readonly unknown[]): void {
  const before = new Map<unknown, string>()
  for (const row of rows) {
    const { k } = row as { k: string }
    expect(JSON.stringify(row)).not.toBe(before.get(k))
    before.set(k, JSON.stringify(row))
  }
}
