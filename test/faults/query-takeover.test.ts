/** Captured databases and cached queries that move to another node, with a real PostgreSQL. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { serves, testNodes } from '../support/nodes.ts'
import { NO_POSTGRES, TestPostgres } from '../support/postgres.ts'
import { proven } from '../support/proven.ts'
import { SHOP, Shop } from '../support/shop.ts'

const MINUTES = 60_000
const NORTH = 'north 3 30.49 10.1633333333333333 20.00'
const SOUTH = 'south 1 5.50 5.5000000000000000 5.50'

describe.skipIf(NO_POSTGRES)('a cached query', { timeout: 8 * MINUTES }, () => {
  let server: TestPostgres

  beforeAll(async () => {
    server = await TestPostgres.start()
    await server.sql(SHOP)
  }, 4 * MINUTES)
  afterAll(() => server?.remove())

  test('goes on under its id on another node, and clients can write its streams on no node', async () => {
    const sharedFolder = await mkdtemp(join(tmpdir(), 'millrace-shared-'))
    onTestFinished(() => rm(sharedFolder, { recursive: true, force: true }))
    const { store, start } = testNodes()
    const kafka = {
      ...{ brokers: [], prefix: 'test', flush: false, insecure: false, spoolBytesMax: 0, pendingMs: 0 },
      sharedFolder,
    }
    const options = { nowMs: Date.now(), config: { kafka }, environment: { random: Math.random } }
    const a = await start('a', options)
    await serves(a)
    const id = await new Shop(a, server).createQuery()
    const b = await start('b', options)
    const shop = new Shop(b, server)
    expect(await shop.rows(id)).toEqual([NORTH, SOUTH]) // sent on to a
    const streams = (await b.get('/v3/namespaces/default/streams')).json() as { name: string }[]
    const captured = streams.find(({ name }) => name.includes('orders'))!
    const write = () => b.post(`/v3/namespaces/default/streams/${captured.name}`, { body: '{}' })
    expect((await write()).status).toBe(403)
    store.expire('b')
    store.kill('a')
    await a.stop().catch(() => {}) // its store is gone
    await shop.sql('INSERT INTO orders(id, customer_id, amount) VALUES (14, 2, 4.50)')
    store.mend('b')
    await serves(b)
    await expect
      .poll(() => shop.rows(id).catch((error) => error), { timeout: 3 * MINUTES })
      .toEqual([NORTH, 'south 2 10.00 5.0000000000000000 5.50'])
    expect((await write()).status).toBe(403)
    await shop.sql('UPDATE orders SET amount = 1.00 WHERE id = 10')
    await proven(async () =>
      expect(await shop.rows(id)).toEqual([
        'north 3 11.49 3.8300000000000000 9.99',
        'south 2 10.00 5.0000000000000000 5.50',
      ]),
    )
  })
})
