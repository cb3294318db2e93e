/**
 * The messages between the service and the capture process, which holds the connections to databases.
 *
 *   service -> capture   call (describe, prepare, start, addTables, stop, drop) · reply
 *   capture -> service   answer, refusal · request (write) · report; in one order, see capture-frames.ts
 *
 * A call of the service has a number and one answer; a request of the capture process likewise, in the other direction.
 */
import type { HeadedEvents } from '../../../storage/log.ts'
import type { CaptureErrorCode, DescribedTable } from '../capture-service.ts'
import type { CapturedTable, TableName } from '../captured-table.ts'

/** How to reach a database. Secrets stay in these messages. */
export interface CaptureTarget {
  readonly connectionString: string
  readonly slot: string
  readonly publication: string
}

/**
 * Progress of the snapshots of a connection, stored by the service with the events. JSON; only the capture process reads it. The
 * service keeps it, too, when the slot is lost: it says which streams begin with rows that a new snapshot replaces.
 */
export type SnapshotProgress = unknown

/** Where a connection goes on. */
export interface CaptureStart extends CaptureTarget {
  readonly connectionId: number
  /** `environmentId` */
  readonly name: string
  /** Tables of the connection, as they were captured last. */
  readonly tables: readonly CapturedTable[]
  /** End of the last transaction whose events are durable, as decimal text; undefined before the first. */
  readonly durableLsn: string | undefined
  readonly progress: SnapshotProgress
  /** Of `tables`: their streams hold events. A snapshot of such a table begins with an event `t`, so that rows of before are gone. */
  readonly filled: readonly TableName[]
  /** For the last rows of the tables. It exists. */
  readonly folder: string
  readonly version: string
}

/** Events of one stream in a write, in the form in which the log takes them. */
export interface CapturedEvents extends HeadedEvents {
  readonly table: TableName
}

/**
 * One or more whole transactions of the database, or a part of a snapshot. Large ones come in several messages of about 1 MiB with
 * the same `write`; only the last one has `commit`, and then all become durable together with it. Parts without their commit are
 * discarded when the attempt ends: each `start` counts its writes from 1.
 */
export interface CaptureWrite {
  readonly connectionId: number
  readonly write: number
  readonly events: readonly CapturedEvents[]
  readonly commit?: CaptureCommit
}

export interface CaptureCommit {
  /** End of the last transaction, as decimal text. */
  readonly lsn: string
  readonly txId: number | undefined
  /** Of its commit. */
  readonly timestampMs: number
  readonly progress: SnapshotProgress
  /**
   * Tables whose streams do not hold the rows as of `lsn`: their snapshot is not complete, or the snapshot is of a later position
   * than `lsn`. No boundary has them.
   */
  readonly snapshotting: readonly TableName[]
  /** Changes of tables that hold from this write on: a column was added, a type was widened. */
  readonly tables?: readonly CapturedTable[]
}

export type CaptureReport =
  | { readonly kind: 'state'; readonly state: 'snapshotting' | 'running' }
  /** Ends the attempt; the service starts the connection again if `passing`. */
  | {
      readonly kind: 'failed'
      readonly passing: boolean
      readonly code: CaptureErrorCode
      readonly message: string
    }
  /**
   * The slot is gone. The service stores a mark, then calls `start` again without `durableLsn` and with the stored `progress`: a new
   * slot is made, and the stream of each table gets a `t` and its rows again. Until then all snapshots count as not complete.
   */
  | { readonly kind: 'slot-lost'; readonly message: string }
  /**
   * With `columns`: these columns were dropped, renamed or retyped; the table goes on without them, or with their new type, as the
   * `tables` of the next write says. Without: the table cannot be captured any more: dropped, renamed, no key. It is not in the
   * publication any more. The others go on.
   */
  | {
      readonly kind: 'table-lost'
      readonly table: TableName
      readonly message: string
      readonly columns: readonly string[]
    }
  /** Nothing was committed up to this position; it is confirmed to the server. At most once a second. */
  | { readonly kind: 'idle'; readonly lsn: string }
  | {
      readonly kind: 'figures'
      readonly serverLsn: string | undefined
      readonly confirmedLsn: string | undefined
      readonly snapshotTables: number
      readonly snapshotRows: number
      readonly snapshotDone: boolean
    }

/** What the capture process does for the service. Each rejects with a CaptureRefusal. */
export interface CaptureCalls {
  /** Facts of the database and these tables. Connects with a time limit of 10 s. Changes nothing. `*`: all that can be captured. */
  describe(connectionString: string, tables: '*' | readonly TableName[]): Promise<readonly DescribedTable[]>
  /**
   * Checks rights and settings, and makes slot and publication if they are not there. On an error nothing is left that was not there
   * before. 'conflict': a slot or publication of this name is not ours.
   */
  prepare(target: CaptureTarget): Promise<void>
  /** Starts to capture. Resolves when the connection is being opened; what happens then is a report. */
  start(start: CaptureStart): Promise<void>
  /**
   * Adds tables to the publication of a running connection, and begins their snapshot. May be called again for a table that is in the
   * publication already. `filled`: as in CaptureStart, of these tables.
   */
  addTables(
    connectionId: number,
    tables: readonly TableName[],
    filled: readonly TableName[],
  ): Promise<readonly CapturedTable[]>
  /** Ends the connection; slot and publication stay. Resolves when nothing of it runs any more. */
  stop(connectionId: number): Promise<void>
  /** Drops slot and publication. Succeeds if they are gone already. */
  drop(target: CaptureTarget): Promise<void>
}

/** What the service does for the capture process. */
export interface CaptureRequests {
  /** Resolves when the part is taken, with a `commit` when everything is durable. Writes of a connection are in order. */
  write(write: CaptureWrite): Promise<void>
}

export interface CaptureRefusal {
  readonly code: CaptureErrorCode | 'internal'
  readonly message: string
}

export type ToCapture =
  | {
      readonly kind: 'call'
      readonly call: number
      readonly method: keyof CaptureCalls
      readonly args: readonly unknown[]
    }
  | { readonly kind: 'reply'; readonly request: number; readonly failure?: { readonly message: string } }

export type FromCapture =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly refusal: CaptureRefusal }
  | {
      readonly kind: 'request'
      readonly requested: number
      readonly method: keyof CaptureRequests
      readonly args: readonly unknown[]
      /** Set where it arrives: call it when its bytes are used no more. */
      readonly release?: () => void
    }
  | { readonly kind: 'report'; readonly connectionId: number; readonly report: CaptureReport }
