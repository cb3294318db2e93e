/**
 * Changes of a table as events: the envelope of Debezium in JSON, the key, and a tombstone after each delete.
 */
import type { CapturedTable } from '../captured-table.ts'
import type { CapturedEvents } from '../worker/capture-protocol.ts'

/** A row: PostgreSQL's texts of its values, in the order of `table.columns`. */
export type RowTexts = readonly (string | null)[]

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
  /** Of u and d. */
  readonly before?: RowTexts
  /** Of r, c and u. */
  readonly after?: RowTexts
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

export class TableEvents {
  readonly #table: CapturedTable

  constructor(table: CapturedTable, _source: EventSource) {
    this.#table = table
  }

  /** Bytes of the bodies since the last `take`. */
  get byteLength(): number {
    return 0
  }

  /** Adds the events of a change. An update with another key is a delete, a tombstone and an insert. */
  add(_change: RowChange): void {
    throw new Error(`${this.#table.table}: not there yet`)
  }

  /** The events since the last call; undefined if there are none. Their bytes are a copy of their own. */
  take(): CapturedEvents | undefined {
    return undefined
  }
}
