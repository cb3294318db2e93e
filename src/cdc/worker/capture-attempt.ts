/**
 * What all parts of one attempt share: its settings, the sessions and the row store that are open, and its end. An attempt ends when it is
 * stopped, or with the first error that a part of it reports; then it stops waiting for the stream and for the snapshot.
 */
import type { TableName } from '../captured-table.ts'
import type { CaptureReport, CaptureStart } from './capture-protocol.ts'
import type { ChangeStream } from './change-stream.ts'
import { type DatabaseAddress, databaseAddressOf } from './database-address.ts'
import type { DatabaseSession, SessionLimits } from './database-session.ts'
import type { KeptRows } from './kept-rows.ts'
import type { Snapshot } from './snapshot.ts'

export interface CaptureLimits extends SessionLimits {
  /** Events of this size are sent before their transaction has ended. */
  readonly partBytes: number
  /** Parts of a snapshot become durable in pieces of this size. */
  readonly chunkBytes: number
  /** Positions are confirmed and reported this often. */
  readonly confirmMs: number
  /** The position of an idle database is confirmed this often. */
  readonly idleConfirmMs: number
  /** The tables are compared with the catalog this often. */
  readonly checkMs: number
  /** The stream waits so long for the first snapshot. */
  readonly stallMs: number
}

export interface CaptureAttemptParts {
  readonly start: CaptureStart
  readonly limits: CaptureLimits
  readonly report: (report: CaptureReport) => void
  /** Nanoseconds since 1970. */
  readonly nowNs: () => bigint
}

export class CaptureAttempt {
  readonly start: CaptureStart
  readonly limits: CaptureLimits
  readonly report: (report: CaptureReport) => void
  readonly nowNs: () => bigint
  readonly address: DatabaseAddress
  readonly #abort = new AbortController()
  #failure: unknown
  rows!: KeptRows
  session!: DatabaseSession
  stream!: ChangeStream
  /** While its tables are read. */
  snapshot: Snapshot | undefined

  constructor({ start, limits, report, nowNs }: CaptureAttemptParts) {
    this.start = start
    this.limits = limits
    this.report = report
    this.nowNs = nowNs
    this.address = databaseAddressOf(start.connectionString)
    this.signal.addEventListener('abort', () => this.#interrupt())
  }

  /** Aborted when the attempt is stopped. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The first error with which the attempt ends. */
  get failure(): unknown {
    return this.#failure
  }

  stop(): void {
    this.#abort.abort()
  }

  /** Ends the attempt with this error, whatever it waits for. */
  fail(error: unknown): void {
    this.#failure ??= error
    this.#interrupt()
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The follower of the stream checks again what it waits for. */
  wake(): void {
    this.stream?.wake()
  }

  reportLost({ schema, table }: TableName, message: string, columns: readonly string[] = []): void {
    this.report({ kind: 'table-lost', table: { schema, table }, message, columns })
  }

  #interrupt(): void {
    this.snapshot?.destroy()
    this.wake()
  }
}
