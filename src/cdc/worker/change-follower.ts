/**
 * Follows the stream of changes: takes its messages in order, makes of each change of a row an event with the row before and after it, and
 * the row that is kept.
 */
import { type RowBytes, rowOfTexts } from '../events/row-bytes.ts'
import type { CaptureAttempt } from './capture-attempt.ts'
import { isGone } from './capture-problem.ts'
import { quotedTable } from './catalog.ts'
import type { ChangeWrites, Transaction } from './change-writes.ts'
import { quotedIdentifier } from './database-session.ts'
import type { StreamMessage } from './pgoutput.ts'
import type { Positions } from './positions.ts'
import type { RunTables } from './run-tables.ts'
import type { SchemaChecks } from './schema-checks.ts'
import { filledRow, type TableCapture, textsOf } from './table-capture.ts'
import type { TableNotes } from './table-notes.ts'

export interface ChangeFollowerParts {
  readonly attempt: CaptureAttempt
  readonly tables: RunTables
  readonly notes: TableNotes
  readonly positions: Positions
  readonly schema: SchemaChecks
  readonly writes: ChangeWrites
}

export class ChangeFollower {
  readonly #attempt: CaptureAttempt
  readonly #tables: RunTables
  readonly #notes: TableNotes
  readonly #positions: Positions
  readonly #schema: SchemaChecks
  readonly #writes: ChangeWrites
  #transaction: Transaction | undefined
  #held: StreamMessage | undefined
  #touchedLsn = 0n

  constructor({ attempt, tables, notes, positions, schema, writes }: ChangeFollowerParts) {
    this.#attempt = attempt
    this.#tables = tables
    this.#notes = notes
    this.#positions = positions
    this.#schema = schema
    this.#writes = writes
  }

  get isInTransaction(): boolean {
    return this.#transaction !== undefined
  }

  /** The last commit with a change of a table whose snapshot is not complete. */
  get touchedLsn(): bigint {
    return this.#touchedLsn
  }

  /** Takes messages until `until` holds between two transactions, or up to the first transaction at or after `before`. */
  async follow({ until, before }: { until?: () => boolean; before?: bigint }): Promise<void> {
    for (;;) {
      this.#attempt.throwFailure()
      if (this.#attempt.signal.aborted) return
      if (this.#transaction === undefined) {
        if (this.#notes.isWaiting) await this.#writes.note()
        if (until?.()) return
        if (before !== undefined && this.#positions.taken >= before) return
      }
      const message = this.#held ?? this.#attempt.stream.take()
      this.#held = undefined
      if (message === undefined) {
        if (this.#transaction === undefined) this.#writes.flush()
        await this.#attempt.stream.arrival()
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

  /** Everything before the position is durable and kept afterwards. */
  async followTo(lsn: bigint): Promise<void> {
    const timer = setInterval(() => this.#attempt.stream.ask(), this.#attempt.limits.confirmMs)
    this.#attempt.stream.ask()
    try {
      await this.follow({ before: lsn })
      this.#positions.raiseTaken(lsn)
      if (!this.#attempt.signal.aborted) await this.#writes.settled()
    } finally {
      clearInterval(timer)
    }
  }

  #take(message: StreamMessage): Promise<void> | undefined {
    switch (message.kind) {
      case 'begin':
        this.#transaction = {
          ...message,
          isReplayed: message.commitLsn < this.#positions.durable,
          isKept: message.commitLsn < this.#positions.applied,
        }
        return undefined
      case 'commit':
        return this.#commit(message.endLsn)
      case 'keepalive':
        if (this.#transaction === undefined) this.#positions.raiseTaken(message.endLsn)
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
          return this.#schema.checkColumns(table).then(() => this.#change(table, message))
        }
        return this.#change(table, message)
      }
    }
  }

  #commit(endLsn: bigint): Promise<void> | undefined {
    const transaction = this.#transaction!
    this.#transaction = undefined
    return this.#writes.endTransaction(transaction, endLsn)
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
    if (waits !== undefined) return waits.then(() => this.#writes.relieve())
    return this.#writes.relieve()
  }

  #insert(table: TableCapture, after: RowBytes, lsn: bigint): undefined {
    if (table.state === 'reading') table.hasEarlyRows = true
    this.#writes.keep(table, table.keyOf(after), after)
    this.#writes.emit(this.#transaction!, table, 'c', undefined, after, lsn)
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
    const isBeforeSent = sentBefore?.isWhole() === true // REPLICA IDENTITY FULL
    const stored = isBeforeSent && table.state === 'done' ? undefined : this.#attempt.rows.get(oid, oldKey)
    const kept = stored && table.fromStored(stored)
    const before = sentBefore === undefined ? kept : filledRow(sentBefore, kept)
    const isUnread = stored === undefined && table.state === 'reading'
    if (sent === undefined) {
      if (before === undefined || isUnread) return undefined
      this.#writes.forget(table, oldKey)
      this.#writes.emit(this.#transaction!, table, 'd', before, undefined, message.lsn)
      return undefined
    }
    // The snapshot reads an unread row later, unless it has another key now, which may be among those that were read.
    if (isUnread && isSameKey(table.keyOf(sent), oldKey)) return undefined
    const known = isUnread ? undefined : before
    const after = filledRow(sent, before)
    const lacked = table.lackedBy(after)
    if (lacked.length === 0) {
      const key = old === undefined && after === sent ? oldKey : table.keyOf(after)
      return this.#update(table, oldKey, key, known, after, message.lsn)
    }
    // A large value that was not changed and is not kept: its column came with values, or the row was not read.
    return this.#fetched(table, after, lacked).then((found) => {
      if (found === undefined) this.#tables.readAgain(table)
      else this.#update(table, oldKey, table.keyOf(found), known, found, message.lsn)
    })
  }

  #update(
    table: TableCapture,
    oldKey: readonly string[],
    newKey: readonly string[],
    before: RowBytes | undefined,
    after: RowBytes,
    lsn: bigint,
  ): undefined {
    if (table.state === 'reading') table.hasEarlyRows = true
    const isSame = isSameKey(newKey, oldKey)
    if (!isSame) this.#writes.forget(table, oldKey)
    this.#writes.keep(table, isSame ? oldKey : newKey, after)
    if (before === undefined) this.#writes.emit(this.#transaction!, table, 'c', undefined, after, lsn)
    else this.#writes.emit(this.#transaction!, table, 'u', before, after, lsn)
  }

  #truncate(oid: number, lsn: bigint): void {
    const table = this.#tables.get(oid)
    const { isKept, commitLsn } = this.#transaction!
    if (table === undefined || isKept) return
    if (table.state !== 'done') this.#touchedLsn = commitLsn
    if (table.state === 'waiting') return
    this.#writes.clear(table)
    this.#writes.emit(this.#transaction!, table, 't', undefined, undefined, lsn)
  }

  /** The row with the values at these places as the table has them now; undefined if the row, a column or the table is gone since. */
  async #fetched(
    table: TableCapture,
    row: RowBytes,
    places: readonly number[],
  ): Promise<RowBytes | undefined> {
    const { columns, key } = table.table
    const values = places.map((place) => `${quotedIdentifier(columns[place]!.name)}::text`).join(', ')
    const condition = key.map((name, i) => `${quotedIdentifier(name)} = $${i + 1}`).join(' AND ')
    const [found] = await this.#attempt.session
      .query(`SELECT ${values} FROM ${quotedTable(table.table)} WHERE ${condition}`, table.keyOf(row))
      .catch((error: unknown) => {
        if (isGone(error)) return []
        throw error
      })
    if (found === undefined) return undefined
    const texts = textsOf(row)
    for (const [i, place] of places.entries()) texts[place] = found[i]
    return rowOfTexts(texts)
  }
}

function isSameKey(a: readonly string[], b: readonly string[]): boolean {
  return a === b || a.every((text, i) => text === b[i])
}
