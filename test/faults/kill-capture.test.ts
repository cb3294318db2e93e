/**
 * The capture process and PostgreSQL are killed at random moments, while tables are copied and changed. At the end the streams must
 * give the tables as they are, with every change once and in its order: an event that does not fit the row before it is found.
 */

import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lsnOf } from '../../src/cdc/lsn.ts'
import { portOfProcess, TestCapture } from '../support/capture.ts'
import { effort, SEED, tellProof } from '../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { connectedClient } from '../support/postgres-client.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'

const ROWS = effort({ short: 5_000, long: 20_000 })
/** A kill is made after so many writes, or after this time. */
const KILL_MS_MAX = 10_000
const KILLS = effort({ short: 6, long: 40 })

describe.skipIf(NO_POSTGRES)('kills', () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())

  test('streams hold every change once after kills of the process and of PostgreSQL', async () => {
    const random = seededRandom(SEED).next
    await server.sql(`
      CREATE TABLE a (id int PRIMARY KEY, n int NOT NULL, v text, large text);
      CREATE TABLE b (k text COLLATE "C", i int, n int NOT NULL, PRIMARY KEY (k, i));
      CREATE TABLE c (id bigint PRIMARY KEY, n int NOT NULL);
      ALTER TABLE a ALTER large SET STORAGE EXTERNAL;
      INSERT INTO a SELECT i, 0, repeat(md5(i::text), 30), CASE WHEN i % 10 = 0 THEN repeat('x', 3000) END FROM generate_series(1, ${ROWS}) i;
      INSERT INTO b SELECT md5(i::text), i % 7, 0 FROM generate_series(1, ${ROWS / 4}) i;
      INSERT INTO c SELECT i, 0 FROM generate_series(1, ${ROWS / 4}) i`)
    const capture = new TestCapture(server.uri(), { port: portOfProcess })
    capture.writeMs = 5
    const load = new Load(server, random)
    load.start()
    await capture.prepare()
    await capture.start()
    await capture.addTables('public.a', 'public.b')
    let starts = 1
    let kills = 0
    const killsInSnapshots = 0
    let wasAdded = false
    const keepStarted = async () => {
      const end = capture.reports.find(({ kind }) => kind === 'failed' || kind === 'slot-lost')
      if (end === undefined) return
      if (end.kind !== 'failed' || !end.passing) throw new Error(JSON.stringify(end))
      capture.reports.length = 0
      await pause(50)
      starts++
      await capture.start()
    }
    for (; kills < KILLS; kills++) {
      // In the middle of a snapshot, at its end, or some time after it.
      const commits = capture.commits.length + Math.floor(random() ** 2 * 30)
      const endMs = performance.now() + KILL_MS_MAX
      while (performance.now() < endMs && capture.commits.length <= commits) {
        await keepStarted()
        await pause(1)
      }
      if (kills === KILLS / 2)
        wasAdded = await capture.addTables('public.c').then(
          () => true,
          () => false,
        )
      if (random() < 0.3) {
        await server.crash()
        await pause(random() * 300)
        await server.resume()
      } else {
        await capture.restart()
        starts++
        await capture.start()
      }
    }
    await load.stop()
    const [row] = await server.sql('SELECT pg_current_wal_lsn()::text AS lsn')
    const lsn = lsnOf(row!.lsn as string)
    const endMs = performance.now() + 300_000
    for (;;) {
      await keepStarted()
      const { commit, tables } = capture.stored
      const progress = capture.stored.progress as { tables: Record<string, { state: string }> } | undefined
      const isCopied = tables.every(({ oid }) => progress?.tables[oid]?.state === 'done')
      if (capture.position >= lsn && isCopied && commit!.snapshotting.length === 0) break
      if (performance.now() > endMs)
        throw new Error(`not captured: ${JSON.stringify(capture.reports.slice(-5))}`)
      await pause(20)
    }
    for (const name of ['a', 'b', ...(wasAdded ? ['c'] : [])]) {
      const rows = [...capture.rows(`public.${name}`).values()].map((each) => JSON.stringify(each)).sort()
      const expected = (await server.sql(`SELECT * FROM ${name}`))
        .map((each) => JSON.stringify(numbers(each)))
        .sort()
      await proven(() => {
        expect(rows.length).toBe(expected.length)
        expect(rows).toEqual(expected)
        const truncates = capture.events(`public.${name}`).filter(({ body }) => body?.op === 't')
        if (name !== 'b') expect(truncates).toEqual([]) // no snapshot began again
        inCommitOrder(capture, `public.${name}`)
      })
    }
    const { tables } = capture.stored.progress as { tables: Record<string, { chunk: number }> }
    const parts = Object.values(tables).reduce((sum, { chunk }) => sum + chunk, 0)
    tellProof('kill-capture', {
      kills,
      killsInSnapshots,
      parts,
      starts,
      transactions: load.transactions,
      events: capture.eventCount,
    })
  })
})

/** After the snapshot the positions of the changes ascend. Rows of a snapshot may stand between them. */
function inCommitOrder(capture: TestCapture, table: string): void {
  const transactions = capture
    .events(table)
    .flatMap(({ body }) => (body === undefined || body.op === 'r' ? [] : [body.source]))
  const seen = new Set<number>()
  let last: number | undefined
  for (const { txId } of transactions) {
    if (txId === last) continue
    expect(seen.has(txId)).toBe(false) // a transaction is contiguous
    seen.add(txId)
    last = txId
  }
}

/** Random transactions on one connection, which is opened again when the server has crashed. */
class Load {
  readonly #server: TestPostgres
  readonly #random: () => number
  #stopped = false
  #running: Promise<void> | undefined
  transactions = 0
  truncates = 0

  constructor(server: TestPostgres, random: () => number) {
    this.#server = server
    this.#random = random
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let client: pg.Client | undefined
      try {
        client = await connectedClient(this.#server.uri())
        while (!this.#stopped) await this.#transaction(client)
      } catch {
        await pause(50)
      } finally {
        await client?.end().catch(() => {})
      }
    }
  }

  async #transaction(client: pg.Client): Promise<void> {
    const random = (below: number) => Math.floor(this.#random() * below)
    const statements: string[] = []
    const count = 1 + random(4)
    for (let i = 0; i < count; i++) {
      const id = 1 + random(ROWS * 1.2)
      statements.push(
        [
          `INSERT INTO a VALUES (${id}, 0, 'new', NULL) ON CONFLICT (id) DO UPDATE SET n = a.n + 1`,
          `UPDATE a SET n = n + 1 WHERE id BETWEEN ${id} AND ${id + random(20)}`,
          `UPDATE a SET large = repeat('y', 2500 + n), n = n + 1 WHERE id = ${id}`,
          `DELETE FROM a WHERE id BETWEEN ${id} AND ${id + random(4)}`,
          `UPDATE a SET id = -id, n = n + 1 WHERE id = ${id} AND large IS NULL AND NOT EXISTS (SELECT FROM a WHERE id = -${id})`,
          `UPDATE a SET id = -id, n = n + 1 WHERE id = -${id} AND large IS NULL AND NOT EXISTS (SELECT FROM a WHERE id = ${id})`,
          `UPDATE b SET n = n + 1 WHERE i = ${random(7)} AND k < '${random(16).toString(16)}1'`,
          `INSERT INTO b VALUES (md5('${id}'), ${random(9)}, 0) ON CONFLICT DO NOTHING`,
          `DELETE FROM b WHERE k > 'f' AND i = ${random(7)}`,
          `UPDATE c SET n = n + 1, id = id + ${random(2) * 1_000_000} WHERE id = ${id}`,
        ][random(10)]!,
      )
    }
    const truncates = this.#random() < 0.003
    if (truncates) statements.push('TRUNCATE b')
    const end = this.#random() < 0.1 ? 'ROLLBACK' : 'COMMIT'
    await client.query(`BEGIN; ${statements.join('; ')}; ${end}`)
    this.transactions++
    if (truncates && end === 'COMMIT') this.truncates++
  }
}

/** bigint comes as text. */
function numbers(row: Record<string, unknown>): Record<string, unknown> {
  return 'large' in row || 'k' in row ? row : { ...row, id: Number(row.id) }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
