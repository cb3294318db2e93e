/** The janitor over many streams: each gets a turn, and damage to one does not stop the others. */
import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { Janitor } from '../../src/janitor/janitor.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { lines } from '../contract/event-log.ts'

async function service() {
  const clock = { nowMs: 1_000_000 }
  const nowMs = () => clock.nowMs
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const { log, catalog } = await openStorageOn(db as unknown as Level, { nowMs, sync: true })
  const registry = await Registry.load(catalog)
  const streams = new Streams(log, registry, { nowMs, asyncQueueBytesMax: 1_000_000, onAsyncLost: () => {} })
  const reported: unknown[] = []
  const janitor = new Janitor(log, registry, nowMs, (error) => reported.push(error))
  const id = (stream: string) => ({ namespace: DEFAULT_NAMESPACE, stream: parseStreamName(stream) })
  const append = (stream: string, body: string) =>
    streams.append(streams.get(id(stream)), { headers: [], body: Buffer.from(body) })
  const keysOf = async (letter: string) =>
    db.keys({ gte: Buffer.from(letter), lt: Buffer.from([letter.charCodeAt(0) + 1]) }).all()
  return { clock, db, log, streams, janitor, reported, id, append, keysOf }
}

test('idle streams cost no budget, so the last of thousands gets its blocks joined', async () => {
  const { clock, streams, janitor, id, append, keysOf } = await service()
  const names = Array.from({ length: 5_000 }, (_, i) => `s${i}`)
  await Promise.all(names.map((name) => streams.create(id(name), {})))
  await Promise.all(names.map((name) => append(name, 'one')))
  for (let i = 0; i < 600; i++) await append('s4999', 'late '.padEnd(200, '.'))
  clock.nowMs += 20_000
  const before = (await keysOf('e')).length
  expect(await janitor.tick()).toMatchObject({ more: false })
  expect((await keysOf('e')).length).toBeLessThan(before - 200)
  expect(await janitor.tick()).toEqual({ removed: 0, more: false })
})

test('a tick ends when its budget is spent, and the next goes on with the others', async () => {
  const { clock, log, streams, janitor, id, append, keysOf } = await service()
  for (const name of ['a', 'b']) {
    await streams.create(id(name), { ttlSeconds: 60n })
    for (let i = 0; i < 5_000; i++) {
      clock.nowMs++
      await append(name, 'x')
    }
  }
  clock.nowMs += 3_000_000
  const trimmed = () =>
    Promise.all(['a', 'b'].map(async (name) => (await log.tail(streams.get(id(name)).log))?.firstSequence))
  expect((await janitor.tick()).more).toBe(true)
  expect(await trimmed()).toEqual([4_096, 0])
  await janitor.tick()
  expect((await trimmed())[1]).toBeGreaterThan(0)
  for (let left = 10; (await janitor.tick()).more && left > 0; left--);
  expect(await keysOf('e')).toEqual([])
})

test('a damaged stream is reported once and does not keep the others waiting', async () => {
  const { clock, db, streams, janitor, reported, id, append, keysOf } = await service()
  for (const name of ['damaged', 'sound']) await streams.create(id(name), { ttlSeconds: 60n })
  await append('damaged', 'a')
  const [key] = (await keysOf('e')) as [Buffer]
  const value = Buffer.from((await db.get(key))!)
  value[value.length - 1]! ^= 1
  await append('damaged', 'b')
  await db.put(key, value)
  await append('sound', 'c')
  const sound = (await keysOf('e')).length
  clock.nowMs += 3_700_000
  await append('damaged', 'd')
  await janitor.tick()
  await janitor.tick()
  expect((await keysOf('e')).length).toBeLessThan(sound + 1)
  expect(reported.length).toBeLessThanOrEqual(1)
  expect(await streams.read(id('sound'), { startMs: 0, endMs: 1e15, limit: 10 })).toBeUndefined()
})

test('an aborted upload is swept while streams have work of their own', async () => {
  const { clock, log, streams, janitor, id, append, keysOf } = await service()
  await streams.create(id('busy'), { ttlSeconds: 60n })
  for (let i = 0; i < 5_000; i++) {
    clock.nowMs++
    await append('busy', 'x')
  }
  const batch = log.stage(streams.get(id('busy')).log)
  await batch.add(lines('x'.repeat(99).concat('\n').repeat(13_000)), [])
  await batch.discard()
  clock.nowMs += 3_000_000
  expect((await janitor.tick()).more).toBe(true)
  expect(await keysOf('s')).toEqual([])
})
