/**
 * Storage: one open engine, which is an event log and a catalog that share their writes, and the statement of what this
 * engine promises. Modules above see only these contracts; service.ts and the commands for closed stores choose the engine.
 */
import type { Catalog, CatalogChange, CatalogCondition } from './catalog.ts'
import type { EventData, EventLog, LogId, Position, StagedBatch } from './log.ts'

/** What differs between engines. A caller, and a contract test, asks here instead of assuming. */
export interface EnginePromises {
  /** What a resolved write survives: the end of the process ('fsync': a power cut; 'replicated': the loss of a node), or not even that. */
  readonly durability: 'memory' | 'fsync' | 'replicated' | 'replicated-fsync'
  /** Sequences count 0, 1, 2 … without holes, so a hole is damage. */
  readonly gaplessSequences: boolean
  /** A staged batch of at most so many body bytes is contiguous and has one timestamp. */
  readonly contiguousBatchBytesMax: number
  /** The largest event, body and headers, that an append takes. */
  readonly eventBytesMax: number
  /** Events get their times from a clock of the engine, not from the one that is handed in. */
  readonly ownClock: boolean
  /** A failure may end by itself; else the store has to be opened anew. */
  readonly failureHeals: boolean
  /** Other processes may write to the same store: what was read a moment ago may be different now. */
  readonly shared: boolean
}

/** Everything of it is durable at once, or nothing is. */
export interface StorageWrite {
  readonly appends?: readonly { readonly log: LogId; readonly events: readonly EventData[] }[]
  /** Batches of this storage's log, in place of their `commit`. After 'conflict' or 'dropped' they can be written again. */
  readonly batches?: readonly StagedBatch[]
  readonly changes?: readonly CatalogChange[]
  readonly conditions?: readonly CatalogCondition[]
}

/** Of `appends`, then of `batches` (undefined for an empty one): the position of each one's last event. */
export interface WriteResult {
  readonly outcome: 'done' | 'conflict'
  readonly positions: readonly (Position | undefined)[]
}

export interface Storage {
  readonly log: EventLog
  readonly catalog: Catalog
  readonly promises: EnginePromises
  /** Sentences for the operator about the state in which the store was found, usually none. */
  readonly remarks: readonly string[]
  /**
   * One write over events of several logs and catalog documents, in the order of the appends and commits called before and
   * after it. 'conflict', and nothing stored, if a condition does not hold. The events of `appends` are bounded in memory:
   * an engine may refuse more than 64 MiB; larger ones are staged.
   * Rejects with StorageError: 'dropped' if one of the logs is being dropped, else as `append` does.
   */
  write(write: StorageWrite): Promise<WriteResult>
  /** Free disk space in bytes when a write failed; undefined if none has failed or the engine does not know. */
  freeBytesAtFailure?(): number | undefined
  /** Writes what was accepted, then closes. */
  close(): Promise<void>
}
