/**
 * One attempt to capture a database, from the opening of its connections to their end.
 *
 * This file opens and ends the attempt. `change-follower.ts` takes the changes from the stream, `change-writes.ts` writes them,
 * `table-snapshots.ts` reads the tables, `schema-checks.ts` finds changes of the schema, `periodic-work.ts` confirms positions.
 *
 * Streaming. Changes are added to the events of their tables as they arrive. At the end of a transaction they are written, with the
 * transactions that arrived while the write before was being stored: one write is whole transactions of all tables. Large ones
 * are sent in parts before they have ended. When a write is durable the row store gets its changes, and when these are synced
 * the position is confirmed to the server. After a crash the server sends everything again that was not confirmed: transactions
 * that are durable give no events, but bring the row store up to date.
 *
 * Snapshot. All tables whose snapshot is not complete are read in one transaction at a position S, while the stream stands at S:
 *
 *   1. A temporary slot exports a snapshot at S. The server makes it when all transactions have ended that were running. For
 *      a short time the stream waits; if it takes longer, the stream goes on. If it then meets a change of one of these tables
 *      that is not in the snapshot, the snapshot is taken again, and the stream waits longer.
 *   2. The stream goes on up to S: the streams and the row store hold all other tables exactly as of S.
 *   3. The tables are read in the order of their keys, in chunks. A chunk is stored in the row store first, then committed with the
 *      key of its last row.
 *   4. The stream goes on from S.
 *
 * After a crash in between, the snapshot is gone. The rows that were read before, K, are as of S; the next snapshot is of a later S'.
 * On the way from S to S' a change of a row that is kept is written as always; that of a row that is not kept is dropped, because
 * it was not read yet; an insert is always written, and so is a row that gets another key, as an insert. So at S' each kept row is as
 * of S', and step 3 reads rows after the key of the last chunk, without those that are kept. Each row comes once, and no change is
 * missing.
 */
import type { CapturedTable, TableName } from '../captured-table.ts'
import { CaptureAttempt, type CaptureAttemptParts } from './capture-attempt.ts'
import { CaptureProblem, SlotLost, withoutSecrets } from './capture-problem.ts'
import type { CaptureRequests } from './capture-protocol.ts'
import { ChangeFollower } from './change-follower.ts'
import { ChangeStream } from './change-stream.ts'
import { ChangeWrites } from './change-writes.ts'
import { DatabaseSession } from './database-session.ts'
import { KeptRows } from './kept-rows.ts'
import { PeriodicWork } from './periodic-work.ts'
import { Positions } from './positions.ts'
import { publishTables } from './preparation.ts'
import { type Progress, RunTables } from './run-tables.ts'
import { SchemaChecks } from './schema-checks.ts'
import { ServiceWrites } from './service-writes.ts'
import { checkSlot, prepareTables } from './slot-checks.ts'
import { TableNotes } from './table-notes.ts'
import { TableSnapshots } from './table-snapshots.ts'

export interface CaptureRunParts extends CaptureAttemptParts {
  readonly requests: CaptureRequests
}

/** The slot does not exist, or is not in a state to be used. */
const SLOT_STATES: ReadonlySet<string> = new Set(['42704', '55000', '58P01'])

export class CaptureRun {
  readonly #attempt: CaptureAttempt
  readonly #tables: RunTables
  readonly #notes: TableNotes
  readonly #positions: Positions
  readonly #writes: ChangeWrites
  readonly #follower: ChangeFollower
  readonly #snapshots: TableSnapshots
  readonly #work: PeriodicWork
  #ended: Promise<void> | undefined
  /** Resolves with true when the stream is open, with false if the attempt ends before. */
  readonly #opened: Promise<boolean>
  #isOpen: (open: boolean) => void = () => {}

  constructor({ requests, ...attemptParts }: CaptureRunParts) {
    const { start } = attemptParts
    const attempt = new CaptureAttempt(attemptParts)
    const tables = new RunTables(attempt)
    const notes = new TableNotes(attempt)
    const positions = new Positions(BigInt(start.durableLsn ?? 0))
    const schema = new SchemaChecks(attempt, tables)
    const service = new ServiceWrites(start.connectionId, requests, attempt.signal)
    const writes = new ChangeWrites({ attempt, service, tables, notes, positions })
    const follower = new ChangeFollower({ attempt, tables, notes, positions, schema, writes })
    this.#attempt = attempt
    this.#tables = tables
    this.#notes = notes
    this.#positions = positions
    this.#writes = writes
    this.#follower = follower
    const parts = { attempt, service, tables, notes, positions, schema, writes, follower }
    this.#snapshots = new TableSnapshots(parts)
    this.#work = new PeriodicWork(parts)
    this.#opened = new Promise((resolve) => {
      this.#isOpen = resolve
    })
  }

  /** Begins. What happens is reported. */
  begin(): void {
    this.#ended = this.#run()
  }

  /** Resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#attempt.stop()
    await this.#ended
  }

  async ended(): Promise<void> {
    await this.#ended
  }

  /** Publishes tables and begins their snapshot. Rejects with CaptureProblem. */
  async addTables(
    names: readonly TableName[],
    filled: readonly TableName[],
  ): Promise<readonly CapturedTable[]> {
    if (!(await this.#opened)) {
      throw new CaptureProblem(
        'database_unreachable',
        'the connection to the database could not be opened',
        true,
      )
    }
    const session = await DatabaseSession.open(this.#attempt.address, this.#attempt.limits)
    try {
      const published = await publishTables(session, this.#attempt.start.publication, names)
      const tables = published.map((table) => {
        const present = this.#tables.get(table.oid)
        if (present !== undefined) return present.table
        const capture = this.#tables.capture(table, isNamed(filled, table), undefined)
        capture.copy = 1
        this.#tables.add(capture)
        this.#tables.count()
        return table
      })
      await this.#notes.noted()
      return tables
    } finally {
      await session.close()
    }
  }

  async #run(): Promise<void> {
    let failure: unknown
    try {
      await this.#open()
      this.#work.begin()
      if (this.#tables.unreadCount === 0) this.#attempt.report({ kind: 'state', state: 'running' })
      this.#isOpen(true)
      while (!this.#attempt.signal.aborted) {
        if (this.#tables.unreadCount > 0) await this.#snapshots.copy()
        else await this.#follower.follow({ until: () => this.#tables.unreadCount > 0 })
      }
    } catch (error) {
      failure = this.#attempt.failure ?? error
    }
    this.#isOpen(false)
    this.#notes.end(failure)
    this.#work.stop()
    await this.#close()
    // The connection may be started again at once: nothing of this attempt may be open then.
    if (failure !== undefined && !this.#attempt.signal.aborted) this.#reportFailure(failure)
  }

  async #open(): Promise<void> {
    const { start, limits } = this.#attempt
    this.#attempt.rows = await KeptRows.open(start.folder)
    this.#attempt.session = await DatabaseSession.open(this.#attempt.address, limits)
    const isAgain = start.durableLsn === undefined
    const slot = await checkSlot(this.#attempt.session, start, limits, this.#positions.durable, isAgain)
    const isComplete = this.#storeIsComplete(slot.confirmedLsn)
    const { kept, published, lost } = await prepareTables(this.#attempt.session, start, (tables) =>
      this.#attempt.rows.forget(tables.map(({ oid }) => oid)),
    )
    for (const { table, message } of lost) this.#attempt.reportLost(table, message)
    for (const table of kept) {
      const progress = (start.progress as Progress | undefined)?.tables[table.oid]
      const goesOn = progress !== undefined && !isAgain && isComplete && !isNamed(published, table)
      const capture = this.#tables.capture(table, isNamed(start.filled, table), progress)
      if (!goesOn || !this.#attempt.rows.settle(table.oid, progress)) {
        const copies = Math.max(progress?.copy ?? 0, this.#attempt.rows.copyOf(table.oid))
        capture.restart()
        capture.copy = copies + 1
      }
      this.#tables.add(capture)
    }
    this.#tables.count()
    this.#positions.raiseApplied(this.#attempt.rows.lsn ?? 0n)
    this.#attempt.rows.sealIdle(this.#positions.applied)
    await this.#attempt.rows.apply(this.#positions.applied)
    this.#positions.raiseConfirmed(slot.confirmedLsn)
    this.#positions.raiseTaken(slot.confirmedLsn)
    this.#attempt.stream = await ChangeStream.open(
      this.#attempt.address,
      start,
      limits,
      () => this.#attempt.nowNs() / 1000n,
    )
  }

  /**
   * Whether the row store holds what was confirmed to the server, and nothing that the service does not have. It does not if its folder
   * was lost, or if the service was restored from a backup.
   */
  #storeIsComplete(confirmedLsn: bigint): boolean {
    const { lsn, transactionLsn } = this.#attempt.rows
    return lsn !== undefined && lsn >= confirmedLsn && (transactionLsn ?? 0n) <= this.#positions.durable
  }

  async #close(): Promise<void> {
    this.#attempt.stream?.close()
    await Promise.all([this.#attempt.session?.close(), this.#work.ended(), this.#writes.ended()])
    await this.#attempt.rows?.close().catch(() => {})
  }

  #reportFailure(error: unknown): void {
    if (error instanceof SlotLost) {
      this.#attempt.report({ kind: 'slot-lost', message: error.message })
      return
    }
    if (!(error instanceof CaptureProblem)) {
      const text = error instanceof Error ? error.message : String(error)
      const message = `capture failed: ${withoutSecrets(text, this.#attempt.address.secrets)}`
      this.#attempt.report({ kind: 'failed', passing: true, code: 'database_unreachable', message })
      return
    }
    const { code, message, state } = error
    // A slot that cannot be used is checked when the connection is started again.
    const passing = error.passing || SLOT_STATES.has(state ?? '')
    this.#attempt.report({ kind: 'failed', passing, code, message })
  }
}

function isNamed(names: readonly TableName[], { schema, table }: TableName): boolean {
  return names.some((name) => name.schema === schema && name.table === table)
}
