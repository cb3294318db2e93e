/** Cached queries over a real PostgreSQL, from HTTP to HTTP: restarts, lost slots, changed tables, several queries and databases. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { SCHEMA, SHOP, Shop } from '../support/shop.ts'
import { type TestAppOptions, testApp } from '../support/test-app.ts'

const MINUTES = 60_000
const NORTH = 'north 3 30.49 10.1633333333333333 20.00'
const SOUTH = 'south 1 5.50 5.5000000000000000 5.50'

describe.skipIf(NO_POSTGRES)('cached queries of a real database', { timeout: 6 * MINUTES }, () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
  }, 4 * MINUTES)
  afterAll(() => server?.remove())
  beforeEach(async () => {
    await dropSlots()
    await server.sql(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${SHOP}`)
  })

  /** Of an earlier test: a slot keeps its database from being dropped. */
  async function dropSlots(): Promise<void> {
    await server.sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active_pid IS NOT NULL`,
    )
    await expect
      .poll(
        () =>
          server
            .sql(`SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots`)
            .then(() => server.sql('SELECT slot_name FROM pg_replication_slots'))
            .catch((error) => error),
        { timeout: MINUTES },
      )
      .toEqual([])
    await server.sql('DROP PUBLICATION IF EXISTS millrace_env1')
  }

  async function openShop(options: TestAppOptions = {}): Promise<Shop> {
    const environment = { random: Math.random } // several jobs in one worker
    const app = await testApp({ onDisk: true, nowMs: Date.now(), environment, ...options })
    return new Shop(app, server)
  }

  test('rows follow each statement, exactly', async () => {
    const shop = await openShop()
    const id = await shop.createQuery()
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    const south2 = 'south 2 10.00 5.0000000000000000 5.50'
    const north1 = 'north 3 11.49 3.8300000000000000 9.99'
    const both3 = ['north 2 10.99 5.4950000000000000 9.99', 'south 3 10.50 3.5000000000000000 5.50']
    const steps: readonly (readonly [sql: string, rows: readonly string[]])[] = [
      ['INSERT INTO orders(id, customer_id, amount) VALUES (14, 2, 4.50)', [NORTH, south2]],
      ['UPDATE orders SET amount = 1.00 WHERE id = 10', [north1, south2]],
      [`UPDATE customers SET region_code = 'south' WHERE id = 3`, both3],
      ['UPDATE orders SET id = 20 WHERE id = 11', both3],
      ['DELETE FROM orders WHERE customer_id = 1', [both3[1]!]],
      ['TRUNCATE orders', []],
    ]
    for (const [sql, rows] of steps) {
      await shop.sql(sql)
      expect({ sql, rows: await shop.rows(id) }).toEqual({ sql, rows })
    }
    const deleted = await shop.post('/deleteDatabaseConnection')
    expect(deleted).toMatchObject({
      status: 201,
      json: { status: 'deleted', queries: [id], slotDropped: true },
    })
    expect(await server.sql('SELECT slot_name FROM pg_replication_slots')).toEqual([])
    expect(await server.sql('SELECT pubname FROM pg_publication')).toEqual([])
    expect(shop.app.reported).toEqual([])
  })

  test('after a restart of the service the rows are there, and those that were changed meanwhile', async () => {
    const shop = await openShop()
    const id = await shop.createQuery()
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    await shop.app.restart()
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    const [closing] = await Promise.all([
      shop.app.restart(),
      shop.sql('INSERT INTO orders(id, customer_id, amount) VALUES (14, 2, 4.50)'),
    ])
    expect(closing).toBeUndefined()
    expect(await shop.rows(id)).toEqual([NORTH, 'south 2 10.00 5.0000000000000000 5.50'])
    expect(await shop.status(id)).toBe('running')
  })

  test('while the database is away the rows are served, and they go on when it is back', async () => {
    const shop = await openShop()
    const id = await shop.createQuery()
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    await server.stop()
    await expect.poll(() => shop.status(id), { timeout: MINUTES }).toBe('retrying')
    expect((await shop.get(`/queries/${id}/rows`)).json.rows).toHaveLength(2)
    await server.resume()
    await shop.sql('DELETE FROM orders WHERE customer_id = 2')
    expect(await shop.rows(id)).toEqual([NORTH])
    expect(await shop.status(id)).toBe('running')
  })

  test('a lost slot gives a new snapshot and the same rows', async () => {
    const shop = await openShop()
    const id = await shop.createQuery()
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    await dropSlots()
    await shop.sql('DELETE FROM orders WHERE id = 13')
    await expect
      .poll(async () => (await shop.get(`/queries/${id}/rows`)).json.rows, { timeout: MINUTES })
      .toContainEqual(['north', 2, '20.50', '10.2500000000000000', '20.00'])
    expect(await shop.rows(id)).toEqual(['north 2 20.50 10.2500000000000000 20.00', SOUTH])
  })

  test('several queries share the capture of a connection; one that loses a column fails alone', async () => {
    const shop = await openShop()
    const id = await shop.createQuery()
    const names = await shop.createQuery('SELECT count(DISTINCT name) AS names FROM customers')
    expect(await shop.rows(names)).toEqual(['3'])
    await shop.sql(`INSERT INTO customers VALUES (4, 'Di', 'west')`)
    expect(await shop.rows(names)).toEqual(['4'])
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    await shop.sql('ALTER TABLE customers DROP COLUMN name')
    await shop.sql(`UPDATE customers SET region_code = 'south' WHERE id = 3`)
    expect(await shop.rows(id)).toEqual([
      'north 2 29.99 14.9950000000000000 20.00',
      'south 2 6.00 3.0000000000000000 5.50',
    ])
    await expect.poll(() => shop.status(names), { timeout: MINUTES }).toBe('failed')
    const failed = await shop.get(`/queries/${names}`)
    expect(failed.json.error).toMatchObject({ code: 'schema_mismatch' })
    expect((await shop.get(`/queries/${names}/rows`)).json.rows).toEqual([[4]])
  })

  test('a wider type is taken over', async () => {
    const shop = await openShop()
    const id = await shop.createQuery('SELECT max(id) AS last FROM orders')
    expect(await shop.rows(id)).toEqual(['13'])
    await shop.sql('ALTER TABLE orders ALTER COLUMN id TYPE bigint')
    await shop.sql('INSERT INTO orders(id, customer_id, amount) VALUES (5000000000, 2, 4.50)')
    expect(await shop.rows(id)).toEqual(['5000000000'])
    expect(await shop.status(id)).toBe('running')
  })

  test('a query has no rows while a table is added that another transaction keeps from being copied', async () => {
    const shop = await openShop()
    const names = await shop.createQuery('SELECT count(*) AS names FROM customers')
    expect(await shop.rows(names)).toEqual(['3'])
    await server.sql('CREATE TABLE other (id int)')
    const id = await server.holding('INSERT INTO other VALUES (1)', async () => {
      const id = await shop.createQuery()
      await shop.sql(`INSERT INTO customers VALUES (4, 'Di', 'west')`)
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      const { status, json } = await shop.get(`/queries/${id}/rows`)
      expect({ status, json, state: await shop.status(id) }).toMatchObject({
        ...{ status: 503, json: { error: { code: 'not_ready' } }, state: 'snapshotting' },
      })
      return id
    })
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    expect(await shop.status(id)).toBe('running')
  })

  describe('a value that no column here can hold', () => {
    const MESSAGE =
      /^the row \(id = 12\) of table public\.orders has a value that cannot be read here: event \d+: column amount has .*NaN.*; change the value/

    test('fails the queries that read it, and no others; without it the query can be created again', async () => {
      const shop = await openShop()
      const id = await shop.createQuery()
      const count = await shop.createQuery('SELECT count(*) AS n FROM orders')
      expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
      await shop.sql(`UPDATE orders SET amount = 'NaN' WHERE id = 12; DELETE FROM orders WHERE id = 11`)
      await expect.poll(() => shop.status(id), { timeout: MINUTES }).toBe('failed')
      expect((await shop.get(`/queries/${id}`)).json.error).toMatchObject({
        code: 'job_failed',
        message: expect.stringMatching(MESSAGE),
      })
      const { json } = await shop.get(`/queries/${id}/rows`)
      expect((json.rows as unknown[][]).map((row) => row.join(' '))).toEqual([NORTH, SOUTH])
      expect(await shop.rows(count)).toEqual(['3'])
      await shop.sql('UPDATE orders SET amount = 0.50 WHERE id = 12')
      await shop.app.delete(`/queries/${id}`)
      const again = await shop.createQuery()
      expect(await shop.rows(again)).toEqual([NORTH])
      expect(await shop.status(again)).toBe('running')
    })

    test('of rows that a snapshot reads fails a query from its beginning', async () => {
      await server.sql(`UPDATE orders SET amount = 'NaN' WHERE id = 12`)
      const shop = await openShop()
      const id = await shop.createQuery()
      await expect.poll(() => shop.status(id), { timeout: MINUTES }).toBe('failed')
      expect((await shop.get(`/queries/${id}`)).json.error).toMatchObject({
        message: expect.stringMatching(MESSAGE),
      })
    })

    test('is named also in an array of two dimensions, and of a row with several key columns', async () => {
      await server.sql(
        'CREATE TABLE tags (a int, b text, list int[], n int, PRIMARY KEY (a, b));' +
          `INSERT INTO tags VALUES (1, 'x', '{1}', 5), (2, 'y', '{{1},{2}}', 7)`,
      )
      const shop = await openShop()
      const schema = `datasource db { provider = "postgresql" }
        model tags { a Int\n b String\n list Int[]\n n Int?\n @@id([a, b]) }`
      const total = await shop.createQuery('SELECT sum(n) AS total FROM tags', schema)
      const id = await shop.createQuery('SELECT list, count(*) AS n FROM tags GROUP BY list', schema)
      await expect.poll(() => shop.status(id), { timeout: MINUTES }).toBe('failed')
      expect((await shop.get(`/queries/${id}`)).json.error).toMatchObject({
        message: expect.stringMatching(/^the row \(a = 2, b = y\) of table public\.tags .*column list/),
      })
      expect(await shop.rows(total)).toEqual(['12'])
    })
  })

  test('a query of a column that has got another type reads its new values alone', async () => {
    const shop = await openShop()
    const id = await shop.createQuery()
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH])
    await shop.sql('ALTER TABLE customers ALTER COLUMN region_code TYPE int USING length(region_code)')
    await shop.sql('UPDATE customers SET region_code = 7 WHERE id = 3')
    await expect.poll(() => shop.status(id), { timeout: MINUTES }).toBe('failed')
    const { json } = await shop.get(`/queries/${id}/rows`)
    expect((json.rows as unknown[][]).map((row) => row.join(' '))).toEqual([NORTH, SOUTH])
    await shop.app.delete(`/queries/${id}`)
    const schema = SCHEMA.replace('region String', 'region Int')
    const again = await shop.createQuery('SELECT sum(region_code) AS total FROM customers', schema)
    expect(await shop.rows(again)).toEqual(['17'])
    expect(await shop.status(again)).toBe('running')
  })

  test('two databases are captured at once', async () => {
    await server.sql('DROP DATABASE IF EXISTS other')
    await server.sql('CREATE DATABASE other')
    const shop = await openShop()
    const other = new Shop(shop.app, server, 'env2', 'other')
    await other.sql(`${SHOP}; DELETE FROM orders WHERE customer_id = 2`)
    const [one, two] = [await shop.createQuery(), await other.createQuery()]
    expect(await shop.rows(one)).toEqual([NORTH, SOUTH])
    expect(await other.rows(two)).toEqual([NORTH])
    await other.sql('DELETE FROM orders WHERE customer_id = 1')
    expect(await other.rows(two)).toEqual(['north 1 0.50 0.50000000000000000000 0.50'])
    expect(await shop.rows(one)).toEqual([NORTH, SOUTH])
    await other.post('/deleteDatabaseConnection')
    expect(await shop.rows(one)).toEqual([NORTH, SOUTH])
  })
})
