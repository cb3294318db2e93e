/** Statements whose results change, from events of streams to events of streams, through planner and worker. */
import duckdb from '@duckdb/node-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import type { ConnectedTable } from '../../../src/jobs/worker/job-worker-protocol.ts'
import {
  JID,
  jobStart,
  streamTable,
  type TestStore,
  type TestWorker,
  temporaryFolder,
  testWorker,
} from '../../support/job-worker.ts'
import { declared, type TableDeclaration } from '../plan/plan-support.ts'

let planner: Planner

beforeAll(async () => {
  planner = await Planner.open(duckdb)
})

afterAll(() => planner.close())

const TABLES: Readonly<Record<string, TableDeclaration>> = {
  cpu: ['host STRING, n INT'],
  totals: ['host STRING, x BIGINT, PRIMARY KEY (host)', 'upsert-topic'],
  orders: ['id INT, region STRING, amount DECIMAL(10, 2), PRIMARY KEY (id)', 'upsert-topic'],
  by_region: ['region STRING, x BIGINT, total DECIMAL(38, 2), PRIMARY KEY (region)', 'upsert-topic'],
  changes: ['region STRING, x BIGINT', 'topic', 'debezium-json'],
  copy: ['region STRING, x BIGINT, PRIMARY KEY (region)', 'topic', 'debezium-json'],
  regions: ['region STRING, x BIGINT, PRIMARY KEY (region)', 'upsert-topic'],
  texts: ['`Text` STRING'],
  numbers: ['n DOUBLE'],
  // Names that the worker or DuckDB use themselves.
  odd: [
    '`id` INT, `rowid` INT, `ROWID` INT, `__row` INT, `__ord` INT, `__op` STRING, `k0` INT, PRIMARY KEY (`id`)',
    'upsert-topic',
  ],
  odd_copy: [
    '`ID` INT, `rowid` INT, `ROWID` INT, `__row` INT, `__ord` INT, `__op` STRING, `k0` INT, PRIMARY KEY (`ID`)',
    'upsert-topic',
  ],
  odd_counts: ['`rowid` INT, n BIGINT, PRIMARY KEY (`rowid`)', 'upsert-topic'],
}

async function started(worker: TestWorker, statement: string, jid = JID): Promise<void> {
  const plan = await planner.plan(statement, declared(TABLES), [])
  const columns = [...plan.sources, ...plan.inserts.map(({ sink }) => sink)]
  const tables = columns.map(({ tableName, tableId }, index): ConnectedTable => {
    const [, kind = 'topic', valueFormat = 'json'] = TABLES[tableName]!
    const isUpsert = kind === 'upsert-topic'
    const source = plan.sources[index]
    const own = source?.decoded ?? plan.inserts[index - plan.sources.length]!.sink.columns
    const key = source?.changeKey ?? plan.inserts[index - plan.sources.length]!.sink.primaryKey
    const table = streamTable(tableName, own, { valueFormat: valueFormat as 'json' }, key)
    const connector = isUpsert
      ? { ...table.connector, kind: 'upsert-topic', keyFormat: 'json' }
      : table.connector
    return { ...table, id: tableId, connector: connector as ConnectedTable['connector'] }
  })
  await worker.start(jobStart(worker, plan, tables, { jid }))
}

/** Key and body of each event; null for a tombstone. */
async function events(store: TestStore, name: string): Promise<(readonly [key: string, body: unknown])[]> {
  return (await store.events(name)).map(({ body, headers }) => {
    expect(headers['content.type']).toBe('application/json')
    expect(headers.tombstone === 'true').toBe(body === '')
    return [headers.key ?? '', body === '' ? null : JSON.parse(body)]
  })
}

async function reached(worker: TestWorker, name: string, count: number) {
  return worker.until(async () => {
    if (worker.failure !== undefined) throw new Error(worker.failure.message)
    const all = await events(worker.store, name)
    return all.length >= count ? all : undefined
  })
}

/** Records in and out of source, query and sink, once the sink has written so many. */
async function recordsInAndOut(worker: TestWorker, written: number) {
  const vertices = await worker.until(() => {
    const all = worker.figures?.vertices
    return all?.at(-1)?.recordsOut === written ? all : undefined
  })
  return vertices.map(({ recordsIn, recordsOut }) => [recordsIn, recordsOut])
}

async function order(store: TestStore, id: number, region?: string, amount?: number): Promise<void> {
  const body = region === undefined ? '' : JSON.stringify({ id, region, amount })
  await store.append('orders', [body], [['key', JSON.stringify({ id })]])
}

describe('running', () => {
  test('stream → COUNT and SUM → upsert topic, on from its state after a restart', async () => {
    const jobsFolder = await temporaryFolder()
    const statement = 'INSERT INTO totals SELECT host, SUM(n) FROM cpu GROUP BY host HAVING COUNT(*) <> 3'
    const first = await testWorker({ jobsFolder })
    const { store } = first
    await store.create('cpu', 'totals')
    await store.append('cpu', ['{"host":"a","n":1}', '{"host":"b","n":5}', '{"host":"a","n":2}'])
    await started(first, statement)
    expect(await reached(first, 'totals', 2)).toEqual([
      ['{"host":"a"}', { host: 'a', x: 3 }],
      ['{"host":"b"}', { host: 'b', x: 5 }],
    ])
    await first.close()
    await store.append('cpu', ['{"host":"a","n":10}', '{"host":"b","n":10}'])
    const second = await testWorker({ jobsFolder, store })
    await started(second, statement)
    expect((await reached(second, 'totals', 4)).slice(2)).toEqual([
      ['{"host":"a"}', null],
      ['{"host":"b"}', { host: 'b', x: 15 }],
    ])
    // a and b new; a is gone; b before and after: the row before is no event.
    expect(await recordsInAndOut(second, 4)).toEqual([
      [5, 5],
      [5, 5],
      [5, 4],
    ])
  })
})

test('a value that cannot be cast is reported with the name of its column, without the plan', async () => {
  const worker = await testWorker()
  await worker.store.create('texts', 'numbers')
  await worker.store.append('texts', ['{"Text":"x$5"}'])
  await started(worker, 'INSERT INTO numbers SELECT CAST(`Text` AS DOUBLE) FROM texts')
  expect(await worker.failed()).toMatchObject({
    kind: 'conversion',
    message:
      "Conversion Error: Could not convert string 'x$5' to DOUBLE when casting from source column Text",
  })
})

describe('refresh', () => {
  test('upsert topic → aggregate → upsert topic, with tombstones and a restart', async () => {
    const jobsFolder = await temporaryFolder()
    const statement = 'INSERT INTO by_region SELECT region, COUNT(*), SUM(amount) FROM orders GROUP BY region'
    const first = await testWorker({ jobsFolder })
    const { store } = first
    await store.create('orders', 'by_region')
    await order(store, 1, 'north', 1.25)
    await order(store, 2, 'north', 2)
    await order(store, 3, 'south', 5)
    await order(store, 3, 'south', 6)
    await started(first, statement)
    expect(await reached(first, 'by_region', 2)).toEqual([
      ['{"region":"north"}', { region: 'north', x: 2, total: 3.25 }],
      ['{"region":"south"}', { region: 'south', x: 1, total: 6 }],
    ])
    await first.close()
    await order(store, 3)
    await order(store, 1, 'north', 7)
    await order(store, 99)
    const second = await testWorker({ jobsFolder, store })
    await started(second, statement)
    expect((await reached(second, 'by_region', 4)).slice(2)).toEqual([
      ['{"region":"south"}', null],
      ['{"region":"north"}', { region: 'north', x: 2, total: 9 }],
    ])
    await order(store, 4, 'east', 1)
    expect((await reached(second, 'by_region', 5)).at(-1)).toEqual([
      '{"region":"east"}',
      { region: 'east', x: 1, total: 1 },
    ])
    expect(await recordsInAndOut(second, 5)).toEqual([
      [8, 8],
      [8, 6],
      [6, 5],
    ])
  })

  test('upsert topic → debezium-json with rows before and after → upsert topic of a second job', async () => {
    const worker = await testWorker()
    const { store } = worker
    await store.create('orders', 'copy', 'regions')
    await order(store, 1, 'north', 1)
    await started(worker, 'INSERT INTO copy SELECT region, COUNT(*) FROM orders GROUP BY region')
    const bodies = async (count: number) => (await reached(worker, 'copy', count)).map(([, body]) => body)
    expect(await bodies(1)).toEqual([{ before: null, after: { region: 'north', x: 1 }, op: 'c' }])
    await order(store, 2, 'north', 1)
    expect((await bodies(2)).slice(1)).toEqual([
      { before: { region: 'north', x: 1 }, after: { region: 'north', x: 2 }, op: 'u' },
    ])
    await order(store, 1)
    await bodies(3)
    await order(store, 2)
    expect((await bodies(4)).slice(3)).toEqual([{ before: { region: 'north', x: 1 }, after: null, op: 'd' }])
    expect(await recordsInAndOut(worker, 4)).toEqual([
      [4, 4],
      [4, 6],
      [6, 4],
    ])

    const second = await testWorker({ store })
    await started(
      second,
      "INSERT INTO regions SELECT region, x FROM copy UNION ALL SELECT 'fixed', 1 FROM copy WHERE FALSE",
      'b'.repeat(32),
    )
    await order(store, 5, 'west', 1)
    expect((await reached(second, 'regions', 1)).at(-1)).toEqual([
      '{"region":"west"}',
      { region: 'west', x: 1 },
    ])
  })

  test('columns with names of hidden ones: a change takes the place of its own row alone', async () => {
    const worker = await testWorker()
    const { store } = worker
    await store.create('odd', 'odd_copy', 'odd_counts')
    const put = (id: number, rowid: number) =>
      store.append(
        'odd',
        [JSON.stringify({ id, rowid, ROWID: -id, __row: id, __ord: 9 - id, __op: 'd', k0: 5 })],
        [['key', JSON.stringify({ id })]],
      )
    const copied = (ID: number, rowid: number) => [
      `{"ID":${ID}}`,
      { ID, rowid, ROWID: -ID, __row: ID, __ord: 9 - ID, __op: 'd', k0: 5 },
    ]
    const counted = (rowid: number, n: number) => [`{"rowid":${rowid}}`, { rowid, n }]
    await put(1, 2)
    await put(2, 2)
    await put(3, 0)
    await started(worker, 'INSERT INTO odd_copy SELECT * FROM odd')
    const counts = 'INSERT INTO odd_counts SELECT `rowid`, COUNT(*) FROM odd GROUP BY `rowid`'
    await started(worker, counts, 'b'.repeat(32))
    expect(await reached(worker, 'odd_copy', 3)).toEqual([copied(1, 2), copied(2, 2), copied(3, 0)])
    expect(await reached(worker, 'odd_counts', 2)).toEqual([counted(0, 1), counted(2, 2)])
    await put(1, 7)
    expect((await reached(worker, 'odd_copy', 4)).slice(3)).toEqual([copied(1, 7)])
    expect((await reached(worker, 'odd_counts', 4)).slice(2)).toEqual([counted(2, 1), counted(7, 1)])
  })

  test('two rows for one key of the sink fail the job with the key', async () => {
    const worker = await testWorker()
    const { store } = worker
    await store.create('orders', 'regions')
    await order(store, 1, 'north', 1)
    await order(store, 2, 'north', 1)
    await started(worker, 'INSERT INTO regions SELECT region, id FROM orders')
    const failure = await worker.failed()
    expect(failure).toMatchObject({
      kind: 'conversion',
      message:
        'the query returns more than one row for the primary key (region = north) of the sink; group or filter the rows so that one remains',
    })
  })
})
