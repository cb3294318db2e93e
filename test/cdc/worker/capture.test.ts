/** Capture of a real PostgreSQL: what each change of the database gives in the streams. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { lsnOf } from '../../../src/cdc/lsn.ts'
import { TestCapture } from '../../support/capture.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'

describe.skipIf(NO_POSTGRES)('capture', () => {
  let server: TestPostgres
  let number = 0

  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())
  beforeEach(async () => {
    await server.sql(`DROP SCHEMA public CASCADE; CREATE SCHEMA public`)
  })

  function testCapture(options = {}): TestCapture {
    return new TestCapture(server.uri(), { slot: `millrace_env${++number}`, ...options })
  }

  async function position(): Promise<bigint> {
    const [row] = await server.sql('SELECT pg_current_wal_lsn()::text AS lsn')
    return lsnOf(row!.lsn as string)
  }

  /** Runs statements, each a transaction, and waits until they are captured. */
  async function run(capture: TestCapture, ...statements: readonly string[]): Promise<void> {
    for (const statement of statements) await server.sql(statement)
    await capture.reached(await position())
  }

  const T = 'CREATE TABLE t (id int PRIMARY KEY, v text)'

  test('rows of a snapshot, then changes', async () => {
    await server.sql(`${T}; INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)`)
    const capture = testCapture()
    await capture.capture('public.t')
    expect(capture.ops('public.t')).toEqual([
      'r - {"id":1,"v":"a"}',
      'r - {"id":2,"v":"b"}',
      'r - {"id":3,"v":null}',
    ])
    expect(capture.events('public.t').map(({ body }) => body!.source.snapshot)).toEqual([
      'first',
      'true',
      'last',
    ])
    await run(
      capture,
      `INSERT INTO t VALUES (4, 'd')`,
      `UPDATE t SET v = 'B' WHERE id = 2`,
      `DELETE FROM t WHERE id = 1`,
      `UPDATE t SET id = 30 WHERE id = 3`,
      `TRUNCATE t`,
    )
    expect(capture.ops('public.t').slice(3)).toEqual([
      'c - {"id":4,"v":"d"}',
      'u {"id":2,"v":"b"} {"id":2,"v":"B"}',
      'd {"id":1,"v":"a"} -',
      'tombstone {"id":1}',
      'd {"id":3,"v":null} -',
      'tombstone {"id":3}',
      'c - {"id":30,"v":null}',
      't - -',
    ])
    expect(capture.reports.flatMap((report) => (report.kind === 'state' ? [report.state] : []))).toEqual([
      'running',
      'snapshotting',
      'running',
    ])
  })

  /** Statements after the snapshot of the tables, and the events that they give. `t` is the stream unless a row names another. */
  const changes: readonly {
    readonly name: string
    readonly setup?: string
    readonly tables?: readonly string[]
    readonly statements: readonly string[]
    readonly events: Readonly<Record<string, readonly string[]>>
  }[] = [
    {
      name: 'a transaction of several tables is contiguous and in order',
      setup: `${T}; CREATE TABLE u (id int PRIMARY KEY)`,
      tables: ['public.t', 'public.u'],
      statements: [
        `BEGIN; INSERT INTO t VALUES (1, 'x'); INSERT INTO u VALUES (1); UPDATE t SET v = 'y'; COMMIT`,
      ],
      events: {
        'public.t': ['c - {"id":1,"v":"x"}', 'u {"id":1,"v":"x"} {"id":1,"v":"y"}'],
        'public.u': ['c - {"id":1}'],
      },
    },
    {
      name: 'what is rolled back gives nothing, savepoints too',
      statements: [
        `BEGIN; INSERT INTO t VALUES (1, 'x'); ROLLBACK`,
        `BEGIN; INSERT INTO t VALUES (2, 'x'); SAVEPOINT s; INSERT INTO t VALUES (3, 'x'); ROLLBACK TO s; COMMIT`,
      ],
      events: { 'public.t': ['c - {"id":2,"v":"x"}'] },
    },
    {
      name: 'REPLICA IDENTITY FULL with a primary key',
      setup: `${T}; ALTER TABLE t REPLICA IDENTITY FULL; INSERT INTO t VALUES (1, 'a')`,
      statements: [`UPDATE t SET v = 'b'`, `UPDATE t SET id = 2`, `DELETE FROM t`],
      events: {
        'public.t': [
          'r - {"id":1,"v":"a"}',
          'u {"id":1,"v":"a"} {"id":1,"v":"b"}',
          'd {"id":1,"v":"b"} -',
          'tombstone {"id":1}',
          'c - {"id":2,"v":"b"}',
          'd {"id":2,"v":"b"} -',
          'tombstone {"id":2}',
        ],
      },
    },
    {
      name: 'REPLICA IDENTITY USING INDEX: that index is the key, in its order',
      setup: `CREATE TABLE t (a int NOT NULL, b text NOT NULL, v int); CREATE UNIQUE INDEX i ON t (b, a);
        ALTER TABLE t REPLICA IDENTITY USING INDEX i; INSERT INTO t VALUES (1, 'x', 1)`,
      statements: [`UPDATE t SET v = 2`, `DELETE FROM t`],
      events: {
        'public.t': [
          'r - {"a":1,"b":"x","v":1}',
          'u {"a":1,"b":"x","v":1} {"a":1,"b":"x","v":2}',
          'd {"a":1,"b":"x","v":2} -',
          'tombstone {"b":"x","a":1}',
        ],
      },
    },
    {
      name: 'generated and dropped columns are not there',
      setup: `CREATE TABLE t (x int, id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED, v text); ALTER TABLE t DROP COLUMN x;
        INSERT INTO t VALUES (1, DEFAULT, 'a')`,
      statements: [`UPDATE t SET v = 'b'`],
      events: { 'public.t': ['r - {"id":1,"v":"a"}', 'u {"id":1,"v":"a"} {"id":1,"v":"b"}'] },
    },
    {
      name: 'partitions come under the name of their parent',
      setup: `CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10);
        CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20); INSERT INTO t VALUES (1, 'a'), (11, 'b')`,
      statements: [
        `UPDATE t SET v = 'A' WHERE id = 1`,
        `UPDATE t SET id = 12 WHERE id = 1`,
        `CREATE TABLE t3 PARTITION OF t FOR VALUES FROM (20) TO (30); INSERT INTO t VALUES (20, 'c')`,
        'TRUNCATE t',
      ],
      events: {
        'public.t': [
          'r - {"id":1,"v":"a"}',
          'r - {"id":11,"v":"b"}',
          'u {"id":1,"v":"a"} {"id":1,"v":"A"}',
          'd {"id":1,"v":"A"} -',
          'tombstone {"id":1}',
          'c - {"id":12,"v":"A"}',
          'c - {"id":20,"v":"c"}',
          't - -',
        ],
      },
    },
    {
      name: 'children by INHERITS are tables of their own',
      setup: `${T}; CREATE TABLE child (w int) INHERITS (t); INSERT INTO child VALUES (9, 'child', 1); INSERT INTO t VALUES (1, 'a')`,
      statements: [`INSERT INTO child VALUES (10, 'child', 1)`],
      events: { 'public.t': ['r - {"id":1,"v":"a"}'] },
    },
    {
      name: 'TRUNCATE CASCADE gives one event per captured table',
      setup: `${T}; CREATE TABLE u (id int PRIMARY KEY REFERENCES t); CREATE TABLE other (id int PRIMARY KEY REFERENCES t)`,
      tables: ['public.t', 'public.u'],
      statements: ['TRUNCATE t CASCADE'],
      events: { 'public.t': ['t - -'], 'public.u': ['t - -'] },
    },
    {
      name: 'a new column is in the events from then on, NULL before',
      setup: `${T}; INSERT INTO t VALUES (1, 'a')`,
      statements: [
        `ALTER TABLE t ADD COLUMN n int DEFAULT 7`,
        `UPDATE t SET v = 'b'`,
        `UPDATE t SET v = 'c'`,
      ],
      events: {
        'public.t': [
          'r - {"id":1,"v":"a"}',
          'u {"id":1,"v":"a","n":null} {"id":1,"v":"b","n":7}',
          'u {"id":1,"v":"b","n":7} {"id":1,"v":"c","n":7}',
        ],
      },
    },
    {
      name: 'a widened column is taken over',
      setup: `CREATE TABLE t (id int PRIMARY KEY, n int, w varchar(3), d numeric(4,2)); INSERT INTO t VALUES (1, 2, 'a', 1.50)`,
      statements: [
        `ALTER TABLE t ALTER n TYPE bigint, ALTER w TYPE text, ALTER d TYPE numeric(8,2)`,
        `UPDATE t SET n = 9007199254740993`,
      ],
      events: {
        'public.t': [
          'r - {"id":1,"n":2,"w":"a","d":"1.50"}',
          'u {"id":1,"n":2,"w":"a","d":"1.50"} {"id":1,"n":9007199254740992,"w":"a","d":"1.50"}', // as JSON.parse reads it
        ],
      },
    },
    {
      name: 'values with tabs, backslashes, quotes, line ends and other characters',
      setup: `${T}; INSERT INTO t VALUES (1, E'a\tb\\\\N\n"\r\x08\x0c\x0b é 𝄞'), (2, '\\N'), (3, '')`,
      statements: [`UPDATE t SET id = id + 10 WHERE id = 1`],
      events: {
        'public.t': [
          `r - ${JSON.stringify({ id: 1, v: 'a\tb\\N\n"\r\b\f\v é 𝄞' })}`,
          `r - ${JSON.stringify({ id: 2, v: '\\N' })}`,
          'r - {"id":3,"v":""}',
          `d ${JSON.stringify({ id: 1, v: 'a\tb\\N\n"\r\b\f\v é 𝄞' })} -`,
          'tombstone {"id":1}',
          `c - ${JSON.stringify({ id: 11, v: 'a\tb\\N\n"\r\b\f\v é 𝄞' })}`,
        ],
      },
    },
    {
      name: 'names that need quotes',
      setup: `CREATE SCHEMA "S x"; CREATE TABLE "S x"."T""y" ("Id" int, "a b" int, PRIMARY KEY ("Id", "a b")); INSERT INTO "S x"."T""y" VALUES (1, 2)`,
      tables: ['S x.T"y'],
      statements: [`DELETE FROM "S x"."T""y"`],
      events: {
        'S x.T"y': ['r - {"Id":1,"a b":2}', 'd {"Id":1,"a b":2} -', 'tombstone {"Id":1,"a b":2}'],
      },
    },
  ]

  test.each(changes)('$name', async ({ setup = T, tables = ['public.t'], statements, events }) => {
    await server.sql(`DROP SCHEMA IF EXISTS "S x" CASCADE; ${setup}`)
    const capture = testCapture()
    await capture.capture(...tables)
    await run(capture, ...statements)
    expect(Object.fromEntries(Object.keys(events).map((table) => [table, capture.ops(table)]))).toEqual(
      events,
    )
    for (const table of Object.keys(events)) capture.rows(table)
  })

  test('a large value that an update leaves unchanged is in before and after', async () => {
    await server.sql(`${T}; ALTER TABLE t ALTER v SET STORAGE EXTERNAL; ALTER TABLE t ADD n int;
      INSERT INTO t SELECT i, repeat(i::text, 20000), 0 FROM generate_series(1, 2) i`)
    const capture = testCapture()
    await capture.capture('public.t')
    await run(
      capture,
      'UPDATE t SET n = 1 WHERE id = 1',
      `BEGIN; INSERT INTO t VALUES (3, repeat('3', 20000), 0); UPDATE t SET n = 1 WHERE id = 3; COMMIT`,
      'UPDATE t SET id = 5, n = 2 WHERE id = 1',
      'ALTER TABLE t REPLICA IDENTITY FULL',
      'UPDATE t SET n = 5 WHERE id = 2',
    )
    const sizes = capture
      .events('public.t')
      .slice(2)
      .flatMap(({ body }) => [body?.before?.v, body?.after?.v])
      .filter((value) => value !== undefined)
    expect(sizes.map((value) => String(value).length)).toEqual(sizes.map(() => 20_000))
    const rows = await server.sql('SELECT * FROM t ORDER BY id')
    expect([...capture.rows('public.t').values()].sort((a, b) => Number(a.id) - Number(b.id))).toEqual(rows)
  })

  test('a large value of a column that came with its values is read from the table', async () => {
    await server.sql(`${T}; INSERT INTO t VALUES (1, 'a')`)
    const capture = testCapture()
    await capture.capture('public.t')
    await run(
      capture,
      `ALTER TABLE t ADD COLUMN big text DEFAULT repeat(random()::text, 3000)`, // rewrites the table
      `UPDATE t SET v = 'b'`,
    )
    const [row] = await server.sql('SELECT * FROM t')
    expect(capture.events('public.t').at(-1)!.body!.after).toEqual(row)
    expect(capture.events('public.t').at(-1)!.body!.before).toEqual({ id: 1, v: 'a', big: null })
  })

  test('the envelope has the transaction, its positions and its time', async () => {
    await server.sql(T)
    const capture = testCapture()
    await capture.capture('public.t')
    const client = await server.sql(`BEGIN; INSERT INTO t VALUES (1, 'a'), (2, 'b');
      SELECT txid_current() AS tx, pg_current_wal_lsn()::text AS lsn; COMMIT; SELECT clock_timestamp() AS at, txid_current() - 1 AS tx`)
    await capture.reached(await position())
    const sources = capture.events('public.t').map(({ body }) => body!.source)
    expect(sources.map(({ txId }) => txId)).toEqual([Number(client[0]!.tx), Number(client[0]!.tx)])
    expect(Math.abs(sources[0]!.ts_us / 1000 - (client[0]!.at as Date).getTime())).toBeLessThan(10_000)
    expect(sources[0]!.lsn).toBeLessThan(sources[1]!.lsn)
    expect(sources[0]).toMatchObject({
      name: 'env1',
      schema: 'public',
      table: 't',
      db: 'postgres',
      snapshot: 'false',
    })
    const { commit } = capture.stored
    expect(commit!.txId).toBe(Number(client[0]!.tx))
    expect(BigInt(commit!.lsn) > BigInt(sources[1]!.lsn)).toBe(true)
    expect(Math.abs(commit!.timestampMs - sources[0]!.ts_us / 1000)).toBeLessThan(2)
  })
})
