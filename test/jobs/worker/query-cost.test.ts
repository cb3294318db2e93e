/**
 * Processor time of the ticks of a cached query over 1,000,000 orders, 10,000 customers and 50 regions: with the whole query after
 * each change, and with groups that follow the changes. The two take turns, so that both meet the same load of the machine.
 * Then the time from a commit to the update that shows it, at 1,000 changes a second in commits of 20.
 * Not part of any run: QUERY_COST=1 npx vitest run test/jobs/worker/query-cost.test.ts
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, onTestFinished, test, vi } from 'vitest'
import { Increments } from '../../../src/jobs/worker/increment.ts'
import { BY_REGION, queryPlan, TestQueryJob } from '../../support/query-jobs.ts'
import { WayBench } from '../../support/way-bench.ts'

const ROWS = Number(process.env.QUERY_COST_ROWS ?? 1_000_000)
const TICKS = 15

async function opened(path: string): Promise<WayBench> {
  const plan = queryPlan(BY_REGION)
  const query = { source: {} as never, key: [], keyIsRow: false, visibleColumns: 4 }
  const bench = await WayBench.open({ path, sources: plan.sources, insert: plan.inserts[0]!, query })
  await bench.connection.once(
    `INSERT INTO in_s1 SELECT range, 'u', range, 'r' || (range % 50) FROM range(10000)`,
  )
  await bench.connection.once(
    `INSERT INTO in_s0 SELECT range, 'u', range, range % 10000, (range * 7919 % 1000000) / 100 FROM range(${ROWS})`,
  )
  await bench.runTick(new Set(['s0', 's1']))
  // As a tick does after many rows: the deleted ones would be read again.
  await bench.connection.once('CREATE OR REPLACE TEMP TABLE in_s0 AS FROM in_s0 LIMIT 0')
  return bench
}

/** Milliseconds of the processor and of the clock. */
async function tick(bench: WayBench, changes: number, round: number): Promise<readonly [number, number]> {
  await bench.connection.once(
    `INSERT INTO in_s0 SELECT range, 'u', (range * 7907 + ${round * 31}) % ${ROWS}, range % 10000, (range * ${7 + round} % 1000000) / 100 FROM range(${changes})`,
  )
  const [before, startMs] = [process.cpuUsage(), performance.now()]
  await bench.runTick(new Set(['s0']))
  const { user, system } = process.cpuUsage(before)
  return [(user + system) / 1000, performance.now() - startMs]
}

function printed(times: readonly (readonly [number, number])[]): string {
  const of = (part: 0 | 1, at: number) =>
    [...times]
      .map((time) => time[part])
      .sort((a, b) => a - b)
      [at]!.toFixed(0)
  const middle = times.length >> 1
  return `CPU ${of(0, 0)} to ${of(0, times.length - 1)}, median ${of(0, middle)} ms; wall median ${of(1, middle)} ms`
}

describe.skipIf(process.env.QUERY_COST === undefined)('cost of a tick', () => {
  test('with and without groups that are kept', { timeout: 600_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'query-cost-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    vi.spyOn(Increments, 'open').mockResolvedValueOnce(undefined)
    const whole = await opened(join(folder, 'whole.duckdb'))
    const kept = await opened(join(folder, 'kept.duckdb'))
    for (const changes of [1, 100, 1_000, 10_000]) {
      const times: [(readonly [number, number])[], (readonly [number, number])[]] = [[], []]
      for (let round = 0; round < TICKS; round++) {
        times[0].push(await tick(whole, changes, round))
        times[1].push(await tick(kept, changes, round))
      }
      console.log(`${changes} changes, whole query: ${printed(times[0])}; groups kept: ${printed(times[1])}`)
    }
    await whole.close()
    await kept.close()
  })

  test('from a commit to its update', { timeout: 600_000 }, async () => {
    const job = await TestQueryJob.open(BY_REGION)
    onTestFinished(() => job.close())
    const order = (id: number, n: number) =>
      JSON.stringify({
        ...{ before: null, op: 'u' },
        after: { id, customer: n % 10_000, amount: `${n % 9_999}.50` },
      })
    const customers = Array.from(
      { length: 10_000 },
      (_, id) => ['customers', 'r', [id, `r${id % 50}`]] as const,
    )
    await job.write(...customers)
    for (let at = 0; at < ROWS; at += 10_000)
      await job.store.append(
        'orders',
        Array.from({ length: 10_000 }, (_, i) => order(at + i, at + i)),
      )
    await job.start()
    await job.commit()
    await job.worker.until(() => job.worker.published.some(({ ends }) => ends) || undefined, 300_000)
    const committed = new Map<string, number>()
    const latencies: number[] = []
    const { published } = job.worker
    const before = published.length
    let seen = before
    const watch = setInterval(() => {
      for (; seen < published.length; seen++) {
        const { moment, ends } = published[seen]!
        if (!ends) continue
        for (const [lsn, atMs] of committed) {
          if (BigInt(lsn) > BigInt(moment.lsn)) continue
          latencies.push(performance.now() - atMs)
          committed.delete(lsn)
        }
      }
    }, 2)
    const startMs = performance.now()
    const cpu = process.cpuUsage()
    for (let n = 0; n < 500; n++) {
      await job.store.append(
        'orders',
        Array.from({ length: 20 }, (_, i) => order(((n * 20 + i) * 7_907) % ROWS, n * 31 + i)),
      )
      committed.set(await job.commit(), performance.now())
      const waitMs = startMs + (n + 1) * 20 - performance.now()
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
    const seconds = (performance.now() - startMs) / 1000
    const { user, system } = process.cpuUsage(cpu)
    await job.worker.until(() => committed.size === 0 || undefined)
    clearInterval(watch)
    latencies.sort((a, b) => a - b)
    const at = (part: number) => latencies[Math.floor(latencies.length * part)]!.toFixed(0)
    console.log(
      `${(10_000 / seconds).toFixed(0)} changes a second: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${((user + system) / 1e6 / seconds).toFixed(2)} of a processor, ${published.length - before} ticks`,
    )
  })
})
