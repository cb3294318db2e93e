/** One query from its submission until it is forgotten. */
import type { ClientKey } from '../fair-share.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { type BadEvents, NO_BAD_EVENTS } from './bad-events.ts'
import type { ResultColumn } from './hive-types.ts'
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

export interface QueryAbout {
  /** Undefined for a question about all namespaces. */
  readonly namespace: NamespaceName | undefined
  readonly statement: string
  readonly streams: readonly StreamId[]
  /** Whose share it is part of. */
  readonly client: ClientKey
  /** The token that submitted it, by its hash; undefined where nobody is asked for one. */
  readonly owner: string | undefined
  readonly columns: readonly ResultColumn[]
  readonly nowMs: number
}

export class Query {
  readonly handle: QueryHandle
  readonly namespace: NamespaceName | undefined
  readonly statement: string
  readonly createdMs: number
  readonly streams: readonly StreamId[]
  readonly client: ClientKey
  readonly owner: string | undefined
  readonly columns: readonly ResultColumn[]
  status: QueryStatus = 'INITIALIZED'
  failure: QueryFailure | undefined
  badEvents: BadEvents = NO_BAD_EVENTS
  /** Rows that `next` has handed out. */
  handedOut = 0
  /** When somebody last asked for it. */
  touchedMs: number
  #result: Result | undefined
  /** Makes what waits or runs end. */
  #stop: (() => void) | undefined

  constructor(handle: QueryHandle, about: QueryAbout) {
    this.handle = handle
    this.namespace = about.namespace
    this.statement = about.statement
    this.streams = about.streams
    this.client = about.client
    this.owner = about.owner
    this.columns = about.columns
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

  waits(stop: () => void): void {
    this.status = 'INITIALIZED'
    this.#stop = stop
  }

  runs(stop: () => void): void {
    this.status = 'RUNNING'
    this.#stop = stop
  }

  /** The result is closed if nobody waits for it any more. */
  finished(result: Result): void {
    this.#stop = undefined
    if (this.isUnderWay) {
      this.#result = result
      this.status = 'FINISHED'
    } else {
      result.close()
    }
  }

  /** Does nothing to a query that has ended. */
  failed(failure: QueryFailure): void {
    this.#stop = undefined
    if (!this.isUnderWay) return
    this.failure = failure
    this.status = 'ERROR'
  }

  /** Ends it for a reason that its client is told: it runs too long, or its place is needed. */
  end(failure: QueryFailure): void {
    const stop = this.#stop
    const result = this.#result
    this.#stop = undefined
    this.#result = undefined
    this.failure = failure
    this.status = 'ERROR'
    stop?.()
    result?.close()
  }

  /** Gives up what runs and what there is of rows; what was asked and how it ended stays. */
  close(): void {
    const stop = this.#stop
    this.#stop = undefined
    if (this.isUnderWay) {
      this.status = 'CANCELED'
      stop?.()
    } else if (this.status === 'FINISHED') {
      this.status = 'CLOSED'
      this.#result?.close()
      this.#result = undefined
    }
  }
}
