import { describe, expect, test } from 'vitest'
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
import { jobStart, streamTable, testWorker } from '../../support/job-worker.ts'

const B = 1633956780000
const TUTORIAL = [
  ['doc', 'cpu1', 50, 0],
  ['dopey', 'cpu4', 98.5, 9277],
  ['sleepy', 'cpu2', 87.25, 3483],
  ['doc', 'cpu1', 10, 20000],
  ['happy', 'cpu2', 70, 29999],
  ['sneezy', 'cpu1', 80.5, 30000],
  ['unknown', 'cpu1', 99, 32000],
  ['dopey', 'cpu4', 91.5, 40001],
  ['doc', 'cpu1', 90, 10000],
  ['flush', 'cpu0', 1, 100000],
].map(([hostname, cpu, usage, at]) => JSON.stringify({ hostname, cpu, usage, occurred_at: B + Number(at) }))

describe('the jobs of the tutorial', () => {
  test('filter', async () => {
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    await worker.store.append('cpu', TUTORIAL)
    const plan = planOf([cpuSource()], [FILTER])
    await worker.start(jobStart(worker, plan, [streamTable('cpu', CPU), streamTable('out', FILTERED)]))
    const bodies = await worker.until(async () => {
      if (worker.failure !== undefined) throw new Error(worker.failure.message)
      const all = await worker.store.bodies('out')
      return all.length === 6 ? all : undefined
    })
    expect(bodies[0]).toBe(
      '{"time_ltz":"2021-10-11 12:53:09.277","hostname":"dopey","cpu":"cpu4","usage":98.5}',
    )
    const [event] = await worker.store.events('out')
    expect(event?.headers).toEqual({ 'content.type': 'application/json' })
  })

  test('aggregate', async () => {
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    await worker.store.append('cpu', TUTORIAL)
    const plan = planOf([cpuSource()], [windowInsert(windowOf())])
    await worker.start(jobStart(worker, plan, [streamTable('cpu', CPU), streamTable('out', AGGREGATED)]))
    const bodies = await worker.until(async () => {
      if (worker.failure !== undefined) throw new Error(worker.failure.message)
      const all = await worker.store.bodies('out')
      return all.length === 7 ? all : undefined
    })
    expect(
      bodies.map((body) => JSON.parse(body)).map(({ hostname, total, n }) => [hostname, total, n]),
    ).toEqual([
      ['doc', 60, 2],
      ['dopey', 98.5, 1],
      ['happy', 70, 1],
      ['sleepy', 87.25, 1],
      ['dopey', 91.5, 1],
      ['sneezy', 80.5, 1],
      ['unknown', 99, 1],
    ])
    await worker.until(() => worker.figures)
    expect(worker.figures?.inserts[0]?.recordsLate).toBe(1)
    expect(worker.figures?.sources[0]?.watermarkMs).toBe(B + 90_000)
  })
})
