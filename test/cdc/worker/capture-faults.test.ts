/** Capture while things fail or change beneath it: slots, tables, the server, the service, its own process. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { lsnOf } from '../../../src/cdc/lsn.ts'
import type { CaptureReport } from '../../../src/cdc/worker/capture-protocol.ts'
import { TestCapture } from '../../support/capture.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'
import { connectedClient } from '../../support/postgres-client.ts'
import { POLL } from '../../support/speeds.ts'

describe.skipIf(NO_POSTGRES)('capture', () => {
  let server: TestPostgres
  let number = 0

  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())
  beforeEach(async () => {
    // The server has fewer slots than this file has tests.
    await server.sql(
      'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active AND NOT temporary',
    )
    await server.sql(
      `DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE TABLE t (id int PRIMARY KEY, v text)`,
    )
  })

  function testCapture(options = {}): TestCapture {
    return new TestCapture(server.uri(), { slot: `millrace_fault${++number}`, ...options })
  }

  async function caughtUp(capture: TestCapture): Promise<void> {
    const [row] = await server.sql('SELECT pg_current_wal_lsn()::text AS lsn')
    await capture.reached(lsnOf(row!.lsn as string))
  }

  async function isSame(capture: TestCapture, table = 't'): Promise<void> {
    const rows = [...capture.rows(`public.${table}`).values()]
    const byId = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>) =>
      Number(a.id) - Number(b.id)
    expect([...rows].sort(byId)).toEqual(await server.sql(`SELECT * FROM ${table} ORDER BY id`))
  }

  test('slot lost: a new slot, an event t and the rows again', async () => {
    await server.sql(`INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
    const capture = testCapture()
    await capture.capture('public.t')
    await server.sql(`UPDATE t SET v = 'B' WHERE id = 2`)
    await caughtUp(capture)
    const { slot } = capture.target
    await server.sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${slot}'`,
    )
    await capture.report('failed')
    capture.reports.length = 0
    await server.sql(
      `SELECT pg_drop_replication_slot('${slot}'); DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 'c')`,
    )
    await capture.start()
    const { message } = await capture.report('slot-lost')
    expect(message).toBe(`replication slot ${slot} is gone; all tables are read again`)
    const before = capture.events('public.t').length
    capture.stored.commit = undefined
    await capture.start({ isAgain: true })
    await capture.until(() => capture.stored.commit?.snapshotting.length === 0)
    expect(capture.ops('public.t').slice(before)).toEqual([
      't - -',
      'r - {"id":2,"v":"B"}',
      'r - {"id":3,"v":"c"}',
    ])
    await server.sql(`UPDATE t SET v = 'C' WHERE id = 3`)
    await caughtUp(capture)
    await isSame(capture)
  })

  const losses: readonly {
    readonly name: string
    readonly sql: string
    readonly message: string
    readonly columns: readonly string[]
  }[] = [
    { name: 'dropped', sql: 'DROP TABLE t', message: 'table public.t was dropped', columns: [] },
    {
      name: 'renamed',
      sql: 'ALTER TABLE t RENAME TO t2',
      message: 'table public.t was renamed to public.t2',
      columns: [],
    },
    {
      name: 'left without a primary key',
      sql: 'ALTER TABLE t DROP CONSTRAINT t_pkey',
      message:
        'table public.t has no primary key; publishing it would make its UPDATEs fail. Add one, or run ALTER TABLE public.t REPLICA IDENTITY USING INDEX …',
      columns: [],
    },
  ]
  test.each(losses)('a table that is $name; the others go on', async ({ sql, message, columns }) => {
    await server.sql(`CREATE TABLE u (id int PRIMARY KEY)`)
    const capture = testCapture()
    await capture.capture('public.t', 'public.u')
    await server.sql(sql)
    const lost = await capture.report('table-lost')
    expect(lost).toEqual({ kind: 'table-lost', table: { schema: 'public', table: 't' }, message, columns })
    await capture.until(() => capture.reports.some(({ kind }) => kind === 'table-lost'))
    const published = await server.sql(
      `SELECT tablename FROM pg_publication_tables WHERE pubname = '${capture.target.publication}'`,
    )
    expect(published).toEqual([{ tablename: 'u' }])
    await server.sql('INSERT INTO u VALUES (1)')
    await caughtUp(capture)
    expect(capture.ops('public.u')).toEqual(['c - {"id":1}'])
  })

  test('a dropped and a renamed column: the table goes on without them', async () => {
    await server.sql(`ALTER TABLE t ADD n int, ADD m int; INSERT INTO t VALUES (1, 'a', 1, 2)`)
    const capture = testCapture()
    await capture.capture('public.t')
    await server.sql(`ALTER TABLE t DROP v; ALTER TABLE t RENAME m TO k`)
    await server.sql('UPDATE t SET n = 5')
    await server.sql('UPDATE t SET n = 6')
    await caughtUp(capture)
    expect((await capture.report('table-lost')).columns).toEqual(['v', 'm'])
    expect(capture.ops('public.t').slice(1)).toEqual([
      'u {"id":1,"n":1,"k":null} {"id":1,"n":5,"k":2}',
      'u {"id":1,"n":5,"k":2} {"id":1,"n":6,"k":2}',
    ])
    expect(capture.stored.tables[0]!.columns.map(({ name }) => name)).toEqual(['id', 'n', 'k'])
    await capture.restart()
    await capture.start()
    await server.sql('UPDATE t SET n = 7')
    await caughtUp(capture)
    expect(capture.ops('public.t').at(-1)).toEqual('u {"id":1,"n":6,"k":2} {"id":1,"n":7,"k":2}')
  })

  test('a retyped column: the rows again, with its new type', async () => {
    await server.sql(`INSERT INTO t VALUES (1, '007'), (2, '8')`)
    const capture = testCapture()
    await capture.capture('public.t')
    await server.sql(`ALTER TABLE t ALTER v TYPE int USING v::int`)
    await server.sql('UPDATE t SET v = 9 WHERE id = 2')
    await capture.until(() => capture.events('public.t').length === 5)
    expect(await capture.report('table-lost')).toMatchObject({
      columns: ['v'],
      message: 'column v of table public.t has the type integer now; it was text',
    })
    expect(capture.ops('public.t').slice(2)).toEqual(['t - -', 'r - {"id":1,"v":7}', 'r - {"id":2,"v":9}'])
    await isSame(capture)
  })

  /** Writes all rows anew, which the stream does not show: later it has this value for unchanged. */
  const ADD_LARGE = 'ALTER TABLE t ADD big text; ALTER TABLE t ALTER big TYPE text USING large()'
  const LARGE = `CREATE FUNCTION large() RETURNS text LANGUAGE sql AS
    $$ SELECT string_agg(md5(i::text), '') FROM generate_series(1, 200) i $$`
  /** The events of `durable` are stored, but not its rows, when the process ends; `later` runs before the next one starts. */
  const replays: readonly {
    readonly name: string
    readonly durable: string
    readonly later: string
    readonly events: readonly string[]
  }[] = [
    {
      name: 'an update from before a column was added, of a row that is gone',
      durable: `UPDATE t SET v = 'A' WHERE id = 1; ALTER TABLE t ADD n int; UPDATE t SET n = 2 WHERE id = 2`,
      later: 'DELETE FROM t WHERE id = 1',
      events: [
        'u {"id":1,"v":"a"} {"id":1,"v":"A"}',
        'u {"id":2,"v":"b","n":null} {"id":2,"v":"b","n":2}',
        'd {"id":1,"v":"A","n":null} -',
        'tombstone {"id":1}',
      ],
    },
    {
      name: 'an update from before a column was added, of a row that has a value in it since',
      durable: `UPDATE t SET v = 'A' WHERE id = 1; ALTER TABLE t ADD n int; UPDATE t SET n = 2 WHERE id = 2`,
      later: 'UPDATE t SET n = 1 WHERE id = 1',
      events: [
        'u {"id":1,"v":"a"} {"id":1,"v":"A"}',
        'u {"id":2,"v":"b","n":null} {"id":2,"v":"b","n":2}',
        'u {"id":1,"v":"A","n":null} {"id":1,"v":"A","n":1}',
      ],
    },
    {
      name: 'a new key from before a column was renamed',
      durable: `UPDATE t SET id = 3 WHERE id = 1; ALTER TABLE t RENAME v TO w; UPDATE t SET w = 'B' WHERE id = 2`,
      later: 'DELETE FROM t WHERE id = 3',
      events: [
        'd {"id":1,"v":"a"} -',
        'tombstone {"id":1}',
        'c - {"id":3,"v":"a"}',
        'u {"id":2,"w":null} {"id":2,"w":"B"}',
        'd {"id":3,"w":null} -',
        'tombstone {"id":3}',
      ],
    },
    {
      name: 'an insert from before a column was added, whose large value does not change later',
      durable: `INSERT INTO t VALUES (3, 'c'); ${ADD_LARGE}; UPDATE t SET v = 'B' WHERE id = 2`,
      later: `UPDATE t SET v = 'C' WHERE id = 3`,
      events: [
        'c - {"id":3,"v":"c"}',
        'u {"id":2,"v":"b","big":null} {"id":2,"v":"B","big":"LARGE"}',
        'u {"id":3,"v":"c","big":null} {"id":3,"v":"C","big":"LARGE"}',
      ],
    },
  ]
  test.each(replays)('sent again: $name; the table is not read again', async ({ durable, later, events }) => {
    await server.sql(`${LARGE}; INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
    const capture = testCapture()
    await capture.capture('public.t')
    capture.repliesLost = true
    const before = capture.events('public.t').length
    await server.sql(`BEGIN; ${durable}; COMMIT`)
    await capture.until(() => capture.events('public.t').length > before)
    await server.sql(later)
    await capture.restart()
    capture.repliesLost = false
    await capture.start()
    await caughtUp(capture)
    const ops = capture.ops('public.t').slice(before)
    expect(ops.map((op) => op.replaceAll(/\w{6400}/g, 'LARGE'))).toEqual(events)
  })

  test('a large value that the stream does not send, of a column that is dropped since: the rows again, without it', async () => {
    await server.sql(`${LARGE}; INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
    const capture = testCapture()
    await capture.capture('public.t')
    await server.sql(`${ADD_LARGE}; INSERT INTO t VALUES (3, 'c', 'small')`)
    await caughtUp(capture)
    await capture.stop()
    await server.sql(`UPDATE t SET v = 'A' WHERE id = 1`)
    await server.sql('ALTER TABLE t DROP big')
    await capture.start()
    await caughtUp(capture)
    await vi.waitFor(() => isSame(capture), POLL)
    expect(capture.ops('public.t').slice(3)).toEqual([
      't - -',
      'r - {"id":1,"v":"A"}',
      'r - {"id":2,"v":"b"}',
      'r - {"id":3,"v":"c"}',
    ])
    expect(await capture.report('table-lost')).toMatchObject({
      columns: ['big'],
      message: 'column big of table public.t was dropped or renamed',
    })
  })

  test('a large transaction comes in parts and becomes durable at once; a large one that is rolled back gives nothing', async () => {
    const capture = testCapture({ limits: { partBytes: 65_536 } })
    await capture.capture('public.t')
    const before = capture.commits.length
    await server.sql(`BEGIN; INSERT INTO t SELECT i, 'x' FROM generate_series(1, 5000) i; ROLLBACK;
      BEGIN; INSERT INTO t SELECT i, 'a' FROM generate_series(1, 5000) i; UPDATE t SET v = 'b' WHERE id % 2 = 0; DELETE FROM t WHERE id % 5 = 0; COMMIT`)
    await caughtUp(capture)
    expect(capture.commits.slice(before).map(({ events }) => events)).toEqual([
      { 'public.t': 5000 + 2500 + 2000 },
    ])
    expect(capture.partBytesSeen).toBeLessThan(80_000)
    expect(capture.unansweredSeen).toBeLessThanOrEqual(3)
    await isSame(capture)
  })

  test('small transactions that arrive while a write is stored are one write', async () => {
    const capture = testCapture({ limits: { partBytes: 1 << 20 } })
    await capture.capture('public.t')
    const before = capture.commits.length
    capture.writeMs = 100
    await server.sql(
      Array.from({ length: 300 }, (_, i) => `BEGIN; INSERT INTO t VALUES (${i}, 'x'); COMMIT`).join('; '),
    )
    await caughtUp(capture)
    expect(capture.commits.length - before).toBeLessThan(60)
    await isSame(capture)
  })

  test('a write that fails ends the attempt; the next one has everything once', async () => {
    const capture = testCapture()
    await capture.capture('public.t')
    capture.writeFailure = 'the disk is full'
    await server.sql(`INSERT INTO t VALUES (1, 'a')`)
    expect(await capture.report('failed')).toEqual({
      kind: 'failed',
      passing: true,
      code: 'limit',
      message: 'the events could not be stored: the disk is full',
    })
    await server.sql(`UPDATE t SET v = 'b'`)
    capture.writeFailure = undefined
    await capture.start()
    await caughtUp(capture)
    expect(capture.ops('public.t')).toEqual(['c - {"id":1,"v":"a"}', 'u {"id":1,"v":"a"} {"id":1,"v":"b"}'])
  })

  test('the server is started again: nothing is lost or there twice', async () => {
    await server.sql(`INSERT INTO t VALUES (1, 'a')`)
    const capture = testCapture()
    await capture.capture('public.t')
    await server.sql(`UPDATE t SET v = 'b'`)
    await server.stop()
    expect(await capture.report('failed')).toMatchObject({ passing: true, code: 'database_unreachable' })
    capture.reports.length = 0
    await capture.start()
    expect(await capture.report('failed')).toMatchObject({ passing: true, code: 'database_unreachable' })
    await server.resume()
    await server.sql(`UPDATE t SET v = 'c'`)
    capture.reports.length = 0
    await capture.start()
    await caughtUp(capture)
    expect(capture.ops('public.t')).toEqual([
      'r - {"id":1,"v":"a"}',
      'u {"id":1,"v":"a"} {"id":1,"v":"b"}',
      'u {"id":1,"v":"b"} {"id":1,"v":"c"}',
    ])
  })

  test('a server that is paused ends the attempt in bounded time, and so does stop', async () => {
    const capture = testCapture({ limits: { silenceMs: 500, statementMs: 500, connectMs: 500 } })
    await capture.capture('public.t')
    server.pause()
    try {
      const failed = await capture.report('failed')
      expect(failed).toMatchObject({ passing: true, code: 'database_unreachable' })
      capture.reports.length = 0
      await capture.start()
      expect(await capture.report('failed')).toMatchObject({ passing: true, code: 'database_unreachable' })
      await capture.start()
      await capture.stop()
    } finally {
      server.continue()
    }
  })

  test('the server keeps the connection while the service stores a write for longer than wal_sender_timeout', async () => {
    await server.sql(`ALTER SYSTEM SET wal_sender_timeout = '3s'`)
    await server.sql('SELECT pg_reload_conf()')
    try {
      const capture = testCapture({ limits: { confirmMs: 200, partBytes: 4_096 } })
      await capture.capture('public.t')
      capture.writeMs = 5_000
      await server.sql(`INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(1, 20) i`)
      await capture.until(() => capture.events('public.t').length === 20)
      expect(capture.reports.filter(({ kind }) => kind === 'failed')).toEqual([])
    } finally {
      await server.sql(`ALTER SYSTEM RESET wal_sender_timeout`)
      await server.sql('SELECT pg_reload_conf()')
    }
  })

  test('the position of an idle connection follows the server', async () => {
    await server.sql('CREATE DATABASE other')
    const capture = testCapture()
    await capture.capture('public.t')
    const client = await connectedClient(server.uri().replace(/postgres$/, 'other'))
    await client.query('CREATE TABLE busy (v text)')
    for (let i = 0; i < 20; i++)
      await client.query(`INSERT INTO busy SELECT repeat('x', 1000) FROM generate_series(1, 100)`)
    await client.end()
    await caughtUp(capture)
    const held = async () => {
      const [row] = await server.sql(
        `SELECT (pg_current_wal_lsn() - confirmed_flush_lsn)::int AS bytes FROM pg_replication_slots WHERE slot_name = '${capture.target.slot}'`,
      )
      return row!.bytes as number
    }
    await expect.poll(held, POLL).toBeLessThanOrEqual(10_000)
    await capture.stop()
    await server.sql('DROP DATABASE other')
  })

  test('a table that is added while others are captured', async () => {
    await server.sql(
      `CREATE TABLE u (id int PRIMARY KEY, v text); INSERT INTO u SELECT i, 'x' FROM generate_series(1, 200) i`,
    )
    const capture = testCapture()
    await capture.capture('public.t')
    let changing = true
    const load = (async () => {
      for (let i = 1; changing; i++) {
        await server.sql(`BEGIN; INSERT INTO t VALUES (${i}, 'x'); UPDATE u SET v = '${i}' WHERE id % 7 = ${i % 7};
          DELETE FROM u WHERE id = ${i}; INSERT INTO u VALUES (${1000 + i}, 'new'); COMMIT`)
      }
    })()
    await capture.addTables('public.u')
    await capture.copied()
    await new Promise((resolve) => setTimeout(resolve, 200))
    changing = false
    await load
    await caughtUp(capture)
    await isSame(capture)
    await isSame(capture, 'u')
    expect(capture.ops('public.u').filter((op) => op.startsWith('r')).length).toBeGreaterThan(100)
  })

  test('a table that is added while the snapshot of another one waits for a write is not read at that position', async () => {
    await server.sql(
      'CREATE TABLE u (id int PRIMARY KEY, v text); CREATE TABLE w (id int PRIMARY KEY, v text)',
    )
    const capture = testCapture()
    await capture.capture('public.t')
    capture.writeMs = 2_000
    await server.sql(`INSERT INTO t VALUES (1, 'x')`)
    const first = capture.addTables('public.u')
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    await server.sql(`INSERT INTO w VALUES (1, 'before it is published')`)
    const second = capture.addTables('public.w')
    await Promise.all([first, second])
    capture.writeMs = 0
    await capture.copied()
    await isSame(capture, 'w')
  })

  test('a snapshot that was broken off goes on: each row once, with the changes in between', async () => {
    await server.sql(`INSERT INTO t SELECT i * 10, 'x' FROM generate_series(1, 300) i`)
    const capture = testCapture()
    await capture.prepare()
    await capture.start()
    await capture.addTables('public.t')
    await capture.until(() => capture.commits.length >= 3)
    await capture.restart()
    const read = capture.events('public.t').length
    expect(read).toBeGreaterThan(5)
    expect(read).toBeLessThan(250)
    // Of rows that were read and of rows that were not: changed, removed, moved both ways, new ones.
    await server.sql(`
      UPDATE t SET v = 'y' WHERE id IN (10, 2500); DELETE FROM t WHERE id IN (20, 2600);
      UPDATE t SET id = 2705 WHERE id = 30; UPDATE t SET id = 35 WHERE id = 2800;
      INSERT INTO t VALUES (45, 'new'), (2905, 'new'); UPDATE t SET v = 'newer' WHERE id IN (45, 2905, 2705, 35);
      INSERT INTO t VALUES (55, 'gone'), (2915, 'gone'); DELETE FROM t WHERE id IN (55, 2915)`)
    await capture.start()
    await capture.copied()
    await server.sql(`UPDATE t SET v = 'z' WHERE id IN (10, 45, 2500, 2905, 3000)`)
    await caughtUp(capture)
    await isSame(capture)
    expect(capture.ops('public.t').filter((op) => op.startsWith('t '))).toEqual([])
    expect(capture.events('public.t').at(read)!.body!.op).not.toBe('r') // the changes come first
  })

  test('TRUNCATE while a snapshot is broken off', async () => {
    await server.sql(`INSERT INTO t SELECT i, 'x' FROM generate_series(1, 300) i`)
    const capture = testCapture()
    await capture.prepare()
    await capture.start()
    await capture.addTables('public.t')
    await capture.until(() => capture.commits.length >= 3)
    await capture.restart()
    await server.sql(`TRUNCATE t; INSERT INTO t VALUES (1, 'again'), (400, 'again')`)
    await capture.start()
    await capture.copied()
    await caughtUp(capture)
    await isSame(capture)
  })

  test('the folder of the rows is lost: the rows again', async () => {
    await server.sql(`INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
    const capture = testCapture()
    await capture.capture('public.t')
    await server.sql(`UPDATE t SET v = 'B' WHERE id = 2`)
    await caughtUp(capture)
    await capture.restart()
    rmSync(join(capture.folder, 'rows'), { recursive: true })
    mkdirSync(join(capture.folder, 'rows'))
    await server.sql(`UPDATE t SET v = 'A' WHERE id = 1`)
    await capture.start()
    await capture.until(() => capture.ops('public.t').filter((op) => op.startsWith('r')).length === 4)
    await caughtUp(capture)
    expect(capture.ops('public.t').slice(3)).toEqual([
      't - -',
      'r - {"id":1,"v":"A"}',
      'r - {"id":2,"v":"B"}',
    ])
  })

  test('a snapshot waits for an open transaction; the other tables go on meanwhile', async () => {
    await server.sql(`CREATE TABLE u (id int PRIMARY KEY, v text); INSERT INTO u VALUES (1, 'a'), (2, 'b')`)
    const capture = testCapture({ limits: { stallMs: 50 } })
    await capture.capture('public.t')
    const client = await connectedClient(server.uri())
    await client.query(`BEGIN; INSERT INTO t VALUES (100, 'open')`)
    await capture.addTables('public.u')
    await server.sql(`INSERT INTO t VALUES (1, 'x'); UPDATE u SET v = 'B' WHERE id = 2`)
    await capture.until(() => capture.events('public.t').length === 1)
    expect(capture.events('public.u')).toEqual([])
    await client.query(`UPDATE u SET v = 'A' WHERE id = 1; COMMIT`)
    await client.end()
    await capture.copied()
    await server.sql(`DELETE FROM u WHERE id = 2`)
    await caughtUp(capture)
    await isSame(capture)
    await isSame(capture, 'u')
  })

  const returns = [
    {
      name: 'captured again after it was lost',
      async returns(capture: TestCapture): Promise<void> {
        await server.sql('ALTER TABLE t RENAME TO t2')
        await capture.report('table-lost')
        await server.sql(`ALTER TABLE t2 RENAME TO t; UPDATE t SET v = 'later' WHERE id = 1`)
        await capture.addTables('public.t')
      },
    },
    {
      name: 'put back into its publication',
      async returns(capture: TestCapture): Promise<void> {
        await capture.stop()
        const { publication } = capture.target
        await server.sql(`ALTER PUBLICATION ${publication} DROP TABLE t`)
        await server.sql(`UPDATE t SET v = 'later' WHERE id = 1`)
        capture.reports.length = 0
        await capture.start()
        await capture.until(() => capture.reports.some(isSnapshotting)) // it has been put back
      },
    },
  ]
  test.each(returns)('a table that is $name; the process ends before it is copied', async ({ returns }) => {
    await server.sql(`CREATE TABLE other (id int); INSERT INTO t VALUES (1, 'a'), (2, 'b')`)
    const capture = testCapture({ limits: { stallMs: 50, checkMs: 50 } })
    await capture.capture('public.t')
    await server.holding('INSERT INTO other VALUES (1)', async () => {
      await returns(capture)
      await capture.restart()
      await capture.start()
    })
    await caughtUp(capture)
    // The stored position may be that of before the copy.
    await vi.waitFor(() => isSame(capture), POLL)
  })
})

function isSnapshotting(report: CaptureReport): boolean {
  return report.kind === 'state' && report.state === 'snapshotting'
}
