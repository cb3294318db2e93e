/** Statements are prepared once and run in every tick: what the first tick's values were must not matter to the later ones. */
import { expect, test } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import { CPU, cpuSource, planOf } from '../../support/job-plans.ts'
import { column, jobStart, streamTable, testWorker } from '../../support/job-worker.ts'

const COLUMNS = [column('n', 'BIGINT'), column('usage', 'DOUBLE')]
const FILTERS = [
  { name: 'none', where: 'TRUE', kept: () => true },
  { name: 'always', where: '"occurred_at" > 100', kept: (n: number) => n > 100 }, // in the first tick
  { name: 'never', where: '"occurred_at" > 500', kept: (n: number) => n > 500 },
]

test('values beyond those of the first tick pass unchanged', async () => {
  const worker = await testWorker()
  const outs = FILTERS.map(({ name }) => `out-${name}`)
  await worker.store.create('cpu', ...outs)
  const inserts = FILTERS.map(
    ({ name, where }): InsertPlan => ({
      way: 'arrival',
      sink: { tableId: `out-${name}`, tableName: `out-${name}`, columns: COLUMNS, primaryKey: [] },
      select: `SELECT __ord, "occurred_at" AS c0, "usage" AS c1 FROM s0 WHERE ${where}`,
    }),
  )
  const tables = [streamTable('cpu', CPU), ...outs.map((out) => streamTable(out, COLUMNS))]
  await worker.start(jobStart(worker, planOf([cpuSource()], inserts), tables))
  const all: number[] = []
  for (const first of [201, 401, 1]) {
    const numbers = Array.from({ length: 200 }, (_, i) => first + i)
    await worker.store.append(
      'cpu',
      numbers.map((n) => JSON.stringify({ hostname: 'h', cpu: 'c', usage: n / 2, occurred_at: n })),
    )
    all.push(...numbers)
    await worker.until(async () => (await worker.store.bodies('out-none')).length === all.length || undefined)
  }
  await worker.cancel('a'.repeat(32)) // ends with the running tick
  for (const { name, kept } of FILTERS) {
    const rows = (await worker.store.bodies(`out-${name}`)).map((body) => JSON.parse(body).n)
    expect(rows, name).toEqual(all.filter(kept))
  }
})
