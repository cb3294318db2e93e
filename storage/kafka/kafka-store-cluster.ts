/** The nodes that share a store on Kafka, as one node sees them. */

import { StorageError } from '../storage-error.ts'
import type { ClusterFacts, LeaseClaim, LeaseHolder, StoreCluster, StoreNode } from '../store-cluster.ts'
import type { CatalogFollower } from './catalog-follower.ts'
import type { KafkaCatalog } from './kafka-catalog.ts'
import type { Leases } from './leases.ts'
import type { Nodes } from './nodes.ts'

export type ReplicationFacts = Pick<
  ClusterFacts,
  'replicationFactor' | 'inSyncReplicas' | 'minInSyncReplicas' | 'problems'
>

export interface StoreClusterParts {
  readonly nodeId: string
  readonly nodes: Nodes
  readonly leases: Leases
  readonly follower: CatalogFollower
  readonly mark: KafkaCatalog['mark']
  readonly replication: () => ReplicationFacts
}

/** A node that does not apply a change in this time is dead by then, or too slow. */
const APPLIED_MS = 30_000

export class KafkaStoreCluster implements StoreCluster {
  readonly nodeId: string
  readonly #parts: StoreClusterParts

  constructor(parts: StoreClusterParts) {
    this.#parts = parts
    this.nodeId = parts.nodeId
  }

  nodes(): readonly StoreNode[] {
    return this.#parts.nodes.alive()
  }

  want(lease: string, holder: LeaseHolder): LeaseClaim {
    return this.#parts.leases.want(lease, holder)
  }

  holder(lease: string): StoreNode | undefined {
    return this.#parts.leases.holder(lease)
  }

  async appliedEverywhere(): Promise<void> {
    const { nodes, mark } = this.#parts
    const asked = await mark((from) => ({ kind: 'barrier', from, ask: true }))
    nodes.assertLive()
    if (nodes.haveApplied(asked)) return
    await new Promise<void>((resolve, reject) => {
      const settle = (error?: unknown) => {
        clearTimeout(timer)
        stop()
        if (error === undefined) resolve()
        else reject(error)
      }
      const timer = setTimeout(() => settle(tooSlow()), APPLIED_MS)
      const stop = nodes.listen(() => {
        if (nodes.haveApplied(asked)) settle()
      })
    })
    nodes.assertLive()
  }

  assertLive(): void {
    const failure = this.#parts.follower.failure()
    if (failure !== undefined) throw new StorageError('unavailable', failure.message, { cause: failure })
    this.#parts.nodes.assertLive()
  }

  facts(): ClusterFacts {
    const { nodes, follower, replication } = this.#parts
    return {
      ...replication(),
      nodes: nodes.alive(),
      isLive: nodes.isLive() && follower.failure() === undefined,
    }
  }
}

function tooSlow(): StorageError {
  return new StorageError('unavailable', 'a node of this store has not confirmed a change; try again')
}
