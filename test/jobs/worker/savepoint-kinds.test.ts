/** Savepoints with values of all types, of large states beside other jobs, onto other and full disks, and with a PostgreSQL sink. */
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import { checkSavepoint } from '../../../src/jobs/savepoints/savepoint-files.ts'
import type { ConnectedTable } from '../../../src/jobs/worker/job-worker-protocol.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { SmallDisk } from '../../faults/disk/small-disk.ts'
import { AGGREGATED, CPU, cpuSource, planOf, windowInsert, windowOf } from '../../support/job-plans.ts'
import {
  column,
  JID,
  jobStart,
  streamTable,
  type TestWorker,
  temporaryFolder,
  testWorker,
} from '../../support/job-worker.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { besideState, FORMATS, restoredInto, savepointOrder } from '../../support/savepoints.ts'

vi.setConfig({ testTimeout: 180_000 })

const NEXT = 'b'.repeat(32)
const SAVEPOINTS_MAX = 10
const TABLES = [streamTable('cpu', CPU), streamTable('out', AGGREGATED)]
const event = (hostname: string, usage: number, at: number) =>
  JSON.stringify({ hostname, cpu: 'c', usage, occurred_at: at })

async function recordsIn(worker: TestWorker, count: number): Promise<void> {
  await worker.until(() => {
    if (worker.failure !== undefined) throw new Error(worker.failure.message)
    return worker.figures?.sources[0]?.recordsIn === count
  }, 120_000)
}

const ROW: DataType = {
  kind: 'ROW',
  fields: [{ name: 'A b', type: { kind: 'INT' }, nullable: true }] as never,
} as DataType

/** Expressions over the number n of the event, as columns that wait in a window. */
const TYPES: readonly (readonly [sql: string, type: DataType])[] = [
  ['n % 2 = 0', { kind: 'BOOLEAN' }],
  ['CAST(n % 100 AS TINYINT)', { kind: 'TINYINT' }],
  ['CAST(n AS SMALLINT)', { kind: 'SMALLINT' }],
  ['CAST(n AS INTEGER)', { kind: 'INT' }],
  ['9223372036854775807 - n', { kind: 'BIGINT' }],
  [
    "CASE n WHEN 0 THEN 'nan'::FLOAT WHEN 1 THEN 'inf'::FLOAT ELSE CAST('-0.0' AS FLOAT) END",
    { kind: 'FLOAT' },
  ],
  [
    "CASE n WHEN 0 THEN 'nan'::DOUBLE WHEN 1 THEN '-inf'::DOUBLE ELSE CAST('-0.0' AS DOUBLE) END",
    { kind: 'DOUBLE' },
  ],
  [
    "CAST('12345678901234567890123456789012345.678' AS DECIMAL(38, 3)) + n",
    { kind: 'DECIMAL', precision: 38, scale: 3 },
  ],
  ['CAST(n AS DECIMAL(9, 2))', { kind: 'DECIMAL', precision: 9, scale: 2 }],
  ["'é\\0' || chr(0) || n", { kind: 'STRING' }],
  ["'\\x00\\xFF'::BLOB", { kind: 'BYTES' }],
  ["DATE '0001-01-01' + n::INTEGER", { kind: 'DATE' }],
  ["TIME '23:59:59.999'", { kind: 'TIME' }],
  ["TIMESTAMP '1969-12-31 23:59:59.123456'", { kind: 'TIMESTAMP', precision: 6 }],
  ["TIMESTAMPTZ '2021-01-01 00:00:00.123+00'", { kind: 'TIMESTAMP_LTZ', precision: 3 }],
  ['[n::INTEGER, NULL]', { kind: 'ARRAY', element: { kind: 'INT' } } as DataType],
  ["MAP {'k': n::INTEGER}", { kind: 'MAP', key: { kind: 'STRING' }, value: { kind: 'INT' } } as DataType],
  ["{'A b': n::INTEGER}", ROW],
] as const

describe.each(FORMATS)('a savepoint %s', (format) => {
  test('keeps the values of all types, and their order', async () => {
    const values = TYPES.map(([sql], index) => `CASE WHEN n = 3 THEN NULL ELSE ${sql} END AS "v${index}"`)
    const time = windowOf().columns.at(-1)!
    const window = windowOf({
      input: `SELECT __ord, "hostname", "usage", "time_ltz", ${values.join(', ')} FROM (SELECT *, CAST("usage" AS BIGINT) AS n FROM s0)`,
      columns: [
        ...windowOf().columns.slice(0, 2),
        time,
        ...TYPES.map(([, type], index) => ({ name: `v${index}`, type })),
      ],
    })
    const shown = [column('shown', 'STRING')]
    const all = `to_json([${TYPES.map((_, index) => `CAST("v${index}" AS VARCHAR)`).join(', ')}])`
    const plan = planOf(
      [cpuSource()],
      [
        {
          ...windowInsert(window),
          sink: { tableId: 'out', tableName: 'out', columns: shown, primaryKey: [] },
          select: `SELECT __end, CAST(list(${all}) AS VARCHAR) AS c0 FROM w0 GROUP BY __end`,
        } as never,
      ],
    )
    const tables = [TABLES[0]!, streamTable('out', shown)]
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    await worker.store.append(
      'cpu',
      [0, 1, 2, 3, 4].map((n) => event('h', n, 1_000 + n)),
    )
    await worker.start(jobStart(worker, plan, tables))
    await recordsIn(worker, 5)
    const location = join(await temporaryFolder(), 'sp')
    expect(await worker.order(JID, savepointOrder(location, { format }))).toMatchObject({ kind: 'done' })
    // The first job closes the window with its own rows, the second one with those of the savepoint.
    await worker.store.append('cpu', [event('flush', 9, 100_000)])
    const [own] = await worker.until(async () => {
      const bodies = await worker.store.bodies('out')
      return bodies.length === 1 ? bodies : undefined
    })
    await worker.cancel(JID)
    await restoredInto(worker, NEXT, location)
    await worker.start(jobStart(worker, plan, tables, { jid: NEXT }))
    const [, restored] = await worker.until(async () => {
      if (worker.failure !== undefined) throw new Error(worker.failure.message)
      const bodies = await worker.store.bodies('out')
      return bodies.length === 2 ? bodies : undefined
    })
    expect(own).toContain('nan')
    expect(restored).toBe(own)
  })

  test('goes to another disk, and leaves nothing on a full one', async ({ skip }) => {
    const disk = await SmallDisk.mount(16)
    if (typeof disk === 'string') return skip(disk)
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    await worker.store.append(
      'cpu',
      Array.from({ length: 2_000 }, (_, n) => event(randomBytes(500).toString('hex'), n, 1_000)),
    )
    await worker.start(jobStart(worker, planOf([cpuSource()], [windowInsert(windowOf())]), TABLES))
    await recordsIn(worker, 2_000)
    const location = join(disk.folder, 'sp')
    expect(await worker.order(JID, savepointOrder(location, { format }))).toMatchObject({ kind: 'done' })
    await checkSavepoint(location)
    disk.fill(Math.floor(disk.freeBytes / 1024 / 1024))
    const order = savepointOrder(join(disk.folder, 'full'), { format, id: 'cd'.repeat(16), ends: true })
    const outcome = await worker.order(JID, order)
    expect(outcome).toMatchObject({ kind: 'failed', message: expect.stringMatching(/ENOSPC|has \d+ free/) })
    expect((await readdir(disk.folder)).sort()).toEqual(['ballast', 'sp'])
    expect(await besideState(worker, JID)).toEqual([])
    await worker.store.append('cpu', [event('more', 1, 1_000)])
    await recordsIn(worker, 2_001)
  })
})

test('a large savepoint is written in pieces, and other jobs have their ticks meanwhile', async () => {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out', 'other', 'other-out')
  const plan = planOf([cpuSource()], [windowInsert(windowOf())])
  for (let part = 0; part < 8; part++)
    await worker.store.append(
      'cpu',
      Array.from({ length: 50_000 }, (_, n) => event('h', n, 1_000)),
    )
  await worker.start(jobStart(worker, plan, TABLES))
  await recordsIn(worker, 400_000)
  const [insert] = plan.inserts
  const other = planOf(
    [cpuSource('s0', 'other')],
    [{ ...insert!, sink: { ...insert!.sink, tableId: 'other-out', tableName: 'other-out' } } as never],
  )
  const tables = [streamTable('other', CPU), streamTable('other-out', AGGREGATED)]
  await worker.start(jobStart(worker, other, tables, { jid: NEXT }))
  await worker.until(() => worker.running === 2)
  const PIECES = 4
  const staging = join(worker.jobsFolder, JID, 'savepoint')
  let turnsBetween = 0
  worker.onTurn = (jid) => {
    const pieces = jid === NEXT && existsSync(staging) ? readdirSync(staging).length : 0
    if (pieces > 0 && pieces < PIECES) turnsBetween++
  }
  // A tick of the other job may begin after the last piece: such a savepoint shows nothing, and the next one is written.
  for (let n = 0; n < SAVEPOINTS_MAX && turnsBetween === 0; n++) {
    const location = join(await temporaryFolder(), 'sp')
    let isWritten = false
    const written = worker.order(JID, savepointOrder(location)).finally(() => {
      isWritten = true
    })
    while (!isWritten) {
      await worker.store.append('other', [event('h', 1, 1_000)])
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await written).toMatchObject({ kind: 'done' })
    const { tables: saved } = await checkSavepoint(location)
    expect(saved.map(({ rows, files }) => [rows, files.length])).toEqual([[400_000, PIECES]])
  }
  expect(turnsBetween).toBeGreaterThan(0)
})

describe.skipIf(NO_POSTGRES !== undefined)(
  `a PostgreSQL sink${NO_POSTGRES === undefined ? '' : `: ${NO_POSTGRES}`}`,
  () => {
    test.each(FORMATS)(
      'has the epoch of the savepoint %s before the first tick; no row is lost or doubled',
      async (format) => {
        const server = await TestPostgres.start()
        onTestFinished(() => server.remove())
        await server.sql('CREATE TABLE numbers (usage double precision)')
        const worker = await testWorker()
        await worker.store.create('cpu')
        const columns = [column('usage', 'DOUBLE')]
        const sink: ConnectedTable = {
          ...streamTable('out', columns),
          connector: {
            ...{ kind: 'jdbc', tableName: 'numbers', schema: undefined, table: 'numbers' },
            ...{ lookupCacheTtlMs: 0, lookupCacheRowsMax: 0 },
          } as ConnectedTable['connector'],
          access: { kind: 'postgres', connectionUri: server.uri() },
          stream: undefined,
        }
        const insert: InsertPlan = {
          ...{ way: 'arrival' as const, sink: { tableId: 'out', tableName: 'out', columns, primaryKey: [] } },
          select: 'SELECT __ord, "usage" AS c0 FROM s0',
        }
        const plan = planOf([cpuSource()], [insert])
        const count = async () =>
          (await server.sql('SELECT count(*)::int AS n, count(DISTINCT usage)::int AS d FROM numbers'))[0]
        await worker.store.append(
          'cpu',
          Array.from({ length: 10 }, (_, n) => event('h', n, 1_000)),
        )
        await worker.start(jobStart(worker, plan, [TABLES[0]!, sink]))
        await worker.until(async () => (await count())?.n === 10)
        const location = join(await temporaryFolder(), 'sp')
        await worker.order(JID, savepointOrder(location, { format, ends: true }))
        const epoch = await restoredInto(worker, NEXT, location, 0)
        await worker.store.append(
          'cpu',
          Array.from({ length: 10 }, (_, n) => event('h', 10 + n, 1_000)),
        )
        await worker.start(jobStart(worker, plan, [TABLES[0]!, sink], { jid: NEXT }))
        await worker.until(async () => {
          if (worker.failure !== undefined) throw new Error(worker.failure.message)
          return (await count())?.n === 20
        })
        expect(await count()).toEqual({ n: 20, d: 20 })
        const positions = await server.sql(
          'SELECT job, epoch::int AS epoch FROM millrace_positions ORDER BY job',
        )
        expect(positions).toEqual([
          { job: JID, epoch },
          { job: NEXT, epoch: epoch + 1 },
        ])
      },
    )
  },
)
