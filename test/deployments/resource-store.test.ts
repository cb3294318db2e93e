/** The store of resources: changes are durable as a whole, and readers see them then. */
import { beforeEach, describe, expect, test } from 'vitest'
import { type ResourceChange, Resources } from '../../src/deployments/resource-store.ts'
import type { Deployment, JobResource } from '../../src/deployments/resources.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import type { Storage } from '../../storage/storage.ts'
import { memoryStorage } from '../support/memory-storage.ts'

const NS = DEFAULT_NAMESPACE
let storage: Storage
let nowMs: number
let store: Resources

async function load() {
  const { catalog } = storage
  const registry = await Registry.load(catalog)
  store = await Resources.load({ catalog, registry, nowMs: () => nowMs, random: () => 0.5 })
}

beforeEach(async () => {
  nowMs = 1_000
  storage = await memoryStorage(() => nowMs)
  await load()
})

const metadata = (id: string) => ({
  ...{ id, namespace: NS, createdMs: nowMs, modifiedMs: 0, labels: {}, annotations: {}, resourceVersion: 99 },
})
const deployment = (id: string) =>
  ({
    metadata: { ...metadata(id), name: id },
    spec: {},
    status: { state: 'CANCELLED' },
  }) as unknown as Deployment
const job = (id: string, deploymentId: string) =>
  ({
    metadata: { ...metadata(id), deploymentId },
    spec: {},
    status: { state: 'STARTED' },
  }) as unknown as JobResource

const seen = (from: Pick<ResourceChange, 'deployments' | 'jobs' | 'events'>) => ({
  deployments: from.deployments(NS).map((one) => [one.metadata.id, one.metadata.resourceVersion]),
  jobs: from.jobs(NS).map((one) => one.metadata.id),
  events: from.events(NS).map((one) => [one.metadata.name, one.metadata.createdUs]),
})

describe('a change', () => {
  test('reads what it has written; others read it when it is durable, also after a restart', async () => {
    let within: unknown
    const done = store.change(NS, (change) => {
      const one = change.putDeployment(deployment('one'))
      change.putJob(job('j1', 'one'))
      change.addEvent(one, 'A', 'a')
      change.addEvent(one, 'B', 'b', 'j1')
      within = seen(change)
      expect(change.jobs(NS, 'one').length).toBe(1)
      expect(change.jobs(NS, 'two')).toEqual([])
    })
    expect(seen(store)).toEqual({ deployments: [], jobs: [], events: [] })
    await done
    const all = {
      deployments: [['one', 1]],
      jobs: ['j1'],
      events: [
        ['A', 1_000_000],
        ['B', 1_000_001],
      ],
    }
    expect(within).toEqual(all)
    expect(seen(store)).toEqual(all)
    await load()
    expect(seen(store)).toEqual(all)
  })

  test('that throws, or cannot be written, changes nothing', async () => {
    await store.change(NS, (change) => change.putDeployment(deployment('one')))
    const before = seen(store)
    const work = (change: ResourceChange) => {
      change.deleteDeployment(change.deployment(NS, 'one')!)
      change.putDeployment(deployment('two'))
    }
    const broken = store.change(NS, (change) => {
      work(change)
      throw new Error('no')
    })
    await expect(broken).rejects.toThrow('no')
    expect(seen(store)).toEqual(before)
    const { commit } = storage.catalog
    storage.catalog.commit = () => Promise.reject(new Error('full'))
    await expect(store.change(NS, work)).rejects.toThrow('full')
    expect(seen(store)).toEqual(before)
    storage.catalog.commit = commit
    await store.change(NS, work)
    expect(seen(store).deployments).toEqual([['two', 1]])
  })

  test('gives one version more, however often it writes a resource', async () => {
    await store.change(NS, (change) => change.putDeployment(deployment('one')))
    nowMs = 2_000
    const stored = await store.change(NS, (change) => {
      change.putDeployment(deployment('one'))
      return change.putDeployment(deployment('one'))
    })
    expect(stored.metadata).toMatchObject({ resourceVersion: 2, modifiedMs: 2_000 })
  })

  test('of a namespace that does not exist is refused', async () => {
    await expect(store.change('absent' as typeof NS, () => {})).rejects.toMatchObject({
      code: 'namespace_not_found',
    })
  })

  test('deletes a deployment with what belongs to it', async () => {
    await store.change(NS, (change) => {
      for (const id of ['one', 'two']) {
        change.putJob(job(`job of ${id}`, id))
        change.addEvent(change.putDeployment(deployment(id)), 'A', id)
      }
    })
    await store.change(NS, (change) => change.deleteDeployment(change.deployment(NS, 'one')!))
    const left = { deployments: [['two', 1]], jobs: ['job of two'], events: [['A', 1_000_001]] }
    expect(seen(store)).toEqual(left)
    await load()
    expect(seen(store)).toEqual(left)
  })
})

test('1,000 events of a deployment are kept, in the order of their times', async () => {
  for (let round = 0; round < 3; round++)
    await store.change(NS, (change) => {
      const one = change.putDeployment(deployment('one'))
      for (let i = 0; i < 400; i++) change.addEvent(one, `E${round * 400 + i}`, 'x')
      change.addEvent(change.putDeployment(deployment('two')), 'other', 'x')
    })
  for (const again of [false, true]) {
    if (again) await load()
    const events = store.events(NS, 'one')
    expect(events.map(({ metadata }) => metadata.name)).toEqual(
      Array.from({ length: 1_000 }, (_, i) => `E${i + 200}`),
    )
    const times = events.map(({ metadata }) => metadata.createdUs)
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    expect(new Set(events.map(({ metadata }) => metadata.id)).size).toBe(1_000)
    expect(store.events(NS, 'two').length).toBe(3)
  }
})

test('ids are UUIDs of version 4, each one new, whatever the source of randomness', async () => {
  const ids = Array.from({ length: 20 }, () => store.newId())
  expect(new Set(ids).size).toBe(20)
  for (const id of ids)
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  await store.change(NS, (change) => change.putDeployment(deployment(ids[0]!)))
  await load()
  expect(store.newId()).not.toBe(ids[0])
})

test('labels and annotations of all resources together are limited', async () => {
  const secret = (id: string, characters: number) => ({
    metadata: {
      ...{ ...metadata(id), name: id },
      ...(characters > 0 && { annotations: { a: 'x'.repeat(characters - 1) } }),
    },
    spec: { kind: 'PLAIN' as const },
    sealed: '',
  })
  const MiB = 1024 * 1024
  const put = (id: string, characters: number) =>
    store.change(NS, (change) => change.putSecret(secret(id, characters)))
  for (let i = 0; i < 8; i++) await put(`s${i}`, 8 * MiB)
  for (const again of [false, true]) {
    if (again) await load()
    await expect(put('more', 1)).rejects.toMatchObject({ reason: 'TooManyResources' })
    await expect(put('s0', 8 * MiB + 1)).rejects.toMatchObject({ reason: 'TooManyResources' })
    await put('none', 0)
    await put('s0', 8 * MiB)
  }
  await store.change(NS, (change) => change.deleteSecret(change.secrets(NS)[1]!))
  await put('more', 8 * MiB)
  await expect(put('s0', 8 * MiB + 1)).rejects.toMatchObject({ reason: 'TooManyResources' })
})
