/**
 * A snapshot of the database at a position of its log: a temporary slot exports it, a transaction reads it. Rows are read in the
 * order of their keys, so that reading can go on after the key of a row.
 */

import { type CapturedTable, printedTable, type TableName } from '../captured-table.ts'
import type { RowBytes } from '../events/row-bytes.ts'
import { lsnOf } from '../lsn.ts'
import { CaptureProblem } from './capture-problem.ts'
import { describeTables, quotedTable } from './catalog.ts'
import { readCopyLine } from './copy-text.ts'
import type { DatabaseAddress } from './database-address.ts'
import { DatabaseSession, quotedIdentifier, quotedText, type SessionLimits } from './database-session.ts'

/** The server waits for the transactions that run now; there is no limit of the time that they take. */
const CREATION_MS_MAX = 2_000_000_000
/** Rows that wait while the reader is slow; reading from the server goes on at a quarter. */
const WAITING_ROWS_MAX = 8_192
const WAITING_BYTES_MAX = 4 * 1024 * 1024
const SLOT_CHARACTERS_MAX = 63

export interface SnapshotFacts {
  /** Transactions whose commit begins before this position are visible, others are not. */
  readonly lsn: bigint
  /** The first transaction id that was not in use. */
  readonly txId: number
  /** Of the server's clock. */
  readonly startedUs: bigint
}

export class Snapshot {
  readonly #session: DatabaseSession
  readonly #partitioned = new Set<number>()
  readonly facts: SnapshotFacts

  private constructor(session: DatabaseSession, facts: SnapshotFacts) {
    this.#session = session
    this.facts = facts
  }

  /** Resolves when all transactions have ended that run now. `signal` ends the attempt. Rejects with CaptureProblem. */
  static async take(
    address: DatabaseAddress,
    slot: string,
    limits: SessionLimits,
    signal: AbortSignal,
  ): Promise<Snapshot> {
    const exporting = await DatabaseSession.open(address, limits, { replication: true })
    const abort = () => exporting.destroy()
    signal.addEventListener('abort', abort)
    try {
      if (signal.aborted) throw new CaptureProblem('database_unreachable', 'the snapshot was cancelled', true)
      const suffix = `_copy${exporting.serverPid}`
      const name = slot.slice(0, SLOT_CHARACTERS_MAX - suffix.length) + suffix
      const [made] = await exporting.query(
        `CREATE_REPLICATION_SLOT ${quotedIdentifier(name)} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`,
        [],
        CREATION_MS_MAX,
      )
      const [, point, snapshotName] = made!
      return await Snapshot.#import(address, limits, lsnOf(point!), snapshotName!)
    } finally {
      signal.removeEventListener('abort', abort)
      await exporting.close()
    }
  }

  static async #import(
    address: DatabaseAddress,
    limits: SessionLimits,
    lsn: bigint,
    name: string,
  ): Promise<Snapshot> {
    const session = await DatabaseSession.open(address, limits)
    try {
      await session.query(
        `SELECT set_config(name, '0', false) FROM pg_settings
         WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout', 'lock_timeout')`,
      )
      await session.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      await session.query(`SET TRANSACTION SNAPSHOT ${quotedText(name)}`)
      const [row] = await session.query(
        `SELECT txid_snapshot_xmax(txid_current_snapshot()) & 4294967295, (extract(epoch FROM now()) * 1000000)::bigint`,
      )
      return new Snapshot(session, { lsn, txId: Number(row![0]), startedUs: BigInt(row![1]!) })
    } catch (error) {
      session.destroy()
      throw error
    }
  }

  /**
   * Locks the table, so that its columns stay as they are until `close`, and returns how the snapshot has it. Undefined if it was
   * rewritten, emptied or altered since: then rows that were there would not be seen.
   */
  async lock(
    table: TableName & { readonly oid: number },
    other: DatabaseSession,
  ): Promise<CapturedTable | undefined> {
    await this.#session.query(`LOCK TABLE ${quotedTable(table)} IN ACCESS SHARE MODE`)
    const files = `SELECT string_agg(c.relfilenode::text, ' ' ORDER BY c.oid), bool_or(c.oid = $1::oid AND c.relkind = 'p')
      FROM pg_class c WHERE c.oid = $1::oid OR c.oid IN (SELECT relid FROM pg_partition_tree($1::oid))`
    const [before, now] = await Promise.all([
      this.#session.query(files, [String(table.oid)]),
      other.query(files, [String(table.oid)]),
    ])
    if (before[0]![0] !== now[0]![0]) return undefined
    if (now[0]![1] === 't') this.#partitioned.add(table.oid)
    const [[described], [present]] = await Promise.all([
      describeTables(this.#session, [table]),
      describeTables(other, [table]),
    ])
    if (described?.captured?.oid !== table.oid) return undefined
    return JSON.stringify(described) === JSON.stringify(present) ? described.captured : undefined
  }

  /** Of a locked table: whether there are rows after this key. */
  async hasRows(table: CapturedTable, afterKey: readonly string[] | null): Promise<boolean> {
    const rows = rowsAfter(table, afterKey, this.#partitioned.has(table.oid))
    const [found] = await this.#session.query(`SELECT EXISTS (SELECT ${rows})`)
    return found![0] === 't'
  }

  /** Of a locked table: rows after this key, in the order of the key, with their values in the order of `table.columns`. Rejects with CaptureProblem. */
  async *rows(table: CapturedTable, afterKey: readonly string[] | null): AsyncGenerator<RowLines, void> {
    const batches = new RowBatches(this.#session)
    this.#session.copy(copyStatement(table, afterKey, this.#partitioned.has(table.oid)), batches)
    for (;;) {
      const rows = await batches.next()
      if (rows === undefined) return
      yield rows
    }
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  destroy(): void {
    this.#session.destroy()
  }
}

function copyStatement(
  table: CapturedTable,
  afterKey: readonly string[] | null,
  isPartitioned: boolean,
): string {
  const columns = table.columns.map(({ name }) => quotedIdentifier(name)).join(', ')
  const key = table.key.map(quotedIdentifier).join(', ')
  return `COPY (SELECT ${columns} ${rowsAfter(table, afterKey, isPartitioned)} ORDER BY ${key}) TO STDOUT`
}

/** `FROM` and `WHERE`. */
function rowsAfter(table: CapturedTable, afterKey: readonly string[] | null, isPartitioned: boolean): string {
  // Children by INHERITS are tables of their own.
  const from = `FROM ${isPartitioned ? '' : 'ONLY '}${quotedTable(table)}`
  if (afterKey === null) return from
  const key = table.key.map(quotedIdentifier).join(', ')
  const typeOf = (name: string) => table.columns.find((column) => column.name === name)!.databaseType
  const values = afterKey.map((text, i) => `${quotedText(text)}::${typeOf(table.key[i]!)}`).join(', ')
  return `${from} WHERE (${key}) > (${values})`
}

/** Rows that have arrived. */
class RowLines {
  readonly #buffers: Buffer[] = []
  /** Of each row: where it begins and ends in its buffer. */
  readonly #places: number[] = []
  bytes = 0

  get count(): number {
    return this.#buffers.length
  }

  add(buffer: Buffer, start: number, end: number): void {
    this.#buffers.push(buffer)
    this.#places.push(start)
    this.#places.push(end)
    this.bytes += end - start
  }

  /** May be called once for each row: values are written again in their place. `row` is valid as long as it is kept. */
  read(index: number, row: RowBytes): void {
    readCopyLine(this.#buffers[index]!, this.#places[2 * index]!, this.#places[2 * index + 1]!, row)
  }
}

class RowBatches {
  readonly #session: DatabaseSession
  #rows = new RowLines()
  #isPaused = false
  #ended = false
  #problem: CaptureProblem | undefined
  #wake: () => void = () => {}

  constructor(session: DatabaseSession) {
    this.#session = session
  }

  row(bytes: Buffer, start: number, end: number): void {
    this.#rows.add(bytes, start, end - 1) // a message is one line with its end
    const { count, bytes: waiting } = this.#rows
    if (!this.#isPaused && (count >= WAITING_ROWS_MAX || waiting >= WAITING_BYTES_MAX)) {
      this.#isPaused = true
      this.#session.pause()
    }
    this.#wake()
  }

  ended(problem: CaptureProblem | undefined): void {
    this.#ended = true
    this.#problem = problem
    this.#wake()
  }

  async next(): Promise<RowLines | undefined> {
    while (this.#rows.count === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#problem !== undefined) throw this.#problem
    const rows = this.#rows
    this.#rows = new RowLines()
    if (this.#isPaused) {
      this.#isPaused = false
      this.#session.resume()
    }
    return rows.count === 0 ? undefined : rows
  }
}

/** A table that changed between its description and its snapshot. */
export function changedTable(table: CapturedTable): CaptureProblem {
  return new CaptureProblem(
    'schema_mismatch',
    `table ${printedTable(table)} was altered while its snapshot began`,
    true,
  )
}
