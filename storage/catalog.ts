/**
 * Catalog: small JSON documents (namespaces, streams, counters) by collection and id, kept beside the logs.
 *
 * Callers load what they need at start and keep it; the catalog is the durable copy, not a cache.
 */

export interface CatalogEntry {
  readonly id: string
  readonly document: unknown
}

/** `document` undefined deletes. */
export interface CatalogChange {
  readonly collection: string
  readonly id: string
  readonly document: unknown
}

export interface Catalog {
  /** All documents of a collection, in byte order of their ids. */
  list(collection: string): Promise<CatalogEntry[]>
  /** Applies all changes or none; durable once resolved. Rejects with StorageError 'unavailable' or 'full'. */
  commit(changes: readonly CatalogChange[]): Promise<void>
}
