/**
 * What a request does on a store that other nodes write too, so that it sees all that was acknowledged before it came in, and so
 * that a node that is cut off acknowledges nothing. A store that only this process writes has no Sharing.
 */
import type { Catalog } from '../../storage/catalog.ts'
import { outcomeUnknown, type StorageError } from '../../storage/storage-error.ts'
import type { StoreCluster } from '../../storage/store-cluster.ts'

export class Sharing {
  readonly #catalog: Catalog
  readonly cluster: StoreCluster

  constructor(catalog: Catalog, cluster: StoreCluster) {
    this.#catalog = catalog
    this.cluster = cluster
  }

  /**
   * Resolves when the registry shows all changes that were acknowledged before the call. Rejects with StorageError 'unavailable'
   * while the node is cut off. `isCertain`: see Catalog.fresh.
   */
  async fresh(isCertain?: boolean): Promise<void> {
    this.assertLive()
    await this.#catalog.fresh(isCertain)
  }

  /** Call it right before an answer: the node may have stood still since the request came in. */
  assertLive(): void {
    this.cluster.assertLive()
  }

  /** Why no request is answered now; undefined while they are. */
  get failure(): StorageError | undefined {
    try {
      this.assertLive()
    } catch (error) {
      return error as StorageError
    }
    return undefined
  }

  /** Call it after a change that removes something: a node that has not applied it would still serve what was removed. */
  async removedEverywhere(): Promise<void> {
    try {
      await this.cluster.appliedEverywhere()
    } catch (cause) {
      throw this.outcomeUnknown(cause)
    }
  }

  /** For a write of which the node cannot say that all nodes show it. */
  outcomeUnknown(cause: unknown): StorageError {
    return outcomeUnknown(cause)
  }
}
