/**
 * Catalog: small JSON documents (namespaces, streams, counters) by collection and id, kept beside the logs.
 *
 * Callers load what they need at start and keep it; the catalog is the durable copy, not a cache.
 */

/** `document` undefined deletes. */
export interface CatalogChange {
  readonly collection: string
  readonly id: string
  readonly document: unknown
}

export interface Catalog {
  /**
   * Hands out all documents of a collection, in byte order of their ids. One by one, for a list of them takes more memory
   * than what callers make of it. With `prefix`, those alone whose ids begin with it. Rejects with StorageError 'corrupt' if one is not JSON, and with what `visit` throws.
   */
  each(collection: string, visit: (id: string, document: unknown) => void, prefix?: string): Promise<void>
  /** Applies all changes or none; durable once resolved. Rejects with StorageError 'unavailable' or 'full'. */
  commit(changes: readonly CatalogChange[]): Promise<void>
}
