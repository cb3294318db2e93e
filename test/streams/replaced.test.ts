import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'

test('a stream that was changed twice from one object takes events', async () => {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const { log, catalog } = await openStorageOn(db as unknown as Level, { nowMs: () => 1_000, sync: true })
  const registry = await Registry.load(catalog)
  const streams = new Streams(log, registry, {
    nowMs: () => 1_000,
    asyncQueueBytesMax: 1_000_000,
    onAsyncLost() {},
  })
  const id = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('s') }
  await streams.create(id, {})
  const before = streams.get(id)
  await registry.change(async () => {
    await registry.putTableDisabled(before, true)
    await registry.putTableDisabled(before, false)
  })
  await streams.append(before, { headers: [], body: Buffer.from('a') })
  await streams.appendAsync(streams.get(id), { headers: [], body: Buffer.from('b') })
  expect(before.isReplaced).toBe(true)
  expect(await streams.read(id, { startMs: 0, endMs: 2_000, limit: 10 })).toBeDefined()
})
