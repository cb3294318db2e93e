/** Ids of resources that are never stored. */
import { expect, test } from 'vitest'
import { Resources } from '../../src/deployments/resource-store.ts'
import { Registry } from '../../src/streams/registry.ts'
import { memoryStorage } from '../support/memory-storage.ts'

test('the store forgets ids of changes that failed long ago', async () => {
  const { catalog } = await memoryStorage(() => 0)
  const registry = await Registry.load(catalog)
  let number = 0
  const random = () => number++ / 2 ** 20
  const store = await Resources.load({ catalog, registry, nowMs: () => 0, random })
  const first = store.newId()
  number = 0
  expect(store.newId()).not.toBe(first) // it is in use for now
  for (let i = 0; i < 10_000; i++) store.newId()
  number = 0
  expect(store.newId()).toBe(first)
})
