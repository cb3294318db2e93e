import { expect, test } from 'vitest'
import { Janitor } from '../../src/janitor/janitor.ts'
import { DEFAULT_PROPERTIES } from '../../src/streams/properties.ts'
import { Registry } from '../../src/streams/registry.ts'
import { restoreStream } from '../../src/streams/restore.ts'
import { slicesOfBodies } from '../../storage/slices.ts'
import { streamId } from '../support/sample-store.ts'
import { openSharedStorage } from '../support/shared-engine/shared-storage.ts'
import { SharedStore } from '../support/shared-engine/shared-store.ts'

const nowMs = () => 1_000

async function janitorOf(store: SharedStore) {
  const storage = await openSharedStorage(store, { id: 'a', nowMs })
  const registry = await Registry.load(storage.catalog, storage.cluster)
  const janitor = new Janitor(storage.log, registry, nowMs, () => {})
  await new Promise((resolve) => setTimeout(resolve, 10)) // it has the lease
  return { janitor, log: storage.log, registry }
}

test('a log that another node fills is kept, and removed if that node ends before', async () => {
  const store = new SharedStore()
  const { janitor, registry } = await janitorOf(store)
  const importer = await openSharedStorage(store, { id: 'b', nowMs })
  const parts = { registry: await Registry.load(importer.catalog, importer.cluster), log: importer.log }
  const fill = (name: string, fails: boolean) =>
    restoreStream(parts, streamId(name), DEFAULT_PROPERTIES, async (restore) => {
      await restore.add(slicesOfBodies([Buffer.from(name)]), [], 1)
      await janitor.tick()
      if (fails) throw new Error('the export is not whole')
    })
  await fill('s', false)
  await expect(fill('t', true)).rejects.toThrow('not whole')
  await registry.sharing?.fresh()
  const { log } = registry.find(streamId('s').namespace, streamId('s').stream)!
  expect([...store.data.logs.keys()]).toEqual([log, log + 1])
  await importer.close()
  while ((await janitor.tick()).removed > 0) {}
  expect([...store.data.logs.keys()]).toEqual([log])
  expect(store.data.logs.get(log)?.events).toBe(1)
})

test('a log is not used whose node was taken for dead while it filled it', async () => {
  const store = new SharedStore()
  const { janitor, registry } = await janitorOf(store)
  const importer = await openSharedStorage(store, { id: 'b', nowMs })
  const parts = { registry: await Registry.load(importer.catalog, importer.cluster), log: importer.log }
  const restored = restoreStream(parts, streamId('s'), DEFAULT_PROPERTIES, async (restore) => {
    await restore.add(slicesOfBodies([Buffer.from('x')]), [], 1)
    await restore.finish()
    store.nodes.get('b')!.isDead = true
    while ((await janitor.tick()).removed > 0) {}
    store.nodes.get('b')!.isDead = false
  })
  await expect(restored).rejects.toThrow('start it again')
  await registry.sharing?.fresh()
  expect(registry.find(streamId('s').namespace, streamId('s').stream)).toBeUndefined()
})
