/** Two whole services on one shared store in memory (shared-engine), or with TEST_STORAGE=kafka on a cluster. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Storage } from '../../storage/storage.ts'
import { freePort } from './free-port.ts'
import { removeKafkaStore, takeKafkaStore } from './kafka-stores.ts'
import { openSharedStorage } from './shared-engine/shared-storage.ts'
import { SharedStore, type SharedStoreOptions } from './shared-engine/shared-store.ts'
import { ON_KAFKA, openTestKafka, startTestApp, type TestApp, type TestAppOptions } from './test-app.ts'

export interface TwoNodes {
  readonly store: SharedStore
  readonly a: TestApp
  readonly b: TestApp
  /** Sets the clocks of both. */
  setNowMs(nowMs: number): void
  /** Resolves when both answer what one of them runs for all. */
  coordinated(): Promise<void>
}

async function coordinated(...apps: readonly TestApp[]): Promise<void> {
  for (const app of apps)
    while ((await app.get('/v3/namespaces/default/feeds')).status !== 200)
      await new Promise((resolve) => setImmediate(resolve))
}

export async function twoNodes(
  options: SharedStoreOptions = {},
  appOptions: Omit<TestAppOptions, 'openStorage'> = {},
): Promise<TwoNodes> {
  const shared = ON_KAFKA ? await storeOnKafka() : storeInMemory(options)
  const start = async (id: string) => {
    const port = await freePort()
    const app = await startTestApp({
      ...appOptions,
      config: { ...appOptions.config, port },
      openStorage: shared.opener(id, `http://127.0.0.1:${port}`),
    })
    return { app, id }
  }
  const started = [await start('a'), await start('b')] as const
  onTestFinished(async () => {
    for (const { id, app } of started) {
      if (shared.store.nodes?.has(id)) shared.store.mend(id)
      await app.stop()
    }
    await shared.remove()
  })
  const [a, b] = [started[0].app, started[1].app]
  await coordinated(a, b)
  return {
    ...{ store: shared.store, a, b },
    coordinated: () => coordinated(a, b),
    setNowMs(nowMs) {
      a.nowMs = nowMs
      b.nowMs = nowMs
    },
  }
}

export interface NodesStore {
  readonly store: SharedStore
  opener(id: string, url: string): (nowMs: () => number) => Promise<Storage>
  remove(): Promise<void>
}

function storeInMemory(options: SharedStoreOptions): NodesStore {
  const store = new SharedStore(options)
  return {
    store,
    opener: (id, url) => (nowMs) => openSharedStorage(store, { id, url, nowMs }),
    remove: async () => {},
  }
}

/** The cluster of MILLRACE_TEST_KAFKA. A test cannot cut its nodes off, so it has no `store`. */
export async function storeOnKafka(): Promise<NodesStore> {
  const stored = await takeKafkaStore()
  const { addresses, prefix } = stored
  const folder = await mkdtemp(join(tmpdir(), 'millrace-nodes-'))
  return {
    store: {} as SharedStore,
    opener: (id, nodeUrl) => (nowMs) =>
      openTestKafka({
        access: { brokers: addresses },
        prefix,
        folder: join(folder, id),
        nowMs,
        nodeUrl,
      }),
    async remove() {
      removeKafkaStore(stored)
      await rm(folder, { recursive: true })
    },
  }
}
