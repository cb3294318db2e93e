/** One node's opening of a shared store. */
import type { EnginePromises, Storage, StorageWrite, WriteResult } from '../../../storage/storage.ts'
import { Pace } from '../weak-engine/pace.ts'
import { prepare } from '../weak-engine/weak-catalog.ts'
import { copiesOf, WeakLog } from '../weak-engine/weak-log.ts'
import { WEAK_PROMISES } from '../weak-engine/weak-storage.ts'
import { WriteQueue } from '../weak-engine/write-queue.ts'
import { Link } from './link.ts'
import { NodeCatalog } from './node-catalog.ts'
import { NodeCluster } from './node-cluster.ts'
import { type NodeBatch, NodeLog } from './node-log.ts'
import type { NodeState, SharedStore } from './shared-store.ts'

export const SHARED_PROMISES: EnginePromises = { ...WEAK_PROMISES, durability: 'memory', shared: true }

export interface SharedNode {
  readonly id: string
  readonly url?: string
  readonly nowMs: () => number
}

export async function openSharedStorage(
  store: SharedStore,
  { id, url, nowMs }: SharedNode,
): Promise<Storage> {
  store.data.epoch++
  const pace = new Pace(store.options.seed * 7919 + store.data.epoch)
  const link = new Link(pace)
  const queue = new WriteQueue(pace)
  const node: NodeState = {
    ...{ id, url, link, applied: store.history.length, isExpired: false, isDead: false },
    replay: (length) => catalog.replay(length),
  }
  const catalog = new NodeCatalog(store, node, link, queue)
  store.join(node)
  const weak = new WeakLog(store.data, queue, pace, nowMs)
  const log = new NodeLog(weak, link, () => catalog.fresh())

  async function write({
    appends = [],
    batches = [],
    changes = [],
    conditions = [],
  }: StorageWrite): Promise<WriteResult> {
    const events = appends.map((append) => ({ log: append.log, events: copiesOf(append.events) }))
    const inner = batches.map((batch) => (batch as NodeBatch).batch)
    const prepared = prepare(changes)
    let positions: WriteResult['positions'] = []
    const outcome = await catalog.answered(() => {
      if (!catalog.holds(conditions)) return undefined
      for (const one of events) weak.assertNotDropped(one.log)
      for (const batch of inner) weak.assertNotDropped(batch.log)
      positions = [
        ...events.map((one) => weak.appendNow(one.log, one.events)),
        ...inner.map((batch) => batch.commitNow(false)),
      ]
      return catalog.record(prepared)
    })
    return { outcome, positions }
  }

  return {
    ...{ log, catalog, promises: SHARED_PROMISES, cluster: new NodeCluster(store, node), remarks: [], write },
    async close() {
      await queue.close()
      weak.closed()
      if (store.nodes.get(id) === node) store.leave(node)
      link.close()
    },
  }
}
