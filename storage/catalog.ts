/**
 * Catalog: small JSON documents (namespaces, streams, counters) by collection and id, stored together with the logs.
 *
 * Callers load the documents that they need at start and keep them in memory. The catalog is the durable copy, not a
 * cache. Every engine passes test/contract/catalog.ts.
 */

/**
 * Identifies one state of a document. Two equal versions of the same document mean equal content. Undefined means that
 * the document does not exist. Versions can only be compared with `===`.
 */
export type DocumentVersion = string

/** If `document` is undefined, the document is deleted. */
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

/** A document that another process has changed. If `document` is undefined, it was deleted. */
export interface ObservedChange {
  readonly collection: string
  readonly id: string
  readonly document: unknown
  readonly version: DocumentVersion | undefined
}

/** 'conflict': a condition did not hold and nothing was changed. The caller reads again and decides again. */
export type CommitOutcome = 'done' | 'conflict'

export interface Catalog {
  /**
   * Passes all documents of a collection to `visit`, one by one, in byte order of their ids. With `prefix`: only
   * documents whose ids begin with it. Rejects with StorageError 'corrupt' if a document is not JSON, and with any
   * error that `visit` throws.
   */
  each(
    collection: string,
    visit: (id: string, document: unknown, version: DocumentVersion) => void,
    prefix?: string,
  ): Promise<void>

  /** One document; undefined if it does not exist. */
  get(collection: string, id: string): Promise<CatalogDocument | undefined>

  /**
   * Applies all changes or none. They are durable once the promise resolves with 'done'. With conditions, it resolves
   * with 'conflict' unless all of them hold at the moment of the write. Rejects with StorageError 'unavailable' or
   * 'full' (nothing was changed), or 'unknown'.
   */
  commit(changes: readonly CatalogChange[], conditions?: readonly CatalogCondition[]): Promise<CommitOutcome>

  /**
   * Resolves when reads see every commit, of any node, that was resolved before the call, and `watch` has reported them.
   * Rejects with StorageError 'unavailable'.
   *
   * While the leader of the catalog is being replaced, an engine may miss the last commits of other nodes that only add
   * something. With `isCertain` it misses none, which costs a write. Call it so before an answer that says that a document
   * does not exist.
   */
  fresh(isCertain?: boolean): Promise<void>

  /**
   * Calls `onChange` for each document that another process changes or deletes from now on, in the order of the commits, and
   * for all documents of one commit in one iteration of the event loop. Reads see the change before. Intermediate versions may
   * be left out. A commit of this storage is observed only if it rejected with 'unknown' and is stored after all. Errors that
   * `onChange` throws are ignored. All functions that were passed are called; an engine that no other process can share
   * never calls one.
   */
  watch(onChange: (change: ObservedChange) => void): void
}
