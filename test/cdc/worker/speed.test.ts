/** Rows of a snapshot and changes of the stream for each second of processor time, from the server's messages to the bytes of events. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lsnOf } from '../../../src/cdc/lsn.ts'
import { TestCapture } from '../../support/capture.ts'
import { cpuMs } from '../../support/cpu-time.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { NO_POSTGRES, TestPostgres } from '../../support/postgres.ts'

const ROWS = effort({ short: 100_000, long: 500_000 })
const CHANGES = effort({ short: 30_000, long: 200_000 })
const LIMITS = {
  partBytes: 1024 * 1024,
  chunkBytes: 4 * 1024 * 1024,
  confirmMs: 1_000,
  idleConfirmMs: 5_000,
  checkMs: 10_000,
}

describe.skipIf(NO_POSTGRES)('speed', () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
  })
  afterAll(() => server.remove())

  test('capture', async () => {
    await server.sql(`CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL, amount numeric(10,2) NOT NULL,
      status text NOT NULL, created_at timestamptz(6) NOT NULL);
      INSERT INTO orders SELECT i, i % 1000, i * 0.01, 'new', now() - i * interval '1 s' FROM generate_series(1, ${ROWS}) i; ANALYZE orders`)
    const capture = new TestCapture(server.uri(), { limits: LIMITS })
    capture.keepEvents = false
    const beforeMs = cpuMs()
    await capture.prepare()
    await capture.start()
    await capture.addTables('public.orders')
    await capture.until(() => capture.eventCount === ROWS, 100_000)
    await capture.copied()
    const snapshotMs = cpuMs() - beforeMs
    expect(capture.eventCount).toBe(ROWS)
    await capture.stop()
    const size = 10
    for (let i = 0; i < 4; i++) {
      await server.sql(
        Array.from({ length: CHANGES / size / 4 }, (_, n) => {
          const from = 1 + ((i * 7919 + n * size) % (ROWS - size))
          return `BEGIN; UPDATE orders SET amount = amount + 1 WHERE id BETWEEN ${from} AND ${from + size - 1}; COMMIT`
        }).join('; '),
      )
    }
    const [row] = await server.sql('SELECT pg_current_wal_lsn()::text AS lsn')
    const lsn = lsnOf(row!.lsn as string)
    const startMs = cpuMs()
    await capture.start()
    await capture.reached(lsn, 100_000)
    const streamMs = cpuMs() - startMs
    expect(capture.eventCount).toBe(ROWS + CHANGES)
    tellProof('capture speed', {
      'snapshot rows per CPU-second': Math.round((ROWS / snapshotMs) * 1000),
      'changes per CPU-second': Math.round((CHANGES / streamMs) * 1000),
    })
  })
})
