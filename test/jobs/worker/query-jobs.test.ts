/** The job of a cached query: boundaries, its result as events and as updates for readers, and restarts at every point. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { BY_REGION, type TestQuery, TestQueryJob } from '../../support/query-jobs.ts'

async function queryJob(query: TestQuery = BY_REGION, options?: Parameters<typeof TestQueryJob.open>[1]) {
  const job = await TestQueryJob.open(query, options)
  onTestFinished(() => job.close())
  return job
}

const FILLED = [
  ['customers', 'r', [1, 'north']],
  ['customers', 'r', [2, 'south']],
  ['orders', 'r', [10, 1, '20.00']],
  ['orders', 'r', [11, 2, '5.50']],
] as const

describe('boundaries', () => {
  test('before the first one nothing is read and nothing is shown', async () => {
    const job = await queryJob()
    await job.write(...FILLED)
    await job.start()
    await job.worker.until(() => job.worker.running === 1 || undefined)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect([job.worker.published, await job.events()]).toEqual([[], []])
    await job.shows(await job.commit())
    expect(job.rows).toEqual(['"north" 1 "20.00" "20.00"', '"south" 1 "5.50" "5.50"'])
  })
})
