/** The kinds of changes of a log, as they wait for its next group. */
import type { EventData, Position } from '../log.ts'
import type { StorageError } from '../storage-error.ts'
import type { UnsealedBlock } from './block-codec.ts'

export type Change =
  | { readonly kind: 'events'; readonly events: readonly EventData[]; readonly headers: readonly Buffer[] }
  | { readonly kind: 'blocks'; readonly blocks: readonly UnsealedBlock[] }
  | { readonly kind: 'restored'; readonly blocks: readonly RestoredBlock[] }
  | { readonly kind: 'segment'; readonly segment: number; readonly count: number; readonly bodyBytes: number }
  | { readonly kind: 'trim'; readonly trim: Trim }
  | { readonly kind: 'merge'; readonly merge: Merge }
  | { readonly kind: 'barrier' }

/** A block of events that keep their original timestamps. */
export interface RestoredBlock extends UnsealedBlock {
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
}

/** Keys to delete, and segments that belong to no log after that. The log then begins at `first`. */
export interface Trim {
  readonly keys: readonly Buffer[]
  readonly segments: readonly number[]
  readonly first: Position
  /** No event is left: the log itself is removed, too. */
  readonly last: boolean
}

/** Neighbouring small blocks that one block replaces, and the merge point after that. */
export interface Merge {
  readonly keys: readonly Buffer[]
  readonly block: UnsealedBlock | undefined
  /** Position of the first event of the block. */
  readonly first: Position
  /** The merge point after the merge. */
  readonly done: Position
}

/** A change that is not durable yet. `sequence` is set to the sequence of its last event. */
export interface Waiting {
  readonly change: Change
  readonly bytes: number
  readonly resolve: (position: Position) => void
  readonly reject: (error: StorageError) => void
  sequence: number
}
