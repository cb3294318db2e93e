/**
 * The rows of one result by their keys, and sorted when they are read. A sorted array is never changed, so a reader may keep it
 * while further updates are published.
 */
import type { ResultOrder } from '../jobs/plan/query-plan.ts'
import type { ResultChange, ResultUpdate } from '../jobs/query-job.ts'
import type { RowTexts } from './query-service.ts'
import type { ResultMemory } from './result-memory.ts'
import { type CompareRows, rowOrder, type SortedRow, sortValues } from './result-order.ts'
import { changedRows, sortRows } from './sorted-rows.ts'

export interface ResultRow extends SortedRow {
  /** Visible columns. */
  readonly values: RowTexts
  readonly bytes: number
}

export interface RowChange {
  readonly op: 'c' | 'u' | 'd'
  readonly key: string
  readonly before: ResultRow | undefined
  readonly after: ResultRow | undefined
}

/** What an update has changed. `isFirst`: there were no rows before, so it is no change for readers. */
export interface Published {
  readonly isFirst: boolean
  readonly changes: readonly RowChange[]
  /** Bytes of the rows that are not part of the result any more. */
  readonly removedBytes: number
}

export interface ResultShape {
  readonly order: readonly ResultOrder[]
  readonly visibleColumns: number
  /** A row is its own key, so that equal rows have the same one. */
  readonly keyIsRow: boolean
}

/** More changed rows than this part of all are sorted anew. */
const FEW = 1 / 8

/** In memory beside the characters: of a row with its place in map and array, and of each of its values. */
const ROW_BYTES = 160
const VALUE_BYTES = 40

type Rows = Map<string, ResultRow>

/** A whole result that has not arrived completely. */
interface Whole {
  readonly rows: Rows
  readonly changes: RowChange[]
  bytes: number
}

/** An update that has not arrived completely: what it makes of the rows that it changes, by key. */
interface Pending {
  readonly rows: Map<string, ResultRow | undefined>
  readonly changes: RowChange[]
  bytes: number
}

export class ResultRows {
  readonly #shape: ResultShape
  readonly #memory: ResultMemory
  readonly #compare: CompareRows
  #rows: Rows | undefined
  #bytes = 0
  #next: Whole | undefined
  #pending: Pending | undefined
  #sorted: readonly ResultRow[] | undefined
  /** Since `#sorted`. */
  readonly #removed = new Set<ResultRow>()
  readonly #added = new Set<ResultRow>()
  #sorting: Promise<void> | undefined
  #isRestarted = false

  constructor(shape: ResultShape, memory: ResultMemory) {
    this.#shape = shape
    this.#memory = memory
    this.#compare = rowOrder(shape.order)
  }

  /** Undefined before the first result. */
  get size(): number | undefined {
    return this.#rows?.size
  }

  /** Takes a part of an update. Returns undefined if further parts follow. Throws ResultTooLarge; then the rows are as before. */
  take(update: ResultUpdate): Published | undefined {
    try {
      // The first refresh of a job is its whole result.
      const isFirst = this.#rows === undefined || this.#isRestarted
      if (update.begins || (isFirst && this.#next === undefined)) {
        this.#isRestarted = false
        this.#next = { rows: new Map(), changes: [], bytes: 0 }
        this.#pending = undefined
      }
      if (this.#next !== undefined) return this.#takeWhole(this.#next, update)
      this.#pending ??= { rows: new Map(), changes: [], bytes: this.#bytes }
      return this.#takeChanges(this.#rows!, this.#pending, update)
    } catch (error) {
      this.#next = undefined
      this.#pending = undefined
      this.#memory.set(this, this.#bytes)
      throw error
    }
  }

  /** The present rows in their order; call it after the first result. */
  async sorted(): Promise<readonly ResultRow[]> {
    while (this.#sorted === undefined) {
      this.#sorting ??= this.#sort().finally(() => {
        this.#sorting = undefined
      })
      await this.#sorting
    }
    if (this.#removed.size + this.#added.size > 0) {
      this.#sorted = changedRows(this.#sorted, this.#removed, [...this.#added], this.#compare)
      this.#removed.clear()
      this.#added.clear()
    }
    return this.#sorted
  }

  /** Another job computes the result: its first update is the whole result. */
  restarted(): void {
    this.#isRestarted = true
    this.#next = undefined
    this.#pending = undefined
    if (this.#rows !== undefined) this.#memory.set(this, this.#bytes)
  }

  free(): void {
    this.#memory.free(this)
    this.#rows = undefined
    this.#next = undefined
    this.#sorted = undefined
    this.#removed.clear()
    this.#added.clear()
  }

  #takeWhole(next: Whole, { changes, ends }: ResultUpdate): Published | undefined {
    for (const { key, after } of changes) {
      if (after === undefined) continue
      const row = this.#keptOr(this.#row(this.#freeKey(next.rows, key), after))
      next.rows.set(row.key, row)
      next.bytes += row.bytes
      const before = this.#rows?.get(row.key)
      if (row !== before) next.changes.push({ op: before ? 'u' : 'c', key, before, after: row })
    }
    this.#memory.set(this, Math.max(this.#bytes, next.bytes))
    if (!ends) return undefined
    const isFirst = this.#rows === undefined
    for (const [key, before] of this.#rows ?? []) {
      if (!next.rows.has(key)) next.changes.push({ op: 'd', key: plainKey(key), before, after: undefined })
    }
    this.#rows = next.rows
    this.#bytes = next.bytes
    this.#next = undefined
    this.#memory.set(this, this.#bytes)
    return this.#published(isFirst ? [] : next.changes, isFirst)
  }

  /** Rows are made as parts arrive, so that the last part of a long update is not one long piece of work. */
  #takeChanges(rows: Rows, pending: Pending, { changes, ends }: ResultUpdate): Published | undefined {
    const present = (key: string) => (pending.rows.has(key) ? pending.rows.get(key) : rows.get(key))
    for (const { op, key, after } of changes) {
      const place = this.#placeOf(op, key, (other) => present(other) !== undefined)
      const before = present(place)
      const row = after && op !== 'd' ? this.#row(place, after) : undefined
      pending.rows.set(place, row)
      pending.bytes += (row?.bytes ?? 0) - (before?.bytes ?? 0)
      if (row === undefined && before === undefined) continue
      pending.changes.push({ op: row === undefined ? 'd' : before ? 'u' : 'c', key, before, after: row })
    }
    this.#memory.set(this, ends ? pending.bytes : Math.max(this.#bytes, pending.bytes))
    if (!ends) return undefined
    for (const [key, row] of pending.rows) {
      if (row === undefined) rows.delete(key)
      else rows.set(key, row)
    }
    this.#bytes = pending.bytes
    this.#pending = undefined
    return this.#published(pending.changes, false)
  }

  #published(changes: readonly RowChange[], isFirst: boolean): Published {
    let removedBytes = 0
    for (const { before } of changes) removedBytes += before?.bytes ?? 0
    const few = (this.#sorted?.length ?? 0) * FEW
    if (this.#sorting === undefined && changes.length > 2 * few) this.#forgetOrder()
    else this.#changeOrder(changes, few)
    return { isFirst, changes, removedBytes }
  }

  #changeOrder(changes: readonly RowChange[], few: number): void {
    for (const { before, after } of changes) {
      if (before !== undefined && !this.#added.delete(before)) this.#removed.add(before)
      if (after !== undefined) this.#added.add(after)
    }
    if (this.#sorting === undefined && this.#removed.size + this.#added.size > few) this.#forgetOrder()
  }

  /** The rows are sorted anew when they are read next. */
  #forgetOrder(): void {
    this.#sorted = undefined
    this.#removed.clear()
    this.#added.clear()
  }

  async #sort(): Promise<void> {
    this.#forgetOrder()
    // What is published meanwhile is in `#removed` and `#added`.
    this.#sorted = await sortRows([...this.#rows!.values()], this.#compare)
  }

  #row(key: string, values: readonly string[]): ResultRow {
    const { order, visibleColumns } = this.#shape
    const visible = values.slice(0, visibleColumns)
    const characters = visible.reduce((sum, { length }) => sum + length, key.length)
    const bytes = ROW_BYTES + (visible.length + order.length) * VALUE_BYTES + characters
    return { key, values: visible, sort: sortValues(values, order), bytes }
  }

  /** The present row if it is the same: it is not in memory twice. */
  #keptOr(row: ResultRow): ResultRow {
    const present = this.#rows?.get(row.key)
    if (present === undefined || !sameOrder(present, row)) return row
    return present.values.every((value, i) => value === row.values[i]) ? present : row
  }

  #placeOf(op: ResultChange['op'], key: string, has: (key: string) => boolean): string {
    if (!this.#shape.keyIsRow) return key
    const copies = copiesOf(key, has)
    return copyKey(key, op === 'c' ? copies : Math.max(0, copies - 1))
  }

  #freeKey(rows: Rows, key: string): string {
    return this.#placeOf('c', key, (other) => rows.has(other))
  }
}

/** A key is a JSON object, so no other key begins with it. */
function copyKey(key: string, copy: number): string {
  return copy === 0 ? key : `${key} ${copy}`
}

/** Copies have the numbers 0, 1, … without gaps. */
function copiesOf(key: string, has: (key: string) => boolean): number {
  if (!has(key)) return 0
  let least = 1
  while (has(copyKey(key, least * 2 - 1))) least *= 2
  for (let most = least * 2 - 1; least < most; ) {
    const middle = (least + most + 1) >>> 1
    if (has(copyKey(key, middle - 1))) least = middle
    else most = middle - 1
  }
  return least
}

function plainKey(key: string): string {
  return key.slice(0, key.lastIndexOf('}') + 1)
}

function sameOrder(one: SortedRow, other: SortedRow): boolean {
  return one.sort.every((value, i) => {
    const its = other.sort[i]
    return typeof value === 'object' && typeof its === 'object' ? value.text === its.text : value === its
  })
}
