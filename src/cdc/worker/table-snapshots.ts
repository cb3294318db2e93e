/**
 * Snapshots of the tables that are not read yet, also of those that were added later: takes a snapshot while the stream is followed up to
 * its position, then reads the tables into their streams.
 */
import type { CaptureAttempt } from './capture-attempt.ts'
import { CaptureProblem, isGone } from './capture-problem.ts'
import type { ChangeFollower } from './change-follower.ts'
import type { ChangeWrites } from './change-writes.ts'
import type { Positions } from './positions.ts'
import type { RunTables } from './run-tables.ts'
import type { SchemaChecks } from './schema-checks.ts'
import type { ServiceWrites } from './service-writes.ts'
import { changedTable, Snapshot } from './snapshot.ts'
import { SnapshotReader } from './snapshot-reader.ts'
import type { TableCapture } from './table-capture.ts'
import { type Note, notNoted, type TableNotes } from './table-notes.ts'

const STALL_MS_MAX = 60_000
const SNAPSHOT_TRIES = 12

export interface TableSnapshotsParts {
  readonly attempt: CaptureAttempt
  readonly service: ServiceWrites
  readonly tables: RunTables
  readonly notes: TableNotes
  readonly positions: Positions
  readonly schema: SchemaChecks
  readonly writes: ChangeWrites
  readonly follower: ChangeFollower
}

export class TableSnapshots {
  readonly #attempt: CaptureAttempt
  readonly #service: ServiceWrites
  readonly #tables: RunTables
  readonly #notes: TableNotes
  readonly #positions: Positions
  readonly #schema: SchemaChecks
  readonly #writes: ChangeWrites
  readonly #follower: ChangeFollower
  /**
   * The unread tables when the snapshot was begun. Changes before a table was published are not in the stream, so a snapshot that was
   * begun earlier must not read it.
   */
  #published: ReadonlySet<TableCapture> = new Set()

  constructor(parts: TableSnapshotsParts) {
    this.#attempt = parts.attempt
    this.#service = parts.service
    this.#tables = parts.tables
    this.#notes = parts.notes
    this.#positions = parts.positions
    this.#schema = parts.schema
    this.#writes = parts.writes
    this.#follower = parts.follower
  }

  async copy(): Promise<void> {
    this.#attempt.report({ kind: 'state', state: 'snapshotting' })
    const snapshot = await this.#takeSnapshot()
    if (snapshot === undefined) return
    this.#attempt.snapshot = snapshot
    try {
      await this.#readTables(snapshot)
    } finally {
      this.#attempt.snapshot = undefined
      await snapshot.close()
    }
    this.#tables.count()
    if (this.#tables.unreadCount === 0) this.#attempt.report({ kind: 'state', state: 'running' })
  }

  /** Undefined if the run is stopped. The stream stands at the snapshot, or later if nothing of its tables was changed since. */
  async #takeSnapshot(): Promise<Snapshot | undefined> {
    const { start, limits } = this.#attempt
    let { stallMs } = limits
    for (let tries = 1; ; tries++) {
      this.#published = new Set(this.#tables.unread())
      let isSettled = false
      let snapshot: Snapshot | undefined
      const taking = Snapshot.take(this.#attempt.address, start.slot, limits, this.#attempt.signal)
      const settled = taking
        .then(
          (taken) => {
            snapshot = taken
          },
          (error: unknown) => {
            if (!this.#attempt.signal.aborted) this.#attempt.fail(error)
          },
        )
        .finally(() => {
          isSettled = true
          this.#attempt.wake()
        })
      try {
        await Promise.race([settled, delay(stallMs, this.#attempt.signal)])
        await this.#follower.follow({ until: () => isSettled })
        if (this.#attempt.signal.aborted || snapshot === undefined) {
          await settled
          this.#attempt.throwFailure()
          snapshot?.destroy()
          return undefined
        }
        const { lsn } = (snapshot as Snapshot).facts
        const isSpoiled = this.#follower.touchedLsn >= lsn
        if (!isSpoiled) {
          await this.#follower.followTo(lsn)
          if (this.#attempt.signal.aborted) {
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

  async #readTables(snapshot: Snapshot): Promise<void> {
    const { limits, nowNs } = this.#attempt
    const tables: TableCapture[] = []
    for (const table of this.#tables.unread()) {
      if (!this.#published.has(table)) continue
      const found = await snapshot.lock(table.table, this.#attempt.session).catch((error: unknown) => {
        if (isGone(error)) return undefined
        throw error
      })
      if (found === undefined) throw changedTable(table.table)
      this.#schema.adopt(table, found)
      tables.push(table)
    }
    const filled: TableCapture[] = []
    for (const table of tables) {
      if (await snapshot.hasRows(table.table, table.lastKey)) filled.push(table)
    }
    const noting: (readonly Note[])[] = []
    const reader = new SnapshotReader({
      ...{ snapshot, nowNs, rows: this.#attempt.rows, writes: this.#service },
      ...{ partBytes: limits.partBytes, chunkBytes: limits.chunkBytes },
      position: this.#positions.taken,
      lastCommitLsn: this.#writes.last?.lsn ?? null,
      commit: () => {
        noting.push(this.#notes.take())
        return this.#writes.commitOf({
          lsn: this.#positions.taken,
          txId: this.#writes.last?.txId,
          timestampMs: this.#writes.last?.timestampMs ?? Number(snapshot.facts.startedUs / 1000n),
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
    this.#positions.raiseDurable(this.#positions.taken)
    this.#positions.raiseApplied(this.#positions.taken)
    await this.#attempt.rows.sync()
  }
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
