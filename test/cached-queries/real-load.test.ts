/**
 * Rows of cached queries under load: each transaction moves an amount between two tables, so the sum over both is the same at each
 * commit. A mixture of two moments would show another sum. The service and the database fail meanwhile.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { Shop } from '../support/shop.ts'
import { testApp } from '../support/test-app.ts'

const MINUTES = 60_000
/** Before, between and after the failures: so many transactions, and rows of so many moments. */
const EACH = { written: 10, positions: 2 }
/** Of each of the three parts, also if that is reached earlier. */
const LEAST_MS = 5_000
/** A load that has not come so far by then never will. */
const LOAD_MS_MAX = 8 * MINUTES

const TABLES = `
  CREATE TABLE bins (id int PRIMARY KEY, region text NOT NULL, amount numeric(12,2) NOT NULL);
  CREATE TABLE carts (id int PRIMARY KEY, region text NOT NULL, amount numeric(12,2) NOT NULL);
  INSERT INTO bins SELECT i, 'r' || i % 5, 100 FROM generate_series(1, 200) i;
  INSERT INTO carts SELECT i, 'r' || i % 7, 0 FROM generate_series(1, 50) i`

const SCHEMA = ['bins', 'carts']
  .map((table) => `model ${table} {\n id Int @id\n region String\n amount Decimal @db.Decimal(12, 2)\n}`)
  .join('\n')

const SUM =
  'SELECT sum(v) AS total FROM (SELECT amount AS v FROM bins UNION ALL SELECT amount FROM carts) AS both_tables'
const BY_REGION = `SELECT s.region, count(*) AS n, sum(s.amount) AS total, max(c.amount) AS most
  FROM bins s LEFT JOIN carts c ON c.id = s.id GROUP BY s.region ORDER BY s.region`

describe.skipIf(NO_POSTGRES)('under load', { timeout: 10 * MINUTES }, () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
    await server.sql(TABLES)
  }, 4 * MINUTES)
  afterAll(() => server?.remove())

  test('rows are those of one commit, and at the end those of the database', async () => {
    const app = await testApp({ onDisk: true, nowMs: Date.now(), environment: { random: Math.random } })
    const shop = new Shop(app, server)
    const sum = await shop.createQuery(SUM, SCHEMA)
    const regions = await shop.createQuery(BY_REGION, SCHEMA)
    expect(await shop.rows(sum)).toEqual(['20000.00'])
    const endMs = performance.now() + LOAD_MS_MAX
    let isOver = false
    let written = 0
    const positions = new Set<string>()

    async function write(seed: number): Promise<void> {
      const random = seededRandom(seed)
      while (!isOver) {
        const [bin, cart, cents] = [random.whole(1, 200), random.whole(1, 50), random.whole(1, 500)]
        const statements = [
          `UPDATE bins SET amount = amount - ${cents / 100} WHERE id = ${bin}`,
          `UPDATE carts SET amount = amount + ${cents / 100} WHERE abs(id) = ${cart}`,
        ]
        if (random.next() < 0.2) statements.push(`UPDATE bins SET region = 'r${cents % 9}' WHERE id = ${bin}`)
        if (random.next() < 0.1) statements.push(`UPDATE carts SET id = -id WHERE abs(id) = ${cart}`)
        try {
          await server.sql(`BEGIN; ${statements.join('; ')}; COMMIT`)
          written++
        } catch {
          // The server is away, or another transaction was first.
        }
      }
    }

    async function read(): Promise<void> {
      while (!isOver) {
        const answer = await shop.get(`/queries/${sum}/rows`).catch(() => undefined)
        if (answer?.status === 200) {
          await proven(() => expect(answer.json.rows).toEqual([['20000.00']]))
          positions.add((answer.json.asOf as { lsn: string }).lsn)
        }
        await delay(20)
      }
    }

    const failures = [
      () => app.restart(),
      async () => {
        await server.crash()
        await server.resume()
      },
    ]

    /** Resolves when the load has gone on, however long that takes on this machine. */
    async function goneOn(): Promise<void> {
      const wanted = { written: written + EACH.written, positions: positions.size + EACH.positions }
      while (written < wanted.written || positions.size < wanted.positions) {
        if (performance.now() > endMs)
          throw new Error(
            `${written} transactions, rows of ${positions.size} moments: wanted ${JSON.stringify(wanted)}`,
          )
        await delay(LEAST_MS / 10)
      }
    }

    async function fail(): Promise<void> {
      try {
        for (const failure of failures) {
          await Promise.all([goneOn(), delay(LEAST_MS)])
          await failure()
        }
        await Promise.all([goneOn(), delay(LEAST_MS)])
      } finally {
        isOver = true
      }
    }

    await Promise.all([write(1), write(2), read(), fail()])
    const [sums, counted] = [await shop.rows(sum), await shop.rows(regions)]
    await proven(() => expect(sums).toEqual(['20000.00']))
    const wanted = (await server.sql(BY_REGION)).map(({ region, n, total, most }) => [region, n, total, most])
    const texts = wanted.map((row) => row.map((value) => value ?? '').join(' '))
    await proven(() => expect(counted).toEqual(texts))
    expect(app.reported).toEqual([])
  })
})
