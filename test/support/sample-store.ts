/**
 * A data folder with something of everything, the same at every call: several streams and namespaces, single events, small
 * batches, an upload in pieces, blocks that the janitor has joined, a ttl, bodies of all bytes, and what a truncated stream
 * and an upload that broke off leave behind.
 */
import { Janitor } from '../../src/janitor/janitor.ts'
import { parseNamespaceName, parseStreamName, parseViewName, type StreamId } from '../../src/streams/names.ts'
import { Namespaces } from '../../src/streams/namespaces.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { Views } from '../../src/streams/views.ts'
import { openStorage } from '../../storage/level/open.ts'
import type { EventHeaders, EventSlices } from '../../storage/log.ts'
import type { Storage } from '../../storage/storage.ts'
import { lines, type ReadEvent, readAll } from '../contract/event-log.ts'

export interface OpenStore {
  readonly storage: Storage
  readonly registry: Registry
  readonly streams: Streams
  readonly namespaces: Namespaces
  readonly janitor: Janitor
  /** The clock. */
  nowMs: number
}

/** A time of 13 digits, as real ones have. */
export const SAMPLE_START_MS = 1_700_000_000_000

export async function openStore(folder: string, nowMs = SAMPLE_START_MS): Promise<OpenStore> {
  const clock = () => opened.nowMs
  const opened = { nowMs } as { -readonly [K in keyof OpenStore]: OpenStore[K] }
  opened.storage = await openStorage(folder, { nowMs: clock, sync: true })
  try {
    opened.registry = await Registry.load(opened.storage.catalog)
  } catch (error) {
    await opened.storage.close()
    throw error
  }
  const { storage, registry } = opened
  const onAsyncLost = (_: StreamId, error: unknown) => {
    throw error
  }
  opened.streams = new Streams(storage.log, registry, { nowMs: clock, asyncQueueBytesMax: 0, onAsyncLost })
  opened.namespaces = new Namespaces(registry, true)
  opened.janitor = new Janitor(storage.log, registry, clock, (error) => {
    throw error
  })
  return opened
}

export function streamId(stream: string, namespace = 'default'): StreamId {
  return { namespace: parseNamespaceName(namespace), stream: parseStreamName(stream) }
}

/** Lines of 1,000 bytes: enough that they are staged as pieces. */
const UPLOAD_LINES = 1_200

export async function makeSampleStore(folder: string): Promise<void> {
  const first = await openStore(folder)
  await fill(first)
  await first.storage.close()
  // Opened again, so that what was in LevelDB's log becomes a table, and there is a new log on top.
  const second = await openStore(folder, first.nowMs + 1_000)
  await addMore(second)
  await second.storage.close()
}

async function fill(store: OpenStore): Promise<void> {
  const { streams, namespaces } = store
  await namespaces.create(parseNamespaceName('weather'), { description: 'Rain and wind' })
  for (const id of [
    streamId('singles'),
    streamId('batches'),
    streamId('trickle'),
    streamId('rain', 'weather'),
  ]) {
    await streams.create(id, {})
  }
  await streams.create(streamId('short'), { ttlSeconds: 86_400n, description: 'a day' })
  await streams.create(streamId('emptied'), { principal: 'alice' })
  await streams.create(streamId('never'), {})
  const { format } = streams.properties(streamId('rain', 'weather'))
  const view = { format, tableName: 'drops' }
  await new Views(store.registry).put(streamId('rain', 'weather'), parseViewName('hourly'), view)

  for (let i = 0; i < 12; i++) {
    store.nowMs += 7
    await append(store, streamId('singles'), bodyOf(i), i % 3 === 0 ? [['n', `${i}`]] : [])
    await append(store, streamId('rain', 'weather'), `drop ${i}`, [
      ['10', 'é'],
      ['2', ''],
    ])
  }
  await batch(store, streamId('batches'), ['one\r\ntwo\n\nthree\n', 'four\n'])
  await batch(store, streamId('batches'), [upload()])
  await batch(store, streamId('batches'), ['five\n'])
  for (let i = 0; i < 300; i++) {
    store.nowMs += 10
    await append(
      store,
      streamId('trickle'),
      `trickle ${i} `.padEnd(120, '.'),
      i % 50 === 0 ? [['fifty', '']] : [],
    )
  }
  await append(store, streamId('short'), 'expires in a day')
  await append(store, streamId('emptied'), 'gone')
  await streams.truncate(streamId('emptied'))
  store.nowMs += 3_600_000 + 20_000
  while ((await store.janitor.tick()).more);
  const abandoned = streams.startBatch(streamId('singles'))
  await abandoned.add(lines(upload()), []) // its pieces stay, as after a crash
}

async function addMore(store: OpenStore): Promise<void> {
  await append(store, streamId('singles'), 'after the restart', [['again', 'yes']])
  await append(store, streamId('rain', 'weather'), '')
  await append(store, streamId('trickle'), 'the last one')
}

/** All bytes there are, some of them UTF-8. */
function bodyOf(i: number): Buffer {
  if (i % 4 === 0) return Buffer.from(Array.from({ length: 256 }, (_, byte) => (byte + i) & 0xff))
  return Buffer.from(i % 4 === 1 ? '' : `event ${i}: é \u2028 "quoted" \\ \t`)
}

function upload(): string {
  return Array.from({ length: UPLOAD_LINES }, (_, i) => `line ${i} `.padEnd(1_000, '.')).join('\n')
}

export function append(
  { streams }: OpenStore,
  id: StreamId,
  body: string | Uint8Array,
  headers: EventHeaders = [],
): Promise<void> {
  return streams.append(streams.get(id), { headers, body: Buffer.from(body) })
}

async function batch({ streams }: OpenStore, id: StreamId, parts: readonly string[]): Promise<void> {
  const staged = streams.startBatch(id)
  for (const part of parts)
    await staged.add(lines(part) satisfies EventSlices, [['content.type', 'text/plain']])
  await staged.commit()
}

/** Every stream's events by `namespace:stream`. */
export async function readStore({ registry, storage }: OpenStore): Promise<Map<string, ReadEvent[]>> {
  const content = new Map<string, ReadEvent[]>()
  for (const { id, log } of registry.allStreams()) {
    content.set(`${id.namespace}:${id.stream}`, await readAll(storage.log, log))
  }
  return content
}

/** The same of a folder. */
export async function readFolder(folder: string): Promise<Map<string, ReadEvent[]>> {
  const store = await openStore(folder)
  try {
    return await readStore(store)
  } finally {
    await store.storage.close()
  }
}
