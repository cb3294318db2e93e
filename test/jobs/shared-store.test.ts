/**
 * Jobs over streams that two nodes write, through the whole application: windows and a changing table, a stop with a savepoint and
 * a start from it. Every event counts once, whichever node took it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createTable, jsonBody } from '../support/aiven.ts'
import { jarOf, multipart } from '../support/jars.ts'
import { POLL } from '../support/speeds.ts'
import { STREAMS, type TestApp } from '../support/test-app.ts'
import { twoNodes } from '../support/two-nodes.ts'

const SLOW = { ...POLL, timeout: 180_000 }
const START_MS = Date.UTC(2026, 0, 1)
const TIMED = "k STRING, n INT, seen TIMESTAMP(3), WATERMARK FOR seen AS seen - INTERVAL '1' SECOND"
const SQL = `
EXECUTE STATEMENT SET BEGIN
INSERT INTO sums SELECT window_end, k, COUNT(*), SUM(n)
  FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(seen), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k;
INSERT INTO totals SELECT city, COUNT(*), SUM(amount) FROM customers GROUP BY city;
END;
`

interface Click {
  readonly k: string
  readonly n: number
  readonly seen: string
}

/** One each second. */
function clickAt(second: number): Click {
  const seen = new Date(START_MS + second * 1000).toISOString().replace('T', ' ').replace('Z', '')
  return { k: second % 3 === 0 ? 'a' : 'b', n: second, seen }
}

/** What the windows of ten seconds contain that have ended before this second. */
function sumsBefore(second: number): string[] {
  const rows: string[] = []
  for (let end = 10; end < second; end += 10) {
    for (const k of ['a', 'b']) {
      const within = Array.from({ length: 10 }, (_, i) => clickAt(end - 10 + i)).filter((one) => one.k === k)
      rows.push(`${end} ${k} ${within.length} ${within.reduce((sum, { n }) => sum + n, 0)}`)
    }
  }
  return rows.sort()
}

async function sums(app: TestApp): Promise<string[]> {
  const rows = (await app.events('sums')).map(({ body }) => JSON.parse(body))
  return rows
    .map(({ window_end, k, n, total }) => {
      const second = (Date.parse(`${window_end.replace(' ', 'T')}Z`) - START_MS) / 1000
      return `${second} ${k} ${n} ${total}`
    })
    .sort()
}

/** The last row of each city. */
async function totals(app: TestApp): Promise<Record<string, string>> {
  const rows = (await app.events('totals')).map(({ body }) => JSON.parse(body))
  return Object.fromEntries(rows.map(({ city, n, total }) => [city, `${n} ${total}`]))
}

/** From both nodes in turn. */
async function click(nodes: readonly TestApp[], from: number, to: number): Promise<void> {
  for (let second = from; second < to; second++) {
    const app = nodes[second % nodes.length]!
    const { status } = await app.post(`${STREAMS}/clicks`, { body: JSON.stringify(clickAt(second)) })
    expect(status).toBe(200)
  }
}

async function customer(app: TestApp, id: number, city: string, amount: number): Promise<void> {
  const headers = { 'customers.key': JSON.stringify({ id }) }
  const body = JSON.stringify({ id, city, amount })
  expect((await app.post(`${STREAMS}/customers`, { headers, body })).status).toBe(200)
}

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-shared-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const kafka = { brokers: [], prefix: 'test', flush: false, insecure: false, spoolBytesMax: 0, pendingMs: 0 }
  const nodes = await twoNodes(
    {},
    { nowMs: Date.now(), config: { savepointRoots: [folder], kafka: { ...kafka, sharedFolder: folder } } },
  )
  const { a, b } = nodes
  const clock = setInterval(() => nodes.setNowMs(Date.now()), 10)
  onTestFinished(() => clearInterval(clock))
  await b.put(`${STREAMS}/clicks`)
  await a.put(`${STREAMS}/customers`)
  await createTable(b, { name: 'clicks', schema_sql: TIMED })
  await createTable(a, {
    name: 'sums',
    schema_sql: 'window_end TIMESTAMP(3), k STRING, n BIGINT, total BIGINT',
  })
  const customers = 'id INT, city STRING, amount INT, PRIMARY KEY (id) NOT ENFORCED'
  await createTable(b, { name: 'customers', schema_sql: customers, upsert_kafka: { topic: 'customers' } })
  const ofCity = 'city STRING, n BIGINT, total BIGINT, PRIMARY KEY (city) NOT ENFORCED'
  await createTable(b, { name: 'totals', schema_sql: ofCity, upsert_kafka: { topic: 'totals' } })
  const content = jarOf({ 'job.sql': SQL })
  const upload = await b.post('/v1/jars/upload', multipart([{ part: 'jarfile', file: 'job.jar', content }]))
  expect(upload.status, upload.text).toBe(200)
  const jar = (upload.json() as { filename: string }).filename.split('/').at(-1)!
  return { a, b, jar, folder }
}

async function run(app: TestApp, jar: string, options: object = {}): Promise<string> {
  const answer = await app.post(`/v1/jars/${jar}/run`, jsonBody(options))
  expect(answer.status, answer.text).toBe(200)
  const { jobid } = answer.json() as { jobid: string }
  await expect.poll(async () => stateOf(app, jobid), SLOW).toBe('RUNNING')
  return jobid
}

async function stateOf(app: TestApp, jid: string): Promise<string> {
  return ((await app.get(`/v1/jobs/${jid}/status`)).json() as { status: string }).status
}

/** Resolves with the place of the savepoint. */
async function stopped(app: TestApp, jid: string): Promise<string> {
  const order = await app.post(`/v1/jobs/${jid}/stop`, jsonBody({ drain: false }))
  expect(order.status, order.text).toBe(202)
  const trigger = (order.json() as { 'request-id': string })['request-id']
  const operation = async () =>
    (await app.get(`/v1/jobs/${jid}/savepoints/${trigger}`)).json() as {
      status: { id: string }
      operation?: { location?: string }
    }
  await expect.poll(async () => (await operation()).status.id, SLOW).toBe('COMPLETED')
  await expect.poll(async () => stateOf(app, jid), SLOW).toBe('FINISHED')
  return (await operation()).operation!.location!
}

test('windows and a changing table of both nodes, over a savepoint and a move to the other node', {
  timeout: 600_000,
}, async () => {
  const { a, b, jar } = await setUp()
  const first = await run(b, jar)
  await click([a, b], 0, 32)
  await customer(a, 1, 'Oslo', 10)
  await customer(b, 2, 'Oslo', 20)
  await customer(a, 3, 'Rome', 5)
  await expect.poll(() => sums(a), SLOW).toEqual(sumsBefore(31))
  await expect.poll(() => totals(b), SLOW).toEqual({ Oslo: '2 30', Rome: '1 5' })

  const savepointPath = await stopped(b, first)
  await click([a, b], 32, 45) // while no job runs
  await customer(b, 2, 'Rome', 21)
  const second = await run(a, jar, { savepointPath })
  await expect.poll(() => sums(b), SLOW).toEqual(sumsBefore(44))
  await expect.poll(() => totals(a), SLOW).toEqual({ Oslo: '1 10', Rome: '2 26' })

  await a.restart() // the other node takes the coordinator, and the job with it
  await click([b, a], 45, 73)
  await customer(a, 1, 'Rome', 1)
  await customer(b, 3, 'Oslo', 50)
  await expect.poll(() => sums(a), SLOW).toEqual(sumsBefore(72))
  await expect.poll(() => totals(a), SLOW).toEqual({ Oslo: '1 50', Rome: '2 22' })
  expect(await stateOf(b, second)).toBe('RUNNING')
  expect([a.reported, b.reported]).toEqual([[], []])
})
