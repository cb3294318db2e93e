/**
 * The events of an emission and its epoch, in one write: on LevelDB and on an engine that keeps only what the contract
 * promises, with failures before, during and after the write.
 */
import { describe, expect, test } from 'vitest'
import { SinkWrites } from '../../../src/jobs/embedded/sink-writes.ts'
import type { SinkEvents } from '../../../src/jobs/worker/job-worker-protocol.ts'
import { ServiceError } from '../../../src/service-error.ts'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../../src/streams/names.ts'
import { Registry } from '../../../src/streams/registry.ts'
import { StreamWrites } from '../../../src/streams/stream-writes.ts'
import { Streams } from '../../../src/streams/streams.ts'
import type { Storage, StorageWrite } from '../../../storage/storage.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import { memoryStorage } from '../../support/memory-storage.ts'
import { newWeakData, openWeakStorage } from '../../support/weak-engine/weak-storage.ts'

const JID = '0123456789abcdef0123456789abcdef'
const OUT = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('out') }
const ALL = { startMs: 0, endMs: Number.MAX_SAFE_INTEGER, limit: Number.MAX_SAFE_INTEGER }

const ENGINES = [
  { name: 'LevelDB', open: () => memoryStorage(() => 1_000) },
  { name: 'the weak engine', open: async () => openWeakStorage(newWeakData(), () => 1_000) },
]

/** Calls `instead` for each `write`, with the real one. */
type Instead = (write: StorageWrite, real: Storage['write']) => ReturnType<Storage['write']>

async function setup(open: () => Promise<Storage>, instead?: Instead) {
  const storage = await open()
  const real = storage.write.bind(storage)
  if (instead !== undefined) storage.write = (write) => instead(write, real)
  const registry = await Registry.load(storage.catalog)
  const space = { low: false, refusal: () => new ServiceError('disk_low', 'the disk is full') }
  const streams = new Streams(storage.log, registry, {
    ...{ nowMs: () => 1_000, asyncQueueBytesMax: 1, onAsyncLost: () => {}, space },
  })
  await streams.create(OUT, {})
  const writes = new StreamWrites(storage, streams, space)
  const sinks = new SinkWrites({ catalog: storage.catalog, writes, eventBytesMax: 3_000_000 })
  return { storage, registry, streams, sinks, space, read: () => bodies(streams) }
}

async function bodies(streams: Streams): Promise<string[]> {
  const read = await streams.read(OUT, ALL)
  const all: string[] = []
  for await (const { bytes, starts, ends, runs } of read?.blocks ?? []) {
    for (const run of runs) {
      for (let i = run.begin; i < run.end; i++) {
        const headers = run.headers.map((pair) => pair.join('=')).join(';')
        all.push(`${Buffer.from(bytes.subarray(starts[i], ends[i])).toString().slice(0, 8)}|${headers}`)
      }
    }
  }
  return all
}

function events(texts: readonly string[], headers: readonly (readonly [string, string])[] = []): SinkEvents {
  const buffers = texts.map((text) => Buffer.from(text))
  const ends = Uint32Array.from(
    buffers,
    (
      (end) =>
      ({ length }) =>
        (end += length)
    )(0),
  )
  const starts = Uint32Array.from([0, ...ends].slice(0, -1))
  const runs = texts.length === 0 ? [] : [{ end: texts.length, headers }]
  return { bytes: Buffer.concat(buffers), starts, ends, runs }
}

describe.each(ENGINES)('on $name', ({ open }) => {
  test('events and epoch are there after an append', async () => {
    const { sinks, read, streams } = await setup(open)
    expect(await sinks.recorded(JID, 0)).toBe(null)
    await sinks.append(JID, 0, 7, OUT, events(['a', 'b'], [['k', 'v']]))
    expect([await sinks.recorded(JID, 0), await sinks.recorded(JID, 1), await read()]).toEqual([
      7,
      null,
      ['a|k=v', 'b|k=v'],
    ])
    const { counts } = streams.get(OUT)
    expect([counts.events, counts.bytes]).toEqual([2, 2])
  })

  test('runs keep their headers and their order', async () => {
    const { sinks, read } = await setup(open)
    const both: SinkEvents = {
      ...events(['a', 'b', 'c']),
      runs: [
        { end: 1, headers: [['n', '1']] },
        { end: 3, headers: [['n', '2']] },
      ],
    }
    await sinks.append(JID, 0, 1, OUT, both)
    expect(await read()).toEqual(['a|n=1', 'b|n=2', 'c|n=2'])
  })

  test('staged pieces become visible with the append, in order', async () => {
    const { sinks, read } = await setup(open)
    await Promise.all([
      sinks.stage(JID, 0, 1, OUT, events(['a'])),
      sinks.stage(JID, 0, 1, OUT, events(['b'])),
    ])
    expect(await read()).toEqual([])
    await sinks.append(JID, 0, 1, OUT, events(['c']))
    expect(await read()).toEqual(['a|', 'b|', 'c|'])
  })

  test('pieces of an epoch that is not appended are forgotten', async () => {
    const { sinks, read } = await setup(open)
    await sinks.stage(JID, 0, 1, OUT, events(['lost']))
    await sinks.append(JID, 0, 2, OUT, events(['kept']))
    await sinks.stage(JID, 0, 3, OUT, events(['lost']))
    sinks.forget(JID)
    await sinks.append(JID, 0, 3, OUT, events(['kept']))
    expect(await read()).toEqual(['kept|', 'kept|'])
  })

  test('an emission that begins again after the epoch was read has its events once', async () => {
    const { sinks, read } = await setup(open)
    await sinks.stage(JID, 0, 1, OUT, events(['a']))
    expect(await sinks.recorded(JID, 0)).toBe(null)
    await sinks.stage(JID, 0, 1, OUT, events(['a']))
    await sinks.append(JID, 0, 1, OUT, events(['b']))
    expect(await read()).toEqual(['a|', 'b|'])
  })

  test('an emission of several MiB is one write', async () => {
    const { sinks, read } = await setup(open)
    const text = 'x'.repeat(1_000_000)
    for (let piece = 0; piece < 4; piece++) await sinks.stage(JID, 0, 1, OUT, events([`${piece}${text}`]))
    expect(await read()).toEqual([])
    await sinks.append(JID, 0, 1, OUT, events([`4${text}`]))
    expect((await read()).map((body) => body[0])).toEqual(['0', '1', '2', '3', '4'])
  })

  test('the same epoch again writes nothing', async () => {
    const { sinks, read } = await setup(open)
    await sinks.append(JID, 0, 1, OUT, events(['a']))
    await sinks.append(JID, 0, 1, OUT, events(['a']))
    expect(await read()).toEqual(['a|'])
  })

  test('an epoch below the recorded one is refused for good', async () => {
    const { sinks, read } = await setup(open)
    await sinks.append(JID, 0, 2, OUT, events(['a']))
    const refused = sinks.append(JID, 0, 1, OUT, events(['b']))
    await expect(refused).rejects.toMatchObject({
      passing: false,
      message: expect.stringContaining('sink is at epoch 2'),
    })
    expect(await read()).toEqual(['a|'])
  })

  test('an emission without events records its epoch', async () => {
    const { sinks, read } = await setup(open)
    await sinks.append(JID, 0, 1, OUT, events([]))
    expect([await sinks.recorded(JID, 0), await read()]).toEqual([1, []])
  })

  test('of two writers for one epoch one writes', async () => {
    const { sinks, read, storage, streams, space } = await setup(open)
    const writes = new StreamWrites(storage, streams, space)
    const other = new SinkWrites({ catalog: storage.catalog, writes, eventBytesMax: 3_000_000 })
    await Promise.all([
      sinks.append(JID, 0, 1, OUT, events(['a'])),
      other.append(JID, 0, 1, OUT, events(['a'])),
    ])
    expect(await read()).toEqual(['a|'])
  })

  test('a write whose outcome is unknown and that was stored is not repeated', async () => {
    const unknown: Instead = async (write, real) => {
      await real(write)
      throw new StorageError('unknown', 'the connection was lost')
    }
    const { sinks, read, storage, streams, space } = await setup(open, unknown)
    await expect(sinks.append(JID, 0, 1, OUT, events(['a']))).rejects.toMatchObject({ code: 'unknown' })
    expect(await sinks.recorded(JID, 0)).toBe(1)
    const writes = new StreamWrites(storage, streams, space)
    const restarted = new SinkWrites({ catalog: storage.catalog, writes, eventBytesMax: 3_000_000 })
    await restarted.append(JID, 0, 1, OUT, events(['a']))
    expect(await read()).toEqual(['a|'])
    expect(streams.get(OUT).counts.failed).toBe(1)
  })

  test('a write whose outcome is unknown and that takes effect late is stored once', async () => {
    let late: (() => Promise<unknown>) | undefined
    const delayed: Instead = (write, real) => {
      if (late !== undefined) return real(write)
      const { changes = [], conditions = [] } = write
      const [{ log }] = [streamsOf.streams.get(OUT)]
      const again = {
        appends: [{ log, events: [{ headers: [], body: Buffer.from('a') }] }],
        changes,
        conditions,
      }
      late = () => real(again)
      return Promise.reject(new StorageError('unknown', 'the connection was lost'))
    }
    const streamsOf = await setup(open, delayed)
    const { sinks, read } = streamsOf
    await expect(sinks.append(JID, 0, 1, OUT, events(['a']))).rejects.toMatchObject({ code: 'unknown' })
    await sinks.append(JID, 0, 1, OUT, events(['a']))
    expect(await late!()).toMatchObject({ outcome: 'conflict' })
    expect(await read()).toEqual(['a|'])
  })

  test('after a conflict the epoch is read again', async () => {
    let conflicts = 3
    const conflicting: Instead = async (write, real) =>
      conflicts-- > 0 ? { outcome: 'conflict', positions: [] } : real(write)
    const { sinks, read } = await setup(open, conflicting)
    await sinks.append(JID, 0, 1, OUT, events(['a']))
    expect(await read()).toEqual(['a|'])
  })

  test('a stream that is truncated between look-up and write gets the events on its new log', async () => {
    let truncated = false
    const truncating: Instead = async (write, real) => {
      if (!truncated) {
        truncated = true
        await streamsOf.streams.truncate(OUT)
        throw new StorageError('dropped', 'the log is being dropped')
      }
      return real(write)
    }
    const streamsOf = await setup(open, truncating)
    await streamsOf.sinks.append(JID, 0, 1, OUT, events(['a']))
    expect(await streamsOf.read()).toEqual(['a|'])
  })

  test('a stream that is deleted meanwhile is an error, and no epoch is recorded', async () => {
    const { sinks, streams } = await setup(open)
    await sinks.stage(JID, 0, 1, OUT, events(['a']))
    await streams.delete(OUT)
    await expect(sinks.append(JID, 0, 1, OUT, events([]))).rejects.toMatchObject({ code: 'stream_not_found' })
    expect(await sinks.recorded(JID, 0)).toBe(null)
  })

  test('while the disk is low nothing is stored, and afterwards the same emission is', async () => {
    const { sinks, read, space } = await setup(open)
    space.low = true
    await expect(sinks.append(JID, 0, 1, OUT, events(['a']))).rejects.toMatchObject({ code: 'disk_low' })
    space.low = false
    await sinks.append(JID, 0, 1, OUT, events(['a']))
    expect(await read()).toEqual(['a|'])
  })

  test('an event above the limit is refused, and nothing of the emission is stored', async () => {
    const { sinks, read } = await setup(open)
    const huge = events(['a', 'x'.repeat(3_000_001)])
    await expect(sinks.append(JID, 0, 1, OUT, huge)).rejects.toMatchObject({ code: 'event_too_large' })
    expect([await sinks.recorded(JID, 0), await read()]).toEqual([null, []])
  })
})
