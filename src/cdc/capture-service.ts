/**
 * Change data capture as the rest of the service sees it. A connection captures tables of one database into streams, one
 * stream a table. `captures.ts` implements it.
 */
import type { LogId } from '../../storage/log.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import type { CapturedTable, TableName } from './captured-table.ts'

/** A moment of the database: a commit, or a later position at which nothing more was committed. */
export interface Moment {
  /** Position in the write-ahead log: the end of the commit. */
  readonly lsn: bigint
  /** Of the last transaction; undefined before the first that was seen. */
  readonly txId: number | undefined
  /** Time of its commit. */
  readonly timestampMs: number
}

/**
 * The streams of a connection hold exactly the changes up to `moment` in the events before these sequences. Between two writes
 * of capture every stream ends at such a boundary.
 */
export interface Boundary extends Moment {
  /** Of each captured table: the log of its stream, and the sequence after its last event of this boundary. */
  readonly ends: readonly { readonly table: TableName; readonly log: LogId; readonly nextSequence: number }[]
}

export type ConnectionStatus =
  | 'new'
  | 'snapshotting'
  | 'running'
  | 'retrying'
  | 'failed'
  | 'deleting'
  | 'deleted'

/** Never contains the connection string or a password. */
export interface ConnectionView {
  /** From 1; connections and queries share one counter. */
  readonly id: number
  readonly namespace: NamespaceName
  /** `environmentId`: first part of the names of its streams. */
  readonly name: string
  readonly status: ConnectionStatus
  /** `postgres://app:***@db:5432/shop` */
  readonly database: string
  readonly slot: string
  readonly publication: string
  readonly tables: readonly TableName[]
  /** Confirmed position; undefined before the first. */
  readonly lsn: bigint | undefined
  /** Position of the server's log minus `lsn`; undefined where it is not known. */
  readonly lagBytes: number | undefined
  readonly lastCommitMs: number | undefined
  readonly snapshot: { readonly done: boolean; readonly tables: number; readonly rows: number }
  readonly reconnects: number
  /** What keeps it from running, and what to do about it. */
  readonly error: string | undefined
  readonly createdMs: number
  /** After `delete`: whether the slot is gone from the server. */
  readonly slotDropped: boolean
}

export interface NewConnection {
  readonly namespace: NamespaceName
  readonly name: string
  readonly connectionString: string
  /** `*`: all with a key. Undefined: none yet. */
  readonly tables?: '*' | readonly TableName[]
}

export type CaptureErrorCode =
  | 'invalid_connection_string'
  | 'no_primary_key'
  | 'not_found'
  | 'conflict'
  | 'database_unreachable'
  | 'database_rejected'
  | 'replication_not_enabled'
  | 'insufficient_privilege'
  | 'no_free_slot'
  | 'schema_mismatch'
  | 'limit'

/** The message says what was got, what was wanted and what to do. It never contains a secret. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError'
  readonly code: CaptureErrorCode

  constructor(code: CaptureErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Called after each durable write of capture, after each change of a status, and when the moment moves without changes. */
export type CaptureListener = (connectionId: number) => void

export interface CaptureService {
  /** Connections that are not deleted. */
  list(): readonly ConnectionView[]
  get(id: number): ConnectionView | undefined
  find(namespace: NamespaceName, name: string): ConnectionView | undefined
  /**
   * Whether the connection string leads to the database of the connection: host, port and database are compared. Throws CaptureError
   * 'invalid_connection_string'.
   */
  isSameDatabase(id: number, connectionString: string): boolean
  /**
   * Creates a connection, or returns the present one if the string leads to the same database; then a user and a password that
   * work replace the old ones. Rejects with CaptureError; then there is no slot and no publication that was not there before.
   */
  create(connection: NewConnection): Promise<ConnectionView>
  /**
   * The tables as the database has them now, for a connection string whose database was or was not captured before. Names that do
   * not exist are missing in the answer. Rejects with CaptureError.
   */
  describe(connectionString: string, tables: readonly TableName[]): Promise<readonly DescribedTable[]>
  /** Adds tables to a connection and begins their snapshot. Resolves when the publication has them. Rejects with CaptureError. */
  addTables(id: number, tables: readonly TableName[]): Promise<readonly CapturedTable[]>
  /** The captured tables of a connection with their streams. */
  captured(id: number): readonly CapturedStream[]
  /**
   * Drops slot and publication. With `purge` the streams, too. Resolves with the last view. A user and a password of
   * `connectionString` that work are used instead of the old ones.
   */
  delete(
    id: number,
    options: { readonly purge: boolean; readonly connectionString?: string },
  ): Promise<ConnectionView>
  /**
   * The newest boundary; waits for a write that is being made. Undefined while a snapshot of one of these tables is not
   * complete.
   */
  boundary(id: number, tables: readonly TableName[]): Promise<Boundary | undefined>
  /** Returns the function that ends the listening. */
  listen(listener: CaptureListener): () => void
  /** A new id for a connection or a query, durable before it is used. */
  newId(): Promise<number>
  /** Begins to capture. Call it when the service answers requests. */
  start(): void
  close(): Promise<void>
}

export interface CapturedStream {
  readonly table: CapturedTable
  readonly stream: StreamId
  /** All rows of the table are in the stream. False also while a new snapshot is made after the loss of a slot. */
  readonly snapshotDone: boolean
  /** Why the table cannot be captured any more, and the columns that are the cause; empty: the whole table. */
  readonly lost: { readonly message: string; readonly columns: readonly string[] } | undefined
}

/** A table of the database, whether it can be captured or not. */
export interface DescribedTable extends TableName {
  /** Undefined if it cannot be captured; then `problem` says why, and what to do. */
  readonly captured: CapturedTable | undefined
  readonly problem: { readonly code: CaptureErrorCode; readonly message: string } | undefined
  /** Collation of the database, for warnings: `C`, `en_US.UTF-8`. */
  readonly collation: string
}
