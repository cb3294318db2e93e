/**
 * The result of a bounded call of maintenance: the number of removed blocks, and whether there is more of the same
 * work.
 */
export interface Progress {
  readonly removed: number
  readonly more: boolean
}

export const NO_PROGRESS: Progress = { removed: 0, more: false }
