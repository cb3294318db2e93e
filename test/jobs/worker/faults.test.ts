/** What goes wrong while a job runs: events that fail the query, gaps in streams, limits, plans that reach too far. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { InsertPlan, SourcePlan } from '../../../src/jobs/plan/job-plan.ts'
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
import {
  column,
  JID,
  jobStart,
  streamId,
  streamTable,
  TestStore,
  temporaryFolder,
  testWorker,
} from '../../support/job-worker.ts'

const B = 1633956780000
const usage = (n: number, more: object = {}) =>
  JSON.stringify({ hostname: `h${n}`, cpu: 'c', usage: 90, occurred_at: B + n, ...more })
const plan = planOf([cpuSource()], [FILTER])
const tables = [streamTable('cpu', CPU), streamTable('out', FILTERED)]

describe('an event for which the query fails', () => {
  const DIVIDED: InsertPlan = {
    way: 'arrival',
    sink: FILTER.sink,
    select: `SELECT __ord, NULL::TIMESTAMP AS c0, "hostname" AS c1, "cpu" AS c2, CASE WHEN "usage" = 7 THEN error('Division by zero') ELSE "usage" END AS c3 FROM s0`,
  }

  test.each([0, 1, 499, 777, 999])('is named by sequence: %i of 1000', async (bad) => {
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    const bodies = Array.from({ length: 1_000 }, (_, n) => usage(n, { usage: n === bad ? 7 : 90 }))
    await worker.store.append('cpu', bodies)
    await worker.start(jobStart(worker, planOf([cpuSource()], [DIVIDED]), tables))
    const { kind, message, record } = await worker.failed()
    expect({ kind, sequence: record?.sequence, table: record?.tableName }).toEqual({
      kind: 'conversion',
      sequence: bad,
      table: 'cpu',
    })
    expect(message).toContain('Division by zero')
    expect(record?.reason).toContain('Division by zero')
    expect(await worker.store.bodies('out')).toEqual([])
  })

  test('is named in a window too, unless the rest of the query fails', async () => {
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    await worker.store.append('cpu', [usage(1), usage(2, { hostname: 'x' }), usage(3)])
    const window = windowOf({
      input: `SELECT __ord, CAST(CAST(substr("hostname", 2) AS INTEGER) AS VARCHAR) AS "hostname", "usage", "time_ltz" FROM s0`,
    })
    const start = jobStart(worker, planOf([cpuSource()], [windowInsert(window)]), [
      streamTable('cpu', CPU),
      streamTable('out', AGGREGATED),
    ])
    await worker.start(start)
    const { kind, record } = await worker.failed()
    expect([kind, record?.sequence]).toEqual(['conversion', 1])
  })
})

test('unreadable events are counted, and the first five are reported once', async () => {
  const store = await TestStore.open()
  const folder = await temporaryFolder()
  await store.create('cpu', 'out')
  const first = await testWorker({ store, jobsFolder: folder })
  await store.append('cpu', ['{', usage(1), '{', '{'])
  await first.start(jobStart(first, plan, tables))
  await first.until(() => first.figures)
  await first.cancel(JID)
  await first.close()
  const second = await testWorker({ store, jobsFolder: folder })
  await store.append('cpu', ['{', '{', '{', '{'])
  await second.start(jobStart(second, plan, tables))
  await second.until(() => second.figures)
  const bad = [...first.reports, ...second.reports].flatMap((report) =>
    report.kind === 'bad-record' ? [report.record.sequence] : [],
  )
  expect(bad).toEqual([0, 2, 3, 4, 5])
  expect(second.figures?.sources[0]).toMatchObject({ recordsIn: 8, recordsBad: 7 })
})

describe('a gap in a stream', () => {
  async function afterRun(): Promise<{ store: TestStore; folder: string }> {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.append('cpu', [usage(1), usage(2)])
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, plan, tables))
    await worker.until(async () => (await store.bodies('out')).length === 2)
    await worker.cancel(JID)
    await worker.close()
    return { store, folder }
  }

  test.each([
    { name: 'truncated', change: (store: TestStore) => store.streams.truncate(streamId('cpu')) },
    {
      name: 'deleted and created again',
      change: async (store: TestStore) => {
        await store.streams.delete(streamId('cpu'))
        await store.create('cpu')
      },
    },
  ])('that was $name fails the job', async ({ change }) => {
    const { store, folder } = await afterRun()
    await change(store)
    await store.append('cpu', [usage(3)])
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, plan, tables))
    expect(await worker.failed()).toEqual({
      kind: 'lasting',
      vertex: 0,
      message:
        'the events after 1 of stream cpu are gone before table cpu was read so far: the stream was truncated or created again; create a new job to go on without them',
    })
  })

  test('that was truncated before the first event was read is named without a position', async () => {
    const store = await TestStore.open()
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, plan, tables))
    await worker.until(() => worker.running > 0)
    await worker.cancel(JID)
    await worker.close()
    await store.streams.truncate(streamId('cpu'))
    await store.append('cpu', [usage(1)])
    const later = await testWorker({ store, jobsFolder: folder })
    await later.start(jobStart(later, plan, tables))
    expect(await later.failed()).toEqual({
      kind: 'lasting',
      vertex: 0,
      message:
        'the first events of stream cpu are gone before table cpu was read so far: the stream was truncated or created again; create a new job to go on without them',
    })
  })

  test('of a stream that does not exist any more', async () => {
    const { store, folder } = await afterRun()
    await store.streams.delete(streamId('cpu'))
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, plan, tables))
    expect(await worker.failed()).toEqual({
      kind: 'lasting',
      vertex: 0,
      message: 'stream cpu of table cpu does not exist',
    })
  })

  test('of events that have expired', async () => {
    let nowMs = 1_000_000
    const store = await TestStore.open(() => nowMs)
    const folder = await temporaryFolder()
    await store.create('cpu', 'out')
    await store.streams.setProperties(streamId('cpu'), { ttlSeconds: 100n })
    await store.append('cpu', [usage(1)])
    const worker = await testWorker({ store, jobsFolder: folder })
    await worker.start(jobStart(worker, plan, tables))
    await worker.until(async () => (await store.bodies('out')).length === 1)
    await worker.cancel(JID)
    await worker.close()
    await store.append('cpu', [usage(2), usage(3)])
    nowMs += 200_000
    await store.append('cpu', [usage(4)])
    const later = await testWorker({ store, jobsFolder: folder })
    await later.start(jobStart(later, plan, tables))
    const { kind, message } = await later.failed()
    expect(kind).toBe('lasting')
    expect(message).toBe(
      'events 1 to 2 of stream cpu are gone before table cpu was read so far: they have expired; create a new job to go on without them',
    )
  })
})

test('latest-offset begins behind the events that exist', async () => {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out')
  await worker.store.append('cpu', [usage(1)])
  const latest = [streamTable('cpu', CPU, { startup: 'latest' }), tables[1]!]
  await worker.start(jobStart(worker, plan, latest))
  await worker.until(() => worker.running > 0)
  await worker.store.append('cpu', [usage(2)])
  const bodies = await worker.until(async () => {
    const all = await worker.store.bodies('out')
    return all.length > 0 ? all : undefined
  })
  expect(bodies.map((body) => JSON.parse(body).hostname)).toEqual(['h2'])
})

test('latest-offset is fixed when the job first runs, also if the job ends before its first event', async () => {
  const store = await TestStore.open()
  const folder = await temporaryFolder()
  await store.create('cpu', 'out')
  await store.append('cpu', [usage(1)])
  const latest = [streamTable('cpu', CPU, { startup: 'latest' }), tables[1]!]
  const worker = await testWorker({ store, jobsFolder: folder })
  await worker.start(jobStart(worker, plan, latest))
  await worker.until(() => worker.running > 0)
  await worker.cancel(JID)
  await worker.close()
  await store.append('cpu', [usage(2)])
  const later = await testWorker({ store, jobsFolder: folder })
  await later.start(jobStart(later, plan, latest))
  await later.until(() => later.running > 0)
  await store.append('cpu', [usage(3)])
  await later.until(async () => (await store.bodies('out')).some((body) => body.includes('h3')))
  const bodies = await store.bodies('out')
  expect(bodies.map((body) => JSON.parse(body).hostname)).toEqual(['h2', 'h3'])
})

test('a state that grows too large fails the job', async () => {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out')
  const bodies = Array.from({ length: 20_000 }, (_, n) => usage(n, { hostname: `h${n}`.repeat(20) }))
  await worker.store.append('cpu', bodies)
  const start = jobStart(
    worker,
    planOf([cpuSource()], [windowInsert(windowOf())]),
    [streamTable('cpu', CPU), streamTable('out', AGGREGATED)],
    { stateBytesMax: 100_000 },
  )
  await worker.start(start)
  const { kind, message } = await worker.failed()
  expect(kind).toBe('lasting')
  expect(message).toMatch(
    /^state needs [\d.]+ MiB, and 0\.1 MiB are allowed; a window keeps its rows until it closes$/,
  )
})

describe('several sources', () => {
  const TWO: readonly SourcePlan[] = [cpuSource('s0', 'cpu'), cpuSource('s1', 'cpu2')]
  const UNION: InsertPlan = {
    way: 'arrival',
    sink: FILTER.sink,
    select:
      'SELECT __ord, NULL::TIMESTAMP AS c0, "hostname" AS c1, "cpu" AS c2, "usage" AS c3 FROM (SELECT * FROM s0 UNION ALL SELECT * FROM s1)',
  }

  test.each([1, 3, 1_000])(
    'are merged by the time of ingestion, in ticks of %i events',
    async (tickEventsMax) => {
      let nowMs = 1_000_000
      const store = await TestStore.open(() => nowMs)
      await store.create('cpu', 'cpu2', 'out')
      const expected: string[] = []
      for (let n = 0; n < 30; n += 2) {
        // Of one millisecond, the events of the first source come first, in the order of their sequences.
        for (const i of [n, n + 1]) {
          await store.append('cpu2', [usage(i, { hostname: `b${i}` })])
          await store.append('cpu', [usage(i, { hostname: `a${i}` }), usage(i, { hostname: `A${i}` })])
        }
        expected.push(`a${n}`, `A${n}`, `a${n + 1}`, `A${n + 1}`, `b${n}`, `b${n + 1}`)
        nowMs += 3
      }
      nowMs += 1_000
      const worker = await testWorker({ store, nowMs: () => nowMs })
      const all = [streamTable('cpu', CPU), streamTable('cpu2', CPU), streamTable('out', FILTERED)]
      await worker.start(jobStart(worker, planOf(TWO, [UNION]), all, { tickEventsMax }))
      await worker.until(async () => {
        if (worker.failure !== undefined) throw new Error(worker.failure.message)
        return (await store.bodies('out')).length >= 90
      })
      expect((await store.bodies('out')).map((body) => JSON.parse(body).hostname)).toEqual(expected)
    },
  )
})

describe('a plan that reaches beyond its tables', () => {
  const SECRETS = [
    { name: 'a file', from: "read_text('/etc/passwd')" },
    { name: 'a file of the jobs', from: "read_blob('STATE')" },
    { name: 'a file by its name', from: "'/etc/passwd'" },
    { name: 'the catalog of the engine', from: 'duckdb_databases()' },
    { name: 'the catalog as a view', from: 'information_schema.tables' },
    { name: 'the tables of another job', from: 'j_other.kept_w0' },
    { name: 'its own state', from: 'outbox_0' },
    { name: 'a query as a text', from: "query('SELECT 1')" },
    { name: 'a table by its name', from: "query_table('s0')" },
    { name: 'settings', from: 'duckdb_settings()' },
  ]
  test.each(SECRETS)('is refused: $name', async ({ from }) => {
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    const path = join(worker.jobsFolder, 'x', 'state.duckdb')
    const select = `SELECT s0.__ord, NULL AS c0, 'x' AS c1, 'x' AS c2, 1.0 AS c3 FROM s0, ${from.replace('STATE', path)}`
    await worker.start(jobStart(worker, planOf([cpuSource()], [{ ...FILTER, select } as InsertPlan]), tables))
    const { kind, message } = await worker.failed()
    expect(kind).toBe('lasting')
    expect(message).toMatch(/^the plan is refused: a statement (reads|calls) /)
  })

  test.each([
    {
      name: 'a function in a sub-query',
      select:
        "SELECT __ord, NULL AS c0, (SELECT current_setting('memory_limit')) AS c1, '' AS c2, 1.0 AS c3 FROM s0",
    },
    { name: 'a second statement', select: 'SELECT __ord, 1 FROM s0; DROP TABLE in_s0' },
    { name: 'no SELECT', select: "COPY (SELECT 1) TO '/tmp/x'" },
    {
      name: 'a table in a CTE',
      select: 'WITH a AS (SELECT * FROM duckdb_tables()) SELECT __ord, NULL, NULL, NULL, 1.0 FROM s0, a',
    },
  ])('is refused: $name', async ({ select }) => {
    const worker = await testWorker()
    await worker.store.create('cpu', 'out')
    await worker.start(jobStart(worker, planOf([cpuSource()], [{ ...FILTER, select } as InsertPlan]), tables))
    expect((await worker.failed()).message).toMatch(/^the plan is refused: a statement /)
  })
})

test('keys, tombstones and headers of an upsert table', async () => {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out')
  await worker.store.append('cpu', [usage(1), usage(2)])
  const upsert = {
    ...streamTable('out', FILTERED.slice(1), {}, ['hostname']),
    connector: {
      kind: 'upsert-topic',
      topic: 'out',
      valueFormat: 'json',
      keyFormat: 'json',
      keyFields: [],
      valueFieldsInclude: 'ALL',
    },
  } as const
  const insert: InsertPlan = {
    way: 'arrival',
    sink: {
      tableId: 'out',
      tableName: 'out',
      columns: [
        ...FILTERED.slice(1),
        {
          ...column('headers', 'MAP', { key: { kind: 'STRING' }, value: { kind: 'STRING' } }),
          metadata: 'headers',
        },
      ],
      primaryKey: ['hostname'],
    },
    select: `SELECT __ord, "hostname" AS c0, "cpu" AS c1, "usage" AS c2, MAP {'trace': 't1'} AS c3 FROM s0`,
  }
  await worker.start(jobStart(worker, planOf([cpuSource()], [insert]), [tables[0]!, upsert]))
  const events = await worker.until(async () => {
    if (worker.failure !== undefined) throw new Error(worker.failure.message)
    const all = await worker.store.events('out')
    return all.length === 2 ? all : undefined
  })
  expect(events.map(({ body, headers }) => [body, headers])).toEqual([
    [
      '{"hostname":"h1","cpu":"c","usage":90}',
      { 'content.type': 'application/json', key: '{"hostname":"h1"}', trace: 't1' },
    ],
    [
      '{"hostname":"h2","cpu":"c","usage":90}',
      { 'content.type': 'application/json', key: '{"hostname":"h2"}', trace: 't1' },
    ],
  ])
})
