/**
 * One captured table: its columns in three orders, its events that are not written yet, and how far its snapshot is.
 *
 *   table    columns of the events, in the order of the table
 *   sent     columns of the last message about the table in the stream
 *   stored   columns of the rows that are kept: names in the order in which they were seen first. A dropped column keeps its place, so
 *            rows that were stored before are still read correctly. A shorter row lacks columns that were added after it was stored.
 */
import type { CapturedTable } from '../captured-table.ts'
import { TableEvents } from '../events/change-events.ts'
import { RowBytes, rowOfTexts, UNSENT_END } from '../events/row-bytes.ts'
import type { EventSource } from '../events/row-change.ts'
import type { CapturedEvents } from './capture-protocol.ts'
import type { Relation } from './pgoutput.ts'
import { readRow, rowBytesMax, storedRow, writeRow } from './row-coding.ts'

/** waiting: nothing of its present snapshot is in its stream. reading: a part is. done: all of it. */
export type SnapshotState = 'waiting' | 'reading' | 'done'

/** As it is in the progress that the service stores. */
export interface TableProgress {
  readonly state: 'reading' | 'done'
  /** Ascends with each new snapshot of the table. */
  readonly copy: number
  /** Parts of this snapshot that are in the stream. */
  readonly chunk: number
  /** Key of the last row of the last part; null: none. */
  readonly lastKey: readonly string[] | null
  readonly rows: number
  /** Names of the stored columns; null: dropped. */
  readonly stored: readonly (string | null)[]
}

const NO_PLACES: readonly number[] = []

export class TableCapture {
  readonly #source: EventSource
  #table: CapturedTable
  #events: TableEvents
  #finished: CapturedEvents[] = []
  #keyPlaces: readonly number[] = []
  #stored: (string | null)[]
  /** Of column i of the table: its place in a stored row. Undefined: the orders are the same. */
  #storedPlaces: readonly number[] | undefined
  /** Of column i of the table: its place in a sent row, or -1. Undefined: the orders are the same. */
  #sentPlaces: readonly number[] | undefined
  #relation: Relation | undefined
  readonly #kept = new RowBytes()
  state: SnapshotState = 'waiting'
  copy = 0
  chunk = 0
  lastKey: readonly string[] | null = null
  rows = 0
  /** The stream holds events from before its present snapshot, which an event `t` must remove. */
  isFilled: boolean
  /** The last message about its columns has not been compared with `table`. */
  isUnchecked = false
  /** Rows were stored that the snapshot may contain, too. */
  hasEarlyRows = false

  constructor(
    table: CapturedTable,
    source: EventSource,
    isFilled: boolean,
    progress: TableProgress | undefined,
  ) {
    this.#source = source
    this.#table = table
    this.#events = new TableEvents(table, source)
    this.#stored = progress === undefined ? table.columns.map(({ name }) => name) : [...progress.stored]
    this.isFilled = isFilled
    this.#arrange()
    if (progress !== undefined) {
      const { state, copy, chunk, lastKey, rows } = progress
      Object.assign(this, { state, copy, chunk, lastKey, rows, hasEarlyRows: true })
    }
  }

  get table(): CapturedTable {
    return this.#table
  }

  get oid(): number {
    return this.#table.oid
  }

  get events(): TableEvents {
    return this.#events
  }

  get relation(): Relation | undefined {
    return this.#relation
  }

  get byteLength(): number {
    return this.#events.byteLength
  }

  progress(): TableProgress | undefined {
    const { state, copy, chunk, lastKey, rows } = this
    if (state === 'waiting') return undefined
    return { state, copy, chunk, lastKey, rows, stored: this.#stored }
  }

  /** Begins a new snapshot: the rows that are kept must be removed. */
  restart(): void {
    this.state = 'waiting'
    this.copy++
    this.chunk = 0
    this.lastKey = null
    this.rows = 0
    this.hasEarlyRows = false
    this.#stored = this.#table.columns.map(({ name }) => name)
    this.#arrange()
  }

  /** Events since the last call, in order. */
  take(): readonly CapturedEvents[] {
    const events = this.#finished
    this.#finished = []
    const last = this.#events.take()
    if (last !== undefined) events.push(last)
    return events
  }

  /** Other columns from the next change on. */
  alter(table: CapturedTable): void {
    this.#finished = [...this.take()]
    this.#table = table
    this.#events = new TableEvents(table, this.#source)
    const names = new Set(table.columns.map(({ name }) => name))
    this.#stored = this.#stored.map((name) => (name !== null && names.has(name) ? name : null))
    const stored = new Set(this.#stored)
    this.#stored.push(...[...names].filter((name) => !stored.has(name)))
    this.#arrange()
  }

  /** Rows are sent in this order from now on. */
  arrive(relation: Relation): void {
    this.#relation = relation
    this.isUnchecked = true
    this.#arrange()
  }

  /** Where the values of the key are in a row of the table. */
  get keyPlaces(): readonly number[] {
    return this.#keyPlaces
  }

  /** Of column i of the table: its place in a stored row. Undefined: the orders are the same. */
  get storedPlaces(): readonly number[] | undefined {
    return this.#storedPlaces
  }

  /** Values of a stored row. */
  get storedFields(): number {
    return this.#stored.length
  }

  /** A sent row in the order of the table. Columns that were not sent have UNSENT_END. */
  sentRow(row: RowBytes): RowBytes {
    const places = this.#sentPlaces
    return places === undefined ? row : inOrder(row, places)
  }

  /** Whether the columns of the last message about the table have a value at this place. */
  #isSent(index: number): boolean {
    return this.#sentPlaces === undefined || this.#sentPlaces[index]! >= 0
  }

  /**
   * Places of the large values that a sent row lacks because they were not changed. A change that is sent again may be older than the
   * columns of the table: it does not lack the values of the newer ones.
   */
  lackedBy(row: RowBytes): readonly number[] {
    if (row.isWhole()) return NO_PLACES
    return row.ends
      .slice(0, row.length)
      .flatMap((end, i) => (end === UNSENT_END && this.#isSent(i) ? [i] : []))
  }

  keyOf(row: RowBytes): string[] {
    return this.#keyPlaces.map((place) => row.text(place))
  }

  /** A stored row in the order of the table; UNSENT_END for columns that were added after it was stored. Valid until the next call. */
  fromStored(stored: Buffer): RowBytes {
    const row = this.#kept
    readRow(stored, row)
    const places = this.#storedPlaces
    const { length } = this.#table.columns
    if (places !== undefined) return inOrder(row, places)
    while (row.length < length) row.push(0, UNSENT_END)
    return row
  }

  toStored(row: RowBytes): Buffer {
    const fields = this.#stored.length
    if (this.#storedPlaces === undefined && row.length === fields) return storedRow(row)
    const stored = Buffer.allocUnsafe(rowBytesMax(row, fields))
    return stored.subarray(0, writeRow(stored, 0, row, this.#storedPlaces, fields))
  }

  #arrange(): void {
    const names = this.#table.columns.map(({ name }) => name)
    this.#keyPlaces = this.#table.key.map((name) => names.indexOf(name))
    this.#storedPlaces = placesOf(names, this.#stored)
    this.#sentPlaces =
      this.#relation &&
      placesOf(
        names,
        this.#relation.columns.map(({ name }) => name),
      )
  }
}

/** Places of `names` in `list`, -1 where they are missing; undefined if both are equal. */
function placesOf(names: readonly string[], list: readonly (string | null)[]): number[] | undefined {
  if (names.length === list.length && names.every((name, i) => list[i] === name)) return undefined
  return names.map((name) => list.indexOf(name))
}

function inOrder(row: RowBytes, places: readonly number[]): RowBytes {
  const ordered = new RowBytes()
  ordered.clear(row.bytes)
  for (const place of places) {
    const isThere = place >= 0 && place < row.length
    ordered.push(isThere ? row.starts[place]! : 0, isThere ? row.ends[place]! : UNSENT_END)
  }
  return ordered
}

/** Values that were not sent, from the row before. */
export function filledRow(row: RowBytes, before: RowBytes | undefined): RowBytes {
  if (before === undefined || row.isWhole()) return row
  const old = textsOf(before)
  return rowOfTexts(textsOf(row).map((text, i) => (text === undefined ? old[i] : text)))
}

/** Undefined: not sent. */
export function textsOf(row: RowBytes): (string | null | undefined)[] {
  return row.ends
    .slice(0, row.length)
    .map((end, i) => (end >= 0 ? row.text(i) : end === UNSENT_END ? undefined : null))
}
