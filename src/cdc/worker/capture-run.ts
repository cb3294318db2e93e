/**
 * One attempt to capture a database, from the opening of its connections to their end.
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
import { printedTable } from '../captured-table.ts'
import type { RowTexts } from '../events/change-events.ts'
import { CaptureProblem, SlotLost, withoutSecrets } from './capture-problem.ts'
import type {
  CaptureCommit,
  CapturedEvents,
  CaptureReport,
  CaptureRequests,
  CaptureStart,
} from './capture-protocol.ts'
import { columnsOfTypes, quotedTable } from './catalog.ts'
import { ChangeStream } from './change-stream.ts'
import { type DatabaseAddress, databaseAddressOf } from './database-address.ts'
import { DatabaseSession, quotedIdentifier, type SessionLimits } from './database-session.ts'
import { KeptRows } from './kept-rows.ts'
import { maxLsn } from './lsn.ts'
import type { SentRow, StreamMessage } from './pgoutput.ts'
import { publishTables, unpublishTable } from './preparation.ts'
import { schemaChange } from './schema-change.ts'
import { ServiceWrites } from './service-writes.ts'
import { checkSlot, prepareTables, serverPosition } from './slot-checks.ts'
import { changedTable, Snapshot } from './snapshot.ts'
import { SnapshotReader } from './snapshot-reader.ts'
import { filledRow, isWhole, TableCapture, type TableProgress, wholeRow } from './table-capture.ts'
import { lostTables } from './table-checks.ts'

export interface CaptureRunParts {
  readonly start: CaptureStart
  readonly limits: CaptureLimits
  readonly requests: CaptureRequests
  readonly report: (report: CaptureReport) => void
  /** Nanoseconds since 1970. */
  readonly nowNs: () => bigint
}

export interface CaptureLimits extends SessionLimits {
  /** Events of this size are sent before their transaction has ended. */
  readonly partBytes: number
  /** Parts of a snapshot become durable in pieces of this size. */
  readonly chunkBytes: number
  /** Positions are confirmed and reported this often. */
  readonly confirmMs: number
  /** The position of an idle database is confirmed this often. */
  readonly idleConfirmMs: number
  /** The tables are compared with the catalog this often. */
  readonly checkMs: number
  /** The stream waits so long for the first snapshot. */
  readonly stallMs: number
}

interface Transaction {
  readonly txId: number
  readonly commitLsn: bigint
  readonly commitUs: bigint
  /** Its events are durable. */
  readonly isReplayed: boolean
  /** Its changes are in the row store, too. */
  readonly isKept: boolean
}

interface LastCommit {
  readonly lsn: bigint
  readonly txId: number | undefined
  readonly timestampMs: number
}

/** Waits until a commit is durable that has all tables of this moment. */
interface Note {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Progress {
  readonly tables: Readonly<Record<string, TableProgress>>
}

/** The slot does not exist, or is not in a state to be used. */
const SLOT_STATES: ReadonlySet<string> = new Set(['42704', '55000', '58P01'])
const STALL_MS_MAX = 60_000
const SNAPSHOT_TRIES = 12
/** A large transaction moves its kept rows to the disk after this many changes. */
const RELIEF_CHANGES = 4_096

export class CaptureRun {
  readonly #parts: CaptureRunParts
  readonly #address: DatabaseAddress
  readonly #writes: ServiceWrites
  readonly #tables = new Map<number, TableCapture>()
  readonly #changed = new Set<TableCapture>()
  readonly #dirty = new Set<TableCapture>()
  readonly #abort = new AbortController()
  #rows!: KeptRows
  #session!: DatabaseSession
  #stream!: ChangeStream
  #transaction: Transaction | undefined
  #held: StreamMessage | undefined
  /** Everything that was committed before it has been taken from the stream. */
  #position = 0n
  #durableLsn: bigint
  #appliedLsn = 0n
  #confirmedLsn = 0n
  #reportedLsn = 0n
  #last: LastCommit | undefined
  /** The last transaction that is taken and not yet being written. */
  #pending: LastCommit | undefined
  #pendingBytes = 0
  #hasEvents = false
  #hasRows = false
  #changes = 0
  /** The last commit with a change of a table whose snapshot is not complete. */
  #touchedLsn = 0n
  #writing: Promise<void> | undefined
  #applying: Promise<void> | undefined
  /** While its tables are read. */
  #snapshot: Snapshot | undefined
  #unreadCount = 0
  /**
   * The unread tables when the snapshot was begun. Changes before a table was published are not in the stream, so a snapshot that was
   * begun earlier must not read it.
   */
  #published: ReadonlySet<TableCapture> = new Set()
  /** Tables that are added while the service has a position: they are known when a commit says that they are not read yet. */
  #unnoted: Note[] = []
  #hasEnded = false
  /** The service has no position in which a table could be missing. */
  #hasNoPosition: boolean
  #failure: unknown
  #housekeeping: Promise<void> | undefined
  #lastIdleMs = 0
  #lastCheckMs = performance.now()
  #ended: Promise<void> | undefined
  /** Resolves with true when the stream is open, with false if the attempt ends before. */
  readonly #opened: Promise<boolean>
  #isOpen: (open: boolean) => void = () => {}

  constructor(parts: CaptureRunParts) {
    const { start, requests } = parts
    this.#parts = parts
    this.#address = databaseAddressOf(start.connectionString)
    this.#writes = new ServiceWrites(start.connectionId, requests, this.#abort.signal)
    this.#durableLsn = BigInt(start.durableLsn ?? 0)
    this.#hasNoPosition = start.durableLsn === undefined
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
    this.#abort.abort()
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
    const session = await DatabaseSession.open(this.#address, this.#parts.limits)
    try {
      const published = await publishTables(session, this.#parts.start.publication, names)
      const tables = published.map((table) => {
        const present = this.#tables.get(table.oid)
        if (present !== undefined) return present.table
        const capture = this.#capture(table, isNamed(filled, table), undefined)
        capture.copy = 1
        this.#tables.set(table.oid, capture)
        this.#count()
        return table
      })
      await this.#noted()
      return tables
    } finally {
      await session.close()
    }
  }

  /**
   * Resolves when the service knows from a commit that the tables which were added are not read yet: otherwise it would take their streams
   * for complete, and after a crash their earlier progress for the present one.
   */
  #noted(): Promise<void> {
    if (this.#hasNoPosition) return Promise.resolve()
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) return reject(notNoted())
      this.#unnoted.push({ resolve, reject })
      this.#stream.wake()
    })
  }

  /** Commits the present position again, with the tables that were added. Call it between two transactions. */
  async #note(): Promise<void> {
    await this.#settled()
    if (this.#unnoted.length === 0 || this.#abort.signal.aborted) return
    const notes = this.#takeNotes()
    const commit = this.#commitOf(
      this.#last ?? { lsn: 0n, txId: undefined, timestampMs: 0 },
      maxLsn(this.#position, this.#durableLsn),
    )
    try {
      await this.#writes.commit([], commit)
      this.#durableLsn = maxLsn(this.#durableLsn, BigInt(commit.lsn))
      for (const { resolve } of notes) resolve()
    } catch (error) {
      for (const { reject } of notes) reject(error)
      throw error
    }
  }

  #takeNotes(): readonly Note[] {
    return this.#unnoted.splice(0)
  }

  async #run(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    let failure: unknown
    const onAbort = () => {
      this.#snapshot?.destroy()
      this.#stream?.wake()
    }
    this.#abort.signal.addEventListener('abort', onAbort)
    try {
      await this.#open()
      timer = setInterval(() => this.#housekeep(), this.#parts.limits.confirmMs)
      if (this.#unreadCount === 0) this.#report({ kind: 'state', state: 'running' })
      this.#isOpen(true)
      while (!this.#abort.signal.aborted) {
        if (this.#unreadCount > 0) await this.#copy()
        else await this.#follow({ until: () => this.#unreadCount > 0 })
      }
    } catch (error) {
      failure = this.#failure ?? error
    }
    this.#isOpen(false)
    this.#hasEnded = true
    for (const { reject } of this.#takeNotes()) reject(failure ?? notNoted())
    clearInterval(timer)
    await this.#close()
    // The connection may be started again at once: nothing of this attempt may be open then.
    if (failure !== undefined && !this.#abort.signal.aborted) this.#reportFailure(failure)
  }

  /** Ends the run with this error, whatever it waits for. */
  #fail(error: unknown): void {
    this.#failure ??= error
    this.#snapshot?.destroy()
    this.#stream?.wake()
  }

  #reportFailure(error: unknown): void {
    if (error instanceof SlotLost) {
      this.#report({ kind: 'slot-lost', message: error.message })
      return
    }
    if (!(error instanceof CaptureProblem)) {
      const text = error instanceof Error ? error.message : String(error)
      const message = `capture failed: ${withoutSecrets(text, this.#address.secrets)}`
      this.#report({ kind: 'failed', passing: true, code: 'database_unreachable', message })
      return
    }
    const { code, message, state } = error
    // A slot that cannot be used is checked when the connection is started again.
    const passing = error.passing || SLOT_STATES.has(state ?? '')
    this.#report({ kind: 'failed', passing, code, message })
  }

  #report(report: CaptureReport): void {
    this.#parts.report(report)
  }

  async #open(): Promise<void> {
    const { start, limits } = this.#parts
    this.#rows = await KeptRows.open(start.folder)
    this.#session = await DatabaseSession.open(this.#address, limits)
    const isAgain = start.durableLsn === undefined
    const slot = await checkSlot(this.#session, start, limits, this.#durableLsn, isAgain)
    const isComplete = this.#storeIsComplete(slot.confirmedLsn)
    const { kept, published, lost } = await prepareTables(this.#session, start, (tables) =>
      this.#rows.forget(tables.map(({ oid }) => oid)),
    )
    for (const { table, message } of lost) {
      this.#report({ kind: 'table-lost', table: nameOf(table), message, columns: [] })
    }
    for (const table of kept) {
      const progress = (start.progress as Progress | undefined)?.tables[table.oid]
      const goesOn = progress !== undefined && !isAgain && isComplete && !isNamed(published, table)
      const capture = this.#capture(table, isNamed(start.filled, table), progress)
      if (!goesOn || !this.#rows.settle(table.oid, progress)) {
        const copies = Math.max(progress?.copy ?? 0, this.#rows.copyOf(table.oid))
        capture.restart()
        capture.copy = copies + 1
      }
      this.#tables.set(table.oid, capture)
    }
    this.#count()
    this.#appliedLsn = maxLsn(this.#rows.lsn ?? 0n, 0n)
    this.#rows.sealIdle(this.#appliedLsn)
    await this.#rows.apply(this.#appliedLsn)
    this.#confirmedLsn = slot.confirmedLsn
    this.#position = maxLsn(slot.confirmedLsn, 0n)
    this.#durableLsn = maxLsn(this.#durableLsn, 0n)
    this.#stream = await ChangeStream.open(this.#address, start, limits, () => this.#parts.nowNs() / 1000n)
  }

  /**
   * Whether the row store holds what was confirmed to the server, and nothing that the service does not have. It does not if its folder
   * was lost, or if the service was restored from a backup.
   */
  #storeIsComplete(confirmedLsn: bigint): boolean {
    const { lsn, transactionLsn } = this.#rows
    return lsn !== undefined && lsn >= confirmedLsn && (transactionLsn ?? 0n) <= this.#durableLsn
  }

  #capture(table: CapturedTable, isFilled: boolean, progress: TableProgress | undefined): TableCapture {
    const source = {
      environment: this.#parts.start.name,
      database: this.#address.database,
      version: this.#parts.start.version,
    }
    return new TableCapture(table, source, isFilled, progress)
  }

  #unread(): readonly TableCapture[] {
    return [...this.#tables.values()].filter(({ state }) => state !== 'done')
  }

  /** Call it when a table was added, removed or restarted. */
  #count(): void {
    this.#unreadCount = this.#unread().length
    this.#stream?.wake()
  }

  async #close(): Promise<void> {
    this.#stream?.close()
    await Promise.all([
      this.#session?.close(),
      this.#housekeeping?.catch(() => {}),
      this.#applying?.catch(() => {}),
    ])
    await this.#rows?.close().catch(() => {})
  }

  // ---- the stream ----

  /** Takes messages until `until` holds between two transactions, or up to the first transaction at or after `before`. */
  async #follow({ until, before }: { until?: () => boolean; before?: bigint }): Promise<void> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#abort.signal.aborted) return
      if (this.#transaction === undefined) {
        if (this.#unnoted.length > 0) await this.#note()
        if (until?.()) return
        if (before !== undefined && this.#position >= before) return
      }
      const message = this.#held ?? this.#stream.take()
      this.#held = undefined
      if (message === undefined) {
        if (this.#transaction === undefined) this.#flush()
        await this.#stream.arrival()
        continue
      }
      if (before !== undefined && message.kind === 'begin' && message.commitLsn >= before) {
        this.#held = message
        return
      }
      const waits = this.#take(message)
      if (waits !== undefined) await waits
    }
  }

  #take(message: StreamMessage): Promise<void> | undefined {
    switch (message.kind) {
      case 'begin':
        this.#transaction = {
          ...message,
          isReplayed: message.commitLsn < this.#durableLsn,
          isKept: message.commitLsn < this.#appliedLsn,
        }
        return undefined
      case 'commit':
        return this.#commit(message.endLsn)
      case 'keepalive':
        if (this.#transaction === undefined) this.#position = maxLsn(this.#position, message.endLsn)
        return undefined
      case 'relation':
        this.#tables.get(message.oid)?.arrive(message)
        return undefined
      case 'truncate':
        for (const oid of message.oids) this.#truncate(oid, message.lsn)
        return undefined
      default: {
        const table = this.#tables.get(message.oid)
        if (table === undefined) return undefined
        if (table.isUnchecked && !this.#transaction!.isReplayed && table.state !== 'waiting') {
          return this.#checkColumns(table).then(() => this.#change(table, message))
        }
        return this.#change(table, message)
      }
    }
  }

  #commit(endLsn: bigint): Promise<void> | undefined {
    const { txId, commitUs, isReplayed } = this.#transaction!
    this.#transaction = undefined
    this.#changes = 0
    this.#position = maxLsn(this.#position, endLsn)
    this.#last = { lsn: endLsn, txId, timestampMs: Number(commitUs / 1000n) }
    if (!this.#hasEvents && !this.#hasRows) return undefined
    this.#pending = this.#last
    if (isReplayed) return this.#applyReplayed(endLsn)
    if (this.#pendingBytes < this.#parts.limits.partBytes) return undefined
    return this.#flushed()
  }

  /** Its events are durable; the row store gets what it lacks. */
  async #applyReplayed(lsn: bigint): Promise<void> {
    this.#pending = undefined
    this.#hasRows = false
    this.#rows.seal(lsn)
    await this.#rows.apply(lsn)
    this.#appliedLsn = maxLsn(this.#appliedLsn, lsn)
  }

  #change(
    table: TableCapture,
    message: StreamMessage & { readonly kind: 'insert' | 'update' | 'delete' },
  ): Promise<void> | undefined {
    const transaction = this.#transaction!
    if (transaction.isKept) return undefined
    if (table.state !== 'done') this.#touchedLsn = transaction.commitLsn
    if (table.state === 'waiting' || !this.#tables.has(table.oid)) return undefined
    const waits =
      message.kind === 'insert'
        ? this.#insert(table, table.sentRow(message.after), message.lsn)
        : this.#replace(table, message)
    if (waits !== undefined) return waits.then(() => this.#relieve())
    return this.#relieve()
  }

  #insert(table: TableCapture, row: SentRow, lsn: bigint): undefined {
    const after = wholeRow(row)
    if (table.state === 'reading') table.hasEarlyRows = true
    this.#keep(table, table.keyOf(after), after)
    this.#emit(table, 'c', undefined, after, lsn)
  }

  /** An update or a delete. */
  #replace(
    table: TableCapture,
    message: StreamMessage & { readonly kind: 'update' | 'delete' },
  ): Promise<void> | undefined {
    const { oid } = table
    const sent = message.kind === 'update' ? table.sentRow(message.after) : undefined
    const old = message.before ?? message.key
    const oldKey = table.keyOf(old === undefined ? sent! : table.sentRow(old))
    const sentBefore = message.before && table.sentRow(message.before)
    const isBeforeSent = sentBefore !== undefined && isWhole(sentBefore) // REPLICA IDENTITY FULL
    const stored = isBeforeSent && table.state === 'done' ? undefined : this.#rows.get(oid, oldKey)
    const kept = stored && table.fromStored(stored)
    const before = sentBefore === undefined ? kept : filledRow(sentBefore, kept)
    const isUnread = stored === undefined && table.state === 'reading'
    if (sent === undefined) {
      if (before === undefined || isUnread) return undefined
      this.#forget(table, oldKey)
      this.#emit(table, 'd', wholeRow(before), undefined, message.lsn)
      return undefined
    }
    // The snapshot reads an unread row later, unless it has another key now, which may be among those that were read.
    if (isUnread && isSameKey(table.keyOf(sent), oldKey)) return undefined
    const known = isUnread ? undefined : before
    const after = filledRow(sent, before)
    if (isWhole(after)) return this.#update(table, oldKey, known, after, message.lsn)
    // A large value that was not changed and is not kept: its column came with values, or the row was not read.
    return this.#fetched(table, after).then((found) => {
      if (found === undefined) this.#readAgain(table)
      else this.#update(table, oldKey, known, found, message.lsn)
    })
  }

  #update(
    table: TableCapture,
    oldKey: readonly string[],
    before: SentRow | undefined,
    after: RowTexts,
    lsn: bigint,
  ): undefined {
    const key = table.keyOf(after)
    if (table.state === 'reading') table.hasEarlyRows = true
    if (!isSameKey(key, oldKey)) this.#forget(table, oldKey)
    this.#keep(table, key, after)
    if (before === undefined) this.#emit(table, 'c', undefined, after, lsn)
    else this.#emit(table, 'u', wholeRow(before), after, lsn)
  }

  #truncate(oid: number, lsn: bigint): void {
    const table = this.#tables.get(oid)
    const { isKept, commitLsn } = this.#transaction!
    if (table === undefined || isKept) return
    if (table.state !== 'done') this.#touchedLsn = commitLsn
    if (table.state === 'waiting') return
    this.#rows.clear(oid)
    this.#hasRows = true
    this.#emit(table, 't', undefined, undefined, lsn)
  }

  #keep(table: TableCapture, key: readonly string[], row: RowTexts): void {
    this.#rows.put(table.oid, key, table.toStored(row))
    this.#hasRows = true
  }

  #forget(table: TableCapture, key: readonly string[]): void {
    this.#rows.remove(table.oid, key)
    this.#hasRows = true
  }

  #emit(
    table: TableCapture,
    op: 'c' | 'u' | 'd' | 't',
    before: RowTexts | undefined,
    after: RowTexts | undefined,
    lsn: bigint,
  ): void {
    const { isReplayed, txId, commitUs } = this.#transaction!
    if (isReplayed) return
    const bytes = table.byteLength
    table.events.add({
      op,
      ...(before && { before }),
      ...(after && { after }),
      snapshot: 'false',
      lsn,
      lastCommitLsn: this.#last?.lsn ?? null,
      txId,
      commitUs,
      processedNs: this.#parts.nowNs(),
    })
    this.#pendingBytes += table.byteLength - bytes
    this.#hasEvents = true
    this.#dirty.add(table)
  }

  /** Within a large transaction: sends a part of its events, and moves its rows to the disk. */
  #relieve(): Promise<void> | undefined {
    this.#changes++
    if (this.#pendingBytes >= this.#parts.limits.partBytes) return this.#sendPart()
    return this.#changes % RELIEF_CHANGES === 0 ? this.#rows.relieve() : undefined
  }

  async #sendPart(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    await this.#writes.part(this.#takeEvents())
    await this.#rows.relieve()
  }

  #takeEvents(): readonly CapturedEvents[] {
    const events = [...this.#dirty].flatMap((table) => table.take())
    this.#dirty.clear()
    this.#pendingBytes = 0
    return events
  }

  /** Begins to write what is pending, unless a write is being stored: then that write's end does. */
  #flush(): void {
    const pending = this.#pending
    if (pending === undefined || this.#writing !== undefined) return
    this.#pending = undefined
    this.#hasEvents = false
    this.#hasRows = false
    this.#rows.seal(pending.lsn)
    const notes = this.#takeNotes()
    const writing = this.#writes
      .commit(this.#takeEvents(), this.#commitOf(pending))
      .then(() => {
        for (const { resolve } of notes) resolve()
        return this.#apply(pending.lsn)
      })
      .catch((error: unknown) => {
        for (const { reject } of notes) reject(error)
        this.#fail(error)
      })
      .finally(() => {
        this.#writing = undefined
        this.#stream.wake()
      })
    this.#writing = writing
  }

  async #apply(lsn: bigint): Promise<void> {
    this.#durableLsn = maxLsn(this.#durableLsn, lsn)
    if (this.#abort.signal.aborted) return
    this.#applying = this.#rows.apply(lsn)
    await this.#applying
    this.#appliedLsn = maxLsn(this.#appliedLsn, lsn)
  }

  /** Resolves when a write of what is pending has begun. */
  async #flushed(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    this.#flush()
  }

  /** Resolves when everything that was taken is durable and kept. */
  async #settled(): Promise<void> {
    await this.#flushed()
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
  }

  /** `position`: that of the commit, if it is later than the last transaction. */
  #commitOf({ lsn, txId, timestampMs }: LastCommit, position = lsn): CaptureCommit {
    this.#hasNoPosition = false
    const tables: Record<string, TableProgress> = {}
    for (const table of this.#tables.values()) {
      const progress = table.progress()
      if (progress !== undefined) tables[table.oid] = progress
    }
    const changed = [...this.#changed].map(({ table }) => table)
    this.#changed.clear()
    const snapshotting = this.#unread().map(({ table: { schema, table } }) => ({ schema, table }))
    return {
      lsn: String(position),
      txId,
      timestampMs,
      progress: { tables } satisfies Progress,
      snapshotting,
      ...(changed.length > 0 && { tables: changed }),
    }
  }

  /** The row with its values that were not sent as the table has them now; undefined if it is gone since. */
  async #fetched(table: TableCapture, row: SentRow): Promise<RowTexts | undefined> {
    const { columns, key } = table.table
    const names = columns.map(({ name }) => quotedIdentifier(name))
    const condition = key.map((name, i) => `${quotedIdentifier(name)} = $${i + 1}`).join(' AND ')
    const [found] = await this.#session.query(
      `SELECT ${names.map((name) => `${name}::text`).join(', ')} FROM ${quotedTable(table.table)} WHERE ${condition}`,
      table.keyOf(row),
    )
    return found && row.map((value, i) => (value === undefined ? found[i]! : value))
  }

  /** Removes all rows of the table from its stream and begins a new snapshot. */
  #readAgain(table: TableCapture): void {
    table.isFilled = true
    table.restart()
    this.#count()
  }

  async #checkColumns(table: TableCapture): Promise<void> {
    const relation = table.relation!
    const sent = await columnsOfTypes(this.#session, relation.columns)
    table.isUnchecked = false
    if (relation.schema !== table.table.schema || relation.table !== table.table.table) {
      await this.#lose(table, `table ${printedTable(table.table)} was renamed to ${printedTable(relation)}`)
      return
    }
    const change = schemaChange(table.table, sent)
    if (change === undefined) return
    const name = printedTable(table.table)
    const changedKey = table.table.key.find(
      (column) => change.gone.includes(column) || change.retyped.some((retyped) => retyped.name === column),
    )
    if (changedKey !== undefined) {
      await this.#lose(
        table,
        `column ${changedKey} of the key of table ${name} was dropped, renamed or retyped`,
      )
      return
    }
    if (change.gone.length > 0) {
      const message = `column ${change.gone.join(', ')} of table ${name} was dropped or renamed`
      this.#report({ kind: 'table-lost', table: nameOf(table.table), message, columns: change.gone })
    }
    for (const { name: column, from, to } of change.retyped) {
      const message = `column ${column} of table ${name} has the type ${to} now; it was ${from}`
      this.#report({ kind: 'table-lost', table: nameOf(table.table), message, columns: [column] })
    }
    table.alter({ ...table.table, columns: change.columns })
    this.#changed.add(table)
    if (change.retyped.length > 0) {
      // The rows that are kept have texts of the old type.
      this.#readAgain(table)
    }
  }

  /** Ends the capture of a table; the others go on. */
  async #lose(table: TableCapture, message: string): Promise<void> {
    this.#tables.delete(table.oid)
    this.#count()
    await unpublishTable(this.#session, this.#parts.start.publication, table.oid)
    this.#report({ kind: 'table-lost', table: nameOf(table.table), message, columns: [] })
  }

  // ---- the snapshot ----

  async #copy(): Promise<void> {
    this.#report({ kind: 'state', state: 'snapshotting' })
    const snapshot = await this.#takeSnapshot()
    if (snapshot === undefined) return
    this.#snapshot = snapshot
    try {
      await this.#readTables(snapshot)
    } finally {
      this.#snapshot = undefined
      await snapshot.close()
    }
    this.#count()
    if (this.#unreadCount === 0) this.#report({ kind: 'state', state: 'running' })
  }

  /** Undefined if the run is stopped. The stream stands at the snapshot, or later if nothing of its tables was changed since. */
  async #takeSnapshot(): Promise<Snapshot | undefined> {
    const { start, limits } = this.#parts
    let { stallMs } = limits
    for (let tries = 1; ; tries++) {
      this.#published = new Set(this.#unread())
      let isSettled = false
      let snapshot: Snapshot | undefined
      const taking = Snapshot.take(this.#address, start.slot, limits, this.#abort.signal)
      const settled = taking
        .then(
          (taken) => {
            snapshot = taken
          },
          (error: unknown) => {
            if (!this.#abort.signal.aborted) this.#fail(error)
          },
        )
        .finally(() => {
          isSettled = true
          this.#stream.wake()
        })
      try {
        await Promise.race([settled, delay(stallMs, this.#abort.signal)])
        await this.#follow({ until: () => isSettled })
        if (this.#abort.signal.aborted || snapshot === undefined) {
          await settled
          if (this.#failure !== undefined) throw this.#failure
          snapshot?.destroy()
          return undefined
        }
        const { lsn } = (snapshot as Snapshot).facts
        const isSpoiled = this.#touchedLsn >= lsn
        if (!isSpoiled) {
          await this.#followTo(lsn)
          if (this.#abort.signal.aborted) {
            ;(snapshot as Snapshot).destroy()
            return undefined
          }
          return snapshot
        }
        ;(snapshot as Snapshot).destroy()
      } catch (error) {
        void settled.then(() => snapshot?.destroy())
        throw error
      }
      if (tries === SNAPSHOT_TRIES) {
        throw new CaptureProblem(
          'database_unreachable',
          `no snapshot could be taken in ${tries} attempts, because transactions stay open for long; end them`,
          true,
        )
      }
      stallMs = Math.min(STALL_MS_MAX, stallMs * 2)
    }
  }

  /** Everything before the position is durable and kept afterwards. */
  async #followTo(lsn: bigint): Promise<void> {
    const timer = setInterval(() => this.#stream.ask(), this.#parts.limits.confirmMs)
    this.#stream.ask()
    try {
      await this.#follow({ before: lsn })
      this.#position = maxLsn(this.#position, lsn)
      if (!this.#abort.signal.aborted) await this.#settled()
    } finally {
      clearInterval(timer)
    }
  }

  async #readTables(snapshot: Snapshot): Promise<void> {
    const { limits, nowNs } = this.#parts
    const tables: TableCapture[] = []
    for (const table of this.#unread()) {
      if (!this.#published.has(table)) continue
      const found = await snapshot.lock(table.table, this.#session)
      if (found === undefined) throw changedTable(table.table)
      this.#adopt(table, found)
      tables.push(table)
    }
    const filled: TableCapture[] = []
    for (const table of tables) {
      if (await snapshot.hasRows(table.table, table.lastKey)) filled.push(table)
    }
    const noting: (readonly Note[])[] = []
    const reader = new SnapshotReader({
      ...{ snapshot, nowNs, rows: this.#rows, writes: this.#writes },
      ...{ partBytes: limits.partBytes, chunkBytes: limits.chunkBytes },
      position: this.#position,
      lastCommitLsn: this.#last?.lsn ?? null,
      commit: () => {
        noting.push(this.#takeNotes())
        return this.#commitOf({
          lsn: this.#position,
          txId: this.#last?.txId,
          timestampMs: this.#last?.timestampMs ?? Number(snapshot.facts.startedUs / 1000n),
        })
      },
      committed: () => {
        for (const { resolve } of noting.shift()!) resolve()
      },
    })
    try {
      for (const table of tables) await reader.read(table, table === filled.at(-1))
      await reader.end()
    } finally {
      for (const { reject } of noting.flat()) reject(notNoted())
    }
    this.#durableLsn = maxLsn(this.#durableLsn, this.#position)
    this.#appliedLsn = maxLsn(this.#appliedLsn, this.#position)
    await this.#rows.sync()
  }

  /** Columns that the table has in the snapshot, where no message of the stream has shown them yet. */
  #adopt(table: TableCapture, found: CapturedTable): void {
    const change = schemaChange(table.table, found.columns)
    if (change === undefined) return
    if (table.state === 'reading') this.#readAgain(table)
    table.alter(found)
    this.#changed.add(table)
  }

  // ---- positions ----

  #housekeep(): void {
    this.#housekeeping ??= this.#runPeriodically()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#housekeeping = undefined
      })
  }

  async #runPeriodically(): Promise<void> {
    const { limits } = this.#parts
    const nowMs = performance.now()
    const isIdle =
      this.#transaction === undefined &&
      this.#pending === undefined &&
      this.#writing === undefined &&
      this.#unread().length === 0
    if (isIdle && this.#position > maxLsn(this.#durableLsn, this.#reportedLsn)) {
      this.#reportedLsn = this.#position
      this.#report({ kind: 'idle', lsn: String(this.#position) })
    }
    if (isIdle && this.#position > this.#appliedLsn && nowMs - this.#lastIdleMs > limits.idleConfirmMs) {
      this.#lastIdleMs = nowMs
      const position = this.#position
      this.#rows.sealIdle(position)
      await this.#rows.apply(position)
      this.#appliedLsn = maxLsn(this.#appliedLsn, position)
    }
    const applied = this.#appliedLsn
    if (applied > this.#confirmedLsn) {
      await this.#rows.sync()
      this.#confirmedLsn = applied
      this.#stream.confirm(applied)
    }
    await this.#reportFigures()
    if (nowMs - this.#lastCheckMs > limits.checkMs) {
      this.#lastCheckMs = nowMs
      await this.#checkTables()
    }
  }

  async #reportFigures(): Promise<void> {
    const serverLsn = await serverPosition(this.#session, this.#parts.start.slot)
    const tables = [...this.#tables.values()]
    this.#report({
      kind: 'figures',
      serverLsn: String(serverLsn),
      confirmedLsn: String(this.#confirmedLsn),
      snapshotTables: tables.length,
      snapshotRows: tables.reduce((sum, { rows }) => sum + rows, 0),
      snapshotDone: this.#unread().length === 0,
    })
  }

  async #checkTables(): Promise<void> {
    const tables = [...this.#tables.values()]
    const lost = await lostTables(
      this.#session,
      tables.map(({ table }) => table),
    )
    for (const { table: found, message } of lost) {
      const table = this.#tables.get(found.oid)
      if (table !== undefined) await this.#lose(table, message)
    }
  }
}

function notNoted(): CaptureProblem {
  return new CaptureProblem('database_unreachable', 'the capture ended before the tables were added', true)
}

function isNamed(names: readonly TableName[], { schema, table }: TableName): boolean {
  return names.some((name) => name.schema === schema && name.table === table)
}

function isSameKey(a: readonly string[], b: readonly string[]): boolean {
  return a.every((text, i) => text === b[i])
}

function nameOf({ schema, table }: TableName): TableName {
  return { schema, table }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
