/** One query from its submission until it is forgotten. */
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { type BadEvents, NO_BAD_EVENTS } from './bad-events.ts'
import type { ResultColumn } from './cells.ts'
import type { QueryHandle } from './query-handle.ts'
import type { Result } from './result.ts'
import type { SqlState } from './sql-error.ts'

export type QueryStatus =
  | 'INITIALIZED' // waits for others to end
  | 'RUNNING'
  | 'FINISHED'
  | 'CANCELED'
  | 'CLOSED'
  | 'ERROR'

export interface QueryFailure {
  readonly message: string
  readonly sqlState: SqlState
}

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
  /** Makes what runs end. */
  #stop: (() => void) | undefined

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

  runs(stop: () => void): void {
    this.status = 'RUNNING'
    this.#stop = stop
  }

  finished(result: Result): void {
    this.#stop = undefined
    if (this.cancelled) {
      result.close()
    } else {
      this.#result = result
      this.status = 'FINISHED'
    }
  }

  failed(failure: QueryFailure): void {
    this.#stop = undefined
    if (this.cancelled) return
    this.failure = failure
    this.status = 'ERROR'
  }

  /** Its rows are gone, and nobody has closed it. */
  lost(failure: QueryFailure): void {
    this.#result = undefined
    this.status = 'ERROR'
    this.failure = failure
  }

  /** Gives up what runs and what there is of rows; what was asked and how it ended stays. */
  close(): void {
    if (this.isUnderWay) {
      this.cancelled = true
      this.status = 'CANCELED'
      this.#stop?.()
    } else if (this.status === 'FINISHED') {
      this.status = 'CLOSED'
      this.#result?.close()
      this.#result = undefined
    }
  }
}
