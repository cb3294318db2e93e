/** Capture of a real PostgreSQL: what each change of the database gives in the streams. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { lsnOf } from '../../../src/cdc/worker/lsn.ts'
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
    expect(capture.reports.filter(({ kind }) => kind === 'state')).toEqual([
      { kind: 'state', state: 'running' },
      { kind: 'state', state: 'snapshotting' },
      { kind: 'state', state: 'running' },
    ])
  })
})
