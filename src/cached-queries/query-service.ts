/**
 * Cached queries as APIs see them: queries over captured tables, their present rows and the changes of these rows.
 * `cached-queries.ts` implements it.
 *
 * Methods reject with CaptureError for what the database or the connection refuses and for what does not exist ('not_found'), with
 * QueryProblem for schema and SQL, and with ServiceError. A call that rejects leaves nothing that was not there before.
 */
import type { ConnectionView, Moment } from '../cdc/capture-service.ts'
import type { TableName } from '../cdc/captured-table.ts'
import type { JobState } from '../jobs/job.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import type { ResultColumn } from '../jobs/plan/query-plan.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'

export type QueryStatus = 'new' | 'snapshotting' | 'running' | 'retrying' | 'failed'

/** Never contains a connection string. */
export interface QueryView {
  readonly id: number
  readonly namespace: NamespaceName
  /** `env1-q2` */
  readonly name: string
  readonly status: QueryStatus
  /** Id of its connection. */
  readonly connection: number
  /** Of the changes of its result. Reading the query needs `read` on this stream. */
  readonly stream: StreamId
  readonly jid: JobId
  readonly columns: readonly ResultColumn[]
  /** Names of the members of a row's key; empty if the result has one row. */
  readonly primaryKey: readonly string[]
  readonly sqlQuery: string
  readonly warnings: readonly string[]
  /** Number of rows; undefined until the first result in this process. So are `asOf` and `lastRefreshMs`. */
  readonly rows: number | undefined
  /** The rows are the answer of the query at this moment. */
  readonly asOf: Moment | undefined
  readonly lastRefreshMs: number | undefined
  /** What keeps it from following the database, and what to do about it. */
  readonly error: QueryError | undefined
  readonly createdMs: number
}

export interface QueryError {
  /** `schema_mismatch`, `result_too_large`, `job_failed`, or a code of CaptureError. */
  readonly code: string
  readonly message: string
}

/** A connection, chosen by clients by its name; the connection string must lead to its database. */
export interface ConnectionRequest {
  readonly namespace: NamespaceName
  /** `environmentId` */
  readonly name: string
  readonly connectionString: string
}

export interface NewConnectionRequest extends ConnectionRequest {
  readonly tables?: '*' | readonly TableName[]
}

export interface NewQueryRequest extends ConnectionRequest {
  /** Text of a Prisma schema. */
  readonly schema: string
  readonly sqlQuery: string
}

export interface ConnectionStatusView {
  readonly connection: ConnectionView
  /** Those that have not ended, and those that failed. */
  readonly jobs: readonly { readonly jid: JobId; readonly name: string; readonly state: JobState }[]
  readonly queries: readonly QueryView[]
}

export interface DeletedConnection {
  /** Status `deleted`, or `deleting` while its slot is still on the server. */
  readonly connection: ConnectionView
  /** Ids of its queries, which are deleted with it. */
  readonly queries: readonly number[]
}

/** JSON texts, one for each column of `columns`: no digit is lost. */
export type RowTexts = readonly string[]

export interface RowsRequest {
  readonly limit: number
  readonly offset: number
  /** A further page of the answer as of this moment: as in `Link`. */
  readonly lsn?: bigint
  /** Waits until `asOf` has reached this position, for 10 s at most. */
  readonly atLeast?: bigint
  readonly signal: AbortSignal
}

/** Rows of one answer. `asOf.lsn` is the ETag. */
export interface RowsPage {
  /** At the same moment as the rows. */
  readonly query: QueryView
  readonly rows: readonly RowTexts[]
  /** Of the whole answer. */
  readonly total: number
  readonly asOf: Moment
  /** Where the next page begins; undefined if this is the last one. */
  readonly next: { readonly lsn: bigint; readonly offset: number } | undefined
}

export type QueryItem =
  /** The whole result: the first item, or again where the changes since the cursor are not known any more. */
  | {
      readonly event: 'rows'
      readonly rows: readonly RowTexts[]
      readonly asOf: Moment
      readonly cursor: string
    }
  | {
      readonly event: 'change'
      readonly op: 'c' | 'u' | 'd'
      /** JSON object: `{"region_code":"south"}` */
      readonly key: string
      readonly before: RowTexts | undefined
      readonly after: RowTexts | undefined
    }
  /** Ends the changes of a refresh. `changes` is their number. */
  | { readonly event: 'commit'; readonly asOf: Moment; readonly changes: number; readonly cursor: string }
  | { readonly event: 'status'; readonly status: QueryStatus; readonly error: QueryError | undefined }
  /** The last item. The query or its connection was deleted, or the service stops. */
  | {
      readonly event: 'end'
      readonly reason: 'deleted' | 'shutdown'
      readonly cursor: string | undefined
    }

export interface ChangesRequest {
  /** Cursor of an item that the client has. Throws ServiceError 'invalid_cursor' if it is none. */
  readonly after?: string
  /** Ends the iteration without an item. */
  readonly signal: AbortSignal
  /** Called if the client takes an item so slowly that slow clients hold too much memory: end its connection. */
  readonly tooSlow?: () => void
}

export interface QueryService {
  /**
   * Creates a connection, or returns the present one if the string leads to the same database. Rejects with CaptureError, and
   * ServiceError 'namespace_not_found'.
   */
  createConnection(request: NewConnectionRequest): Promise<ConnectionView>
  /**
   * Creates a query, and its connection if there is none. The same SQL on the same connection is the same query: white space,
   * comments and the letter case of key words do not count.
   */
  createQuery(request: NewQueryRequest, owner: JobOwner): Promise<QueryView>
  /** Cancels its jobs, deletes its queries, drops slot and publication. `purge` deletes the streams, too. */
  deleteConnection(
    request: ConnectionRequest,
    options: { readonly purge: boolean },
  ): Promise<DeletedConnection>
  /** Rejects with CaptureError 'not_found' also if the string leads to another database. */
  check(request: ConnectionRequest): Promise<ConnectionStatusView>
  /**
   * Moves `asOf` of a query, of those of a connection, or of all, to the newest moment, if nothing that they read has changed. Views
   * that are made without it may show an earlier one.
   */
  advance(of?: { readonly query?: number; readonly connection?: number }): Promise<void>
  connections(): readonly ConnectionStatusView[]
  /** Throws CaptureError 'not_found'. So do the others that have the id of a query. */
  connection(id: number): ConnectionStatusView
  queries(): readonly QueryView[]
  query(id: number): QueryView
  /** Returns the last view. The stream of the result stays, but with `purge`. */
  deleteQuery(id: number, options: { readonly purge: boolean }): Promise<QueryView>
  /**
   * A page of the rows at one moment. Rejects with ServiceError 'query_not_ready' before the first result, 'not_yet' if `atLeast`
   * was not reached in time, and CaptureError 'conflict' if the answer of `lsn` is not kept any more.
   */
  rows(id: number, request: RowsRequest): Promise<RowsPage>
  /**
   * The rows, or the changes since a cursor, then each further change as it is published. Before the first result it waits. Items
   * are bounded in memory: a reader that is too slow gets `rows` again.
   */
  changes(id: number, request: ChangesRequest): AsyncIterable<QueryItem>
}
