/** Slot and publication of a connection when it is started, and while it runs. */
import { type CapturedTable, printedTable, type TableName } from '../captured-table.ts'
import { lsnOf, printedLsn } from '../lsn.ts'
import { CaptureProblem, SlotLost } from './capture-problem.ts'
import type { CaptureStart } from './capture-protocol.ts'
import type { DatabaseSession, SessionLimits } from './database-session.ts'
import { dropSlot, makePublication, makeSlot, publishTables } from './preparation.ts'
import { type LostTable, lostTables } from './table-checks.ts'

/** A row of pg_replication_slots: versions have different columns. */
interface SlotRow {
  readonly plugin: string
  readonly confirmed_flush_lsn: string | null
  readonly wal_status?: string
  readonly invalidation_reason?: string | null
  readonly conflicting?: boolean | null
}

/**
 * The slot from which the stream begins. `isAgain`: all tables are read again, so it may be a new one. Rejects with SlotLost if it
 * does not have everything that was committed after `durableLsn`.
 */
export async function checkSlot(
  session: DatabaseSession,
  { slot, publication }: CaptureStart,
  limits: SessionLimits,
  durableLsn: bigint,
  isAgain: boolean,
): Promise<{ readonly confirmedLsn: bigint }> {
  const [server] = await session.query('SELECT pg_is_in_recovery()')
  if (server![0] === 't') {
    throw new CaptureProblem(
      'database_unreachable',
      'the server is a standby; its primary is waited for',
      true,
    )
  }
  let found = await slotRow(session, slot)
  let loss = lossOf(found, slot)
  const [published] = await session.query('SELECT FROM pg_publication WHERE pubname = $1', [publication])
  if (published === undefined) loss ??= `publication ${publication} is gone`
  if (loss !== undefined) {
    if (!isAgain) throw new SlotLost(`${loss}; all tables are read again`)
    await dropSlot(session, slot)
    await makePublication(session, publication)
    await makeSlot(session, { slot }, limits, true)
    found = await slotRow(session, slot)
  }
  const [position] = await session.query('SELECT pg_current_wal_lsn()')
  if (lsnOf(position![0]!) < durableLsn) {
    throw new SlotLost(
      `the server is at ${position![0]}, but ${printedLsn(durableLsn)} was captured: it was restored; all tables are read again`,
    )
  }
  return { confirmedLsn: lsnOf(found!.confirmed_flush_lsn!) }
}

function lossOf(row: SlotRow | undefined, slot: string): string | undefined {
  if (row === undefined || row.confirmed_flush_lsn === null) return `replication slot ${slot} is gone`
  if (row.wal_status === 'lost') {
    return `replication slot ${slot} is lost: the server has removed its part of the log (max_slot_wal_keep_size)`
  }
  if (row.invalidation_reason || row.conflicting) {
    return `replication slot ${slot} was invalidated: ${row.invalidation_reason ?? 'conflict'}`
  }
  return undefined
}

async function slotRow(session: DatabaseSession, slot: string): Promise<SlotRow | undefined> {
  const [row] = await session.query(
    `SELECT to_json(s) FROM pg_replication_slots s
     WHERE slot_name = $1 AND plugin = 'pgoutput' AND database = current_database()`,
    [slot],
  )
  return row && (JSON.parse(row[0]!) as SlotRow)
}

/** Position of the server's log. Rejects with SlotLost if the slot is. */
export async function serverPosition(session: DatabaseSession, slot: string): Promise<bigint> {
  const row = await slotRow(session, slot)
  const loss = lossOf(row, slot)
  if (loss !== undefined) throw new SlotLost(`${loss}; all tables are read again`)
  const [position] = await session.query('SELECT pg_current_wal_lsn()')
  return lsnOf(position![0]!)
}

/**
 * Compares the tables with the catalog and the publication; puts back those that are missing in it. `publishing` is called before, and makes
 * durable that their changes may be missing: after a crash the publication has them.
 */
export async function prepareTables(
  session: DatabaseSession,
  { tables, publication }: CaptureStart,
  publishing: (tables: readonly CapturedTable[]) => Promise<void>,
): Promise<{
  readonly kept: readonly CapturedTable[]
  /** Were not in the publication, so changes of them may be missing in the stream. */
  readonly published: readonly TableName[]
  readonly lost: readonly LostTable[]
}> {
  const lost = await lostTables(session, tables)
  const kept = tables.filter((table) => !lost.some((each) => each.table === table))
  const rows = await session.query(
    'SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1',
    [publication],
  )
  const present = new Set(rows.map(([schema, table]) => printedTable({ schema: schema!, table: table! })))
  const missing = kept.filter((table) => !present.has(printedTable(table)))
  if (missing.length > 0) await publishing(missing)
  await publishTables(session, publication, missing)
  return { kept, published: missing, lost }
}
