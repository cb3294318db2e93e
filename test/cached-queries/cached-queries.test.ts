/** Cached queries: creation in its order, idempotency, failures that leave nothing, crashes between steps, statuses, deletion. */
import { describe, expect, test } from 'vitest'
import { CaptureError } from '../../src/cdc/capture-service.ts'
import type { CapturedColumn } from '../../src/cdc/captured-table.ts'
import { DEFAULT_NAMESPACE, parseNamespaceName } from '../../src/streams/names.ts'
import { QueryStore, REQUEST, row, SQL, STRING } from '../support/query-store.ts'

const NEVER = new AbortController().signal
const ALL = { limit: 10, offset: 0, signal: NEVER }

describe('creation', () => {
  test('a query gets an id after its connection, a stream, a job and its columns', async () => {
    const store = await QueryStore.open()
    const query = await store.queries.createQuery(REQUEST, undefined)
    expect(query).toMatchObject({
      ...{ id: 2, name: 'env1-q2', status: 'new', connection: 1, primaryKey: ['region'] },
      stream: { namespace: 'default', stream: 'env1-q2' },
      columns: [
        { name: 'region', type: 'text', nullable: false },
        { name: 'n', type: 'bigint', nullable: false },
      ],
      ...{ sqlQuery: SQL, rows: undefined, asOf: undefined, error: undefined },
    })
    expect(store.jobs.jobs.get(query.jid)?.query).toMatchObject({ name: 'env1-q2', statement: SQL })
    const definition = await store.queries.definition(query.jid)
    expect(definition?.tables.map(({ id, stream }) => [id, stream?.stream])).toEqual([
      ['public.orders', 'env1-public-orders'],
      ['result', 'env1-q2'],
    ])
    expect(definition?.source).toEqual({
      environment: 'env1',
      database: 'shop',
      query: 'q2',
      version: 'millrace-1',
    })
    expect(store.registry.writerOf(query.stream)).toEqual({ name: 'connection env1', key: query.jid })
  })

  test('the same SQL on the same connection is the same query', async () => {
    const store = await QueryStore.open()
    const first = await store.queries.createQuery(REQUEST, undefined)
    const again = await store.queries.createQuery(
      { ...REQUEST, sqlQuery: `${SQL.replace('SELECT', 'select')}  -- again`, connectionString: STRING },
      undefined,
    )
    expect(again.id).toBe(first.id)
    expect(store.jobs.jobs.size).toBe(1)
    expect(store.captures.calls.filter((call) => call === 'addTables')).toHaveLength(1)
  })

  test('two creations at once of the same SQL make one query', async () => {
    const store = await QueryStore.open()
    const create = () => store.queries.createQuery(REQUEST, undefined)
    const [one, other] = await Promise.all([create(), create()])
    expect(one.id).toBe(other.id)
    expect(store.jobs.jobs.size).toBe(1)
  })

  test('a differing schema replaces the stored one', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    await store.queries.createQuery({ ...REQUEST, schema: 'Order=orders' }, undefined)
    expect(await store.documents()).toMatchObject([{ models: [{ model: 'Order' }] }])
  })

  test('what is compared of SQL is stored: long texts are not read again for each creation', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    const stored = await store.documents()
    expect(stored).toEqual([
      expect.objectContaining({ sqlIdentity: expect.stringMatching(/^[0-9a-f]{64}$/) }),
    ])
  })

  test('of a schema only the models that the query reads are stored', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery({ ...REQUEST, schema: 'orders customers' }, undefined)
    const [{ models }] = (await store.documents()) as unknown as [{ models: unknown[] }]
    expect(models).toEqual([{ model: 'orders', schema: 'public', table: 'orders', fields: [] }])
  })

  test('queries of one connection share a captured table', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    const other = {
      ...REQUEST,
      schema: 'orders customers',
      sqlQuery: 'SELECT 1 FROM public.orders, public.customers',
    }
    await store.queries.createQuery(other, undefined)
    expect(store.captures.captured(1).map(({ table }) => table.table)).toEqual(['orders', 'customers'])
    expect(store.queries.connection(1).queries.map(({ id }) => id)).toEqual([2, 3])
  })

  test('a number whose stream exists is not used', async () => {
    const store = await QueryStore.open()
    const stream = { namespace: DEFAULT_NAMESPACE, stream: 'env1-q2' as never }
    await store.streams.create(stream, {})
    expect((await store.queries.createQuery(REQUEST, undefined)).name).toBe('env1-q3')
  })
})

describe('a failed creation', () => {
  const unknown = new CaptureError('no_free_slot', 'max_replication_slots is exhausted')
  const cases = [
    {
      name: 'an unknown namespace',
      request: { namespace: parseNamespaceName('nope') },
      code: 'namespace_not_found',
    },
    {
      name: 'a connection string',
      request: { connectionString: 'x', schema: '!' },
      code: 'invalid_connection_string',
    },
    {
      name: 'a schema',
      request: { schema: '!', sqlQuery: 'SELECT 1 FROM public.nope' },
      code: 'invalid_schema',
    },
    {
      name: 'SQL',
      request: { sqlQuery: 'SELECT 1 FROM public.nope' },
      failing: 'describe',
      code: 'invalid_sql',
    },
    { name: 'the database', request: {}, failing: 'describe', code: 'no_free_slot' },
    {
      name: 'a table that the database has not',
      request: { schema: 'users', sqlQuery: 'SELECT 1 FROM public.users' },
      code: 'schema_mismatch',
    },
    { name: 'the connection', request: {}, failing: 'create', code: 'no_free_slot' },
    { name: 'its number', request: {}, failing: 'newId', code: 'no_free_slot' },
    { name: 'the capture of a table', request: {}, failing: 'addTables', code: 'no_free_slot' },
    { name: 'the job', request: {}, failing: 'job', code: 'no_free_slot' },
  ]

  test.each(cases)('for $name leaves nothing', async ({ request, failing, code }) => {
    const store = await QueryStore.open()
    if (failing === 'job') store.jobs.failure = unknown
    else if (failing === 'newId') {
      // The first number is that of the connection.
      const { newId } = store.captures
      let calls = 0
      store.captures.newId = () => {
        if (++calls === 2) throw unknown
        return newId.call(store.captures)
      }
    } else if (failing !== undefined) store.captures.failures.set(failing, unknown)
    const created = store.queries.createQuery({ ...REQUEST, ...request }, undefined)
    await expect(created).rejects.toMatchObject({ code })
    expect(store.captures.list()).toEqual([])
    expect(await store.documents()).toEqual([])
    expect([...store.jobs.jobs]).toEqual([])
    expect(store.queries.queries()).toEqual([])
    expect(store.streams.list(DEFAULT_NAMESPACE)).toEqual([])
    expect(store.reported).toEqual([])
  })

  test('leaves a connection that was there before', async () => {
    const store = await QueryStore.open()
    await store.queries.createConnection(REQUEST)
    store.captures.failures.set('addTables', unknown)
    await expect(store.queries.createQuery(REQUEST, undefined)).rejects.toThrow(unknown)
    expect(store.captures.list()).toHaveLength(1)
  })

  test('for a name that is bound to another database says so before it contacts that', async () => {
    const store = await QueryStore.open()
    await store.queries.createConnection(REQUEST)
    const connectionString = STRING.replace('/shop', '/other')
    const message = 'environment env1 is bound to another database'
    await expect(store.queries.createQuery({ ...REQUEST, connectionString }, undefined)).rejects.toThrow(
      message,
    )
    await expect(store.queries.createConnection({ ...REQUEST, connectionString })).rejects.toThrow(message)
    expect(store.captures.calls).not.toContain('describe')
  })

  test('for one query too many says the limit; the same SQL is none more', async () => {
    const store = await QueryStore.open({ queriesMax: 1 })
    await store.queries.createQuery(REQUEST, undefined)
    await expect(
      store.queries.createQuery({ ...REQUEST, sqlQuery: 'SELECT 2 FROM public.orders' }, undefined),
    ).rejects.toMatchObject({ code: 'limit', message: expect.stringContaining('--max-cached-queries') })
    expect((await store.queries.createQuery(REQUEST, undefined)).id).toBe(2)
  })
})

describe('a crash', () => {
  test('before the job exists: the query is removed at the next start', async () => {
    const store = await QueryStore.open()
    const { jid } = await store.queries.createQuery(REQUEST, undefined)
    const [document] = await store.documents()
    const crashed = { ...(document as object), state: 'new' }
    await store.storage.catalog.commit([{ collection: 'cached-queries', id: '2', document: crashed }])
    store.jobs.jobs.delete(jid)
    await store.reopen()
    expect(store.queries.queries()).toEqual([])
    expect(await store.documents()).toEqual([])
  })

  test('after the job exists: the query is complete at the next start', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    const [document] = await store.documents()
    const crashed = { ...(document as object), state: 'new' }
    await store.storage.catalog.commit([{ collection: 'cached-queries', id: '2', document: crashed }])
    await store.reopen()
    expect(store.queries.queries()).toMatchObject([{ id: 2, status: 'snapshotting' }])
    expect(await store.documents()).toMatchObject([{ state: 'live' }])
  })

  test('in a deletion: it is completed at the next start', async () => {
    const store = await QueryStore.open()
    const { jid, stream } = await store.queries.createQuery(REQUEST, undefined)
    await store.streams.create(stream, {})
    const [document] = await store.documents()
    const crashed = { ...(document as object), state: 'deleting', purges: true }
    await store.storage.catalog.commit([{ collection: 'cached-queries', id: '2', document: crashed }])
    await store.reopen()
    expect(await store.documents()).toEqual([])
    expect(store.jobs.jobs.get(jid)?.state).toBe('CANCELED')
    expect(store.streams.has(stream)).toBe(false)
  })
})

describe('after a restart', () => {
  test('the query is there, and has rows when its job has published', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    await store.publish(2, [row('c', 'north', 1)])
    await store.reopen()
    await expect(store.queries.rows(2, ALL)).rejects.toMatchObject({
      code: 'query_not_ready',
      retryAfterSeconds: 1,
    })
    await store.publish(2, [row('c', 'north', 1)], { begins: true })
    expect((await store.queries.rows(2, ALL)).rows).toEqual([['"north"', '1']])
  })

  test('another version of the service plans the query anew', async () => {
    const store = await QueryStore.open()
    const { jid } = await store.queries.createQuery(REQUEST, undefined)
    const calls = store.planner.calls
    await store.reopen({ version: '2' })
    expect((await store.queries.definition(jid))?.source.version).toBe('millrace-2')
    expect(store.planner.calls).toBe(calls + 1)
    await store.queries.definition(jid)
    expect(store.planner.calls).toBe(calls + 1)
    expect(await store.documents()).toMatchObject([{ version: '2' }])
  })
})

describe('a change of a table', () => {
  async function changed(change: (column: CapturedColumn) => CapturedColumn) {
    const store = await QueryStore.open()
    const { jid } = await store.queries.createQuery(REQUEST, undefined)
    await store.publish(2, [row('c', 'north', 1), row('c', 'south', 1)])
    store.captures.tell(1)
    const captured = store.captures
      .captured(1)
      .map((one) => ({ ...one, table: { ...one.table, columns: one.table.columns.map(change) } }))
    store.captures.change(1, { captured })
    return { store, jid }
  }

  test('of a column that the query reads gives it another job; its first result is the difference', async () => {
    const { store, jid } = await changed((column) =>
      column.name === 'id' ? { ...column, databaseType: 'bigint', type: { kind: 'BIGINT' } } : column,
    )
    await expect.poll(() => store.queries.query(2).jid).not.toBe(jid)
    const now = store.queries.query(2)
    await expect.poll(() => [...store.jobs.jobs.keys()]).toEqual([now.jid])
    expect(await store.documents()).toMatchObject([
      { jid: now.jid, tables: [{ columns: [{ databaseType: 'bigint' }, { databaseType: 'text' }] }] },
    ])
    expect(store.registry.writerOf(now.stream)?.key).toBe(now.jid)
    expect((await store.queries.rows(2, ALL)).total).toBe(2)
    await store.publish(2, [row('c', 'north', 2)])
    expect((await store.queries.rows(2, ALL)).rows).toEqual([['"north"', '2']])
  })

  test('of another column changes nothing', async () => {
    const { store, jid } = await changed((column) =>
      column.name === 'region' ? { ...column, databaseType: 'character varying(9)' } : column,
    )
    await new Promise(setImmediate)
    expect(store.queries.query(2).jid).toBe(jid)
  })
})

test('a job whose state does not fit the plan of another version is replaced by another one', async () => {
  const store = await QueryStore.open()
  const { jid } = await store.queries.createQuery(REQUEST, undefined)
  store.planner.signature = 'another one'
  await store.reopen({ version: '2' })
  expect(await store.queries.definition(jid)).toBeUndefined()
  await expect.poll(() => store.queries.query(2).jid).not.toBe(jid)
  await expect.poll(() => [...store.jobs.jobs.keys()]).toEqual([store.queries.query(2).jid])
})

test('a job that a crash has left out is created at the next start', async () => {
  const store = await QueryStore.open()
  const { jid } = await store.queries.createQuery(REQUEST, undefined)
  store.jobs.jobs.delete(jid)
  await store.reopen()
  expect([...store.jobs.jobs.keys()]).toEqual([jid])
})

describe('the status', () => {
  async function running() {
    const store = await QueryStore.open()
    const { jid } = await store.queries.createQuery(REQUEST, undefined)
    await store.publish(2, [row('c', 'north', 1)])
    return { store, jid, status: () => store.queries.query(2) }
  }

  test('is running when the rows follow the database', async () => {
    expect((await running()).status()).toMatchObject({ status: 'running', rows: 1, lastRefreshMs: 3 })
  })

  test('is retrying while the database is away, and the rows are served', async () => {
    const { store, status } = await running()
    store.captures.change(1, {}, { status: 'retrying', error: 'db:5432 does not answer' })
    expect(status()).toMatchObject({
      status: 'retrying',
      error: { code: 'connection', message: 'db:5432 does not answer' },
    })
    expect((await store.queries.rows(2, ALL)).total).toBe(1)
  })

  test('is snapshotting while a table of it is copied again', async () => {
    const { store, status } = await running()
    const captured = store.captures.captured(1).map((table) => ({ ...table, snapshotDone: false }))
    store.captures.change(1, { captured })
    expect(status().status).toBe('snapshotting')
    expect((await store.queries.rows(2, ALL)).total).toBe(1)
  })

  test('is failed if its connection is, or its job', async () => {
    const { store, jid, status } = await running()
    Object.assign(store.jobs.jobs.get(jid)!, { state: 'FAILED', message: 'Division by zero' })
    expect(status()).toMatchObject({ status: 'failed', error: { code: 'job_failed' } })
    expect(status().error?.message).toBe('Division by zero; delete the query and create it again')
    store.jobs.jobs.get(jid)!.state = 'RUNNING'
    store.captures.change(1, {}, { status: 'failed', error: 'role app may not replicate' })
    expect(status()).toMatchObject({ status: 'failed', error: { message: 'role app may not replicate' } })
  })

  test('is failed for good if a column is lost that it reads; the rows stay', async () => {
    const { store, jid, status } = await running()
    const lose = (columns: string[]) =>
      store.captures.change(1, {
        captured: store.captures.captured(1).map((table) => ({
          ...table,
          lost: { message: `column ${columns} of public.orders was dropped`, columns },
        })),
      })
    lose(['region'])
    expect(status().status).toBe('running')
    lose(['id'])
    await expect.poll(() => store.documents()).toMatchObject([{ failure: { code: 'schema_mismatch' } }])
    expect(status().status).toBe('failed')
    expect(status().error?.message).toMatch(/^column id of public.orders was dropped; delete the query/)
    expect(await store.queries.boundary(jid)).toBeUndefined()
    expect((await store.queries.rows(2, ALL)).total).toBe(1)
  })

  test('is failed if the result is too large; the last rows stay', async () => {
    const store = await QueryStore.open({ resultBytesMax: 600 })
    const { jid } = await store.queries.createQuery(REQUEST, undefined)
    await store.publish(2, [row('c', 'north', 1)])
    await store.publish(2, [row('c', 'south', 1), row('c', 'east', 1)])
    expect(store.queries.query(2)).toMatchObject({ status: 'failed', error: { code: 'result_too_large' } })
    expect((await store.queries.rows(2, ALL)).total).toBe(1)
    await expect.poll(() => store.jobs.jobs.get(jid)?.state).toBe('CANCELED')
  })
})

describe('deletion', () => {
  test('of a query cancels its job; the stream stays and takes writes', async () => {
    const store = await QueryStore.open()
    const { jid, stream } = await store.queries.createQuery(REQUEST, undefined)
    await store.streams.create(stream, {})
    expect(() => store.streams.getWritable(stream)).toThrow('written by connection env1')
    await store.queries.deleteQuery(2, { purge: false })
    expect(store.jobs.jobs.get(jid)?.state).toBe('CANCELED')
    expect(await store.queries.definition(jid)).toBeUndefined()
    expect(() => store.queries.query(2)).toThrow('query 2 does not exist')
    expect(await store.documents()).toEqual([])
    expect(store.streams.getWritable(stream)).toBeDefined()
    expect(store.queries.figures().resultBytes).toBe(0)
  })

  test('with purge deletes the stream', async () => {
    const store = await QueryStore.open()
    const { stream } = await store.queries.createQuery(REQUEST, undefined)
    await store.streams.create(stream, {})
    await store.queries.deleteQuery(2, { purge: true })
    expect(store.streams.has(stream)).toBe(false)
  })

  test('of a connection deletes its queries', async () => {
    const store = await QueryStore.open()
    await store.queries.createQuery(REQUEST, undefined)
    await store.queries.createQuery({ ...REQUEST, sqlQuery: 'SELECT 2 FROM public.orders' }, undefined)
    const deleted = await store.queries.deleteConnection(REQUEST, { purge: false })
    expect(deleted).toMatchObject({ queries: [2, 3], connection: { id: 1, status: 'deleted' } })
    expect(store.queries.queries()).toEqual([])
    expect([...store.jobs.jobs.values()].map(({ state }) => state)).toEqual(['CANCELED', 'CANCELED'])
  })

  test('and check of a connection that leads to another database answer as for none', async () => {
    const store = await QueryStore.open()
    await store.queries.createConnection(REQUEST)
    const connectionString = STRING.replace('/shop', '/other')
    const failures = await Promise.all(
      [
        store.queries.deleteConnection({ ...REQUEST, connectionString }, { purge: false }),
        store.queries.check({ ...REQUEST, connectionString }),
        store.queries.check({ ...REQUEST, name: 'env1', namespace: DEFAULT_NAMESPACE, connectionString }),
      ].map((call) =>
        call.then(
          () => undefined,
          (error) => error,
        ),
      ),
    )
    for (const failure of failures) expect(failure).toMatchObject({ code: 'not_found' })
    const none = await store.queries.check({ ...REQUEST, name: 'env2' }).catch((error) => error as Error)
    expect((none as Error).message.replace('env2', 'env1')).toBe(failures[0].message)
  })

  test('of a namespace deletes its queries', async () => {
    const store = await QueryStore.open()
    const namespace = parseNamespaceName('other')
    const { registry } = store
    await registry.change(() => registry.putNamespace(namespace, registry.namespace(DEFAULT_NAMESPACE)!))
    await store.queries.createQuery({ ...REQUEST, namespace }, undefined)
    await registry.beforeRemoval(namespace)
    await registry.change(() => registry.removeNamespace(namespace))
    expect(store.queries.queries()).toEqual([])
    expect(await store.documents()).toEqual([])
  })
})

test('check shows the connection, its jobs and its queries', async () => {
  const store = await QueryStore.open()
  const { jid } = await store.queries.createQuery(REQUEST, undefined)
  expect(await store.queries.check(REQUEST)).toMatchObject({
    connection: { id: 1, name: 'env1' },
    jobs: [{ jid, name: 'env1-q2', state: 'RUNNING' }],
    queries: [{ id: 2, name: 'env1-q2' }],
  })
  expect(store.queries.connections()).toHaveLength(1)
  expect(() => store.queries.connection(7)).toThrow('connection 7 does not exist')
})

test('what is stored of a query has no text of its schema', async () => {
  const store = await QueryStore.open()
  await store.queries.createQuery(REQUEST, undefined)
  expect(JSON.stringify(await store.documents())).not.toContain('secret')
})
