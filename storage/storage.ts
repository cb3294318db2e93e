/**
 * Storage: one open engine. It is an event log and a catalog that share their writes, and states what the engine
 * promises. Modules above see only these contracts; service.ts and the commands for closed stores choose the engine.
 */
import type { Catalog, CatalogChange, CatalogCondition } from './catalog.ts'
import type { EventData, EventLog, LogId, Position, StagedBatch } from './log.ts'
import type { StoreCluster } from './store-cluster.ts'

/** The differences between engines. Callers and contract tests read them here instead of assuming them. */
export interface EnginePromises {
  /**
   * The failures that a resolved write survives. 'memory': none, not even the end of the process. The others: the end
   * of the process; with 'fsync' also a power cut, with 'replicated' also the loss of a node.
   */
  readonly durability: 'memory' | 'fsync' | 'replicated' | 'replicated-fsync'
  /** Sequences count 0, 1, 2 … without gaps, so a gap is damage. */
  readonly gaplessSequences: boolean
  /**
   * A staged batch of at most this many bytes is contiguous and has one timestamp. An event counts as its body, names and values of its
   * headers twice, and 32 bytes for itself and for each header: engines write more than bodies.
   */
  readonly contiguousBatchBytesMax: number
  /** The largest event that an append accepts, body and headers. */
  readonly eventBytesMax: number
  /** The timestamps of events come from a clock of the engine, not from the clock that the caller passes in. */
  readonly ownClock: boolean
  /** A failure may end by itself. Otherwise the store has to be closed and opened again. */
  readonly failureHeals: boolean
  /** Other processes may write to the same store, so a value that was read earlier may be out of date. */
  readonly shared: boolean
}

/** All parts become durable together, or none does. */
export interface StorageWrite {
  readonly appends?: readonly { readonly log: LogId; readonly events: readonly EventData[] }[]
  /**
   * Batches of this storage's log. The write replaces their `commit`. After 'conflict' or 'dropped' they can be written
   * again.
   */
  readonly batches?: readonly StagedBatch[]
  readonly changes?: readonly CatalogChange[]
  readonly conditions?: readonly CatalogCondition[]
}

/** `positions`: of the last event of each of `appends`, then of each of `batches` (undefined for an empty one). */
export interface WriteResult {
  readonly outcome: 'done' | 'conflict'
  readonly positions: readonly (Position | undefined)[]
}

export interface Storage {
  readonly log: EventLog
  readonly catalog: Catalog
  readonly promises: EnginePromises
  /** The processes that share the store; undefined if no other process can. */
  readonly cluster?: StoreCluster
  /** Sentences for the operator about the state of the store when it was opened; usually none. */
  readonly remarks: readonly string[]
  /**
   * One write with events of several logs and catalog documents. It keeps its order among the appends and commits that
   * are called before and after it. If a condition does not hold, it resolves with 'conflict' and nothing is stored.
   * The events of `appends` are in memory, so an engine may refuse more than 64 MiB; larger ones are staged. Rejects
   * with StorageError 'dropped' if one of the logs is being dropped, otherwise as `append` does.
   */
  write(write: StorageWrite): Promise<WriteResult>
  /** Free disk space in bytes when a write failed; undefined if none has failed or the engine does not know. */
  freeBytesAtFailure?(): number | undefined
  /** Writes the accepted changes, then closes. */
  close(): Promise<void>
}
