/**
 * Processor time of ticks, in one process with the store in memory: decode, query, commit with fsync, emission, append.
 * Not part of any run: JOB_SPEED=1 npx vitest run test/jobs/worker/speed.test.ts
 */
import { describe, test } from 'vitest'
import type { JobPlan } from '../../../src/jobs/plan/job-plan.ts'
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

const EVENTS = Number(process.env.JOB_SPEED_EVENTS ?? 400_000)
const BASE = 1633956780000

function bodies(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const n = first + i
    return `{"hostname":"host${n % 97}","cpu":"cpu${n % 8}","usage":${((n * 7919) % 10000) / 100},"occurred_at":${BASE + n * 3 - ((n * 31) % 2000)}}`
  })
}

async function measure(
  name: string,
  plan: JobPlan,
  out: typeof FILTERED,
  tickEventsMax: number,
  done: (n: number) => boolean,
) {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out')
  for (let at = 0; at < EVENTS; at += 1_000) await worker.store.append('cpu', bodies(at, 1_000))
  const cpu = process.cpuUsage()
  const startMs = performance.now()
  await worker.start(
    jobStart(worker, plan, [streamTable('cpu', CPU), streamTable('out', out)], { tickEventsMax }),
  )
  await worker.until(() => (worker.figures?.sources[0]?.recordsIn === EVENTS ? true : undefined), 120_000)
  const used = process.cpuUsage(cpu)
  const cpuMs = (used.user + used.system) / 1000
  const { inserts } = worker.figures!
  console.log(
    `${name} @${tickEventsMax}: ${Math.round((EVENTS / cpuMs) * 1000)} events per CPU-second, wall ${Math.round(performance.now() - startMs)} ms, out ${inserts[0]!.recordsOut}, late ${inserts[0]!.recordsLate}, figures ${JSON.stringify(worker.figures)}`,
  )
  void done
}

describe.skipIf(process.env.JOB_SPEED === undefined)('speed', () => {
  for (const size of [10_000, 100_000]) {
    test(
      `filter ${size}`,
      () => measure('filter', planOf([cpuSource()], [FILTER]), FILTERED, size, () => true),
      200_000,
    )
    test(
      `TUMBLE ${size}`,
      () =>
        measure('TUMBLE', planOf([cpuSource()], [windowInsert(windowOf())]), AGGREGATED, size, () => true),
      200_000,
    )
    test(
      `HOP ${size}`,
      () =>
        measure(
          'HOP',
          planOf([cpuSource()], [windowInsert(windowOf({ kind: 'HOP', slideMs: 10_000 }))]),
          AGGREGATED,
          size,
          () => true,
        ),
      200_000,
    )
  }

  test('a lone event', async () => {
    for (const [name, plan, out] of [
      ['nothing', planOf([cpuSource()], [FILTER]), FILTERED],
      ['filter', planOf([cpuSource()], [FILTER]), FILTERED],
      ['TUMBLE', planOf([cpuSource()], [windowInsert(windowOf())]), AGGREGATED],
    ] as const) {
      const worker = await testWorker()
      await worker.store.create('cpu', 'out')
      if (name !== 'nothing') {
        await worker.start(jobStart(worker, plan, [streamTable('cpu', CPU), streamTable('out', out)]))
        await worker.until(() => worker.running || undefined)
      }
      const latencies: number[] = []
      const cpus: number[] = []
      for (let n = 0; n < 40; n++) {
        await new Promise((resolve) => setTimeout(resolve, 150))
        const before = worker.store.log('out')
        void before
        const cpu = process.cpuUsage()
        const startMs = performance.now()
        const body = JSON.stringify({ hostname: 'h', cpu: 'c', usage: 99, occurred_at: BASE + n * 40_000 })
        const count = worker.store.epochs.get(`${'a'.repeat(32)}/0`) ?? 0
        await worker.store.append('cpu', [body])
        await worker.until(() =>
          (worker.store.epochs.get(`${'a'.repeat(32)}/0`) ?? 0) > count ||
          name === 'nothing' ||
          (name === 'TUMBLE' && n < 2)
            ? true
            : undefined,
        )
        latencies.push(performance.now() - startMs)
        await new Promise((resolve) => setTimeout(resolve, 20))
        const used = process.cpuUsage(cpu)
        cpus.push((used.user + used.system) / 1000)
      }
      latencies.sort((a, b) => a - b)
      cpus.sort((a, b) => a - b)
      console.log(
        `lone ${name}: append to sink p50 ${latencies[20]!.toFixed(1)} ms, max ${latencies.at(-1)!.toFixed(1)}; CPU p50 ${cpus[20]!.toFixed(1)} ms, max ${cpus.at(-1)!.toFixed(1)}`,
      )
      await worker.close()
    }
  }, 60_000)
})
