/** A change of a row, of which events are made. */
import type { RowBytes } from './row-bytes.ts'

export type SnapshotMark =
  | 'first'
  | 'first_in_data_collection'
  | 'true'
  | 'last_in_data_collection'
  | 'last'
  | 'false'

export interface RowChange {
  /** r: row of a snapshot, c: insert, u: update, d: delete, t: truncate. */
  readonly op: 'r' | 'c' | 'u' | 'd' | 't'
  /** Of u and d, in the order of `table.columns`. A value that was not sent is NULL. */
  readonly before?: RowBytes | undefined
  /** Of r, c and u. */
  readonly after?: RowBytes | undefined
  readonly snapshot: SnapshotMark
  /** Of the change; of a row of a snapshot that of the snapshot. */
  readonly lsn: bigint
  /** Of the last commit that was seen before; null: none. */
  readonly lastCommitLsn: bigint | null
  readonly txId: number
  /** Microseconds since 1970: commit of the transaction, or start of the snapshot. */
  readonly commitUs: bigint
  /** Nanoseconds since 1970. */
  readonly processedNs: bigint
}

export interface EventSource {
  /** First part of the names of the streams. */
  readonly environment: string
  readonly database: string
  /** `0.3.0`, of this service. */
  readonly version: string
}
