/**
 * Savepoints in the worker: both formats, values of all types, failures, damage, and savepoints of earlier versions.
 *
 *   savepoint-1/   savepoints of layout 1 in both formats, made by MAKE_FIXTURE=1 npx vitest run test/jobs/worker/savepoints.test.ts
 */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { JobPlan } from '../../../src/jobs/plan/job-plan.ts'
import { checkSavepoint, readSavepoint } from '../../../src/jobs/savepoints/savepoint-files.ts'
import { AGGREGATED, CPU, cpuSource, planOf, windowInsert, windowOf } from '../../support/job-plans.ts'
import {
  column,
  JID,
  jobStart,
  streamTable,
  TestStore,
  type TestWorker,
  temporaryFolder,
  testWorker,
} from '../../support/job-worker.ts'
import { besideState, FORMATS, restoredInto, savepointOrder } from '../../support/savepoints.ts'

const B = 1_633_956_780_000
const NEXT = 'b'.repeat(32)
const FIXTURE = fileURLToPath(new URL('savepoint-1', import.meta.url))
const TABLES = [streamTable('cpu', CPU), streamTable('out', AGGREGATED)]
const WINDOWS = planOf([cpuSource()], [windowInsert(windowOf())])
const FIRST = [
  ['doc', 50, 0],
  ['dopey', 98.5, 9277],
  ['doc', 10, 20_000],
  ['happy', 70, 45_000],
] as const
const SECOND = [
  ['doc', 1, 40_000],
  ['late', 1, 29_999],
  ['flush', 1, 100_000],
] as const
/** Windows of 30 s with a watermark 10 s behind: the first is closed by the event at 45 s, the second by the flush. */
const CLOSED = [
  ['doc', 60, 2],
  ['dopey', 98.5, 1],
]
const AFTERWARDS = [
  ['doc', 1, 1],
  ['happy', 70, 1],
]

async function append(
  store: TestStore,
  events: readonly (readonly [string, number, number])[],
): Promise<void> {
  const bodies = events.map(([hostname, usage, at]) =>
    JSON.stringify({ hostname, cpu: 'c', usage, occurred_at: B + at }),
  )
  await store.append('cpu', bodies)
}

async function rows(store: TestStore): Promise<unknown[]> {
  const bodies = await store.bodies('out')
  return bodies.map((body) => JSON.parse(body)).map(({ hostname, total, n }) => [hostname, total, n])
}

async function reached(worker: TestWorker, count: number): Promise<unknown[]> {
  return worker.until(async () => {
    if (worker.failure !== undefined) throw new Error(worker.failure.message)
    const all = await rows(worker.store)
    return all.length >= count ? all : undefined
  })
}

/** A worker whose job has read the first events. The clock stands, so that positions are the same in every run. */
async function begun(plan: JobPlan = WINDOWS): Promise<{ worker: TestWorker; folder: string }> {
  const store = await TestStore.open(() => B)
  await store.create('cpu', 'out')
  const worker = await testWorker({ store, nowMs: () => B })
  await append(store, FIRST)
  await worker.start(jobStart(worker, plan, TABLES))
  await reached(worker, 2)
  return { worker, folder: await temporaryFolder() }
}

describe.each(FORMATS)('a savepoint %s', (format) => {
  test('holds the state, and a new job goes on from it; the old one goes on too', async () => {
    const { worker, folder } = await begun()
    const location = join(folder, 'sp')
    const outcome = await worker.order(JID, savepointOrder(location, { format }))
    expect(outcome).toMatchObject({ kind: 'done', epoch: 1, savepoint: { startedMs: B } })
    const metadata = await checkSavepoint(location)
    expect(metadata).toMatchObject({
      ...{ format: 1, kind: format, signature: WINDOWS.signature, epoch: 1, drained: false, jid: JID },
      positions: [{ source: 's0', position: { log: 1, sequence: 3 }, watermarkMs: B + 35_000 }],
      files: [{ name: format === 'NATIVE' ? 'state.duckdb' : 'kept_w0-0.parquet' }],
    })
    expect(await besideState(worker, JID)).toEqual([])
    await worker.cancel(JID)
    await restoredInto(worker, NEXT, location)
    await append(worker.store, SECOND)
    await worker.start(jobStart(worker, WINDOWS, TABLES, { jid: NEXT }))
    expect(await reached(worker, 4)).toEqual([...CLOSED, ...AFTERWARDS])
    expect(await besideState(worker, NEXT)).toEqual([])
    await worker.until(() => worker.figures?.inserts[0]?.recordsLate === 1)
  })

  test('ends the job before another tick', async () => {
    const { worker, folder } = await begun()
    const location = join(folder, 'sp')
    expect(await worker.order(JID, savepointOrder(location, { format, ends: true }))).toMatchObject({
      kind: 'done',
    })
    await worker.until(() => worker.reports.some(({ kind }) => kind === 'finished'))
    expect((await readSavepoint(location)).epoch).toBe(1)
  })

  test.each([
    ['a place that is gone', (folder: string) => join(folder, 'gone', 'sp'), 'ENOENT'],
    ['a place that is taken', (folder: string) => folder, 'exists already'],
  ])('into %s fails; nothing is left, and the job goes on', async (_, location, text) => {
    const { worker, folder } = await begun()
    const outcome = await worker.order(JID, savepointOrder(location(folder), { format, ends: true }))
    expect(outcome).toMatchObject({ kind: 'failed', message: expect.stringContaining(text) })
    expect([await besideState(worker, JID), await readdir(folder)]).toEqual([[], []])
    await append(worker.store, SECOND)
    expect(await reached(worker, 4)).toEqual([...CLOSED, ...AFTERWARDS])
  })

  test('that was broken off is removed when the job starts again, and so is what it had moved', async () => {
    const { worker, folder } = await begun()
    await worker.cancel(JID)
    const own = join(worker.jobsFolder, JID)
    await mkdir(join(own, 'savepoint'))
    await writeFile(join(own, 'savepoint', 'kept_w0-0.parquet'), 'half')
    await mkdir(join(folder, 'sp.partial'))
    await writeFile(join(own, 'savepoint.target'), join(folder, 'sp'))
    await worker.start(jobStart(worker, WINDOWS, TABLES))
    await worker.until(() => worker.running === 2)
    expect([await besideState(worker, JID), await readdir(folder)]).toEqual([[], []])
  })

  test('is loaded anew if that was broken off', async () => {
    const { worker, folder } = await begun()
    const location = join(folder, 'sp')
    await worker.order(JID, savepointOrder(location, { format, ends: true }))
    await restoredInto(worker, NEXT, location)
    await append(worker.store, SECOND)
    const own = join(worker.jobsFolder, NEXT)
    // A job of another moment stands for a state that is half loaded; a NATIVE one has been moved.
    if (format === 'NATIVE') await cp(join(own, 'restore', 'state.duckdb'), join(own, 'state.duckdb'))
    else await cp(join(worker.jobsFolder, JID, 'state.duckdb'), join(own, 'state.duckdb'))
    if (format === 'NATIVE') await rm(join(own, 'restore', 'state.duckdb'))
    await worker.start(jobStart(worker, WINDOWS, TABLES, { jid: NEXT }))
    expect(await reached(worker, 4)).toEqual([...CLOSED, ...AFTERWARDS])
  })

  test('with a sink at another epoch is no start', async () => {
    const { worker, folder } = await begun()
    const location = join(folder, 'sp')
    await worker.order(JID, savepointOrder(location, { format, ends: true }))
    await restoredInto(worker, NEXT, location)
    worker.store.epochs.delete(`${NEXT}/0`)
    await worker.start(jobStart(worker, WINDOWS, TABLES, { jid: NEXT }))
    expect((await worker.failed()).message).toContain('sink is at epoch 0, state at 1')
  })

  test('of a plan with another signature or other tables is no start', async () => {
    const { worker, folder } = await begun()
    const location = join(folder, 'sp')
    await worker.order(JID, savepointOrder(location, { format, ends: true }))
    await restoredInto(worker, NEXT, location)
    const other = windowOf({
      columns: [...windowOf().columns, column('more', 'INT')],
      input: 'SELECT *, 1 AS "more" FROM s0',
    })
    const plan = planOf([cpuSource()], [windowInsert(other)], {
      ...(format === 'NATIVE' && { signature: 'cd'.repeat(32) }),
    })
    await worker.start(jobStart(worker, plan, TABLES, { jid: NEXT }))
    const failure = await worker.failed()
    expect(failure.kind).toBe('lasting')
    expect(failure.message).toContain(
      format === 'NATIVE' ? 'is of another statement' : 'table kept_w0 has the columns',
    )
  })

  test('of layout 1 opens in this version', async () => {
    const store = await TestStore.open(() => B)
    await store.create('cpu', 'out')
    await append(store, FIRST)
    const worker = await testWorker({ store, nowMs: () => B })
    await restoredInto(worker, NEXT, await unpacked(format))
    await append(store, SECOND)
    await worker.start(jobStart(worker, WINDOWS, TABLES, { jid: NEXT }))
    expect(await reached(worker, 2)).toEqual(AFTERWARDS)
  })

  test.runIf(process.env.MAKE_FIXTURE === '1')('is kept for later versions', async () => {
    const { worker, folder } = await begun()
    await worker.order(JID, savepointOrder(join(folder, 'sp'), { format, ends: true }))
    const target = join(FIXTURE, format.toLowerCase())
    await rm(target, { recursive: true, force: true })
    await mkdir(target, { recursive: true })
    for (const name of await readdir(join(folder, 'sp')))
      await writeFile(
        join(target, `${name}.gz`),
        gzipSync(await readFile(join(folder, 'sp', name)), { level: 9 }),
      )
  })
})

async function unpacked(format: string): Promise<string> {
  const source = join(FIXTURE, format.toLowerCase())
  const folder = await temporaryFolder()
  for (const name of await readdir(source))
    await writeFile(join(folder, name.replace(/\.gz$/, '')), gunzipSync(await readFile(join(source, name))))
  return folder
}

test('a stop that is part of the start comes before the first tick, and replaces what an earlier one has left', async () => {
  const { worker, folder } = await begun()
  const location = join(folder, 'sp')
  await worker.order(JID, savepointOrder(location, { ends: true }))
  await worker.until(() => worker.reports.some(({ kind }) => kind === 'finished'))
  await append(worker.store, SECOND)
  const order = savepointOrder(location, {
    ends: true,
    replaces: true,
    id: 'cd'.repeat(16),
    format: 'NATIVE',
  })
  await worker.start(jobStart(worker, WINDOWS, TABLES, { order }))
  await worker.until(() => worker.reports.filter(({ kind }) => kind === 'finished').length === 2)
  expect(await checkSavepoint(location)).toMatchObject({ kind: 'NATIVE', epoch: 1 })
  expect(await rows(worker.store)).toEqual(CLOSED)
  expect(await readdir(folder)).toEqual(['sp'])
})

test('drain closes the windows; later rows of them are late, those of later windows are not', async () => {
  const { worker, folder } = await begun()
  const location = join(folder, 'sp')
  await worker.order(JID, savepointOrder(location, { ends: true, drains: true }))
  expect(await rows(worker.store)).toEqual([...CLOSED, ['happy', 70, 1]])
  expect(await readSavepoint(location)).toMatchObject({ drained: true, epoch: 2 })
  await restoredInto(worker, NEXT, location)
  await append(worker.store, [SECOND[0], ['more', 2, 70_000], SECOND[2], ['end', 1, 200_000]])
  await worker.start(jobStart(worker, WINDOWS, TABLES, { jid: NEXT }))
  expect((await reached(worker, 5)).slice(3)).toEqual([
    ['more', 2, 1],
    ['flush', 1, 1],
  ])
})

test('a checkpoint is a commit', async () => {
  const { worker } = await begun()
  expect(await worker.order(JID, { kind: 'checkpoint', id: 'x' })).toEqual({ kind: 'done', epoch: 2 })
  await append(worker.store, SECOND)
  expect(await reached(worker, 4)).toEqual([...CLOSED, ...AFTERWARDS])
})

test('a cancelled job gives its savepoint up', async () => {
  const { worker, folder } = await begun()
  const location = join(folder, 'sp')
  const ordered = worker.order(JID, savepointOrder(location, { id: 'cd'.repeat(16) })).catch(() => undefined)
  await worker.cancel(JID)
  await Promise.race([ordered, new Promise((resolve) => setTimeout(resolve, 200))])
  const left = await readdir(folder)
  if (left.length > 0) await checkSavepoint(location)
  expect(await besideState(worker, JID)).toEqual([])
})
