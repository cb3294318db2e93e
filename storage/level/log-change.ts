/** What can be done to a log: the changes that wait for its next group. */
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

/** A block whose events have had their times before they came here. */
export interface RestoredBlock extends UnsealedBlock {
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
}

/** Keys to delete and segments to give up; the log then begins at `first`. */
export interface Trim {
  readonly keys: readonly Buffer[]
  readonly segments: readonly number[]
  readonly first: Position
  /** Nothing is left: the log itself goes, too. */
  readonly last: boolean
}

/** Small blocks, one after the other, to be replaced by one; and how far merging has come with that. */
export interface Merge {
  readonly keys: readonly Buffer[]
  readonly block: UnsealedBlock | undefined
  /** Position of the first event of the block. */
  readonly first: Position
  /** The merge point afterwards. */
  readonly done: Position
}

/** A change on its way to the disk. `sequence` becomes that of its last event. */
export interface Waiting {
  readonly change: Change
  readonly bytes: number
  readonly resolve: (position: Position) => void
  readonly reject: (error: StorageError) => void
  sequence: number
}
