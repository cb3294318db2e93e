/** Events that do not fit their schema. */

export interface BadEvent {
  readonly timestampMs: number
  readonly sequence: number
  readonly reason: string
}

/** The bad events that a query read: their number, and the first of them. */
export interface BadEvents {
  readonly count: number
  readonly first: readonly (BadEvent & { readonly table: string })[]
}

export const NO_BAD_EVENTS: BadEvents = { count: 0, first: [] }
