import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { StorageError } from '../../storage/storage-error.ts'

test('once a write has failed nothing is promised for later', async () => {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const { log, catalog } = await openStorageOn(db as unknown as Level, { nowMs: () => 1_000, sync: true })
  const lost: unknown[] = []
  const streams = new Streams(log, await Registry.load(catalog), {
    nowMs: () => 1_000,
    asyncQueueBytesMax: 1_000_000,
    onAsyncLost: (_, error) => lost.push(error),
  })
  const id = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('s') }
  await streams.create(id, {})
  await db.close() // every write fails from here on
  const event = { headers: [], body: Buffer.from('x') }
  await expect(streams.append(streams.get(id), event)).rejects.toThrow(StorageError)
  await expect(streams.appendAsync(streams.get(id), event)).rejects.toThrow(StorageError)
  expect(lost).toEqual([])
})
