/**
 * Services that share one store, each with its own port and data folder: shared-engine, or with TEST_STORAGE=kafka a cluster, which has
 * no `store` for faults.
 */
import { expect, onTestFinished } from 'vitest'
import { freePort } from './free-port.ts'
import { openSharedStorage } from './shared-engine/shared-storage.ts'
import { SharedStore, type SharedStoreOptions } from './shared-engine/shared-store.ts'
import { ON_KAFKA, startTestApp, type TestApp, type TestAppOptions } from './test-app.ts'
import { type NodesStore, storeOnKafka } from './two-nodes.ts'

export interface TestNode extends TestApp {
  readonly id: string
  stop(): Promise<void>
}

export interface TestNodes {
  readonly store: SharedStore
  /** Joins the others. They stop when the test is over. */
  start(id: string, options?: TestAppOptions): Promise<TestNode>
}

export function testNodes(options: SharedStoreOptions = {}): TestNodes {
  const store = new SharedStore(options)
  const onKafka = ON_KAFKA ? removedLater(storeOnKafka()) : undefined
  return {
    store: onKafka === undefined ? store : ({} as SharedStore),
    async start(id, { config, ...others } = {}) {
      const port = await freePort()
      const url = `http://127.0.0.1:${port}`
      const opened = (await onKafka)?.opener(id, url)
      const app = await startTestApp({
        ...others,
        config: { ...config, port },
        openStorage: opened ?? ((nowMs) => openSharedStorage(store, { id, url, nowMs })),
      })
      let isStopped = false
      const { stop } = app
      const node = Object.assign(app, {
        id,
        async stop() {
          if (!isStopped) await stop()
          isStopped = true
        },
      })
      onTestFinished(() => node.stop())
      return node
    },
  }
}

function removedLater(store: Promise<NodesStore>): Promise<NodesStore> {
  onTestFinished(async () => (await store).remove()) // after the nodes, which are registered later
  return store
}

const WITHIN = { timeout: 60_000, interval: 20 }

/** Resolves when this node serves what the coordinator serves, itself or by sending it on. */
export async function serves(node: TestApp): Promise<void> {
  await expect.poll(async () => (await node.get('/v3/namespaces/default/feeds')).status, WITHIN).toBe(200)
}

/** The node that holds the coordinator, as `node` knows it. */
export async function coordinatorOf(node: TestApp): Promise<string | undefined> {
  return /^coordinator: (.*)$/m.exec((await node.get('/status')).text)?.[1]
}
