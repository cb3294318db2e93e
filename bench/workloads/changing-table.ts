/** An aggregate over a table that changes: the CPU time of a refresh after some of its rows have changed. */
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../metrics.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case, Sample } from '../sample.ts'
import { JobApi } from '../stores/job-api.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { INPUT, OUTPUT } from './job-tables.ts'
import { dataFolderOf, withService } from './measured.ts'

const GROUPS = 20
/** Rows of one upload while the table is filled. */
const UPLOAD_ROWS = 100_000
/** After this time a refresh is over; its pause may be longer. */
const SETTLED_MS = 500

export interface ChangingTable {
  readonly name: string
  readonly about: string
  readonly rows: number
  readonly changes: number
  readonly refreshes: number
  readonly long?: true
}

const ROW = 'id BIGINT, city STRING, amount BIGINT, PRIMARY KEY (id) NOT ENFORCED'
const TOTAL = 'city STRING, orders BIGINT, total BIGINT, PRIMARY KEY (city) NOT ENFORCED'
const STATEMENT = 'INSERT INTO TOTALS SELECT city, COUNT(*), SUM(amount) FROM ORDERS GROUP BY city'

export function changingTable(buildUnderTest: BuildUnderTest, table: ChangingTable): Case {
  const { name, about, long } = table
  return {
    name,
    about,
    ...(long && { long }),
    run: (round) =>
      withService(buildUnderTest.build, round, dataFolderOf(round), (server) => measure(server, table)),
  }
}

async function measure(server: WatchedProcess, { rows, changes, refreshes }: ChangingTable): Promise<Sample> {
  const api = new JobApi(server.base)
  const integration_id = await api.streamIntegration()
  const topic = (kafka_topic: string) => ({
    integration_id,
    kafka_topic,
    kafka_connector_type: 'upsert-kafka',
    kafka_key_format: 'json',
  })
  await api.createStream(INPUT)
  await api.createStream(OUTPUT)
  await api.createTable('ORDERS', ROW, topic(INPUT))
  await api.createTable('TOTALS', TOTAL, topic(OUTPUT))
  for (let from = 0; from < rows; from += UPLOAD_ROWS)
    await api.upload(INPUT, orders(from, Math.min(UPLOAD_ROWS, rows - from), 0))
  const id = await api.createJob('measured', STATEMENT)
  await api.until(id, ({ millrace }) => millrace.recordsIn >= rows)
  const uploads: number[] = []
  const cpuMs: number[] = []
  for (let at = 1; at <= refreshes; at++) {
    await sleep(SETTLED_MS)
    const changed = orders(((at * 7919) % 90) * (rows / 100), changes, at)
    uploads.push(await cpuMsDuring(server, () => api.upload('unread', changed).catch(() => {})))
    const before = at * changes + rows
    cpuMs.push(
      await cpuMsDuring(server, async () => {
        await api.upload(INPUT, changed)
        await api.until(id, ({ millrace }) => millrace.recordsIn >= before)
        await sleep(SETTLED_MS)
      }),
    )
  }
  const totals = await lastTotals(api)
  const counted = [...totals.values()].reduce((sum, { orders: count }) => sum + count, 0)
  return {
    seconds: 0,
    answers: refreshes,
    events: 0,
    bytes: 0,
    p50Ms: median(cpuMs) - median(uploads),
    p99Ms: Math.max(...cpuMs) - median(uploads),
    failures: {},
    acknowledged: rows,
    stored: counted,
  }
}

function orders(from: number, count: number, version: number): Buffer {
  const lines: string[] = []
  for (let id = from; id < from + count; id++)
    lines.push(`{"id":${id},"city":"city-${id % GROUPS}","amount":${(id % 1000) + version}}\n`)
  return Buffer.from(lines.join(''))
}

async function lastTotals(api: JobApi): Promise<Map<string, { orders: number }>> {
  const totals = new Map<string, { orders: number }>()
  for (const body of await api.bodies(OUTPUT, 100_000)) {
    if (body === '') continue
    const row = JSON.parse(body) as { city: string; orders: number }
    totals.set(row.city, row)
  }
  return totals
}

async function cpuMsDuring(server: WatchedProcess, work: () => Promise<void>): Promise<number> {
  const before = server.treeUsage()
  await work()
  const after = server.treeUsage()
  if (before === undefined || after === undefined) throw new Error('there is no /proc')
  return (after.cpuSeconds - before.cpuSeconds) * 1000
}
