/**
 * Catalog: small JSON documents (namespaces, streams, counters) by collection and id, kept beside the logs.
 *
 * Callers load what they need at start and keep it; the catalog is the durable copy, not a cache. Every engine passes
 * test/contract/catalog.ts.
 */

/**
 * Names one state of a document. Two equal versions of one document mean equal content; undefined means that it does not
 * exist. Only good for comparing with `===`.
 */
export type DocumentVersion = string

/** `document` undefined deletes. */
export interface CatalogChange {
  readonly collection: string
  readonly id: string
  readonly document: unknown
}

/** A condition of a commit: the document has this version. */
export interface CatalogCondition {
  readonly collection: string
  readonly id: string
  readonly version: DocumentVersion | undefined
}

export interface CatalogDocument {
  readonly document: unknown
  readonly version: DocumentVersion
}

/** 'conflict': a condition did not hold, nothing was changed; read again and decide anew. */
export type CommitOutcome = 'done' | 'conflict'

export interface Catalog {
  /**
   * Passes all documents of a collection to `visit`, in byte order of their ids, one by one; with `prefix`, those whose ids
   * begin with it. Rejects with StorageError 'corrupt' if one is not JSON, and with what `visit` throws.
   */
  each(
    collection: string,
    visit: (id: string, document: unknown, version: DocumentVersion) => void,
    prefix?: string,
  ): Promise<void>

  /** One document; undefined if it does not exist. */
  get(collection: string, id: string): Promise<CatalogDocument | undefined>

  /**
   * Applies all changes or none; durable once resolved with 'done'. With conditions it is 'conflict' unless all of them hold
   * at the moment of the write. Rejects with StorageError 'unavailable' or 'full' (not done), or 'unknown'.
   */
  commit(changes: readonly CatalogChange[], conditions?: readonly CatalogCondition[]): Promise<CommitOutcome>

  /** Resolves when reads see every commit, of any node, that was resolved before the call. */
  fresh(): Promise<void>
}
