/**
 * Collects the changes of whole transactions and writes them: first their events to the service, then, when these are durable, their rows
 * to the row store. While one write is being stored, the transactions that arrive are collected for the next one.
 */
import type { RowBytes } from '../events/row-bytes.ts'
import { maxLsn } from '../lsn.ts'
import type { CaptureAttempt } from './capture-attempt.ts'
import type { CaptureCommit, CapturedEvents } from './capture-protocol.ts'
import type { Positions } from './positions.ts'
import type { RunTables } from './run-tables.ts'
import type { ServiceWrites } from './service-writes.ts'
import type { TableCapture } from './table-capture.ts'
import type { TableNotes } from './table-notes.ts'

export interface Transaction {
  readonly txId: number
  readonly commitLsn: bigint
  readonly commitUs: bigint
  /** Its events are durable. */
  readonly isReplayed: boolean
  /** Its changes are in the row store, too. */
  readonly isKept: boolean
}

export interface LastCommit {
  readonly lsn: bigint
  readonly txId: number | undefined
  readonly timestampMs: number
}

/** A large transaction moves its kept rows to the disk after this many changes. */
const RELIEF_CHANGES = 4_096
/** Within a transaction the clock is read after this many changes. */
const CLOCK_CHANGES = 64

export interface ChangeWritesParts {
  readonly attempt: CaptureAttempt
  readonly service: ServiceWrites
  readonly tables: RunTables
  readonly notes: TableNotes
  readonly positions: Positions
}

export class ChangeWrites {
  readonly #attempt: CaptureAttempt
  readonly #service: ServiceWrites
  readonly #tables: RunTables
  readonly #notes: TableNotes
  readonly #positions: Positions
  readonly #dirty = new Set<TableCapture>()
  #last: LastCommit | undefined
  /** The last transaction that is taken and not yet being written. */
  #pending: LastCommit | undefined
  #pendingBytes = 0
  #hasEvents = false
  #hasRows = false
  #changes = 0
  /** Time of processing of the present changes. */
  #processedNs = 0n
  #writing: Promise<void> | undefined
  #applying: Promise<void> | undefined

  constructor({ attempt, service, tables, notes, positions }: ChangeWritesParts) {
    this.#attempt = attempt
    this.#service = service
    this.#tables = tables
    this.#notes = notes
    this.#positions = positions
  }

  /** The last transaction that is taken. */
  get last(): LastCommit | undefined {
    return this.#last
  }

  get isIdle(): boolean {
    return this.#pending === undefined && this.#writing === undefined
  }

  /** Resolves when the row store is not written to any more. */
  async ended(): Promise<void> {
    await this.#applying?.catch(() => {})
  }

  /** Adds an event of this transaction, unless its events are durable. */
  emit(
    transaction: Transaction,
    table: TableCapture,
    op: 'c' | 'u' | 'd' | 't',
    before: RowBytes | undefined,
    after: RowBytes | undefined,
    lsn: bigint,
  ): void {
    const { isReplayed, txId, commitUs } = transaction
    if (isReplayed) return
    if (this.#changes % CLOCK_CHANGES === 0) this.#processedNs = this.#attempt.nowNs()
    const bytes = table.byteLength
    table.events.add({
      op,
      before,
      after,
      snapshot: 'false',
      lsn,
      lastCommitLsn: this.#last?.lsn ?? null,
      txId,
      commitUs,
      processedNs: this.#processedNs,
    })
    this.#pendingBytes += table.byteLength - bytes
    this.#hasEvents = true
    this.#dirty.add(table)
  }

  /** The row store gets this row when the events are durable. */
  keep(table: TableCapture, key: readonly string[], row: RowBytes): void {
    this.#attempt.rows.put(table.oid, key, table.toStored(row))
    this.#hasRows = true
  }

  forget(table: TableCapture, key: readonly string[]): void {
    this.#attempt.rows.remove(table.oid, key)
    this.#hasRows = true
  }

  clear(table: TableCapture): void {
    this.#attempt.rows.clear(table.oid)
    this.#hasRows = true
  }

  /** Within a large transaction: sends a part of its events, and moves its rows to the disk. */
  relieve(): Promise<void> | undefined {
    this.#changes++
    if (this.#pendingBytes >= this.#attempt.limits.partBytes) return this.#sendPart()
    return this.#changes % RELIEF_CHANGES === 0 ? this.#attempt.rows.relieve() : undefined
  }

  /** Call it when all changes of the transaction were added. Resolves when the next transaction may be added. */
  endTransaction({ txId, commitUs, isReplayed }: Transaction, endLsn: bigint): Promise<void> | undefined {
    this.#changes = 0
    this.#positions.raiseTaken(endLsn)
    this.#last = { lsn: endLsn, txId, timestampMs: Number(commitUs / 1000n) }
    if (!this.#hasEvents && !this.#hasRows) return undefined
    this.#pending = this.#last
    if (isReplayed) return this.#applyReplayed(endLsn)
    if (this.#pendingBytes < this.#attempt.limits.partBytes) return undefined
    return this.#flushed()
  }

  /** Its events are durable; the row store gets what it lacks. */
  async #applyReplayed(lsn: bigint): Promise<void> {
    this.#pending = undefined
    this.#hasRows = false
    this.#attempt.rows.seal(lsn)
    await this.#attempt.rows.apply(lsn)
    this.#positions.raiseApplied(lsn)
  }

  async #sendPart(): Promise<void> {
    await this.#writing
    this.#attempt.throwFailure()
    await this.#service.part(this.#takeEvents())
    await this.#attempt.rows.relieve()
  }

  #takeEvents(): readonly CapturedEvents[] {
    const events = [...this.#dirty].flatMap((table) => table.take())
    this.#dirty.clear()
    this.#pendingBytes = 0
    return events
  }

  /** Begins to write what is pending, unless a write is being stored: then that write's end does. */
  flush(): void {
    const pending = this.#pending
    if (pending === undefined || this.#writing !== undefined) return
    this.#pending = undefined
    this.#hasEvents = false
    this.#hasRows = false
    this.#attempt.rows.seal(pending.lsn)
    const notes = this.#notes.take()
    const writing = this.#service
      .commit(this.#takeEvents(), this.commitOf(pending))
      .then(() => {
        for (const { resolve } of notes) resolve()
        return this.#apply(pending.lsn)
      })
      .catch((error: unknown) => {
        for (const { reject } of notes) reject(error)
        this.#attempt.fail(error)
      })
      .finally(() => {
        this.#writing = undefined
        this.#attempt.wake()
      })
    this.#writing = writing
  }

  async #apply(lsn: bigint): Promise<void> {
    this.#positions.raiseDurable(lsn)
    if (this.#attempt.signal.aborted) return
    this.#applying = this.#attempt.rows.apply(lsn)
    await this.#applying
    this.#positions.raiseApplied(lsn)
  }

  /** Resolves when a write of what is pending has begun. */
  async #flushed(): Promise<void> {
    await this.#writing
    this.#attempt.throwFailure()
    this.flush()
  }

  /** Resolves when everything that was taken is durable and kept. */
  async settled(): Promise<void> {
    await this.#flushed()
    await this.#writing
    this.#attempt.throwFailure()
  }

  /** Commits the present position again, with the tables that were added. Call it between two transactions. */
  async note(): Promise<void> {
    await this.settled()
    if (!this.#notes.isWaiting || this.#attempt.signal.aborted) return
    const notes = this.#notes.take()
    const commit = this.commitOf(
      this.#last ?? { lsn: 0n, txId: undefined, timestampMs: 0 },
      maxLsn(this.#positions.taken, this.#positions.durable),
    )
    try {
      await this.#service.commit([], commit)
      this.#positions.raiseDurable(BigInt(commit.lsn))
      for (const { resolve } of notes) resolve()
    } catch (error) {
      for (const { reject } of notes) reject(error)
      throw error
    }
  }

  /** What the service stores with the events. `position`: that of the commit, if it is later than the last transaction. */
  commitOf({ lsn, txId, timestampMs }: LastCommit, position = lsn): CaptureCommit {
    this.#notes.begin()
    const changed = this.#tables.takeChanged()
    const snapshotting = this.#tables.unread().map(({ table: { schema, table } }) => ({ schema, table }))
    return {
      lsn: String(position),
      txId,
      timestampMs,
      progress: this.#tables.progress(),
      snapshotting,
      ...(changed.length > 0 && { tables: changed }),
    }
  }
}
