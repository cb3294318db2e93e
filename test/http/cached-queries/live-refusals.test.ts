/**
 * Each refusal that a real PostgreSQL causes, once: status, code and sentence, and that nothing is left on the server. Then the whole
 * chain of answers, logs, metrics, audit and files is searched for the passwords that were used.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { form } from '../../support/cached-queries.ts'
import { freePort } from '../../support/free-port.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { expectNoSecret, WRONG_PASSWORD } from '../../support/secret-search.ts'
import { NO_TRACES, PASSWORD, QUERY, SCHEMA, ShopDatabase } from '../../support/shop-database.ts'
import { POLL } from '../../support/speeds.ts'
import { type TestApp, type TestResponse, testApp } from '../../support/test-app.ts'

const LONG = { timeout: 360_000 }

describe.skipIf(NO_POSTGRES !== undefined)('with PostgreSQL', () => {
  let server: TestPostgres
  let shop: ShopDatabase

  beforeAll(async () => {
    server = await TestPostgres.start()
    shop = await ShopDatabase.make(server)
    await shop.sql(`create role weak login password '${PASSWORD}'; create role plain login replication password '${PASSWORD}';
      create table log(line text); create view v as select * from orders; alter table log owner to app; alter view v owner to app`)
    await server.sql('create database other')
  }, 120_000)
  afterAll(() => server.remove())

  interface Made {
    readonly app: TestApp
    readonly texts: string[]
    readonly audit: string
    call(path: string, fields: Record<string, string>): Promise<TestResponse>
  }

  async function made(): Promise<Made> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-refusals-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const audit = join(folder, 'audit.log')
    const dataFolder = join(folder, 'data')
    const app = await testApp({ dataFolder, nowMs: Date.now(), config: { auditFile: audit } })
    const texts: string[] = []
    return {
      ...{ app, texts, audit },
      async call(path, fields) {
        const answer = await app.post(path, { body: form({ environmentId: 'env1', ...fields }) })
        texts.push(`${path} ${answer.status} ${inspect(answer.headers)} ${answer.text}`)
        return answer
      },
    }
  }

  const errorOf = (answer: TestResponse) =>
    (answer.json() as { error?: { code: string; message: string } }).error

  interface Refusal {
    readonly name: string
    readonly fields: () => Record<string, string> | Promise<Record<string, string>>
    readonly path?: string
    readonly status: number
    readonly code: string
    readonly message: RegExp
    readonly before?: () => Promise<unknown>
    readonly after?: () => Promise<unknown>
  }

  const restarted = async (...statements: string[]) => {
    for (const statement of statements) await server.sql(statement)
    await server.stop()
    await server.resume()
  }
  const connection = (given: Parameters<ShopDatabase['uri']>[0] = {}) => ({
    connectionString: shop.uri(given),
  })
  const query = (sqlQuery: string, schema = SCHEMA) => ({ ...connection(), schema, sqlQuery })

  const refusals: readonly Refusal[] = [
    {
      name: 'another kind of database',
      fields: () => ({ connectionString: `mysql://app:${encodeURIComponent(PASSWORD)}@h/d` }),
      ...{ status: 400, code: 'invalid_connection_string', message: /postgres/ },
    },
    {
      name: 'a parameter that is not known',
      fields: () => connection({ more: '?nope=1' }),
      ...{ status: 400, code: 'invalid_connection_string', message: /nope/ },
    },
    {
      name: 'a wrong password',
      fields: () => connection({ password: WRONG_PASSWORD }),
      ...{ status: 502, code: 'database_rejected', message: /password/ },
    },
    {
      name: 'a database that does not exist',
      fields: () => connection({ database: 'none' }),
      ...{ status: 502, code: 'database_rejected', message: /none/ },
    },
    {
      name: 'a port at which nothing listens',
      fields: async () => connection({ port: await freePort() }),
      ...{ status: 502, code: 'database_unreachable', message: /127\.0\.0\.1/ },
    },
    {
      name: 'TLS that the server does not have',
      fields: () => connection({ more: '?sslmode=require' }),
      ...{ status: 502, code: 'database_unreachable', message: /TLS|SSL/ },
    },
    {
      name: 'a role without REPLICATION',
      fields: () => connection({ user: 'weak' }),
      ...{
        status: 502,
        code: 'insufficient_privilege',
        message: /role weak may not replicate; run ALTER ROLE weak REPLICATION/,
      },
    },
    {
      name: 'a role that may not create a publication',
      fields: () => connection({ user: 'plain' }),
      ...{ status: 502, code: 'insufficient_privilege', message: /GRANT CREATE ON DATABASE shop TO plain/ },
    },
    {
      name: 'wal_level replica',
      before: () => restarted('alter system set wal_level = replica'),
      fields: () => connection(),
      ...{ status: 502, code: 'replication_not_enabled' },
      message: /wal_level is replica; run ALTER SYSTEM SET wal_level = logical and restart PostgreSQL/,
      after: () => restarted('alter system reset wal_level'),
    },
    {
      name: 'no free slot',
      before: () =>
        server.sql(`select pg_create_physical_replication_slot('s' || i) from generate_series(1, 20) i`),
      fields: () => connection(),
      ...{
        status: 502,
        code: 'no_free_slot',
        message: /max_replication_slots or max_wal_senders is exhausted/,
      },
      after: () => server.sql(`select pg_drop_replication_slot('s' || i) from generate_series(1, 20) i`),
    },
    {
      name: 'a slot of someone else',
      before: () => shop.sql(`select pg_create_logical_replication_slot('millrace_env1', 'pgoutput')`),
      fields: () => connection(),
      ...{ status: 409, code: 'conflict', message: /slot millrace_env1/ },
      after: () => shop.sql(`select pg_drop_replication_slot('millrace_env1')`),
    },
    {
      name: 'a publication of someone else',
      before: () => shop.sql('create publication millrace_env1 for table customers'),
      fields: () => connection(),
      ...{ status: 409, code: 'conflict', message: /publication millrace_env1/ },
      after: () => shop.sql('drop publication millrace_env1'),
    },
    {
      name: 'a table without a primary key',
      fields: () => ({ ...connection(), tables: 'public.log' }),
      ...{ status: 400, code: 'no_primary_key', message: /table public\.log has no primary key/ },
    },
    {
      name: 'a view',
      fields: () => ({ ...connection(), tables: 'public.v' }),
      ...{ status: 400, code: 'schema_mismatch', message: /public\.v/ },
    },
    {
      name: 'a schema that does not parse',
      path: '/createCachedQuery',
      fields: () => query(QUERY, 'model Order {\n  id Int @id\n'),
      ...{ status: 400, code: 'invalid_schema', message: /./ },
    },
    {
      name: 'SQL that does not parse',
      path: '/createCachedQuery',
      fields: () => query('SELECT count( FROM orders'),
      ...{ status: 400, code: 'invalid_sql', message: /./ },
    },
    {
      name: 'SQL that cannot be kept up to date',
      path: '/createCachedQuery',
      fields: () => query('SELECT now() AS n, count(*) AS c FROM orders'),
      ...{ status: 400, code: 'unsupported_sql', message: /now/ },
    },
    {
      name: 'a schema that differs from the database',
      path: '/createCachedQuery',
      fields: () => query(QUERY, SCHEMA.replace('Decimal  @db.Decimal(10, 2)', 'Int')),
      ...{
        status: 400,
        code: 'schema_mismatch',
        message: /model Order, field amount: the database has numeric\(10,2\), the schema says Int/,
      },
    },
    ...['/deleteDatabaseConnection', '/checkJobStatus'].map((path) => ({
      name: `${path} of nothing`,
      path,
      fields: () => connection(),
      ...{ status: 404, code: 'not_found', message: /env1/ },
    })),
  ]

  test('each refusal once, and nothing is left', LONG, async () => {
    const { app, call, texts, audit } = await made()
    const wrong: unknown[] = []
    for (const { name, path = '/createDatabaseConnection', status, code, message, ...refusal } of refusals) {
      await refusal.before?.()
      const traces = JSON.stringify(await shop.traces())
      const answer = await call(path, await refusal.fields())
      const error = errorOf(answer)
      if (answer.status !== status || error?.code !== code || !message.test(error.message))
        wrong.push([name, answer.status, answer.text])
      await expect
        .poll(async () => JSON.stringify(await shop.traces()), { ...POLL, message: name })
        .toBe(traces)
      expect((await app.get('/connections')).text, name).toBe('{"connections":[]}')
      expect((await app.get('/queries')).text, name).toBe('{"queries":[]}')
      await refusal.after?.()
    }
    expect(wrong).toEqual([])
    expect(await shop.traces()).toEqual(NO_TRACES)
    await expectClean(app, texts, audit)
  })

  test(
    'another database is 409 for a creation and 404 for the others; a new password that works replaces the old',
    LONG,
    async () => {
      const { app, call, texts, audit } = await made()
      const first = await call('/createDatabaseConnection', connection())
      expect(first.status, first.text).toBe(201)
      const other = connection({ database: 'other' })
      for (const [path, status, code] of [
        ['/createDatabaseConnection', 409, 'conflict'],
        ['/createCachedQuery', 409, 'conflict'],
        ['/deleteDatabaseConnection', 404, 'not_found'],
        ['/checkJobStatus', 404, 'not_found'],
      ] as const) {
        const fields = path === '/createCachedQuery' ? { ...query(QUERY), ...other } : other
        const answer = await call(path, fields)
        expect([answer.status, errorOf(answer)?.code], `${path}: ${answer.text}`).toEqual([status, code])
      }
      const missing = await call('/checkJobStatus', { ...connection(), environmentId: 'env9' })
      const elsewhere = await call('/checkJobStatus', other)
      expect(errorOf(missing)?.message.replace('env9', 'env1')).toBe(errorOf(elsewhere)?.message)
      expect((await call('/createDatabaseConnection', connection({ password: WRONG_PASSWORD }))).status).toBe(
        502,
      )
      const again = await call('/createDatabaseConnection', connection({ user: 'postgres' }))
      expect([again.status, (again.json() as { id: number }).id]).toEqual([201, 1])
      const deleted = await call('/deleteDatabaseConnection', connection())
      expect([deleted.status, deleted.json()]).toEqual([
        201,
        { id: 1, name: 'env1', status: 'deleted', queries: [], slotDropped: true },
      ])
      await expect.poll(() => shop.traces(), POLL).toEqual(NO_TRACES)
      expect((await app.get('/connections/1')).status).toBe(404)
      await expectClean(app, texts, audit)
    },
  )

  /** Of what was answered, of other paths, and of the audit. */
  async function expectClean(app: TestApp, texts: readonly string[], audit: string): Promise<void> {
    const gets = [
      '/metrics',
      '/connections',
      '/queries',
      '/jobs/overview',
      '/v3/namespaces/default/streams',
      '/jobmanager/config',
    ]
    const answers = await Promise.all(gets.map(async (path) => `${path} ${(await app.get(path)).text}`))
    expectNoSecret(app, [...texts, ...answers, await readFile(audit, 'utf8').catch(() => '')])
    expect(app.reported.map(String)).toEqual([])
  }
})
