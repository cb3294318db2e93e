/** One write to several streams: visible together or not at all, with bounded memory. */
import { describe, expect, test } from 'vitest'
import { DEFAULT_NAMESPACE, type StreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { StreamWrites } from '../../src/streams/stream-writes.ts'
import { Streams } from '../../src/streams/streams.ts'
import { slicesOfBodies } from '../../storage/slices.ts'
import type { Storage } from '../../storage/storage.ts'
import { alteredStorage, type WriteBatch } from '../support/altered-storage.ts'
import { newWeakData, openWeakStorage } from '../support/weak-engine/weak-storage.ts'

const KEY = 'writer'
const HEADERS = [['k', 'v']] as const

/** With the numbers of writes to the store, and of bytes that they had. */
async function onLevel() {
  const counted = { bytes: 0 }
  const storage = await alteredStorage(Date.now, ({ put }: Pick<WriteBatch, 'put'>) => ({
    put(key: Buffer, value: Buffer) {
      counted.bytes += value.length
      return put(key, value)
    },
  }))
  return { storage, counted }
}

async function group(storage: Storage, names: readonly string[]) {
  const registry = await Registry.load(storage.catalog)
  const space = { low: false, refusal: () => new Error('the disk is low') as never }
  const streams = new Streams(storage.log, registry, {
    ...{ nowMs: Date.now, asyncQueueBytesMax: 1, onAsyncLost: () => {}, space },
  })
  const ids = names.map((name) => ({ namespace: DEFAULT_NAMESPACE, stream: name as StreamName }))
  for (const id of ids) {
    await streams.create(id, {})
    registry.setWriter(id, { name: 'a test', key: KEY })
  }
  return { streams, ids, registry, write: new StreamWrites(storage, streams, space).startGroup(KEY) }
}

async function sizes(streams: Streams, ids: Awaited<ReturnType<typeof group>>['ids']): Promise<number[]> {
  const found: number[] = []
  for (const id of ids) {
    const read = await streams.read(id, { startMs: 0, endMs: 9e15, limit: 1_000 })
    let count = 0
    for await (const { starts } of read?.blocks ?? []) count += starts.length
    found.push(count)
  }
  return found
}

describe('a write to several streams', () => {
  const engines = [
    { engine: 'LevelDB', open: async () => (await onLevel()).storage },
    { engine: 'the engine with holes', open: () => openWeakStorage(newWeakData(), Date.now) },
  ]
  test.each(engines)('is visible with its commit, on $engine', async ({ open }) => {
    const storage = await open()
    const { streams, ids, write } = await group(storage, ['a', 'b', 'c'])
    await write.add(ids[0]!, slicesOfBodies([Buffer.from('1'), Buffer.from('2')]), HEADERS)
    await write.add(ids[2]!, slicesOfBodies([Buffer.alloc(3_000_000, 'x')]), HEADERS)
    expect(await sizes(streams, ids)).toEqual([0, 0, 0])
    const change = { collection: 'test', id: 'one', document: 7 }
    const ends = await write.commit([change], [{ collection: 'test', id: 'one', version: undefined }])
    if (ends === 'conflict') throw new Error('there is no other writer')
    expect(ends.map(({ id }) => id.stream)).toEqual(['a', 'c'])
    for (const { log, nextSequence } of ends)
      expect((await storage.log.tail(log))!.nextSequence).toBeGreaterThanOrEqual(nextSequence)
    expect(await sizes(streams, ids)).toEqual([2, 0, 1])
    expect((await storage.catalog.get('test', 'one'))!.document).toBe(7)
    await storage.close()
  })

  test('whose condition does not hold stores nothing', async () => {
    const { storage } = await onLevel()
    const { streams, ids, write } = await group(storage, ['a'])
    await write.add(ids[0]!, slicesOfBodies([Buffer.from('1')]), HEADERS)
    await storage.catalog.commit([{ collection: 'test', id: 'one', document: 1 }])
    expect(await write.commit([], [{ collection: 'test', id: 'one', version: undefined }])).toBe('conflict')
    await write.discard()
    expect(await sizes(streams, ids)).toEqual([0])
    await storage.close()
  })

  test('of a little in each of many streams is not all in memory', async () => {
    const { storage, counted } = await onLevel()
    const names = Array.from({ length: 60 }, (_, i) => `s${i}`)
    const { streams, ids, write } = await group(storage, names)
    const before = counted.bytes
    for (const id of ids) await write.add(id, slicesOfBodies([Buffer.alloc(500_000, 'x')]), HEADERS)
    const waiting = 60 * 500_000 - (counted.bytes - before)
    expect(waiting).toBeLessThan(9 * 1024 * 1024)
    expect(await sizes(streams, ids)).toEqual(names.map(() => 0))
    await write.commit([], [])
    expect(await sizes(streams, ids)).toEqual(names.map(() => 1))
    await storage.close()
  })

  test('is refused to another writer', async () => {
    const { storage } = await onLevel()
    const { ids, registry, write } = await group(storage, ['a'])
    registry.setWriter(ids[0]!, { name: 'connection env1', key: 'other' })
    await expect(write.add(ids[0]!, slicesOfBodies([Buffer.from('1')]), HEADERS)).rejects.toMatchObject({
      ...{ code: 'stream_written', message: 'stream a is written by connection env1' },
    })
    await storage.close()
  })
})
