/** Jobs over tables that SQL created: what DROP and ALTER do while they run, hosts, references to secrets, restarts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createJob, createTable, detailOf, FLINK, jsonBody } from '../../support/aiven.ts'
import { POLL } from '../../support/speeds.ts'
import { sqlApp, sqlOf } from '../../support/sql-scripts.ts'
import { STREAMS, type TestApp, testApp } from '../../support/test-app.ts'

const DONE = 'RESULT_SUCCESS'

async function bodies(app: TestApp, stream: string): Promise<readonly string[]> {
  const answer = await app.get(`${STREAMS}/${stream}/events`)
  return answer.status === 200 ? (answer.json() as { body: string }[]).map(({ body }) => body) : []
}

const send = (app: TestApp, stream: string, body: object) =>
  app.post(`${STREAMS}/${stream}`, { body: JSON.stringify(body) })

/** With a job that copies the stream `source` into the stream `sink`, over tables that SQL created. */
async function appWithCopy() {
  const { app, run } = await sqlApp({ nowMs: Date.now(), streams: ['source'], onDisk: true })
  for (const name of ['source', 'sink'])
    expect(
      await run(`CREATE TABLE t_${name} (n INT) WITH ('connector' = 'stream', 'stream' = '${name}')`),
    ).toBe(DONE)
  const jid = await createJob(app, {
    statement: 'INSERT INTO t_sink SELECT n FROM t_source',
    job_name: 'copy',
  })
  await send(app, 'source', { n: 1 })
  await expect.poll(() => bodies(app, 'sink'), POLL).toEqual(['{"n":1}'])
  return { app, run, jid }
}

test('a running job keeps its tables until it ends, and goes on after a restart', async () => {
  const { app, run, jid } = await appWithCopy()
  const inUse = (name: string) => `400 Table ${name} is used by job copy (${jid})`
  expect(await run('DROP TABLE t_source')).toBe(inUse('t_source'))
  expect(await run('DROP TABLE IF EXISTS t_sink')).toBe(inUse('t_sink'))
  expect(await run('ALTER TABLE t_source RENAME TO other')).toBe(inUse('t_source'))
  expect(await run("ALTER TABLE t_source SET ('stream' = 'another')")).toBe(inUse('t_source'))
  expect(await run("ALTER TABLE t_source SET ('format' = 'csv')")).toBe(inUse('t_source'))
  // What does not change the meaning of the state may be changed.
  expect(await run("ALTER TABLE t_source SET ('scan.startup.mode' = 'latest-offset')")).toBe(DONE)

  await app.restart()
  await send(app, 'source', { n: 2 })
  await expect.poll(() => bodies(app, 'sink'), POLL).toEqual(['{"n":1}', '{"n":2}'])

  await app.post(`${FLINK}/job/${jid}/cancel`)
  await expect.poll(async () => (await detailOf(app, jid)).state, POLL).toBe('CANCELED')
  expect(await run('ALTER TABLE t_source RENAME TO other')).toBe(DONE)
  expect(await run('DROP TABLE other')).toBe(DONE)
  expect(await run('SHOW TABLES')).toEqual([['t_sink']])
})

test('statements use tables of SQL and of the Aiven API together', async () => {
  const { app, run } = await sqlApp({ nowMs: Date.now(), streams: ['source'] })
  await createTable(app, { name: 'T_AIVEN', schema_sql: 'n INT', kafka_topic: 'source' })
  await run("CREATE TABLE t_sql (n INT) WITH ('connector' = 'stream', 'stream' = 'sink')")
  expect(await run('SHOW TABLES')).toEqual([['T_AIVEN'], ['t_sql']])
  await createJob(app, { statement: 'INSERT INTO t_sql SELECT n * 2 FROM T_AIVEN' })
  await send(app, 'source', { n: 21 })
  await expect.poll(() => bodies(app, 'sink'), POLL).toEqual(['{"n":42}'])
})

test('generated rows enter a stream', async () => {
  const { app, run } = await sqlApp({ nowMs: Date.now() })
  await run(`CREATE TABLE made (n INT) WITH ('connector' = 'datagen', 'number-of-rows' = '3', 'fields.n.kind' = 'sequence',
    'fields.n.start' = '7', 'fields.n.end' = '9')`)
  await run("CREATE TABLE t_sink (n INT) WITH ('connector' = 'stream', 'stream' = 'sink')")
  await createJob(app, { statement: 'INSERT INTO t_sink SELECT n FROM made' })
  const laterBodies = () => {
    app.nowMs += 1_000
    return bodies(app, 'sink')
  }
  await expect.poll(laterBodies, POLL).toEqual(['{"n":7}', '{"n":8}', '{"n":9}'])
})

/** Of the answer to a job that is not created. */
async function refusalOf(app: TestApp, statement: string): Promise<string> {
  const answer = await app.post(`${FLINK}/job`, jsonBody({ statement, table_ids: [] }))
  return `${answer.status} ${(answer.json() as { message?: string }).message}`
}

const JDBC = (options: string) =>
  `CREATE TABLE t (a INT) WITH ('connector' = 'jdbc', 'table-name' = 'orders', ${options})`
const KAFKA = (options: string) =>
  `CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 'orders', 'format' = 'json', ${options})`

/** SQL creates each of these tables; the reason is that of a job over it. */
const unusable: readonly { readonly name: string; readonly create: string; readonly reason: string }[] = [
  {
    name: 'a host that is not named',
    create: JDBC("'url' = 'jdbc:postgresql://db.example:5432/d'"),
    reason: '400 host db.example is not allowed',
  },
  {
    name: 'a broker that is not named',
    create: KAFKA("'properties.bootstrap.servers' = 'kafka.example:9092'"),
    reason: '400 host kafka.example is not allowed',
  },
  {
    name: 'another port of a declared host',
    create: JDBC("'url' = 'jdbc:postgresql://declared.example:1/d'"),
    reason: '400 host declared.example is not allowed',
  },
  {
    name: 'the host in a parameter',
    create: JDBC("'url' = 'jdbc:postgresql://declared.example:5432/d?host=evil.example'"),
    reason: '400 host evil.example is not allowed',
  },
  {
    name: 'a broker without a port',
    create: KAFKA("'properties.bootstrap.servers' = 'localhost'"),
    reason: "400 option 'properties.bootstrap.servers' has 'localhost'; use host:port, several with commas",
  },
  {
    name: 'no broker',
    create: KAFKA("'properties.group.id' = 'g'"),
    reason: "400 option 'properties.bootstrap.servers' is missing",
  },
  {
    name: 'another database',
    create: JDBC("'url' = 'jdbc:mysql://db/d'"),
    reason: "400 option 'url' is not that of a PostgreSQL database",
  },
  {
    name: 'files of the service',
    create: JDBC("'url' = 'jdbc:postgresql://db/d?sslcert=/etc/x'"),
    reason: "400 option 'url' names files of the service",
  },
  {
    name: 'a trust store in a file',
    create: KAFKA("'properties.bootstrap.servers' = 'h:1', 'properties.ssl.truststore.location' = '/x'"),
    reason: "400 option 'properties.ssl.truststore.location' names a file of the service",
  },
  {
    name: 'an unknown format',
    create: KAFKA("'value.format' = 'xml'"),
    reason: "400 table t cannot be used: option 'value.format' is there under another name too",
  },
  {
    name: 'a format that is none',
    create: "CREATE TABLE t (a INT) WITH ('connector' = 'stream', 'stream' = 's', 'format' = 'xml')",
    reason: "400 table t cannot be used: option 'format' is 'xml'; use json, avro, csv, raw, debezium-json",
  },
  {
    name: 'no topic',
    create: "CREATE TABLE t (a INT) WITH ('connector' = 'kafka')",
    reason: "400 table t cannot be used: option 'topic' is missing",
  },
  {
    name: 'a start that is not possible',
    create: KAFKA("'scan.startup.mode' = 'group-offsets'"),
    reason:
      "400 table t cannot be used: option 'scan.startup.mode' is 'group-offsets'; use earliest-offset, latest-offset",
  },
  {
    name: 'an option that would change bodies',
    create: KAFKA("'json.timestamp-format.standard' = 'ISO-8601'"),
    reason:
      "400 table t cannot be used: option 'json.timestamp-format.standard' is 'ISO-8601', which is not supported; use 'SQL'",
  },
  {
    name: 'an upsert table without a key',
    create: "CREATE TABLE t (a INT) WITH ('connector' = 'upsert-kafka', 'topic' = 'x')",
    reason: '400 table t cannot be used: an upsert table needs a PRIMARY KEY in its columns',
  },
  {
    name: 'too many generated rows',
    create: "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100001')",
    reason:
      "400 table t cannot be used: option 'rows-per-second' is 100001; use a whole number from 1 to 100000",
  },
  {
    name: 'a generated column that is none',
    create: "CREATE TABLE t (a INT) WITH ('connector' = 'datagen', 'fields.b.min' = '1')",
    reason: "400 table t cannot be used: options 'fields': unknown column 'b'",
  },
  {
    name: 'a secret that does not exist',
    create: JDBC(
      "'url' = 'jdbc:postgresql://declared.example/d', 'password' = '$".concat("{secret_values.nope}'"),
    ),
    reason: '404 SecretValue nope does not exist in namespace default.',
  },
]

describe('tables that no job can use', () => {
  async function sourcesFile(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-sources-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'sources.json')
    const connection_uri = 'postgres://u:p@declared.example:5432/d'
    await writeFile(path, JSON.stringify({ declared: { kind: 'postgres', connection_uri } }))
    return path
  }

  test.each(unusable)('$name', async ({ create, reason }) => {
    const { app, run } = await sqlApp({ config: { sourcesFile: await sourcesFile() } })
    expect(await run(create)).toBe(DONE)
    await run("CREATE TABLE o (a INT) WITH ('connector' = 'blackhole')")
    // Another table does not matter to a statement that does not name it.
    await run("CREATE TABLE fine (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1')")
    expect(await refusalOf(app, 'INSERT INTO o SELECT a FROM t')).toContain(reason)
    await createJob(app, { statement: 'INSERT INTO o SELECT a FROM fine' })
  })
})

describe('references to secret values', () => {
  /** A port that accepts connections and tells what it was sent. */
  async function listener(): Promise<{ readonly port: number; readonly received: () => string }> {
    let received = ''
    const server = createServer((socket) => {
      socket.on('data', (data) => {
        received += data.toString('latin1')
        socket.destroy()
      })
      socket.on('error', () => {})
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    return { port: (server.address() as { port: number }).port, received: () => received }
  }

  test('are replaced when a job starts, and shown as they are', async () => {
    const { port, received } = await listener()
    const { app, run } = await sqlApp({ config: { connectorHosts: ['127.0.0.1'] } })
    const created = await app.post('/api/v1/namespaces/default/secret-values', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        metadata: { name: 'db-user' },
        spec: { kind: 'PLAIN', value: 'user-of-secret' },
      }),
    })
    expect(created.status).toBe(201)
    const reference = '$'.concat('{secret_values.db-user}')
    await run(
      JDBC(`'url' = 'jdbc:postgresql://127.0.0.1:${port}/d?sslmode=disable', 'username' = '${reference}'`),
    )
    await run("CREATE TABLE o (a INT) WITH ('connector' = 'blackhole')")
    await app.post(`${FLINK}/job`, jsonBody({ statement: 'INSERT INTO o SELECT a FROM t', table_ids: [] }))
    await expect.poll(received, POLL).toContain('user-of-secret')
    expect(JSON.stringify(await run('SHOW CREATE TABLE t'))).toContain(reference)
  })
})

test('a job fails for good when a secret that its table needs is gone at a restart', async () => {
  const { app, run } = await sqlApp({ onDisk: true, config: { connectorHosts: ['127.0.0.1'] } })
  const json = { 'content-type': 'application/json' }
  await app.post('/api/v1/namespaces/default/secret-values', {
    headers: json,
    body: JSON.stringify({ metadata: { name: 'brokers' }, spec: { kind: 'PLAIN', value: '127.0.0.1:1' } }),
  })
  const reference = '$'.concat('{brokers}')
  await run(KAFKA(`'properties.bootstrap.servers' = '${reference}'`))
  await run("CREATE TABLE o (a INT) WITH ('connector' = 'blackhole')")
  const jid = await createJob(app, { statement: 'INSERT INTO o SELECT a FROM t' })
  expect((await app.delete('/api/v1/namespaces/default/secret-values/brokers')).status).toBe(200)
  await app.restart()
  await expect.poll(async () => (await detailOf(app, jid)).state, POLL).toBe('FAILED')
  const text = (await app.get(`${FLINK}/job/${jid}`)).text
  expect(text).toContain('SecretValue brokers does not exist in namespace default.')
})

test('views are read by statements and by other views, and jobs keep those they began with', async () => {
  const { app, run, validate } = await sqlApp({ nowMs: Date.now(), streams: ['source'], onDisk: true })
  await run("CREATE TABLE t_source (n INT, name STRING) WITH ('connector' = 'stream', 'stream' = 'source')")
  await run("CREATE TABLE t_sink (n INT) WITH ('connector' = 'stream', 'stream' = 'sink')")
  const big =
    "CREATE VIEW big (m, label) COMMENT 'the big ones' AS\nSELECT n, name FROM t_source WHERE n > 10"
  expect(await validate(big)).toBe('VALID_DDL_STATEMENT')
  expect(await run(big)).toBe(DONE)
  expect(await run('CREATE VIEW doubled AS SELECT m * 2 AS d FROM default.default.big')).toBe(DONE)
  expect(await run('CREATE VIEW IF NOT EXISTS big AS SELECT 1 FROM t_source')).toBe(DONE)
  expect(await run('CREATE VIEW big AS SELECT n FROM t_source')).toBe(
    '400 Table default.default.big already exists.',
  )
  expect(await run("CREATE TABLE big (a INT) WITH ('connector' = 'print')")).toBe(
    '400 Table default.default.big already exists.',
  )
  expect(await run('CREATE VIEW x AS\n  SELECT nope FROM t_source')).toContain(' at line 2, column 10')
  expect(await run('CREATE VIEW x (a, b) AS SELECT n FROM t_source')).toMatch(/^400 .*2/)
  expect(await run('CREATE VIEW x AS SELECT n FROM nope')).toContain("400 table 'nope' does not exist")
  expect(await run('SHOW VIEWS')).toEqual([['big'], ['doubled']])
  expect(await run('SHOW TABLES')).toEqual([['big'], ['doubled'], ['t_sink'], ['t_source']])
  expect(await run('DESCRIBE big')).toEqual([
    ['m', 'INT', 'true', '', '', ''],
    ['label', 'STRING', 'true', '', '', ''],
  ])
  const shown = `CREATE VIEW \`default\`.\`default\`.\`big\` (\`m\`, \`label\`) COMMENT 'the big ones' AS
SELECT n, name FROM t_source WHERE n > 10`
  expect(await run('SHOW CREATE VIEW big')).toEqual([[shown]])
  expect(await run('SHOW CREATE TABLE big')).toBe('400 default.default.big is a view; use SHOW CREATE VIEW')
  expect(await run('DROP TABLE big')).toBe('400 default.default.big is a view; use DROP VIEW')
  expect(await run("ALTER TABLE big SET ('a' = 'b')")).toContain('400 default.default.big is a view')

  await createJob(app, { statement: 'INSERT INTO t_sink SELECT d FROM doubled' })
  await send(app, 'source', { n: 3 })
  await send(app, 'source', { n: 30 })
  await expect.poll(() => bodies(app, 'sink'), POLL).toEqual(['{"n":60}'])
  expect(await run('DROP VIEW doubled')).toBe(DONE)
  expect(await run('DROP VIEW big')).toBe(DONE)
  expect(await run(shown)).toBe(DONE)
  await app.restart()
  expect(await run('SHOW CREATE VIEW big')).toEqual([[shown]])
  await send(app, 'source', { n: 40 })
  await expect.poll(() => bodies(app, 'sink'), POLL).toEqual(['{"n":60}', '{"n":80}'])
})

test('tables of SQL are removed with their namespace', async () => {
  const app = await testApp({ onDisk: true })
  await app.put('/v3/namespaces/gone')
  const sql = sqlOf(app, 'gone')
  const create = `CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.ssl.key.password' = 'x')`
  expect(await sql.run(create)).toBe(DONE)
  expect(await sql.run('CREATE VIEW v AS SELECT a FROM t')).toBe(DONE)
  expect((await app.delete('/v3/unrecoverable/namespaces/gone')).status).toBe(200)
  await app.put('/v3/namespaces/gone')
  expect(await sql.run('SHOW TABLES')).toEqual([])
  await app.restart()
  expect(await sql.run('SHOW TABLES')).toEqual([])
  expect(await sql.run(create)).toBe(DONE)
})
