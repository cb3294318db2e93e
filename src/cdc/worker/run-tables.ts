/** The tables of an attempt: which there are, which are not read yet, and which have other columns than the service knows. */
import type { CapturedTable } from '../captured-table.ts'
import type { CaptureAttempt } from './capture-attempt.ts'
import { TableCapture, type TableProgress } from './table-capture.ts'

/** As the service stores it with a commit. */
export interface Progress {
  readonly tables: Readonly<Record<string, TableProgress>>
}

export class RunTables {
  readonly #attempt: CaptureAttempt
  readonly #tables = new Map<number, TableCapture>()
  /** Their columns have changed since the last commit. */
  readonly #changed = new Set<TableCapture>()
  #unreadCount = 0

  constructor(attempt: CaptureAttempt) {
    this.#attempt = attempt
  }

  get unreadCount(): number {
    return this.#unreadCount
  }

  get(oid: number): TableCapture | undefined {
    return this.#tables.get(oid)
  }

  has(oid: number): boolean {
    return this.#tables.has(oid)
  }

  all(): readonly TableCapture[] {
    return [...this.#tables.values()]
  }

  unread(): readonly TableCapture[] {
    return this.all().filter(({ state }) => state !== 'done')
  }

  /** Call `count` afterwards. */
  add(table: TableCapture): void {
    this.#tables.set(table.oid, table)
  }

  remove(table: TableCapture): void {
    this.#tables.delete(table.oid)
    this.count()
  }

  /** Makes the capture of a table; `add` adds it. */
  capture(table: CapturedTable, isFilled: boolean, progress: TableProgress | undefined): TableCapture {
    const source = {
      environment: this.#attempt.start.name,
      database: this.#attempt.address.database,
      version: this.#attempt.start.version,
    }
    return new TableCapture(table, source, isFilled, progress)
  }

  /** Call it when a table was added, removed or restarted. */
  count(): void {
    this.#unreadCount = this.unread().length
    this.#attempt.wake()
  }

  /** Removes all rows of the table from its stream and begins a new snapshot. */
  readAgain(table: TableCapture): void {
    table.isFilled = true
    table.restart()
    this.count()
  }

  /** Other columns from the next change on. The next commit reports them. */
  alter(table: TableCapture, altered: CapturedTable): void {
    table.alter(altered)
    this.#changed.add(table)
  }

  /** Tables that were altered since the last call. */
  takeChanged(): readonly CapturedTable[] {
    const changed = [...this.#changed].map(({ table }) => table)
    this.#changed.clear()
    return changed
  }

  progress(): Progress {
    const tables: Record<string, TableProgress> = {}
    for (const table of this.#tables.values()) {
      const progress = table.progress()
      if (progress !== undefined) tables[table.oid] = progress
    }
    return { tables }
  }
}
