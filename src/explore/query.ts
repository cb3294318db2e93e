/** One query, from its submission until it is removed. */

import type { SqlState } from '../duckdb/sql-error.ts'
import type { ClientKey } from '../fair-share.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import { type BadEvents, NO_BAD_EVENTS } from './bad-events.ts'
import type { ResultColumn } from './hive-types.ts'
import type { QueryHandle } from './query-handle.ts'
import type { Result } from './result.ts'

export type QueryStatus =
  | 'INITIALIZED' // waiting for a permit
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
  /** Undefined for a JDBC metadata request, which covers all namespaces. */
  readonly namespace: NamespaceName | undefined
  readonly statement: string
  readonly streams: readonly StreamId[]
  /** The client whose share the query uses. */
  readonly client: ClientKey
  /** The hash of the token that submitted it; undefined if no tokens are required. */
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
  /** Number of rows that `next` has returned. */
  handedOut = 0
  /** Time of the last request for the query. */
  touchedMs: number
  #result: Result | undefined
  /** Cancels the query while it waits or runs. */
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

  /** Whether the query waits, runs, or has rows. */
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

  /** Closes the result if the query was ended before. */
  finished(result: Result): void {
    this.#stop = undefined
    if (this.isUnderWay) {
      this.#result = result
      this.status = 'FINISHED'
    } else {
      result.close()
    }
  }

  /** Has no effect on a query that has ended. */
  failed(failure: QueryFailure): void {
    this.#stop = undefined
    if (!this.isUnderWay) return
    this.failure = failure
    this.status = 'ERROR'
  }

  /** Ends the query with a failure that its client sees: it ran too long, or another client needs its capacity. */
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

  /** Cancels the query and drops its rows; the statement and the status stay. */
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
