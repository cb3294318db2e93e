/**
 * StoreCluster: the processes (nodes) that share one store. It states which nodes are alive, gives tasks to one node at a
 * time, and tells whether this node may still answer requests.
 *
 * A node that is cut off from the store knows that before the others take over its tasks, by its own monotonic clock.
 */

export interface StoreNode {
  readonly id: string
  /** Where the other nodes reach this one; undefined if the operator has not named an address. */
  readonly url: string | undefined
}

/** Called by turns: `gained`, `lost`, `gained` … Errors that they throw are reported and have no other effect. */
export interface LeaseHolder {
  /** This node holds the lease now. `term` ascends with every change of the holder, of any node. */
  gained(term: number): void
  /** Another node may hold the lease from now on, so the task has to stop. Also called by `release`. */
  lost(): void
}

export interface LeaseClaim {
  /** Gives the lease up, and does not want it any more. Resolves when another node may take it. */
  release(): Promise<void>
}

/** Facts for operators. */
export interface ClusterFacts {
  /** Replicas of the catalog, and how many of them are in sync; 0 while that is not known. */
  readonly replicationFactor: number
  readonly inSyncReplicas: number
  /** A write is acknowledged by at least this many replicas. */
  readonly minInSyncReplicas: number
  /** Sentences about settings and states that endanger data; none if all is well. */
  readonly problems: readonly string[]
  readonly nodes: readonly StoreNode[]
  /** Whether this node answers requests: `assertLive` does not throw. */
  readonly isLive: boolean
}

export interface StoreCluster {
  readonly nodeId: string
  /** The nodes that are alive, this one included, in the order of their ids. */
  nodes(): readonly StoreNode[]
  /**
   * Wants the lease from now on: `gained` is called as soon as no other node holds it, `lost` when it may be held by
   * another one, and so on until `release`. One holder for each lease of this node.
   */
  want(lease: string, holder: LeaseHolder): LeaseClaim
  /** The live node that holds the lease, as far as this node knows; undefined if there is none. */
  holder(lease: string): StoreNode | undefined
  /**
   * Resolves when every live node has applied every change of this node that was resolved before the call. A change that
   * removes something is acknowledged after that. Rejects with StorageError 'unavailable' if this node is cut off.
   */
  appliedEverywhere(): Promise<void>
  /**
   * Throws StorageError 'unavailable' while this node may be cut off from the store without knowing more. Call it when
   * a request comes in, and again before its answer is sent.
   */
  assertLive(): void
  facts(): ClusterFacts
}
