/**
 * Savepoint, stop and restore of jobs of every way, in both formats: planner, job model, worker, store. What the jobs have written
 * together is what one job writes that was never stopped.
 */
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { checkSavepoint } from '../../../src/jobs/savepoints/savepoint-files.ts'
import {
  begun,
  EVENTS,
  HALF,
  type Jobs,
  last,
  locationOf,
  post,
  SLOW,
  stopped,
  uninterrupted,
  WAYS,
} from '../../support/savepoint-jobs.ts'

/** With other tests on the same processors. */
vi.setConfig({ testTimeout: 180_000 })

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
