/** Connections with a scripted capture process: creation, states, exact writes, boundaries, deletion, and crashes between all steps. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CaptureService, ConnectionView } from '../../src/cdc/capture-service.ts'
import { Captures } from '../../src/cdc/captures.ts'
import { ServiceError } from '../../src/service-error.ts'
import { DEFAULT_NAMESPACE, type NamespaceName, type StreamName } from '../../src/streams/names.ts'
import { Namespaces } from '../../src/streams/namespaces.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { connectorHosts } from '../../src/tables/connector-hosts.ts'
import type { Storage } from '../../storage/storage.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { memoryStorage } from '../support/memory-storage.ts'
import {
  capturedTable,
  commitAt,
  eventsOf,
  fakeDatabase,
  Refused,
  ScriptedCapture,
  ScriptedTimer,
  tableName,
} from '../support/scripted-capture.ts'
import { newWeakData, openWeakStorage } from '../support/weak-engine/weak-storage.ts'

const SHOP = 'postgres://app:secret-word@db:5432/shop'
const ORDERS = tableName('public.orders')
const CUSTOMERS = tableName('public.customers')

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-captures-'))
})
afterAll(() => rm(folder, { recursive: true }))
let folders = 0

interface World {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly captures: CaptureService
  readonly capture: ScriptedCapture
  readonly timer: ScriptedTimer
  readonly reported: unknown[]
  readonly space: { low: boolean; refusal(): ServiceError }
  readonly dataFolder: string
  nowMs: number
  /** As after the end of the process and a new start. */
  again(): Promise<World>
  bodies(stream: string): Promise<string[]>
}

interface WorldOptions {
  readonly capture?: ScriptedCapture
  readonly storage?: Storage
  readonly dataFolder?: string
  readonly nowMs?: number
  readonly connectionsMax?: number
  /** Hosts that the operator allows; by default all. */
  readonly hosts?: readonly string[]
  /** It is not closed: what it waits for does not come. */
  readonly isKilled?: boolean
}

async function world(options: WorldOptions = {}): Promise<World> {
  const { capture = new ScriptedCapture(), connectionsMax = 32 } = options
  const storage = options.storage ?? (await memoryStorage(() => made.nowMs))
  const dataFolder = options.dataFolder ?? join(folder, String(++folders))
  if (options.dataFolder === undefined) await mkdir(dataFolder)
  const registry = await Registry.load(storage.catalog)
  const space = {
    low: false,
    refusal: () => new ServiceError('disk_low', 'the disk has too little free space'),
  }
  const now = { nowMs: options.nowMs ?? 1_000_000 }
  const streams = new Streams(storage.log, registry, {
    ...{ nowMs: () => now.nowMs, asyncQueueBytesMax: 1_000, onAsyncLost: () => {}, space },
  })
  const timer = new ScriptedTimer()
  const reported: unknown[] = []
  const captures = await Captures.load({
    ...{ storage, registry, streams, space, dataFolder, connectionsMax, code: capture.code },
    ...{ eventBytesMax: 1_000_000, hosts: connectorHosts(options.hosts), version: '1.0.0' },
    ...{ nowMs: () => now.nowMs, report: (error: unknown) => reported.push(error), timer: timer.timer },
  })
  captures.start()
  if (options.isKilled !== true) onTestFinished(() => captures.close())
  const made: World = {
    ...{ storage, registry, streams, captures, capture, timer, reported, space, dataFolder },
    get nowMs() {
      return now.nowMs
    },
    set nowMs(ms) {
      now.nowMs = ms
    },
    async again() {
      await captures.close()
      return world({ ...options, capture, storage, dataFolder, nowMs: now.nowMs })
    },
    async bodies(stream) {
      const { log } = streams.get({ namespace: DEFAULT_NAMESPACE, stream: stream as StreamName })
      const read = await storage.log.read(log, { startMs: 0, endMs: 9e15, limit: 1_000 })
      const bodies: string[] = []
      for await (const { bytes, starts, ends } of read?.blocks ?? [])
        for (const [i, start] of starts.entries())
          bodies.push(Buffer.from(bytes.subarray(start, ends[i]!)).toString())
      return bodies
    },
  }
  return made
}

const env1 = { namespace: DEFAULT_NAMESPACE, name: 'env1', connectionString: SHOP }

async function until<T>(found: () => T): Promise<T> {
  return vi.waitFor(found, { timeout: 60_000, interval: 2 })
}

/** A connection that streams two tables. */
async function running(options: WorldOptions = {}): Promise<World & { view: ConnectionView }> {
  const made = await world(options)
  const view = await made.captures.create({ ...env1, tables: [ORDERS, CUSTOMERS] })
  await made.capture.write(1, [], commitAt(100))
  made.capture.report(1, { kind: 'state', state: 'running' })
  await until(() => expect(made.captures.get(1)?.status).toBe('running'))
  return Object.assign(made, { view })
}

test('a host that is not allowed any more is not contacted after a restart', async () => {
  const { captures, storage, dataFolder, capture } = await running()
  await captures.close()
  const calls = capture.calls.length
  const again = await world({ capture, storage, dataFolder, hosts: ['elsewhere'] })
  await until(() => expect(again.captures.get(1)?.status).toBe('failed'))
  expect(again.captures.get(1)?.error).toMatch(/db:5432|host/)
  expect(capture.calls.slice(calls)).toEqual(['stop']) // which contacts no database
})

describe('creation', () => {
  test('makes slot and publication, and answers with what can be shown', async () => {
    const { captures, capture } = await world()
    const view = await captures.create(env1)
    expect(view).toEqual({
      ...{ id: 1, namespace: 'default', name: 'env1', database: 'postgres://app:***@db:5432/shop' },
      ...{
        slot: 'millrace_env1',
        publication: 'millrace_env1',
        tables: [],
        status: 'new',
        createdMs: 1_000_000,
      },
      ...{ lsn: undefined, lagBytes: undefined, lastCommitMs: undefined, reconnects: 0, error: undefined },
      ...{ snapshot: { done: true, tables: 0, rows: 0 }, slotDropped: false },
    })
    expect(capture.calls).toEqual(['describe', 'prepare millrace_env1', 'start  -'])
    expect(await captures.create(env1)).toEqual(view)
    expect(captures.list()).toEqual([view])
    expect(capture.processes).toBe(1)
  })

  const names = [
    { name: 'Env-1', slot: 'millrace_env_1' },
    { name: 'e'.repeat(100), slot: expect.stringMatching(/^millrace_e{45}_[0-9a-f]{8}$/) },
  ]
  test.each(names)('$name has the slot $slot', async ({ name, slot }) => {
    const { captures } = await world()
    expect((await captures.create({ ...env1, name })).slot).toEqual(slot)
  })

  test('of tables makes their streams, which have no TTL', async () => {
    const { captures, streams, capture } = await world()
    const view = await captures.create({ ...env1, tables: '*' })
    expect(view.tables).toEqual([ORDERS, CUSTOMERS])
    expect(streams.has({ namespace: DEFAULT_NAMESPACE, stream: 'env1-public-orders' as StreamName })).toBe(
      true,
    )
    expect(captures.captured(1).map(({ stream, snapshotDone }) => [stream.stream, snapshotDone])).toEqual([
      ['env1-public-orders', false],
      ['env1-public-customers', false],
    ])
    expect([...capture.database.publications.get('millrace_env1')!]).toEqual([
      'public.orders',
      'public.customers',
    ])
  })

  const refused = [
    { why: 'no URI', connectionString: 'mysql://db/shop', code: 'invalid_connection_string' },
    { why: 'two hosts', connectionString: 'postgres://db,other/shop', code: 'invalid_connection_string' },
    { why: 'files', connectionString: `${SHOP}?sslkey=/etc/key`, code: 'invalid_connection_string' },
    { why: 'a wrong password', connectionString: 'postgres://app:no@db/shop', code: 'database_rejected' },
    { why: 'an unknown table', tables: [tableName('public.nope')], code: 'schema_mismatch' },
    { why: 'a table without key', tables: [tableName('public.log')], code: 'no_primary_key' },
    {
      why: 'two tables of one name',
      tables: [tableName('public.a b'), tableName('public.a_b')],
      code: 'conflict',
    },
  ]
  test.each(refused)('with $why is refused and leaves nothing', async ({ why: _, code, ...wanted }) => {
    const database = fakeDatabase(['public.orders', 'public.log', 'public.a b', 'public.a_b'])
    const { captures, capture, storage, registry } = await world({ capture: new ScriptedCapture(database) })
    await expect(captures.create({ ...env1, ...wanted })).rejects.toMatchObject({
      name: 'CaptureError',
      code,
    })
    expect(captures.list()).toEqual([])
    expect(await documents(storage)).toEqual([])
    expect([capture.database.slots.size, registry.streamCount]).toEqual([0, 0])
  })

  const prepareRefusals = [
    'replication_not_enabled',
    'insufficient_privilege',
    'no_free_slot',
    'conflict',
  ] as const
  test.each(prepareRefusals)('that the server refuses with %s leaves nothing', async (code) => {
    const { captures, capture, storage } = await world()
    capture.instead.set('prepare', () => {
      throw new Refused(code, 'so says the server')
    })
    await expect(captures.create(env1)).rejects.toMatchObject({ code, message: 'so says the server' })
    expect([captures.list(), await documents(storage)]).toEqual([[], []])
    capture.instead.clear()
    expect(await captures.create(env1)).toMatchObject({ id: 2, status: 'new' })
  })

  test('whose outcome is not known is taken back by a drop', async () => {
    const { captures, capture, storage } = await world()
    capture.instead.set('prepare', (target: never) => {
      capture.prepare(target)
      throw new Refused('internal', 'the connection broke')
    })
    await expect(captures.create(env1)).rejects.toMatchObject({ code: 'database_unreachable' })
    expect([capture.database.slots.size, await documents(storage)]).toEqual([0, []])
  })

  test('with a stream that has events of others is a conflict', async () => {
    const { captures, streams, registry } = await world()
    const id = { namespace: DEFAULT_NAMESPACE, stream: 'env1-public-orders' as StreamName }
    await streams.create(id, {})
    await streams.append(streams.get(id), { headers: [], body: Buffer.from('mine') })
    await expect(captures.create({ ...env1, tables: [ORDERS] })).rejects.toMatchObject({
      code: 'conflict',
      message:
        'stream env1-public-orders of table public.orders exists and has events of others; delete it, or use another environmentId',
    })
    await streams.append(streams.get(id), { headers: [], body: Buffer.from('still mine') })
    expect(registry.streamCount).toBe(1)
  })

  test('of another database under the same name is a conflict, of the same server and slot, too', async () => {
    const { captures, registry } = await world()
    await captures.create(env1)
    const elsewhere = { ...env1, connectionString: 'postgres://app:secret-word@db:5432/other' }
    await expect(captures.create(elsewhere)).rejects.toMatchObject({
      code: 'conflict',
      message: 'environment env1 is bound to another database',
    })
    await new Namespaces(registry, true).create('other' as NamespaceName, {})
    const twin = { ...elsewhere, namespace: 'other' as NamespaceName }
    await expect(captures.create(twin)).rejects.toMatchObject({ code: 'conflict' })
    expect(captures.isSameDatabase(1, 'postgresql://other:word@DB/shop')).toBe(true)
    expect(captures.isSameDatabase(1, 'postgres://app:secret-word@db:5433/shop')).toBe(false)
  })

  test('beyond the limit is refused', async () => {
    const { captures } = await world({ connectionsMax: 1 })
    await captures.create(env1)
    await expect(captures.create({ ...env1, name: 'env2' })).rejects.toMatchObject({ code: 'limit' })
  })

  test('the string is stored encrypted, and ids go on after a restart', async () => {
    const first = await world()
    await first.captures.create(env1)
    expect(await first.captures.newId()).toBe(2)
    expect(JSON.stringify(await documents(first.storage))).not.toContain('secret-word')
    const second = await first.again()
    expect(await second.captures.newId()).toBe(3)
    await until(() => expect(second.capture.starts).toHaveLength(2))
    expect(second.capture.starts[1]!.connectionString).toBe(SHOP)
  })

  test('again with another password that works replaces the stored one', async () => {
    const { captures, capture } = await running()
    capture.database.password = 'new-word'
    const rotated = { ...env1, connectionString: 'postgres://app2:new-word@db:5432/shop' }
    await expect(
      captures.create({ ...env1, connectionString: `${SHOP}?sslmode=prefer` }),
    ).rejects.toMatchObject({
      code: 'database_rejected',
    })
    expect(await captures.create(rotated)).toMatchObject({
      id: 1,
      database: 'postgres://app2:***@db:5432/shop',
    })
    await until(() => expect(capture.starts).toHaveLength(2))
    expect(capture.starts[1]).toMatchObject({ connectionString: rotated.connectionString, durableLsn: '100' })
  })
})

describe('states', () => {
  test('an attempt that fails is followed by others, after 1 s to 60 s, from the durable position', async () => {
    const { captures, capture, timer } = await running()
    const seen: number[] = []
    capture.instead.set('start', () => {
      throw new Refused('database_unreachable', 'db:5432 does not answer')
    })
    capture.report(1, {
      kind: 'failed',
      passing: true,
      code: 'database_unreachable',
      message: 'db:5432 closed it',
    })
    await until(() =>
      expect(captures.get(1)).toMatchObject({ status: 'retrying', error: 'db:5432 closed it' }),
    )
    for (let i = 0; i < 8; i++) {
      await until(() => expect(timer.delays).toHaveLength(1))
      seen.push(...timer.delays)
      timer.fire()
      await until(() => expect(captures.get(1)!.reconnects).toBe(i + 1))
    }
    expect(seen).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
    capture.instead.clear()
    await until(() => {
      timer.fire()
      expect(capture.starts).toHaveLength(2)
    })
    expect(capture.starts[1]).toMatchObject({ durableLsn: '100', progress: { at: 100 } })
    capture.report(1, { kind: 'state', state: 'running' })
    await until(() => expect(captures.get(1)).toMatchObject({ status: 'running', error: undefined }))
  })

  test('a lasting failure waits until the connection is created again', async () => {
    const { captures, capture, timer } = await running()
    const message = 'role app may not replicate; run ALTER ROLE app REPLICATION'
    capture.report(1, { kind: 'failed', passing: false, code: 'insufficient_privilege', message })
    await until(() => expect(captures.get(1)).toMatchObject({ status: 'failed', error: message }))
    expect(timer.delays).toEqual([])
    await captures.create(env1)
    await until(() => expect(capture.starts).toHaveLength(2))
  })

  test('when the process ends, all its connections go on in another one', async () => {
    const { captures, capture, timer, reported } = await running()
    await captures.create({ ...env1, name: 'env2' })
    capture.instead.set('stop', () => new Promise(() => {}))
    capture.crash('SIGKILL')
    await until(() => expect(captures.get(1)).toMatchObject({ status: 'retrying' }))
    expect(captures.get(2)!.error).toBe('the capture process has ended (SIGKILL)')
    capture.instead.clear()
    await until(() => expect(timer.delays).toHaveLength(2))
    timer.fire()
    await until(() => expect(capture.starts).toHaveLength(4))
    expect(capture.processes).toBe(2)
    expect(reported).toHaveLength(1)
  })

  test('while the disk is low nothing is captured, and then it goes on', async () => {
    const { captures, capture, space, timer, bodies } = await running()
    space.low = true
    await expect(capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200))).rejects.toThrow()
    await until(() =>
      expect(captures.get(1)).toMatchObject({
        status: 'retrying',
        error: 'the disk has too little free space',
        lsn: 100n,
      }),
    )
    await until(() => expect(timer.delays).toHaveLength(1))
    timer.fire()
    await until(() => expect(captures.get(1)!.reconnects).toBe(1))
    expect(capture.starts).toHaveLength(1)
    space.low = false
    await until(() => expect(timer.delays).toHaveLength(1))
    timer.fire()
    await until(() => expect(capture.starts).toHaveLength(2))
    await capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200))
    expect(await bodies('env1-public-orders')).toEqual(['a'])
  })

  test('a lost slot is followed by a new one and a new snapshot into the same streams', async () => {
    const { captures, capture, bodies } = await running()
    await capture.write(1, [eventsOf('public.orders', 'c1')], commitAt(200))
    capture.database.slots.clear()
    capture.calls.splice(0)
    const message = 'slot millrace_env1 is gone; a new snapshot is made'
    capture.report(1, { kind: 'slot-lost', message })
    await until(() => expect(capture.starts).toHaveLength(2))
    expect(capture.calls).toEqual(['stop', 'prepare millrace_env1', 'start orders,customers - filled orders'])
    expect(await captures.boundary(1, [ORDERS])).toBeUndefined()
    expect(captures.captured(1).map(({ snapshotDone }) => snapshotDone)).toEqual([false, false])
    capture.report(1, { kind: 'state', state: 'snapshotting' })
    await capture.write(1, [eventsOf('public.orders', 't', 'r1')], commitAt(50, ['public.customers']))
    await until(() => expect(captures.get(1)).toMatchObject({ status: 'snapshotting', error: message }))
    await capture.write(1, [eventsOf('public.customers', 'r2')], commitAt(50))
    capture.report(1, { kind: 'state', state: 'running' })
    await until(() =>
      expect(captures.get(1)).toMatchObject({ status: 'running', error: undefined, lsn: 50n }),
    )
    expect(await bodies('env1-public-orders')).toEqual(['c1', 't', 'r1'])
    expect(await captures.boundary(1, [ORDERS, CUSTOMERS])).toMatchObject({ lsn: 50n })
  })

  test('columns that are lost are named, and the table goes on; it can be added as it is now', async () => {
    const { captures, capture, bodies } = await running()
    const lost = { message: 'column amount of table public.orders was dropped', columns: ['amount'] }
    capture.report(1, { kind: 'table-lost', table: ORDERS, ...lost })
    await capture.write(1, [eventsOf('public.orders', 'a')], {
      ...commitAt(200),
      tables: [{ ...capturedTable('public.orders'), oid: 7 }],
    })
    expect(captures.captured(1)[0]).toMatchObject({ lost, snapshotDone: true, table: { oid: 7 } })
    expect(await captures.boundary(1, [ORDERS])).toMatchObject({ lsn: 200n })
    await captures.addTables(1, [ORDERS])
    expect(captures.captured(1)[0]!.lost).toBeUndefined()
    expect(await bodies('env1-public-orders')).toEqual(['a'])
  })

  test('a table that is lost is named, and the others go on; it can be added again', async () => {
    const { captures, capture } = await running()
    const lost = { message: 'table public.orders was dropped', columns: [] }
    capture.report(1, { kind: 'table-lost', table: ORDERS, ...lost })
    await until(() => expect(captures.captured(1)[0]!.lost).toEqual(lost))
    expect(await captures.boundary(1, [ORDERS])).toBeUndefined()
    expect(await captures.boundary(1, [CUSTOMERS])).toMatchObject({ lsn: 100n })
    expect(captures.get(1)).toMatchObject({ status: 'running', tables: [CUSTOMERS] })
    await captures.addTables(1, [ORDERS])
    expect(captures.captured(1).map((one) => one.lost)).toEqual([undefined, undefined])
    expect(capture.calls.at(-1)).toBe('addTables orders')
  })

  test('figures, and what they say of the lag', async () => {
    const { captures, capture } = await running()
    const snapshot = { snapshotTables: 2, snapshotRows: 7, snapshotDone: true }
    capture.report(1, { kind: 'figures', serverLsn: '150', confirmedLsn: '100', ...snapshot })
    await until(() =>
      expect(captures.get(1)).toMatchObject({
        ...{ lsn: 100n, lagBytes: 50, lastCommitMs: 1_000_100, snapshot: { done: true, tables: 2, rows: 7 } },
      }),
    )
  })
})

describe('tables', () => {
  test('are added to a connection that runs, and a failed call leaves nothing', async () => {
    const { captures, capture, registry } = await world()
    await captures.create(env1)
    expect(await captures.addTables(1, [ORDERS])).toMatchObject([{ table: 'orders', key: ['id'] }])
    await expect(captures.addTables(1, [tableName('public.nope')])).rejects.toMatchObject({
      code: 'schema_mismatch',
    })
    expect([captures.get(1)!.tables, registry.streamCount]).toEqual([[ORDERS], 1])
    expect(
      registry.writerOf({ namespace: DEFAULT_NAMESPACE, stream: 'env1-public-nope' as StreamName }),
    ).toBe(undefined)
    expect(await captures.addTables(1, [ORDERS])).toMatchObject([{ table: 'orders' }])
    expect(capture.calls.filter((call) => call.startsWith('addTables'))).toEqual([
      'addTables orders',
      'addTables nope',
    ])
  })

  test('of a connection that waits are added when the database answers, or refused with its failure', async () => {
    const { captures, capture, timer } = await world()
    await captures.create(env1)
    capture.database.reachable = false
    capture.report(1, { kind: 'failed', passing: true, code: 'database_unreachable', message: 'away' })
    await until(() => expect(timer.delays).toEqual([1_000]))
    await expect(captures.addTables(1, [ORDERS])).rejects.toMatchObject({ code: 'database_unreachable' })
    expect(captures.get(1)!.tables).toEqual([])
    await until(() => expect(timer.delays).toEqual([2_000]))
    capture.database.reachable = true
    expect(await captures.addTables(1, [ORDERS])).toMatchObject([{ table: 'orders' }])
  })
})

describe('writes', () => {
  test('events of all tables and the position are one write; parts are not visible before it', async () => {
    const { captures, capture, bodies } = await running()
    const heard: number[] = []
    captures.listen((id) => heard.push(id))
    await capture.write(1, [eventsOf('public.orders', 'a', 'b')], undefined, 900)
    await capture.write(1, [eventsOf('public.customers', 'x')], undefined, 900)
    expect([await bodies('env1-public-orders'), await bodies('env1-public-customers')]).toEqual([[], []])
    expect(heard).toEqual([])
    await capture.write(1, [eventsOf('public.orders', 'c')], commitAt(200), 900)
    expect(await bodies('env1-public-orders')).toEqual(['a', 'b', 'c'])
    expect(await bodies('env1-public-customers')).toEqual(['x'])
    expect(heard).toEqual([1])
    expect(await captures.boundary(1, [CUSTOMERS, ORDERS])).toMatchObject({
      ...{ lsn: 200n, txId: 200, timestampMs: 1_000_200 },
      ends: [
        { table: CUSTOMERS, nextSequence: 1 },
        { table: ORDERS, nextSequence: 3 },
      ],
    })
  })

  test('parts of a write that never ends are forgotten', async () => {
    const { captures, capture, bodies, timer } = await running()
    await capture.write(1, [eventsOf('public.orders', 'lost')], undefined, 900)
    capture.report(1, { kind: 'failed', passing: true, code: 'database_unreachable', message: 'away' })
    await until(() => expect(timer.delays).toHaveLength(1))
    timer.fire()
    await until(() => expect(capture.starts).toHaveLength(2))
    await capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200), 901)
    expect(await bodies('env1-public-orders')).toEqual(['a'])
    expect(captures.get(1)!.lsn).toBe(200n)
  })

  test('of two services on one store only the one that knows the position can write', async () => {
    const first = await running()
    const second = await world({
      storage: first.storage,
      dataFolder: first.dataFolder,
      capture: new ScriptedCapture(first.capture.database),
    })
    await until(() => expect(second.capture.starts).toHaveLength(1))
    await second.capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200))
    await expect(first.capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200))).rejects.toThrow(
      'another process has written events of this connection',
    )
    expect(await first.bodies('env1-public-orders')).toEqual(['a'])
  })

  const outcomes = [
    { name: 'that was stored', stored: true, start: '200', bodies: ['a'] },
    { name: 'that was not stored', stored: false, start: '100', bodies: [] },
  ]
  test.each(outcomes)('a write of unknown outcome $name is settled by reading again', async (expected) => {
    const made = await running()
    const { storage, capture, captures, timer, bodies } = made
    const write = storage.write.bind(storage)
    storage.write = async (change) => {
      storage.write = write
      if (expected.stored) await write(change)
      throw new StorageError('unknown', 'no answer')
    }
    await expect(capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200))).rejects.toThrow()
    await until(() => expect(timer.delays).toHaveLength(1))
    expect(captures.get(1)).toMatchObject({
      status: 'retrying',
      error: expect.stringContaining('store refuses'),
    })
    timer.fire()
    await until(() => expect(capture.starts).toHaveLength(2))
    expect(capture.starts[1]!.durableLsn).toBe(expected.start)
    expect(await bodies('env1-public-orders')).toEqual(expected.bodies)
    const { nextSequence } = (await captures.boundary(1, [ORDERS]))!.ends[0]!
    expect(nextSequence).toBe(expected.bodies.length)
  })

  test('many events do not hold up the event loop', async () => {
    const { capture, captures } = await running()
    const many = eventsOf('public.orders', ...Array.from({ length: 5_000 }, (_, i) => `event ${i}`))
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await capture.write(1, [many], commitAt(200))
    delay.disable()
    expect((await captures.boundary(1, [ORDERS]))!.ends[0]!.nextSequence).toBe(5_000)
    expect(delay.percentile(50) / 1e6).toBeLessThan(50)
  })
})

describe('boundaries', () => {
  test('wait for a write that is being made, and leave out tables that are being copied', async () => {
    const { captures, capture, storage } = await running()
    const write = storage.write.bind(storage)
    let goOn = () => {}
    const stalled = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let began = false
    storage.write = async (change) => {
      began = true
      await stalled
      return write(change)
    }
    const written = capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200, ['public.customers']))
    await until(() => expect(began).toBe(true))
    const asked = captures.boundary(1, [ORDERS])
    goOn()
    await written
    expect(await asked).toMatchObject({ lsn: 200n, ends: [{ nextSequence: 1 }] })
    expect(await captures.boundary(1, [ORDERS, CUSTOMERS])).toBeUndefined()
    expect(await captures.boundary(1, [tableName('public.other')])).toBeUndefined()
    expect(await captures.boundary(7, [])).toBeUndefined()
  })

  const engines = [
    { engine: 'LevelDB', open: undefined },
    { engine: 'the engine with holes', open: () => openWeakStorage(newWeakData(), () => 1_000_000) },
  ]
  test.each(engines)('are known after a restart on $engine', async ({ open }) => {
    const first = await running(open === undefined ? {} : { storage: await open() })
    for (let i = 0; i < 5; i++)
      await first.capture.write(1, [eventsOf('public.orders', `a${i}`, `b${i}`)], commitAt(200 + i))
    const before = (await first.captures.boundary(1, [ORDERS, CUSTOMERS]))!
    const second = await first.again()
    const after = (await second.captures.boundary(1, [ORDERS, CUSTOMERS]))!
    expect({ ...after, ends: [] }).toEqual({ ...before, ends: [] })
    const tail = await second.storage.log.tail(after.ends[0]!.log)
    expect(after.ends[0]!.nextSequence).toBeGreaterThanOrEqual(before.ends[0]!.nextSequence)
    expect(after.ends[0]!.nextSequence).toBe(tail!.nextSequence)
    expect(await second.bodies('env1-public-orders')).toHaveLength(10)
  })

  test('move while the database has no changes', async () => {
    const { captures, capture } = await running()
    const heard: number[] = []
    captures.listen((id) => heard.push(id))
    capture.report(1, { kind: 'idle', lsn: '500' })
    await until(() => expect(heard).toEqual([1]))
    expect(await captures.boundary(1, [ORDERS])).toMatchObject({
      lsn: 500n,
      txId: 100,
      ends: [{ nextSequence: 0 }],
    })
  })
})

describe('streams of a connection', () => {
  const refusal = {
    code: 'stream_written',
    message: 'stream env1-public-orders is written by connection env1',
  }
  const id = { namespace: DEFAULT_NAMESPACE, stream: 'env1-public-orders' as StreamName }
  const event = { headers: [], body: Buffer.from('x') }
  const writes = [
    { name: 'append', of: (streams: Streams) => streams.append(streams.get(id), event) },
    { name: 'appendAsync', of: (streams: Streams) => streams.appendAsync(streams.get(id), event) },
    { name: 'startBatch', of: async (streams: Streams) => void streams.startBatch(id) },
    { name: 'truncate', of: (streams: Streams) => streams.truncate(id) },
    { name: 'delete', of: (streams: Streams) => streams.delete(id) },
    { name: 'setProperties', of: (streams: Streams) => streams.setProperties(id, { description: 'mine' }) },
  ]
  test.each(writes)('refuse $name until it is deleted, also after a restart', async ({ of }) => {
    const first = await running()
    await expect(of(first.streams)).rejects.toMatchObject(refusal)
    const second = await first.again()
    await expect(of(second.streams)).rejects.toMatchObject(refusal)
    await second.captures.delete(1, { purge: false })
    await of(second.streams)
  })

  test('are taken over by the connection that is made again, unless others have written', async () => {
    const made = await running()
    const { captures, capture, streams } = made
    await capture.write(1, [eventsOf('public.orders', 'a')], commitAt(200))
    await captures.delete(1, { purge: false })
    await captures.create({ ...env1, tables: [ORDERS] })
    expect(capture.calls.at(-1)).toBe('addTables orders')
    await captures.delete(2, { purge: false })
    await streams.append(streams.get(id), event)
    await expect(captures.create({ ...env1, tables: [ORDERS] })).rejects.toMatchObject({ code: 'conflict' })
  })

  test('are deleted with the connection if asked for', async () => {
    const { captures, streams, registry, storage } = await running()
    expect(await captures.delete(1, { purge: true })).toMatchObject({ status: 'deleted', slotDropped: true })
    expect([streams.has(id), registry.streamCount, await documents(storage)]).toEqual([false, 0, []])
  })

  test('go with their namespace, after the connection has ended', async () => {
    const made = await world()
    const { captures, capture, registry, storage } = made
    const namespace = 'other' as NamespaceName
    const namespaces = new Namespaces(registry, true)
    await namespaces.create(namespace, {})
    await captures.create({ ...env1, namespace, tables: [ORDERS] })
    await namespaces.delete(namespace)
    expect([captures.list(), capture.database.slots.size, await documents(storage)]).toEqual([[], 0, []])
  })

  test('go with their namespace when the database is away; its slot is dropped later', async () => {
    const { captures, capture, registry, timer, streams } = await world()
    const namespace = 'other' as NamespaceName
    const namespaces = new Namespaces(registry, true)
    await namespaces.create(namespace, {})
    await captures.create({ ...env1, namespace, tables: [ORDERS] })
    capture.database.reachable = false
    await namespaces.delete(namespace)
    expect(captures.get(1)).toMatchObject({ status: 'deleting' })
    await namespaces.create(namespace, {})
    await streams.create({ ...id, namespace }, {})
    capture.database.reachable = true
    timer.fire()
    await until(() => expect([captures.list(), capture.database.slots.size]).toEqual([[], 0]))
    expect(streams.has({ ...id, namespace })).toBe(true)
  })
})

describe('deletion', () => {
  test('drops slot and publication, and removes documents and folder', async () => {
    const { captures, capture, storage, dataFolder } = await running()
    expect(existsSync(join(dataFolder, 'captures', '1'))).toBe(true)
    expect(await captures.delete(1, { purge: false })).toMatchObject({
      id: 1,
      status: 'deleted',
      slotDropped: true,
    })
    expect(captures.get(1)).toBeUndefined()
    expect(capture.calls.slice(-2)).toEqual(['stop', 'drop millrace_env1'])
    expect(existsSync(join(dataFolder, 'captures', '1'))).toBe(false)
    expect((await documents(storage)).map(([id]) => id)).toEqual([
      'left-streams/default:env1-public-customers',
      'left-streams/default:env1-public-orders',
    ])
    await expect(captures.delete(1, { purge: false })).rejects.toMatchObject({ code: 'not_found' })
  })

  test('of a database that is away is tried again, also after a restart, for 24 hours', async () => {
    const first = await running()
    first.capture.database.reachable = false
    expect(await first.captures.delete(1, { purge: false })).toMatchObject({
      status: 'deleting',
      slotDropped: false,
      error: expect.stringContaining('slot millrace_env1 is not dropped yet'),
    })
    await expect(first.captures.create(env1)).rejects.toMatchObject({ code: 'conflict' })
    const said =
      'connection env1 is deleting: slot millrace_env1 is not dropped yet, and keeps WAL on its server'
    expect(first.reported).toEqual([expect.stringContaining(said)])
    const second = await first.again()
    expect(second.captures.get(1)).toMatchObject({ status: 'deleting' })
    await until(() => expect(second.timer.delays).toHaveLength(1))
    second.timer.fire()
    await until(() => expect(second.timer.delays).toEqual([2_000]))
    second.capture.database.reachable = true
    second.timer.fire()
    await until(() => expect(second.captures.list()).toEqual([]))
    expect(second.capture.database.slots.size).toBe(0)
    expect(await second.captures.create({ ...env1, tables: [ORDERS] })).toMatchObject({ id: 2 })
  })

  test('uses a user and a password that work, if the stored ones do not', async () => {
    const { captures, capture } = await running()
    capture.database.password = 'new-word'
    expect(await captures.delete(1, { purge: false })).toMatchObject({ status: 'deleting' })
    const wrong = { purge: false, connectionString: 'postgres://app:other-word@db:5432/shop' }
    expect(await captures.delete(1, wrong)).toMatchObject({ status: 'deleting' })
    const right = { purge: false, connectionString: 'postgres://app:new-word@db:5432/shop' }
    expect(await captures.delete(1, right)).toMatchObject({ status: 'deleted', slotDropped: true })
  })

  test('is given up after 24 hours, and the log says how to drop the slot', async () => {
    const made = await running()
    made.capture.database.reachable = false
    await made.captures.delete(1, { purge: false })
    made.nowMs += 24 * 3_600_000
    await until(() => expect(made.timer.delays).toHaveLength(1))
    made.timer.fire()
    await until(() => expect(made.captures.list()).toEqual([]))
    expect(made.reported).toEqual([
      expect.stringContaining('is tried again until'),
      expect.stringContaining("SELECT pg_drop_replication_slot('millrace_env1')"),
    ])
  })

  test('of a connection that is being created waits for it', async () => {
    const { captures, capture, storage } = await world()
    let goOn = () => {}
    const waiting = new Promise<void>((resolve) => {
      goOn = resolve
    })
    capture.instead.set('prepare', async (target: never) => {
      await waiting
      capture.prepare(target)
    })
    const created = captures.create(env1).catch((error: Error) => error)
    await until(() => expect(captures.list()).toHaveLength(1))
    const deleted = captures.delete(1, { purge: false })
    goOn()
    expect(await deleted).toMatchObject({ status: 'deleted' })
    await created
    expect([capture.database.slots.size, await documents(storage)]).toEqual([0, []])
  })
})

describe('a crash', () => {
  /** Runs `work` on a store that refuses everything after `steps` changes, as a process that was killed. */
  async function crashed(
    steps: number,
    work: (made: World) => Promise<unknown>,
  ): Promise<{ next: World; ended: boolean }> {
    const storage = await memoryStorage(() => 1_000_000)
    const first = await world({ storage, isKilled: true })
    const commit = storage.catalog.commit.bind(storage.catalog)
    const write = storage.write.bind(storage)
    let left = steps
    const dead = () => new Promise<never>(() => {})
    const step = <T>(run: () => Promise<T>): Promise<T> => (left-- > 0 ? run() : dead())
    storage.catalog.commit = (...args) => step(() => commit(...args))
    storage.write = (...args) => step(() => write(...args))
    const { capture } = first
    const calls = ['prepare', 'start', 'addTables', 'drop'] as const
    for (const method of calls)
      capture.instead.set(method, (...args: never[]) => step(async () => capture.perform(method, args)))
    const ended = await Promise.race([
      work(first).then(
        () => true,
        () => true,
      ),
      until(() => {
        if (left >= 0) throw new Error('not yet')
        return false
      }),
    ])
    storage.catalog.commit = commit
    storage.write = write
    capture.instead.clear()
    const alone = new ScriptedCapture(capture.database)
    return { next: await world({ storage, dataFolder: first.dataFolder, capture: alone }), ended }
  }

  const STEPS = Array.from({ length: 12 }, (_, steps) => ({ steps }))

  test.each(STEPS)('after $steps steps of a creation leaves nothing that is forgotten', async ({ steps }) => {
    const { next } = await crashed(steps, ({ captures }) => captures.create({ ...env1, tables: [ORDERS] }))
    const { captures, capture, storage } = next
    const { slots } = capture.database
    expect(slots.size).toBeLessThanOrEqual(captures.list().length)
    const view = await captures.create({ ...env1, tables: [ORDERS] })
    expect(view.tables).toEqual([ORDERS])
    expect(captures.captured(view.id)).toHaveLength(1)
    expect(await captures.delete(view.id, { purge: true })).toMatchObject({ status: 'deleted' })
    expect([slots.size, next.registry.streamCount, await documents(storage)]).toEqual([0, 0, []])
  })

  test.each(STEPS)('after $steps steps of a deletion goes on after the restart', async ({ steps }) => {
    const { next } = await crashed(steps + 8, async ({ captures }) => {
      await captures.create({ ...env1, tables: [ORDERS] })
      await captures.delete(1, { purge: true })
    })
    const { captures, capture, storage } = next
    if (captures.get(1) !== undefined && captures.get(1)!.status !== 'deleting')
      await captures.delete(1, { purge: true })
    await until(() => expect(captures.list()).toEqual([]))
    expect([capture.database.slots.size, next.registry.streamCount, await documents(storage)]).toEqual([
      0,
      0,
      [],
    ])
  })
})

/** All documents but counters. */
async function documents({ catalog }: Storage): Promise<[string, unknown][]> {
  const found: [string, unknown][] = []
  for (const collection of ['connections', 'connection-positions', 'left-streams'])
    await catalog.each(collection, (id, document) => found.push([`${collection}/${id}`, document]))
  return found
}
