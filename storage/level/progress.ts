/** The answer of a bounded piece of maintenance: how many blocks it removed, and whether there is more of the same to do. */
export interface Progress {
  readonly removed: number
  readonly more: boolean
}

export const NO_PROGRESS: Progress = { removed: 0, more: false }
