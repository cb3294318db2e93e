/** Two whole services on one shared store in memory (shared-engine). */
import { onTestFinished } from 'vitest'
import { openSharedStorage } from './shared-engine/shared-storage.ts'
import { SharedStore, type SharedStoreOptions } from './shared-engine/shared-store.ts'
import { startTestApp, type TestApp, type TestAppOptions } from './test-app.ts'

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
  const store = new SharedStore(options)
  const start = async (id: string) => {
    const app = await startTestApp({
      ...appOptions,
      openStorage: (nowMs) => openSharedStorage(store, { id, nowMs }),
    })
    onTestFinished(async () => {
      if (store.nodes.has(id)) store.mend(id)
      await app.stop()
    })
    store.nodes.get(id)!.url = `http://127.0.0.1:${app.port}`
    return app
  }
  const [a, b] = [await start('a'), await start('b')]
  await coordinated(a, b)
  return {
    ...{ store, a, b },
    coordinated: () => coordinated(a, b),
    setNowMs(nowMs) {
      a.nowMs = nowMs
      b.nowMs = nowMs
    },
  }
}
