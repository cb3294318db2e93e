/** What one node knows of the others. */

import { StorageError } from '../../../storage/storage-error.ts'
import type {
  ClusterFacts,
  LeaseClaim,
  LeaseHolder,
  StoreCluster,
  StoreNode,
} from '../../../storage/store-cluster.ts'
import type { NodeState, SharedStore } from './shared-store.ts'

export class NodeCluster implements StoreCluster {
  readonly #store: SharedStore
  readonly #node: NodeState

  constructor(store: SharedStore, node: NodeState) {
    this.#store = store
    this.#node = node
  }

  get nodeId(): string {
    return this.#node.id
  }

  nodes(): readonly StoreNode[] {
    const alive = [...this.#store.nodes.values()].filter((node) => !node.isDead || node === this.#node)
    return alive.map(({ id, url }) => ({ id, url })).sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  want(lease: string, holder: LeaseHolder): LeaseClaim {
    this.#store.want(this.#node, lease, holder)
    return { release: async () => this.#store.release(this.#node, lease) }
  }

  holder(lease: string): StoreNode | undefined {
    const node = this.#store.holder(lease)
    return node && { id: node.id, url: node.url }
  }

  async appliedEverywhere(): Promise<void> {
    if (!this.#store.options.confirmation) return
    const end = this.#node.applied
    for (;;) {
      if (!this.#node.link.isOpen && !this.#node.link.isPaused)
        throw new StorageError('unavailable', 'the node is cut off from the store')
      const behind = [...this.#store.nodes.values()].some((node) => !node.isDead && node.applied < end)
      if (!behind) return
      await this.#store.nextChange()
    }
  }

  assertLive(): void {
    if (this.#node.isExpired) throw new StorageError('unavailable', 'this node is cut off from the store')
  }

  facts(): ClusterFacts {
    return {
      ...{ replicationFactor: 1, inSyncReplicas: 1, minInSyncReplicas: 1, problems: [] },
      nodes: this.nodes(),
      isLive: !this.#node.isExpired,
    }
  }
}
