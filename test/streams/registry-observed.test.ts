/** The registry follows changes of other nodes, in whatever order a newer copy of the catalog reports them. */
import { expect, test } from 'vitest'
import type { NamespaceName } from '../../src/streams/names.ts'
import { DEFAULT_NAMESPACE_PROPERTIES } from '../../src/streams/namespace.ts'
import { DEFAULT_PROPERTIES } from '../../src/streams/properties.ts'
import { Registry } from '../../src/streams/registry.ts'
import type { CatalogDocument, ObservedChange } from '../../storage/catalog.ts'
import { streamId } from '../support/sample-store.ts'
import { openSharedStorage } from '../support/shared-engine/shared-storage.ts'
import { SharedStore } from '../support/shared-engine/shared-store.ts'

const nowMs = () => 1_000
const NAMESPACE = 'other' as NamespaceName

test('a stream that is reported before its namespace is there', async () => {
  const id = { ...streamId('s'), namespace: NAMESPACE }
  const written = await openSharedStorage(new SharedStore(), { id: 'a', nowMs })
  const origin = await Registry.load(written.catalog, written.cluster)
  await origin.change(() =>
    origin.putNamespace(NAMESPACE, { ...DEFAULT_NAMESPACE_PROPERTIES, description: 'x' }),
  )
  await origin.change(() => origin.putOnFreshLog(id, DEFAULT_PROPERTIES))
  const stored = async (collection: string, key: string): Promise<ObservedChange> => {
    const { document, version } = (await written.catalog.get(collection, key)) as CatalogDocument
    return { collection, id: key, document, version }
  }
  const namespace = await stored('namespaces', NAMESPACE)
  const stream = await stored('streams', `${NAMESPACE}:s`)

  const follower = await openSharedStorage(new SharedStore(), { id: 'b', nowMs })
  let report = (_: ObservedChange): void => {}
  const catalog = new Proxy(follower.catalog, {
    get(target, name) {
      if (name === 'watch') return (onChange: typeof report) => (report = onChange)
      return (target[name as keyof typeof target] as () => unknown).bind(target)
    },
  })
  const registry = await Registry.load(catalog, follower.cluster)
  report(stream)
  report(namespace)
  expect(registry.find(NAMESPACE, id.stream)?.log).toBe(origin.find(NAMESPACE, id.stream)?.log)
  expect(registry.namespace(NAMESPACE)?.description).toBe('x')

  const gone = { document: undefined, version: undefined }
  report({ ...namespace, ...gone })
  report({ ...stream, ...gone })
  expect([registry.namespace(NAMESPACE), registry.find(NAMESPACE, id.stream)]).toEqual([undefined, undefined])
})
