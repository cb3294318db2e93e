/** One query from its submission until it is forgotten. */
import type { NamespaceName, StreamId } from '../streams/names.ts'
import type { ResultColumn } from './cells.ts'
import type { Connection } from './engine.ts'
import type { QueryHandle } from './query-handle.ts'
import type { Result } from './result.ts'
import type { SqlState } from './sql-error.ts'
import type { BadEvent } from './stream-table.ts'

export type QueryStatus =
  | 'INITIALIZED' // waits for others to end
  | 'RUNNING'
  | 'FINISHED'
  | 'CANCELED'
  | 'CLOSED'
  | 'ERROR'

/** Events a query looked at that do not fit their schema: how many, and some of them. */
export interface BadEvents {
  readonly count: number
  readonly first: readonly (BadEvent & { readonly table: string })[]
}

export const NO_BAD_EVENTS: BadEvents = { count: 0, first: [] }

export interface QueryFailure {
  readonly message: string
  readonly sqlState: SqlState
}

/** So often a query is told to stop until it has: one that has not begun yet does not hear it. */
const INTERRUPT_MS = 50

export class Query {
  readonly handle: QueryHandle
  readonly namespace: NamespaceName
  readonly statement: string
  readonly createdMs: number
  /** Whoever may read all of them may see it. */
  readonly streams: readonly StreamId[]
  status: QueryStatus = 'INITIALIZED'
  columns: readonly ResultColumn[] | undefined
  failure: QueryFailure | undefined
  badEvents: BadEvents = NO_BAD_EVENTS
  /** Rows that `next` has handed out. */
  handedOut = 0
  /** When somebody last asked for it. */
  touchedMs: number
  cancelled = false
  #result: Result | undefined
  #connection: Connection | undefined
  #interrupting: NodeJS.Timeout | undefined

  constructor(
    handle: QueryHandle,
    about: {
      readonly namespace: NamespaceName
      readonly statement: string
      readonly streams: readonly StreamId[]
      readonly nowMs: number
    },
  ) {
    this.handle = handle
    this.namespace = about.namespace
    this.statement = about.statement
    this.streams = about.streams
    this.createdMs = about.nowMs
    this.touchedMs = about.nowMs
  }

  /** Whether it runs, or has rows. */
  get isActive(): boolean {
    return this.isUnderWay || this.status === 'FINISHED'
  }

  get isUnderWay(): boolean {
    return this.status === 'INITIALIZED' || this.status === 'RUNNING'
  }

  get result(): Result | undefined {
    return this.#result
  }

  runsOn(connection: Connection): void {
    this.#connection = connection
  }

  finished(result: Result): void {
    this.#ended()
    if (this.cancelled) {
      result.close()
    } else {
      this.#result = result
      this.status = 'FINISHED'
    }
  }

  failed(failure: QueryFailure): void {
    this.#ended()
    if (this.cancelled) return
    this.failure = failure
    this.status = 'ERROR'
  }

  /** Gives up what runs and what there is of rows; what was asked and how it ended stays. */
  close(): void {
    if (this.isUnderWay) {
      this.cancelled = true
      this.status = 'CANCELED'
      if (this.#connection !== undefined) {
        this.#connection.interrupt()
        this.#interrupting = setInterval(() => this.#connection?.interrupt(), INTERRUPT_MS).unref()
      }
    } else if (this.status === 'FINISHED') {
      this.status = 'CLOSED'
      this.#result?.close()
      this.#result = undefined
    }
  }

  #ended(): void {
    clearInterval(this.#interrupting)
    this.#connection = undefined
  }
}
