/** What capture says of databases that it cannot use, and what it leaves behind. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DescribedTable } from '../../../src/cdc/capture-service.ts'
import { TestCapture } from '../../support/capture.ts'
import { freePort } from '../../support/free-port.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'

describe.skipIf(NO_POSTGRES)('a database', () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())
  beforeEach(async () => {
    await server.sql('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  })

  async function objects(): Promise<unknown> {
    return server.sql(
      `SELECT slot_name AS name FROM pg_replication_slots UNION ALL SELECT pubname FROM pg_publication ORDER BY 1`,
    )
  }

  const refusals: readonly {
    readonly name: string
    readonly setup?: string
    readonly cleanup?: string
    readonly uri?: (server: TestPostgres, freePort: number) => string
    readonly code: string
    readonly message: RegExp
  }[] = [
    {
      name: 'another scheme',
      uri: () => 'mysql://app:secret-word@localhost/shop',
      code: 'invalid_connection_string',
      message: /^the connection string begins with mysql:\/\/; use postgres:\/\/ or postgresql:\/\/$/,
    },
    {
      name: 'several hosts',
      uri: () => 'postgres://app:secret-word@one,two/shop',
      code: 'invalid_connection_string',
      message: /one host|no URI/,
    },
    {
      name: 'an unknown sslmode',
      uri: (each) => each.uri('postgres', '?sslmode=maybe'),
      code: 'invalid_connection_string',
      message: /^sslmode is 'maybe'; use disable, /,
    },
    {
      name: 'no answer',
      uri: (_, port) => `postgres://app:secret-word@127.0.0.1:${port}/shop`,
      code: 'database_unreachable',
      message: /^the database did not answer: .*ECONNREFUSED/,
    },
    {
      name: 'TLS that the server does not have',
      uri: (each) => each.uri('postgres', '?sslmode=require'),
      code: 'database_unreachable',
      message: /does not support SSL/,
    },
    {
      name: 'an unknown role',
      uri: (each) => each.uri('unknown_role'),
      code: 'database_rejected',
      message: /^PostgreSQL: role "unknown_role" does not exist/,
    },
    {
      name: 'an unknown database',
      uri: (each) => each.uri().replace(/postgres$/, 'unknown_database'),
      code: 'database_rejected',
      message: /^PostgreSQL: database "unknown_database" does not exist/,
    },
    {
      name: 'a role without REPLICATION',
      setup: 'CREATE ROLE app LOGIN',
      cleanup: 'DROP ROLE app',
      uri: (each) => each.uri('app'),
      code: 'insufficient_privilege',
      message: /^role app may not replicate; run ALTER ROLE app REPLICATION$/,
    },
    {
      name: 'a role without CREATE on the database',
      setup: 'CREATE ROLE app LOGIN REPLICATION',
      cleanup: 'DROP ROLE app',
      uri: (each) => each.uri('app'),
      code: 'insufficient_privilege',
      message: /run GRANT CREATE ON DATABASE postgres TO app$/,
    },
    {
      name: 'a publication of this name that is not ours',
      setup: 'CREATE PUBLICATION millrace_env1',
      cleanup: 'DROP PUBLICATION millrace_env1',
      code: 'conflict',
      message: /^publication millrace_env1 exists and was not made by Millrace/,
    },
    {
      name: 'a slot of this name that is not ours',
      setup: `SELECT pg_create_logical_replication_slot('millrace_env1', 'pgoutput')`,
      cleanup: `SELECT pg_drop_replication_slot('millrace_env1')`,
      code: 'conflict',
      message: /^replication slot millrace_env1 exists and was not made by Millrace/,
    },
    {
      name: 'no free slot',
      setup: `SELECT pg_create_logical_replication_slot('s' || i, 'pgoutput') FROM generate_series(1, 20) i`,
      cleanup: `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots`,
      code: 'no_free_slot',
      message: /^max_replication_slots or max_wal_senders is exhausted/,
    },
  ]

  test.each(refusals)('prepare with $name: $code', async ({ setup, cleanup, uri, code, message }) => {
    if (setup !== undefined) await server.sql(setup)
    try {
      const before = await objects()
      const capture = new TestCapture(uri?.(server, await freePort()) ?? server.uri())
      const error = await capture.prepare().then(
        () => undefined,
        (rejection: Error & { code: string }) => rejection,
      )
      expect(error?.message).toMatch(message)
      expect(error?.code).toBe(code)
      expect(error?.message).not.toContain('secret-word')
      expect(await objects()).toEqual(before)
    } finally {
      if (cleanup !== undefined) await server.sql(cleanup)
    }
  })

  test('prepare again changes nothing; drop twice leaves nothing', async () => {
    const capture = new TestCapture(server.uri())
    await capture.prepare()
    await capture.prepare()
    expect(await objects()).toEqual([{ name: 'millrace_env1' }, { name: 'millrace_env1' }])
    await capture.drop()
    await capture.drop()
    expect(await objects()).toEqual([])
  })

  test('drop ends a connection that still uses the slot, and leaves what is not ours', async () => {
    const capture = new TestCapture(server.uri())
    await server.sql('CREATE TABLE t (id int PRIMARY KEY)')
    await capture.capture('public.t')
    await capture.drop()
    expect(await objects()).toEqual([])
    await server.sql('CREATE PUBLICATION millrace_env1')
    await capture.drop()
    expect(await objects()).toEqual([{ name: 'millrace_env1' }])
    await server.sql('DROP PUBLICATION millrace_env1')
  })

  const tables: readonly {
    readonly name: string
    readonly sql: string
    readonly problem: string | undefined
  }[] = [
    { name: 'a table with a primary key', sql: 'CREATE TABLE t (id int PRIMARY KEY)', problem: undefined },
    {
      name: 'a table without one',
      sql: 'CREATE TABLE t (id int)',
      problem:
        'no_primary_key: table public.t has no primary key; publishing it would make its UPDATEs fail. Add one, or run ALTER TABLE public.t REPLICA IDENTITY USING INDEX …',
    },
    {
      name: 'FULL without a primary key',
      sql: 'CREATE TABLE t (id int); ALTER TABLE t REPLICA IDENTITY FULL',
      problem: 'no_primary_key: table public.t has no primary key',
    },
    {
      name: 'a primary key that is checked late',
      sql: 'CREATE TABLE t (id int PRIMARY KEY DEFERRABLE)',
      problem: 'no_primary_key: table public.t has no primary key',
    },
    {
      name: 'REPLICA IDENTITY NOTHING',
      sql: 'CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t REPLICA IDENTITY NOTHING',
      problem: 'no_primary_key: table public.t has REPLICA IDENTITY NOTHING',
    },
    {
      name: 'a view',
      sql: 'CREATE VIEW t AS SELECT 1 AS id',
      problem: 'schema_mismatch: public.t is a view',
    },
    {
      name: 'an unlogged table',
      sql: 'CREATE UNLOGGED TABLE t (id int PRIMARY KEY)',
      problem: 'schema_mismatch: table public.t is unlogged',
    },
    {
      name: 'a partition',
      sql: 'CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE t PARTITION OF p DEFAULT',
      problem: 'schema_mismatch: table public.t is a partition',
    },
    {
      name: 'a partitioned table, one of whose partitions has no identity',
      sql: `CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t DEFAULT;
        ALTER TABLE t1 REPLICA IDENTITY NOTHING`,
      problem: 'no_primary_key: table public.t1 has no primary key',
    },
  ]

  test.each(tables)('describe $name', async ({ sql, problem }) => {
    await server.sql(sql)
    const capture = new TestCapture(server.uri())
    const names = [
      { schema: 'public', table: 't' },
      { schema: 'public', table: 'missing' },
    ]
    const [found, ...others] = (await capture.call('describe', server.uri(), names)) as DescribedTable[]
    expect(others).toEqual([])
    if (problem === undefined) expect(found!.problem).toBeUndefined()
    else expect(`${found!.problem!.code}: ${found!.problem!.message}`).toContain(problem)
    expect(found!.captured === undefined).toBe(problem !== undefined)
  })

  test('describe: columns of the table, and all tables that can be captured', async () => {
    await server.sql(`CREATE DOMAIN price AS numeric(8,2) NOT NULL; CREATE TYPE mood AS ENUM ('sad', 'ok');
      CREATE TABLE t (b text NOT NULL, id int, p price, m mood, a int[], g int GENERATED ALWAYS AS (id) STORED, PRIMARY KEY (id, b));
      CREATE TABLE u (id int); CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)`)
    const capture = new TestCapture(server.uri())
    const found = (await capture.call('describe', server.uri(), '*')) as DescribedTable[]
    await server.sql('DROP SCHEMA s CASCADE')
    expect(found.map(({ schema, table }) => `${schema}.${table}`)).toEqual(['public.t', 's.t'])
    const { captured, collation } = found[0]!
    expect(collation).toBe('C.UTF-8')
    expect(captured!.key).toEqual(['id', 'b'])
    expect(
      captured!.columns.map(({ name, databaseType, kind, isArray, nullable }) => [
        name,
        databaseType,
        kind,
        isArray,
        nullable,
      ]),
    ).toEqual([
      ['b', 'text', 'text', false, false],
      ['id', 'integer', 'integer', false, false],
      ['p', 'price', 'numeric', false, true],
      ['m', 'mood', 'text', false, true],
      ['a', 'integer[]', 'integer', true, true],
    ])
  })

  test('a table that cannot be captured is not published, nor the others of the call', async () => {
    await server.sql('CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int, v int)')
    const capture = new TestCapture(server.uri())
    await capture.prepare()
    await capture.start()
    await expect(capture.addTables('public.t', 'public.u')).rejects.toMatchObject({ code: 'no_primary_key' })
    await expect(capture.addTables('public.t', 'public.missing')).rejects.toMatchObject({
      code: 'schema_mismatch',
    })
    expect(await server.sql('SELECT * FROM pg_publication_tables')).toEqual([])
    await server.sql('INSERT INTO u VALUES (1, 1); UPDATE u SET v = 2')
    await capture.stop()
    await capture.drop()
  })

  test('a table of another role', async () => {
    await server.sql(
      'CREATE TABLE t (id int PRIMARY KEY); CREATE ROLE app LOGIN REPLICATION; GRANT CREATE ON DATABASE postgres TO app',
    )
    const capture = new TestCapture(server.uri('app'))
    await capture.prepare()
    await capture.start()
    await expect(capture.addTables('public.t')).rejects.toMatchObject({
      code: 'insufficient_privilege',
      message:
        'role app does not own table public.t, so it may not publish it; run ALTER TABLE public.t OWNER TO app',
    })
    await capture.stop()
    await capture.drop()
    await server.sql('REVOKE ALL ON DATABASE postgres FROM app; DROP ROLE app')
  })
})
