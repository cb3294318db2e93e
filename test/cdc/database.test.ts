/** The whole service with a real PostgreSQL: what clients can do with captured streams, and what is in them after each accident. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createTable, FLINK, jsonBody } from '../support/aiven.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { STREAMS, type TestApp, type TestResponse, testApp } from '../support/test-app.ts'

interface Status {
  readonly status: string
  readonly connector: {
    readonly error: string | null
    readonly snapshot: { readonly done: boolean; readonly rows: number }
  }
}

describe.skipIf(NO_POSTGRES)('a captured database', () => {
  let server: TestPostgres
  let number = 0
  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())

  function post(app: TestApp, path: string, fields: Record<string, string>): Promise<TestResponse> {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    return app.post(path, { headers, body: new URLSearchParams(fields).toString() })
  }

  async function statusOf(app: TestApp, env: string): Promise<Status> {
    const answer = await post(app, '/checkJobStatus', { connectionString: server.uri(), environmentId: env })
    return answer.status === 201
      ? (answer.json() as Status)
      : { status: `${answer.status}`, connector: {} as never }
  }

  async function until<T>(check: () => Promise<T>, timeout = 120_000): Promise<T> {
    return vi.waitFor(check, { timeout, interval: 50 })
  }

  /** A connection that runs, over table t of a schema of its own with rows 1 and 2. */
  async function captured(app?: TestApp) {
    const env = `env${++number}`
    await server.sql(
      `CREATE SCHEMA s${number}; CREATE TABLE s${number}.t (id int PRIMARY KEY, v text); INSERT INTO s${number}.t VALUES (1, 'a'), (2, 'b')`,
    )
    const service = app ?? (await testApp({ onDisk: true }))
    const made = { app: service, env, table: `s${number}.t`, stream: `${env}-s${number}-t` }
    const fields = { connectionString: server.uri(), environmentId: env, tables: made.table }
    const answer = await post(service, '/createDatabaseConnection', fields)
    expect(answer.status, answer.text).toBe(201)
    await until(async () => expect((await statusOf(service, env)).status).toBe('running'))
    return made
  }

  async function ops(app: TestApp, stream: string): Promise<string[]> {
    const events = await app.events(stream, 'limit=1000')
    return events
      .filter(({ body }) => body !== '')
      .map(({ body }) => {
        const { op, before, after } = JSON.parse(body) as {
          op: string
          before: unknown
          after: { id: number } | null
        }
        return `${op}${after?.id ?? (before as { id: number } | null)?.id ?? ''}`
      })
  }

  const event = { body: 'mine' }
  const json = (value: unknown) => jsonBody(value)
  const writes: readonly { name: string; send: (app: TestApp, stream: string) => Promise<TestResponse> }[] = [
    { name: 'an event', send: (app, stream) => app.post(`${STREAMS}/${stream}`, event) },
    {
      name: 'an event with chunks',
      send: (app, stream) => app.post(`${STREAMS}/${stream}`, { chunks: [Buffer.from('x')] }),
    },
    { name: 'an asynchronous event', send: (app, stream) => app.post(`${STREAMS}/${stream}/async`, event) },
    {
      name: 'a batch',
      send: (app, stream) =>
        app.post(`${STREAMS}/${stream}/batch`, { headers: { 'Content-Type': 'text/plain' }, body: 'a\nb' }),
    },
    { name: 'truncate', send: (app, stream) => app.post(`${STREAMS}/${stream}/truncate`) },
    { name: 'delete', send: (app, stream) => app.delete(`${STREAMS}/${stream}`) },
    {
      name: 'properties',
      send: (app, stream) => app.put(`${STREAMS}/${stream}/properties`, json({ ttl: 1 })),
    },
  ]

  test('takes no writes and changes of clients until its connection is deleted', async () => {
    const { app, env, stream } = await captured()
    const message = `stream ${stream} is written by connection ${env}`
    for (const { name, send } of writes) {
      const { status, text } = await send(app, stream)
      expect([name, status, text]).toEqual([name, 403, message])
    }
    await createTable(app, {
      name: 'S',
      schema_sql: '`id` INT',
      kafka_topic: stream,
      kafka_value_format: 'json',
    })
    await createTable(app, {
      name: 'O',
      schema_sql: '`id` INT',
      kafka_topic: 'other',
      kafka_value_format: 'json',
    })
    const job = await app.post(`${FLINK}/job`, json({ statement: 'INSERT INTO S SELECT id FROM O' }))
    expect([job.status, job.text]).toEqual([403, expect.stringContaining(message)])
    expect(await ops(app, stream)).toEqual(['r1', 'r2'])
    const created = await app.put(`${STREAMS}/${stream}`)
    expect(created.status).toBe(200) // it exists
    const deleted = await post(app, '/deleteDatabaseConnection', {
      connectionString: server.uri(),
      environmentId: env,
    })
    expect(deleted.json()).toMatchObject({ status: 'deleted', slotDropped: true })
    expect(await slots(env)).toEqual([])
    for (const { name, send } of writes.filter((one) => one.name !== 'delete'))
      expect([name, (await send(app, stream)).status < 300]).toEqual([name, true])
    expect((await app.delete(`${STREAMS}/${stream}`)).status).toBe(200)
  })

  test('goes on after a restart of the service and of the server, without loss or repetition', async () => {
    const { app, env, table, stream } = await captured()
    await server.sql(`INSERT INTO ${table} VALUES (3, 'c')`)
    await until(async () => expect(await ops(app, stream)).toHaveLength(3))
    await app.restart()
    await server.sql(`INSERT INTO ${table} VALUES (4, 'd')`)
    await until(async () => expect(await ops(app, stream)).toHaveLength(4))
    await server.crash()
    await until(async () => expect((await statusOf(app, env)).status).toBe('retrying'))
    await server.resume()
    await server.sql(`UPDATE ${table} SET v = 'e' WHERE id = 1; DELETE FROM ${table} WHERE id = 2`)
    await until(async () => expect(await ops(app, stream)).toHaveLength(6))
    expect(await ops(app, stream)).toEqual(['r1', 'r2', 'c3', 'c4', 'u1', 'd2'])
    await until(async () => expect((await statusOf(app, env)).status).toBe('running'))
    expect(app.reported).toEqual([])
  })

  test('is read again when its slot is lost', async () => {
    const { app, env, stream } = await captured()
    await server.sql(`
      SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'millrace_${env}';
      SELECT pg_sleep(0.2); SELECT pg_drop_replication_slot('millrace_${env}')`)
    await until(async () => expect(await ops(app, stream)).toEqual(['r1', 'r2', 't', 'r1', 'r2']))
    await until(async () =>
      expect(await statusOf(app, env)).toMatchObject({ status: 'running', connector: { error: null } }),
    )
  })

  test('whose server is away is deleted when it is back, also after a restart', async () => {
    const { app, env, stream } = await captured()
    await server.stop()
    const fields = { connectionString: server.uri(), environmentId: env }
    const deleted = await post(app, '/deleteDatabaseConnection', { ...fields, purge: 'true' })
    expect(deleted.json()).toMatchObject({ status: 'deleting', slotDropped: false })
    expect((await post(app, '/createDatabaseConnection', fields)).status).toBe(409)
    expect((await app.get(`${STREAMS}/${stream}`)).status).toBe(404)
    await app.restart()
    expect((await statusOf(app, env)).status).toBe('deleting')
    await server.resume()
    await until(async () => expect(await slots(env)).toEqual([]))
    await until(async () => expect((await statusOf(app, env)).status).toBe('404'))
  })

  test('is made again after its deletion, into the same streams', async () => {
    const { app, env, table, stream } = await captured()
    const fields = { connectionString: server.uri(), environmentId: env }
    await post(app, '/deleteDatabaseConnection', fields)
    const answer = await post(app, '/createDatabaseConnection', { ...fields, tables: table })
    expect(answer.status, answer.text).toBe(201)
    await until(async () => expect(await ops(app, stream)).toEqual(['r1', 'r2', 't', 'r1', 'r2']))
    await post(app, '/deleteDatabaseConnection', fields)
  })

  async function slots(env: string): Promise<unknown[]> {
    return server.sql(`SELECT slot_name FROM pg_replication_slots WHERE slot_name = 'millrace_${env}'
      UNION SELECT pubname FROM pg_publication WHERE pubname = 'millrace_${env}'`)
  }
})
