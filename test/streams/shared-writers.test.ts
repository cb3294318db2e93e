/** Streams that a part of the service writes, on the nodes that do not run the part. */
import { expect, test } from 'vitest'
import { DEFAULT_NAMESPACE, parseStreamName } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { SharedWriters } from '../../src/streams/shared-writers.ts'
import { openSharedStorage } from '../support/shared-engine/shared-storage.ts'
import { SharedStore } from '../support/shared-engine/shared-store.ts'

const id = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('s') }
const CONNECTION = { name: 'connection env1', key: 'capture' }

async function node(store: SharedStore, name: string) {
  const { catalog, cluster } = await openSharedStorage(store, { id: name, nowMs: () => 0 })
  const registry = await Registry.load(catalog)
  const reported: unknown[] = []
  const report = (error: unknown) => reported.push(error)
  const writers = await SharedWriters.load({ catalog, registry, cluster: cluster!, report })
  return { catalog, registry, writers, reported }
}

test('every node knows a writer when it may write, also one that starts later, and when it is gone', async () => {
  const store = new SharedStore()
  const [a, b] = [await node(store, 'a'), await node(store, 'b')]
  a.writers.begin(a.catalog)
  a.registry.setWriter(id, CONNECTION)
  await a.writers.known()
  expect(b.registry.writerOf(id)).toEqual({ name: 'connection env1', key: 'another node' })
  expect(a.registry.writerOf(id)).toBe(CONNECTION)
  expect((await node(store, 'c')).registry.writerOf(id)?.name).toBe('connection env1')
  a.registry.setWriter(id, undefined)
  await a.writers.known()
  expect(b.registry.writerOf(id)).toBeUndefined()
  expect(a.reported).toEqual([])
})

test('a node that takes over has the writers that its parts set, and frees the others', async () => {
  const store = new SharedStore()
  const other = { namespace: DEFAULT_NAMESPACE, stream: parseStreamName('t') }
  const [a, b] = [await node(store, 'a'), await node(store, 'b')]
  a.writers.begin(a.catalog)
  for (const one of [id, other]) a.registry.setWriter(one, CONNECTION)
  await a.writers.known()
  const detach = b.registry.attachments()
  b.writers.begin(b.catalog)
  b.registry.setWriter(id, CONNECTION)
  b.writers.loaded()
  await b.writers.known()
  a.writers.end()
  expect([b.registry.writerOf(id), b.registry.writerOf(other)]).toEqual([CONNECTION, undefined])
  expect(a.registry.writerOf(id)?.key).toBe('another node')
  expect(a.registry.writerOf(other)).toBeUndefined()
  detach()
  b.writers.end()
  expect(b.registry.writerOf(id)?.key).toBe('another node')
})

test('a writer that could not be published may not write', async () => {
  const store = new SharedStore()
  const a = await node(store, 'a')
  a.writers.begin(a.catalog)
  store.cut('a')
  a.registry.setWriter(id, CONNECTION)
  await expect(a.writers.known()).rejects.toMatchObject({ name: 'StorageError' })
  store.mend('a')
  await a.writers.known()
  expect((await node(store, 'b')).registry.writerOf(id)?.name).toBe('connection env1')
})
