/** A connection as the rest of the service sees it. */
import type { ConnectionStatus, ConnectionView } from './capture-service.ts'
import { type ConnectionRecord, isLost } from './connection-record.ts'
import type { LiveConnection } from './live-connection.ts'

/** `ending`: what its deletion has come to. */
export function viewOf(
  record: ConnectionRecord,
  live: LiveConnection,
  ending?: {
    readonly status: 'deleting' | 'deleted'
    readonly slotDropped: boolean
    readonly error?: string | undefined
  },
): ConnectionView {
  const { id, namespace, name, database, slot, publication, createdMs } = record
  const { figures, writes, idleLsn } = live
  const { position } = writes
  const durableLsn = position?.lsn == null ? undefined : later(BigInt(position.lsn), idleLsn)
  const confirmedLsn = BigInt(figures?.confirmedLsn ?? 0)
  const lsn = confirmedLsn === 0n ? durableLsn : confirmedLsn
  const serverLsn = figures?.serverLsn === undefined ? undefined : BigInt(figures.serverLsn)
  const present = record.tables.filter((table) => !isLost(table))
  const done = isSnapshotDone(record, live)
  return {
    ...{ id, namespace, name, database, slot, publication, createdMs, lsn },
    status: ending?.status ?? statusOf(live, done),
    tables: present.map(({ schema, table }) => ({ schema, table })),
    lagBytes: lsn === undefined || serverLsn === undefined ? undefined : Number(later(0n, serverLsn - lsn)),
    lastCommitMs: position?.lsn == null ? undefined : position.timestampMs,
    snapshot: {
      done,
      tables: figures?.snapshotTables ?? present.filter(({ captured }) => captured !== undefined).length,
      rows: figures?.snapshotRows ?? 0,
    },
    reconnects: live.reconnects,
    error: ending === undefined ? (live.failure?.message ?? record.renewing) : ending.error,
    slotDropped: ending?.slotDropped ?? false,
  }
}

/** All tables of the connection have all their rows in their streams. */
function isSnapshotDone(
  { tables, renewing }: ConnectionRecord,
  { writes: { position } }: LiveConnection,
): boolean {
  if (renewing !== undefined || (position?.snapshotting.length ?? 0) > 0) return false
  const wanted = tables.filter((table) => !isLost(table))
  return (
    wanted.every(({ captured }) => captured !== undefined) && (wanted.length === 0 || position?.lsn != null)
  )
}

/** The process reports that it streams while a table that was added later is still copied. */
function statusOf({ state }: LiveConnection, isDone: boolean): ConnectionStatus {
  return state === 'running' && !isDone ? 'snapshotting' : state
}

function later(one: bigint, other: bigint | undefined): bigint {
  return other === undefined || one > other ? one : other
}
