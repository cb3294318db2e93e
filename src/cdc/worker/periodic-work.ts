/**
 * What an attempt does at regular times: reports the position of an idle database, confirms to the server what is durable and kept, reports
 * figures, and has the tables compared with the catalog.
 */
import { maxLsn } from '../lsn.ts'
import type { CaptureAttempt } from './capture-attempt.ts'
import type { ChangeFollower } from './change-follower.ts'
import type { ChangeWrites } from './change-writes.ts'
import type { Positions } from './positions.ts'
import type { RunTables } from './run-tables.ts'
import type { SchemaChecks } from './schema-checks.ts'
import { serverPosition } from './slot-checks.ts'

export interface PeriodicWorkParts {
  readonly attempt: CaptureAttempt
  readonly tables: RunTables
  readonly positions: Positions
  readonly schema: SchemaChecks
  readonly writes: ChangeWrites
  readonly follower: ChangeFollower
}

export class PeriodicWork {
  readonly #attempt: CaptureAttempt
  readonly #tables: RunTables
  readonly #positions: Positions
  readonly #schema: SchemaChecks
  readonly #writes: ChangeWrites
  readonly #follower: ChangeFollower
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #reportedLsn = 0n
  #lastIdleMs = 0
  #lastCheckMs = performance.now()

  constructor({ attempt, tables, positions, schema, writes, follower }: PeriodicWorkParts) {
    this.#attempt = attempt
    this.#tables = tables
    this.#positions = positions
    this.#schema = schema
    this.#writes = writes
    this.#follower = follower
  }

  begin(): void {
    this.#timer = setInterval(() => this.#runOnce(), this.#attempt.limits.confirmMs)
  }

  /** It is not begun again. What runs continues: `ended`. */
  stop(): void {
    clearInterval(this.#timer)
  }

  async ended(): Promise<void> {
    await this.#running?.catch(() => {})
  }

  #runOnce(): void {
    this.#running ??= this.#runPeriodically()
      .catch((error: unknown) => this.#attempt.fail(error))
      .finally(() => {
        this.#running = undefined
      })
  }

  async #runPeriodically(): Promise<void> {
    const { limits } = this.#attempt
    const nowMs = performance.now()
    const isIdle =
      !this.#follower.isInTransaction && this.#writes.isIdle && this.#tables.unread().length === 0
    if (isIdle && this.#positions.taken > maxLsn(this.#positions.durable, this.#reportedLsn)) {
      this.#reportedLsn = this.#positions.taken
      this.#attempt.report({ kind: 'idle', lsn: String(this.#positions.taken) })
    }
    if (
      isIdle &&
      this.#positions.taken > this.#positions.applied &&
      nowMs - this.#lastIdleMs > limits.idleConfirmMs
    ) {
      this.#lastIdleMs = nowMs
      const position = this.#positions.taken
      this.#attempt.rows.sealIdle(position)
      await this.#attempt.rows.apply(position)
      this.#positions.raiseApplied(position)
    }
    const applied = this.#positions.applied
    if (applied > this.#positions.confirmed) {
      await this.#attempt.rows.sync()
      this.#positions.raiseConfirmed(applied)
      this.#attempt.stream.confirm(applied)
    }
    await this.#reportFigures()
    if (nowMs - this.#lastCheckMs > limits.checkMs) {
      this.#lastCheckMs = nowMs
      await this.#schema.checkTables()
    }
  }

  async #reportFigures(): Promise<void> {
    const serverLsn = await serverPosition(this.#attempt.session, this.#attempt.start.slot)
    const tables = this.#tables.all()
    this.#attempt.report({
      kind: 'figures',
      serverLsn: String(serverLsn),
      confirmedLsn: String(this.#positions.confirmed),
      snapshotTables: tables.length,
      snapshotRows: tables.reduce((sum, { rows }) => sum + rows, 0),
      snapshotDone: this.#tables.unread().length === 0,
    })
  }
}
