/** Rows and changes of a cached query: moments, pages, waiting, cursors. */
import { describe, expect, test } from 'vitest'
import type { QueryItem } from '../../src/cached-queries/query-service.ts'
import { QueryStore, REQUEST, row } from '../support/query-store.ts'

const NEVER = new AbortController().signal
const ALL = { limit: 10, offset: 0, signal: NEVER }
const ORDERS = 'public.orders'

async function ready(): Promise<QueryStore> {
  const store = await QueryStore.open()
  await store.queries.createQuery(REQUEST, undefined)
  store.captures.commit(1, 5n, ORDERS)
  await store.publish(2, [row('c', 'south', 1), row('c', 'north', 3)])
  return store
}

const regions = (rows: readonly (readonly string[])[]) => rows.map(([region]) => JSON.parse(region!))

describe('asOf', () => {
  test('is the moment of the publication while the job is behind', async () => {
    const store = await ready()
    store.captures.commit(1, 9n, ORDERS)
    expect((await store.queries.rows(2, ALL)).asOf).toEqual({ lsn: 5n, txId: 5, timestampMs: 50 })
  })

  test('moves without the job while no table of the query changes', async () => {
    const store = await ready()
    const other = { ...REQUEST, schema: 'customers', sqlQuery: 'SELECT 1 FROM public.customers' }
    await store.queries.createQuery(other, undefined)
    store.captures.commit(1, 9n, 'public.customers')
    expect((await store.queries.rows(2, ALL)).asOf.lsn).toBe(9n)
    store.captures.commit(1, 12n, ORDERS)
    expect((await store.queries.rows(2, ALL)).asOf.lsn).toBe(9n)
    await store.publish(2, [row('u', 'north', 4)])
    expect((await store.queries.rows(2, ALL)).asOf.lsn).toBe(12n)
  })

  test('is the newest one in the views of the query and of its connection, too', async () => {
    const store = await ready()
    store.captures.commit(1, 9n)
    await store.queries.advance({ query: 2 })
    expect(store.queries.query(2).asOf?.lsn).toBe(9n)
    store.captures.commit(1, 11n)
    await store.queries.advance({ connection: 3 })
    expect(store.queries.query(2).asOf?.lsn).toBe(9n)
    await store.queries.advance({ connection: 1 })
    expect(store.queries.queries()[0]!.asOf?.lsn).toBe(11n)
    store.captures.commit(1, 12n)
    expect((await store.queries.check(REQUEST)).queries[0]!.asOf?.lsn).toBe(12n)
  })

  test('does not go back when a job starts again with what it had', async () => {
    const store = await ready()
    store.captures.commit(1, 9n)
    await store.queries.rows(2, ALL)
    const update = {
      begins: true,
      ends: true,
      refreshMs: 1,
      changes: [row('c', 'south', 1), row('c', 'north', 3)],
    }
    store.queries.publish(store.queries.query(2).jid, {
      moment: { lsn: '5', txId: 5, timestampMs: 50 },
      ...update,
    })
    expect(store.queries.query(2).asOf?.lsn).toBe(9n)
  })
})

describe('atLeast', () => {
  test('waits until the rows are as new', async () => {
    const store = await ready()
    const page = store.queries.rows(2, { ...ALL, atLeast: 8n })
    await new Promise(setImmediate)
    store.captures.commit(1, 8n, ORDERS)
    await new Promise(setImmediate)
    await store.publish(2, [row('d', 'south', 1)])
    expect(await page).toMatchObject({ asOf: { lsn: 8n }, rows: [['"north"', '3']] })
  })

  test('is reached when the database moves without a change of the query', async () => {
    const store = await ready()
    const page = store.queries.rows(2, { ...ALL, atLeast: 8n })
    await new Promise(setImmediate)
    store.captures.commit(1, 9n)
    expect(await page).toMatchObject({ asOf: { lsn: 9n }, total: 2 })
  })

  test('ends after 10 s', async () => {
    const store = await ready()
    const page = store.queries.rows(2, { ...ALL, atLeast: 0x1_0000_0008n }).catch((error) => error)
    await new Promise(setImmediate)
    store.pass(10_000)
    expect(await page).toMatchObject({
      code: 'not_yet',
      message: expect.stringContaining('as of 0/5, wanted at least 1/8'),
    })
  })

  test('ends when the client goes', async () => {
    const store = await ready()
    const client = new AbortController()
    const page = store.queries.rows(2, { ...ALL, atLeast: 8n, signal: client.signal }).catch((error) => error)
    await new Promise(setImmediate)
    client.abort()
    expect(await page).toMatchObject({ code: 'not_yet' })
    expect([...store.timers]).toHaveLength(1)
  })

  test('waits for the first result, too', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    const page = store.queries.rows(2, { ...ALL, atLeast: 1n })
    await new Promise(setImmediate)
    store.captures.commit(1, 2n, ORDERS)
    await store.publish(2, [row('c', 'north', 1)])
    expect(await page).toMatchObject({ asOf: { lsn: 2n }, total: 1 })
  })

  test('of a query that is deleted meanwhile is 404', async () => {
    const store = await ready()
    const page = store.queries.rows(2, { ...ALL, atLeast: 8n }).catch((error) => error)
    await new Promise(setImmediate)
    await store.queries.deleteQuery(2, { purge: false })
    expect(await page).toMatchObject({ code: 'not_found' })
  })
})

describe('pages', () => {
  test('of one answer belong together while the rows change', async () => {
    const store = await ready()
    const first = await store.queries.rows(2, { ...ALL, limit: 1 })
    expect(first).toMatchObject({ rows: [['"north"', '3']], total: 2, next: { lsn: 5n, offset: 1 } })
    store.captures.commit(1, 9n, ORDERS)
    await store.publish(2, [row('d', 'south', 1), row('c', 'a', 1)])
    const second = await store.queries.rows(2, { ...ALL, limit: 1, ...first.next! })
    expect(second).toMatchObject({ rows: [['"south"', '1']], asOf: { lsn: 5n }, next: undefined })
    expect(regions((await store.queries.rows(2, ALL)).rows)).toEqual(['a', 'north'])
  })

  test('are kept for 60 s', async () => {
    const store = await ready()
    const { next } = await store.queries.rows(2, { ...ALL, limit: 1 })
    store.captures.commit(1, 9n, ORDERS)
    await store.publish(2, [row('d', 'south', 1)])
    store.pass(60_000)
    await expect(store.queries.rows(2, { ...ALL, ...next! })).rejects.toMatchObject({
      code: 'conflict',
      message: 'the rows as of 0/5 are not kept any more; begin again without lsn',
    })
  })

  test('need not be kept while the rows are the same', async () => {
    const store = await ready()
    const { next } = await store.queries.rows(2, { ...ALL, limit: 1 })
    store.captures.commit(1, 9n)
    await store.queries.rows(2, ALL)
    store.pass(60_000)
    expect(await store.queries.rows(2, { ...ALL, ...next! })).toMatchObject({ asOf: { lsn: 5n }, total: 2 })
  })

  test('of too many answers the oldest are not kept', async () => {
    const store = await ready()
    const { next } = await store.queries.rows(2, { ...ALL, limit: 1 })
    for (let i = 0; i < 20; i++) {
      store.captures.commit(1, BigInt(10 + i), ORDERS)
      await store.publish(2, [row('u', 'south', i)])
      await store.queries.rows(2, { ...ALL, limit: 1 })
    }
    await expect(store.queries.rows(2, { ...ALL, ...next! })).rejects.toMatchObject({ code: 'conflict' })
    expect((await store.queries.rows(2, { ...ALL, lsn: 20n })).rows).toContainEqual(['"south"', '10'])
  })

  test('a page behind the end is empty', async () => {
    const store = await ready()
    expect(await store.queries.rows(2, { ...ALL, offset: 5 })).toMatchObject({ rows: [], next: undefined })
  })
})

describe('changes', () => {
  /** Reads the next items. */
  function reader(store: QueryStore, after?: string, client = new AbortController()) {
    const request = { signal: client.signal, ...(after !== undefined && { after }) }
    const iterator = store.queries.changes(2, request)[Symbol.asyncIterator]()
    return {
      client,
      next: async (): Promise<QueryItem | undefined> =>
        (await iterator.next()).value as QueryItem | undefined,
      take: async (count: number) => {
        const items: QueryItem[] = []
        while (items.length < count) items.push((await iterator.next()).value as QueryItem)
        return items
      },
    }
  }

  const change = async (store: QueryStore, lsn: bigint, ...changes: ReturnType<typeof row>[]) => {
    store.captures.commit(1, lsn, ORDERS)
    await store.publish(2, changes)
  }

  test('begin with the rows; a refresh is its changes and a commit', async () => {
    const store = await ready()
    const { next, take } = reader(store)
    expect(await next()).toMatchObject({
      event: 'rows',
      rows: [
        ['"north"', '3'],
        ['"south"', '1'],
      ],
      asOf: { lsn: 5n },
    })
    await change(store, 9n, row('u', 'south', 2), row('c', 'west', 1), row('d', 'north', 3))
    expect(await take(4)).toMatchObject([
      {
        event: 'change',
        op: 'u',
        key: '{"region":"south"}',
        before: ['"south"', '1'],
        after: ['"south"', '2'],
      },
      { event: 'change', op: 'c', before: undefined, after: ['"west"', '1'] },
      { event: 'change', op: 'd', before: ['"north"', '3'], after: undefined },
      { event: 'commit', changes: 3, asOf: { lsn: 9n } },
    ])
  })

  test('after a cursor are those that the reader has missed', async () => {
    const store = await ready()
    const first = await reader(store).next()
    await change(store, 9n, row('u', 'south', 2))
    await change(store, 10n, row('u', 'south', 3))
    const items = await reader(store, (first as { cursor: string }).cursor).take(4)
    expect(items.map(({ event }) => event)).toEqual(['change', 'commit', 'change', 'commit'])
    const { cursor } = items[1] as { cursor: string }
    expect(await reader(store, cursor).next()).toMatchObject({ event: 'change', after: ['"south"', '3'] })
  })

  test('readers at one moment share the list of its rows', async () => {
    const store = await ready()
    const lists = await Promise.all([reader(store).next(), reader(store).next()])
    const [one, other] = lists as unknown as [{ rows: unknown }, { rows: unknown }]
    expect(one.rows).toBe(other.rows)
  })

  test('of slow readers those of the oldest item are cut when they hold too much', async () => {
    const store = await QueryStore.open({ heldBytesMax: 2_000 })
    await store.queries.createQuery(REQUEST, undefined)
    store.captures.commit(1, 5n, ORDERS)
    await store.publish(2, [row('c', 'south', 1)])
    const cut: number[] = []
    const slow = async (number: number) => {
      const request = { signal: NEVER, tooSlow: () => void cut.push(number) }
      await store.queries.changes(2, request)[Symbol.asyncIterator]().next()
    }
    for (let number = 1; number <= 20; number++) {
      await slow(number)
      await change(store, BigInt(5 + number), row('u', 'south', 1 + number))
    }
    expect(cut.length).toBeGreaterThan(5)
    expect(cut.length).toBeLessThan(18)
    expect(cut).toEqual(cut.map((_, i) => i + 1))
  })

  test('readers that take what they get are not cut', async () => {
    const store = await QueryStore.open({ heldBytesMax: 1 })
    await store.queries.createQuery(REQUEST, undefined)
    store.captures.commit(1, 5n, ORDERS)
    await store.publish(2, [row('c', 'south', 1)])
    let cuts = 0
    let items = 0
    const client = new AbortController()
    const request = { signal: client.signal, tooSlow: () => void cuts++ }
    const readers = [1, 2].map(async () => {
      for await (const _ of store.queries.changes(2, request)) items++
    })
    for (let number = 1; number <= 20; number++) {
      await expect.poll(() => items, { interval: 1 }).toBe(2 * (2 * number - 1))
      await change(store, BigInt(5 + number), row('u', 'south', 1 + number))
    }
    client.abort()
    await Promise.all(readers)
    expect(cuts).toBe(0)
  })

  test('a refresh without changes is no item', async () => {
    const store = await ready()
    const { next, take } = reader(store)
    await next()
    await change(store, 9n)
    await change(store, 10n, row('u', 'south', 2))
    expect(await take(2)).toMatchObject([{ event: 'change' }, { event: 'commit', asOf: { lsn: 10n } }])
  })

  test('after a cursor of another process, or one that is too old, begin with the rows', async () => {
    const store = await ready()
    const { cursor } = (await reader(store).next()) as { cursor: string }
    for (let i = 0; i < 3; i++) await change(store, BigInt(10 + i), row('u', 'x'.repeat(400_000), i))
    expect(await reader(store, cursor).next()).toMatchObject({ event: 'rows', asOf: { lsn: 12n } })
    await store.reopen()
    await store.publish(2, [row('c', 'north', 1)], { begins: true })
    expect(await reader(store, cursor).next()).toMatchObject({ event: 'rows', rows: [['"north"', '1']] })
  })

  test.each(['', 'x', '1-2', 'a-2-3-4', '../../etc'])("'%s' is no cursor", async (after) => {
    const store = await ready()
    expect(() => store.queries.changes(2, { after, signal: NEVER })).toThrow(/use the id of an event/)
  })

  test('wait for the first result and tell the status until then', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    const { next } = reader(store)
    expect(await next()).toEqual({ event: 'status', status: 'snapshotting', error: undefined })
    const then = next()
    await store.publish(2, [row('c', 'north', 1)])
    expect([await then, await next()].map((item) => item?.event).sort()).toEqual(['rows', 'status'])
  })

  test('tell each change of the status', async () => {
    const store = await ready()
    const { next } = reader(store)
    await next()
    const then = next()
    store.captures.change(1, {}, { status: 'retrying', error: 'away' })
    expect(await then).toEqual({
      event: 'status',
      status: 'retrying',
      error: { code: 'connection', message: 'away' },
    })
  })

  test('end when the query is deleted, after what was still to read', async () => {
    const store = await ready()
    const { next, take } = reader(store)
    await next()
    await change(store, 9n, row('u', 'south', 2))
    await store.queries.deleteQuery(2, { purge: false })
    expect((await take(3)).map(({ event }) => event)).toEqual(['change', 'commit', 'end'])
    expect(await next()).toBeUndefined()
  })

  test('end when the service stops, with a cursor', async () => {
    const store = await ready()
    const { next } = reader(store)
    const first = (await next()) as { cursor: string }
    const then = next()
    store.queries.endFollowers()
    expect(await then).toEqual({ event: 'end', reason: 'shutdown', cursor: first.cursor })
  })

  test('end without an item when the reader goes', async () => {
    const store = await ready()
    const { next, client } = reader(store)
    await next()
    const then = next()
    client.abort()
    expect(await then).toBeUndefined()
  })

  test('a restart of the job tells what is different', async () => {
    const store = await ready()
    const { next, take } = reader(store)
    await next()
    store.captures.commit(1, 9n, ORDERS)
    await store.publish(2, [row('c', 'north', 3), row('c', 'west', 1)], { begins: true })
    expect(await take(3)).toMatchObject([
      { event: 'change', op: 'c', after: ['"west"', '1'] },
      { event: 'change', op: 'd', before: ['"south"', '1'] },
      { event: 'commit', changes: 2 },
    ])
  })
})
