/**
 * The documents of a connection.
 *
 *   connections/<id>           what it is: ConnectionRecord
 *   connection-positions/<id>  how far its events are durable: StoredPosition. Written with the events, on the condition that it is
 *                              the one that was read
 *   connection-ids/last        the last id given to a connection or a query, a number
 *   left-streams/<namespace>:<stream>   the end of a stream whose connection is deleted, so that a connection that is made again
 *                              knows that only its own events are in it: {"log", "nextSequence"}
 */
import type { CatalogChange } from '../../storage/catalog.ts'
import type { LogId } from '../../storage/log.ts'
import { type NamespaceName, type StreamId, type StreamName, streamKey } from '../streams/names.ts'
import type { CapturedTable, TableName } from './captured-table.ts'
import type { SnapshotProgress } from './worker/capture-protocol.ts'

export const CONNECTIONS = 'connections'
export const POSITIONS = 'connection-positions'
export const IDS = 'connection-ids'
export const LAST_ID = 'last'
export const LEFT_STREAMS = 'left-streams'

export interface ConnectionRecord {
  readonly id: number
  readonly namespace: NamespaceName
  readonly name: string
  /** `postgres://app:***@db:5432/shop` */
  readonly database: string
  readonly slot: string
  readonly publication: string
  /** The connection string, encrypted with the id as its owner. */
  readonly sealed: string
  readonly createdMs: number
  /** Slot and publication have been made. They may be there before. */
  readonly prepared: boolean
  readonly tables: readonly RecordedTable[]
  /** The slot was lost, with this message, and the new snapshot is not complete. */
  readonly renewing?: string | undefined
  readonly deleting?: Deleting | undefined
}

export interface RecordedTable extends TableName {
  readonly stream: StreamName
  /** Missing until the publication has the table. */
  readonly captured?: CapturedTable | undefined
  /** With columns: the table is captured without them, or with another type. Without: it is not captured any more. */
  readonly lost?: Loss | undefined
}

export interface Loss {
  readonly message: string
  readonly columns: readonly string[]
}

export interface Deleting {
  readonly sinceMs: number
  readonly purge: boolean
  /** Its streams are ordinary ones, or deleted. */
  readonly released: boolean
}

export interface StoredPosition {
  /** Counts the writes, so that two writers cannot take each other's for their own. */
  readonly number: number
  /** As decimal text; null: a new snapshot begins. */
  readonly lsn: string | null
  readonly txId: number | null
  readonly timestampMs: number
  readonly progress: SnapshotProgress
  readonly snapshotting: readonly TableName[]
}

export interface LeftStream {
  readonly log: LogId
  readonly nextSequence: number
}

export function ownerOf(id: number): string {
  return `connection ${id}`
}

export function recordChange(record: ConnectionRecord): CatalogChange {
  return { collection: CONNECTIONS, id: documentId(record.id), document: record }
}

export function removalChanges({ id }: ConnectionRecord): CatalogChange[] {
  return [CONNECTIONS, POSITIONS].map((collection) => ({
    ...{ collection, id: documentId(id), document: undefined },
  }))
}

export function positionChange(id: number, position: StoredPosition): CatalogChange {
  return { collection: POSITIONS, id: documentId(id), document: position }
}

export function leftStreamChange(id: StreamId, left: LeftStream | undefined): CatalogChange {
  return { collection: LEFT_STREAMS, id: streamKey(id), document: left }
}

export function documentId(id: number): string {
  return String(id)
}

export function isSameTable(one: TableName, other: TableName): boolean {
  return one.schema === other.schema && one.table === other.table
}

/** The table is not captured any more. */
export function isLost({ lost }: RecordedTable): boolean {
  return lost !== undefined && lost.columns.length === 0
}
