/**
 * The whole way with a real PostgreSQL: the calls of the documentation as forms and as JSON, the rows after each statement, the
 * changes as events, the streams, a restart of the service, and that no password is found anywhere.
 */
import { get } from 'node:http'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { form } from '../../support/cached-queries.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { expectNoSecret } from '../../support/secret-search.ts'
import { NO_TRACES, QUERY, SCHEMA, ShopDatabase } from '../../support/shop-database.ts'
import { POLL } from '../../support/speeds.ts'
import { STREAMS, type TestApp, testApp } from '../../support/test-app.ts'

const LONG = { timeout: 600_000 }

const FIRST = ['north 3 30.49 10.1633333333333333 20.00', 'south 1 5.50 5.5000000000000000 5.50']
const STEPS: readonly { readonly sql: string; readonly rows: readonly string[]; readonly ops: string }[] = [
  {
    sql: 'insert into orders(id,customer_id,amount) values (14,2,4.50)',
    rows: [FIRST[0]!, 'south 2 10.00 5.0000000000000000 5.50'],
    ops: 'u south',
  },
  {
    sql: 'update orders set amount=1.00 where id=10',
    rows: ['north 3 11.49 3.8300000000000000 9.99', 'south 2 10.00 5.0000000000000000 5.50'],
    ops: 'u north',
  },
  {
    sql: "update customers set region_code='south' where id=3",
    rows: ['north 2 10.99 5.4950000000000000 9.99', 'south 3 10.50 3.5000000000000000 5.50'],
    ops: 'u north, u south',
  },
  {
    sql: 'update orders set id=20 where id=11',
    rows: ['north 2 10.99 5.4950000000000000 9.99', 'south 3 10.50 3.5000000000000000 5.50'],
    ops: '',
  },
  {
    sql: 'delete from orders where customer_id=1',
    rows: ['south 3 10.50 3.5000000000000000 5.50'],
    ops: 'd north',
  },
  { sql: 'truncate orders', rows: [], ops: 'd south' },
]

interface Change {
  readonly event: string
  readonly op?: string
  readonly key?: { readonly region_code: string }
  readonly changes?: number
  readonly cursor?: string
}

describe.skipIf(NO_POSTGRES !== undefined)('with PostgreSQL', () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
  }, 120_000)
  afterAll(() => server.remove())

  async function rowsOf(app: TestApp, shop: ShopDatabase, id = 2): Promise<string[]> {
    const path = `/queries/${id}/rows?atLeast=${await shop.lsn()}`
    let text = ''
    await expect
      .poll(async () => {
        const answer = await app.get(path)
        text = answer.text
        return answer.status
      }, POLL)
      .toBe(200)
    return (JSON.parse(text) as { rows: unknown[][] }).rows.map((row) => row.join(' '))
  }

  /** Lines of the changes as they arrive. */
  function following(app: TestApp, path: string): Change[] {
    const items: Change[] = []
    const request = get(
      { host: '127.0.0.1', port: app.port, path, headers: { Accept: 'application/x-ndjson' }, agent: false },
      (answer) => {
        let rest = ''
        answer.setEncoding('utf8').on('data', (text: string) => {
          const lines = (rest + text).split('\n')
          rest = lines.pop()!
          items.push(...lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Change))
        })
        answer.on('error', () => {})
      },
    )
    request.on('error', () => {})
    onTestFinished(() => void request.destroy())
    return items
  }

  const opsOf = (items: readonly Change[]) =>
    items
      .filter(({ event }) => event === 'change')
      .map(({ op, key }) => `${op} ${key?.region_code}`)
      .sort()
      .join(', ')

  test('the documented statements, step by step', LONG, async () => {
    const shop = await ShopDatabase.make(server)
    const app = await testApp({ onDisk: true, nowMs: Date.now() })
    const texts: string[] = []
    const fields = { connectionString: shop.uri(), environmentId: 'env1' }
    const call = async (path: string, more: Record<string, string> = {}, asJson = false) => {
      const answer = await app.post(path, {
        headers: { 'Content-Type': asJson ? 'application/json' : 'application/x-www-form-urlencoded' },
        body: asJson ? JSON.stringify({ ...fields, ...more }) : form({ ...fields, ...more }),
      })
      texts.push(answer.text)
      expect(answer.status, answer.text).toBe(201)
      return answer
    }

    const first = await call('/createDatabaseConnection')
    expect([first.headers.location, first.json()]).toEqual([
      '/connections/1',
      {
        ...{ id: 1, name: 'env1', status: expect.stringMatching(/^(new|snapshotting|running)$/) },
        database: `postgres://app:***@127.0.0.1:${server.port}/shop`,
        ...{ slot: 'millrace_env1', publication: 'millrace_env1', tables: [] },
      },
    ])
    const made = await call('/createCachedQuery', { schema: SCHEMA, sqlQuery: QUERY })
    expect(made.headers.location).toBe('/queries/2')
    expect(made.json()).toEqual({
      ...{ id: 2, name: 'env1-q2', status: expect.any(String), connection: 1, stream: 'env1-q2' },
      jobId: expect.stringMatching(/^[0-9a-f]{32}$/),
      columns: [
        { name: 'region_code', type: 'text', nullable: false },
        { name: 'orders', type: 'bigint', nullable: false },
        { name: 'total', type: 'numeric', nullable: expect.any(Boolean) },
        { name: 'mean', type: 'numeric', nullable: expect.any(Boolean) },
        { name: 'largest', type: 'numeric', nullable: expect.any(Boolean) },
      ],
      ...{ primaryKey: ['region_code'], readUrl: '/queries/2/rows' },
    })
    expect(await rowsOf(app, shop)).toEqual(FIRST)
    expect((await call('/createDatabaseConnection', {}, true)).json()).toMatchObject({
      ...{ id: 1, status: 'running', tables: expect.arrayContaining(['public.customers', 'public.orders']) },
    })
    const again = await call('/createCachedQuery', {
      schema: SCHEMA,
      sqlQuery: `-- the same\n${QUERY.replace('SELECT', 'select').replace(' FROM ', '\n  from ')}`,
    })
    expect((again.json() as { id: number }).id).toBe(2)

    const items = following(app, '/queries/2/changes')
    await expect.poll(() => items.map(({ event }) => event), POLL).toContain('rows')
    for (const { sql, rows, ops } of STEPS) {
      items.length = 0
      await shop.sql(sql)
      expect(await rowsOf(app, shop), sql).toEqual(rows)
      // The end of an earlier commit may come late.
      const seen = () => [opsOf(items), ops === '' || items.at(-1)?.event === 'commit']
      await expect.poll(seen, { ...POLL, message: sql }).toEqual([ops, true])
    }
    await expectStreams(app)

    const status = (await call('/checkJobStatus')).json() as Record<string, Record<string, unknown>>
    expect(status).toMatchObject({
      ...{ id: 1, name: 'env1', status: 'running' },
      connector: {
        type: 'source',
        connector: { state: 'RUNNING' },
        tasks: [{ id: 0, state: 'RUNNING' }],
        error: null,
      },
      jobs: [{ name: 'env1-q2', state: 'RUNNING' }],
      queries: [{ id: 2, name: 'env1-q2', status: 'running', stream: 'env1-q2', rows: 0, error: null }],
    })
    expect((await app.get('/connections/1')).json()).toMatchObject({ id: 1, status: 'running' })

    await app.restart()
    await shop.sql('insert into orders(id,customer_id,amount) values (30,1,7.00)')
    expect(await rowsOf(app, shop)).toEqual(['north 1 7.00 7.0000000000000000 7.00'])
    const resumed = following(app, '/queries/2/changes')
    await expect.poll(() => resumed[0]?.event, POLL).toBe('rows')

    const { jobId } = made.json() as { jobId: string }
    for (const path of ['/jobs/overview', `/jobs/${jobId}`, `/jobs/${jobId}/plan`, '/metrics'])
      texts.push((await app.get(path)).text)
    const deleted = await call('/deleteDatabaseConnection')
    expect(deleted.json()).toEqual({
      id: 1,
      name: 'env1',
      status: 'deleted',
      queries: [2],
      slotDropped: true,
    })
    await expect.poll(() => resumed.at(-1), POLL).toMatchObject({ event: 'end', reason: 'deleted' })
    await expect.poll(() => shop.traces(), POLL).toEqual(NO_TRACES)
    expect((await app.get('/queries/2')).status).toBe(404)
    expect((await app.get(`${STREAMS}/env1-q2`)).status).toBe(200)
    expectNoSecret(app, texts)
    expect(app.reported).toEqual([])
  })

  interface Envelope {
    readonly op: string
    readonly before: Record<string, unknown> | null
    readonly after: Record<string, unknown> | null
  }

  /** What the steps have written into the stream of orders, and that clients cannot write there. */
  async function expectStreams(app: TestApp): Promise<void> {
    const events = await app.events('env1-public-orders', 'encoding=utf8')
    const ops = events.map(({ body }) => (body === '' ? 'tombstone' : (JSON.parse(body) as Envelope).op))
    expect(ops).toEqual([
      ...['r', 'r', 'r', 'r', 'c', 'u'],
      ...['d', 'tombstone', 'c'], // the primary key changed
      ...['d', 'tombstone', 'd', 'tombstone'],
      't',
    ])
    const update = JSON.parse(events[5]!.body) as Envelope
    expect([update.before?.amount, update.after?.amount]).toEqual(['20.00', '1.00'])
    expect(events[5]!.headers).toMatchObject({ key: '{"id":10}', 'content.type': 'application/json' })
    expect(events[6]!.headers).toMatchObject({ key: '{"id":11}', '__debezium.newkey': '{"id":20}' })
    const written = await app.post(`${STREAMS}/env1-public-orders`, { body: 'x' })
    expect([written.status, written.text]).toEqual([
      403,
      'stream env1-public-orders is written by connection env1',
    ])
  }
})
