/** What the meter keeps across a crash and an upgrade, and how little it keeps. */
import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { Meter } from '../../src/metrics/meter.ts'
import { HOURS, MINUTES, SECONDS } from '../../src/metrics/series.ts'
import type { NamespaceName, StreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import type { Catalog } from '../../storage/catalog.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { listed } from '../support/listed.ts'

const START_MS = 1_700_000_000_000
const ID = { namespace: 'default' as NamespaceName, stream: 's' as StreamName }
const EVENT = { headers: [], body: Buffer.from('abc') }

async function openStore(clock: { nowMs: number }): Promise<Storage> {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  return openStorageOn(db as unknown as Level, { nowMs: () => clock.nowMs, sync: true })
}

/** A store that answers reads of points only when it is released, with what it had before. */
function slowToRead(store: Storage) {
  const { catalog } = store
  let noteRead = () => {}
  let release = () => {}
  const hasRead = new Promise<void>((resolve) => {
    noteRead = resolve
  })
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const each: Catalog['each'] = async (collection, visit, prefix) => {
    await catalog.each(collection, visit, prefix)
    if (collection !== 'meter-points') return
    noteRead()
    await released
  }
  const slowCatalog = new Proxy(catalog, {
    get: (target, name) => {
      if (name === 'each') return each
      const member = Reflect.get(target, name)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
  return { store: { ...store, log: store.log, catalog: slowCatalog } as Storage, hasRead, release }
}

/** All that is in memory, made from what is in the store: as after a crash if the last one was not stopped. */
async function openModules({ log, catalog }: Storage, clock: { nowMs: number }) {
  const nowMs = () => clock.nowMs
  const registry = await Registry.load(catalog)
  const streams = new Streams(log, registry, { nowMs, asyncQueueBytesMax: 1, onAsyncLost: () => {} })
  const reported: unknown[] = []
  const report = (error: unknown) => reported.push(error)
  const meter = await Meter.open({ catalog, log, registry, traffic: streams.traffic, nowMs, report })
  const totals = () => {
    const { events, bytes } = streams.get(ID).counts
    return { events, bytes }
  }
  return { registry, streams, meter, totals, reported }
}

test('after a crash the totals are what the log has, and what came last is in the series at its time', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  await first.meter.stop()
  clock.nowMs += 10_000
  await first.streams.append(first.streams.get(ID), EVENT)
  await first.streams.append(first.streams.get(ID), EVENT)
  clock.nowMs += 5_000
  const second = await openModules(store, clock) // the first was never stopped again
  expect(second.totals()).toEqual({ events: 3, bytes: 9 })
  const { counts } = second.streams.get(ID)
  expect(await second.meter.series(counts, SECONDS, 0, clock.nowMs)).toEqual([
    [START_MS / 1000, [1, 3, 0, 0, 0]],
    [START_MS / 1000 + 10, [2, 6, 0, 0, 0]],
  ])
  const third = await openModules(store, clock)
  expect(third.totals()).toEqual({ events: 3, bytes: 9 })
})

test('a crash after a truncation adds what the new log has', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  await first.meter.stop()
  await first.streams.truncate(ID)
  await first.streams.append(first.streams.get(ID), EVENT)
  expect((await openModules(store, clock)).totals()).toEqual({ events: 2, bytes: 6 })
})

test('what a query counts while a write waits is in the series with the totals, also across a crash', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  clock.nowMs += 10_000 // a write is due
  let release = () => {}
  const waiting = new Promise<void>((resolve) => {
    release = resolve
  })
  const changing = first.registry.change(() => waiting)
  first.meter.start()
  await new Promise((resolve) => setTimeout(resolve, 1_300)) // it has begun
  await first.streams.append(first.streams.get(ID), EVENT)
  first.meter.poll() // as a query of metrics does
  release()
  await changing
  await expect.poll(() => listed(store.catalog, 'meter-totals')).toHaveLength(1)
  const second = await openModules(store, clock) // the first was not stopped
  expect(second.totals()).toEqual({ events: 2, bytes: 6 })
  expect(await second.meter.series(second.streams.get(ID).counts, HOURS, 0, clock.nowMs / 1000)).toEqual([
    [Math.floor(START_MS / 3_600_000) * 3600, [2, 6, 0, 0, 0]],
  ])
  await first.meter.stop()
})

test('a write that begins and ends while a series is read hides nothing of it', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const slow = slowToRead(store)
  const modules = await openModules(slow.store, clock)
  await modules.streams.create(ID, {})
  await modules.streams.append(modules.streams.get(ID), EVENT)
  await modules.meter.stop() // of the stream there are points in the store
  await modules.streams.append(modules.streams.get(ID), EVENT)
  modules.meter.poll()
  const series = modules.meter.series(modules.streams.get(ID).counts, SECONDS, 0, clock.nowMs)
  await slow.hasRead
  await modules.meter.stop()
  slow.release()
  expect(await series).toEqual([[START_MS / 1000, [2, 6, 0, 0, 0]]])
  expect(modules.reported).toEqual([])
})

test('a crash before anything was written loses nothing', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  clock.nowMs += 5000
  const second = await openModules(store, clock)
  expect(second.totals()).toEqual({ events: 1, bytes: 3 })
  const series = await second.meter.series(second.streams.get(ID).counts, SECONDS, 0, clock.nowMs)
  expect(series).toEqual([[START_MS / 1000, [1, 3, 0, 0, 0]]])
})

test('streams that were there before anything was counted begin with what their log has', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  const { log } = first.streams.get(ID)
  await store.catalog.commit([{ collection: 'streams', id: 'default:s', document: { log } }]) // without its age
  const second = await openModules(store, clock)
  expect(second.totals()).toEqual({ events: 1, bytes: 3 })
  const { counts } = second.streams.get(ID)
  expect(await second.meter.series(counts, HOURS, 0, clock.nowMs)).toEqual([])
  await second.streams.append(second.streams.get(ID), EVENT)
  await second.meter.stop()
  expect((await openModules(store, clock)).totals()).toEqual({ events: 2, bytes: 6 })
})

test('truncating such a stream does not reset what it began with, also across a crash', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  const { log } = first.streams.get(ID)
  await store.catalog.commit([{ collection: 'streams', id: 'default:s', document: { log } }])
  const second = await openModules(store, clock)
  await second.meter.stop()
  await second.streams.truncate(ID)
  const third = await openModules(store, clock)
  expect(third.totals()).toEqual({ events: 1, bytes: 3 })
  await third.streams.append(third.streams.get(ID), EVENT)
  expect((await openModules(store, clock)).totals()).toEqual({ events: 2, bytes: 6 })
})

test('a clock that has gone back by an hour does not keep anything from being written', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const { streams, meter } = await openModules(store, clock)
  await streams.create(ID, {})
  clock.nowMs -= 3_600_000
  await streams.append(streams.get(ID), EVENT)
  meter.start()
  await expect
    .poll(() => listed(store.catalog, 'meter-totals'), { timeout: 20_000 })
    .toMatchObject([{ id: 'default:s', document: { events: 1 } }])
  await meter.stop()
})

test('however long it is fed, a stream has no more documents than its slots, and series no older points', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const { streams, meter, reported } = await openModules(store, clock)
  await streams.create(ID, {})
  const { counts } = streams.get(ID)
  for (let hours = 0; hours < 40 * 24; hours++) {
    clock.nowMs += 3_600_000
    for (let minutes = 0; minutes < 3; minutes++) {
      clock.nowMs += 60_000
      streams.traffic.wrote(counts, 1, 3)
      meter.poll()
    }
  }
  await meter.stop()
  const ids = (await listed(store.catalog, 'meter-points')).map(({ id }) => id)
  expect(ids.length).toBeLessThanOrEqual(SECONDS.slots + MINUTES.slots + HOURS.slots)
  expect(counts.events).toBe(40 * 24 * 3)
  for (const [resolution, seconds] of [
    [SECONDS, 3660],
    [MINUTES, 90_000],
    [HOURS, 31 * 86_400],
  ] as const) {
    const series = await meter.series(counts, resolution, 0, clock.nowMs)
    expect(series.length).toBeGreaterThan(0)
    expect(series[0]![0]).toBeGreaterThan(clock.nowMs / 1000 - seconds)
  }
  expect(reported).toEqual([])
})

test('what a deleted stream leaves is removed', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  await first.streams.append(first.streams.get(ID), EVENT)
  await first.meter.stop()
  await first.streams.delete(ID)
  expect(await listed(store.catalog, 'meter-totals')).toEqual([])
  expect((await listed(store.catalog, 'meter-points')).length).toBe(3)
  const second = await openModules(store, clock)
  clock.nowMs += 10_000
  second.meter.start()
  await expect.poll(() => listed(store.catalog, 'meter-points'), { timeout: 20_000 }).toEqual([])
  expect(await listed(store.catalog, 'meter-gone')).toEqual([])
  await second.meter.stop()
})

test('a clock that goes back, or a chunk that cannot be read, spoils nothing', async () => {
  const clock = { nowMs: START_MS }
  const store = await openStore(clock)
  const first = await openModules(store, clock)
  await first.streams.create(ID, {})
  for (const stepMs of [0, -30_000, -86_400_000]) {
    clock.nowMs += stepMs
    await first.streams.append(first.streams.get(ID), EVENT)
    first.meter.poll()
  }
  await first.meter.stop()
  expect(first.totals().events).toBe(3)
  const { id } = (await listed(store.catalog, 'meter-points'))[0]!
  await store.catalog.commit([{ collection: 'meter-points', id, document: { at: 'x' } }])
  await store.catalog.commit([{ collection: 'meter-totals', id: 'default:s', document: [] }])
  const second = await openModules(store, clock)
  expect(second.totals()).toEqual({ events: 3, bytes: 9 })
  expect(first.reported).toEqual([])
})
