/**
 * Changes of the schema during an attempt: compares the columns of a table with those of the stream and of the snapshot, and the tables
 * with the catalog. A column that was added, dropped or retyped alters the table; a table whose name or key has changed is lost: its
 * capture ends and the other tables continue.
 */
import type { CapturedTable } from '../captured-table.ts'
import { printedTable } from '../captured-table.ts'
import type { CaptureAttempt } from './capture-attempt.ts'
import { columnsOfTypes } from './catalog.ts'
import { unpublishTable } from './preparation.ts'
import type { RunTables } from './run-tables.ts'
import { type SchemaChange, schemaChange } from './schema-change.ts'
import type { TableCapture } from './table-capture.ts'
import { lostTables } from './table-checks.ts'

export class SchemaChecks {
  readonly #attempt: CaptureAttempt
  readonly #tables: RunTables

  constructor(attempt: CaptureAttempt, tables: RunTables) {
    this.#attempt = attempt
    this.#tables = tables
  }

  /** Compares the table with the last message about its columns. Call it before a change with these columns is added. */
  async checkColumns(table: TableCapture): Promise<void> {
    const relation = table.relation!
    const sent = await columnsOfTypes(this.#attempt.session, relation.columns)
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
    this.#alter(table, { ...table.table, columns: change.columns }, change)
    if (change.retyped.length > 0) {
      // The rows that are kept have texts of the old type.
      this.#tables.readAgain(table)
    }
  }

  /** Columns that the table has in the snapshot, where no message of the stream has shown them yet. */
  adopt(table: TableCapture, found: CapturedTable): void {
    const change = schemaChange(table.table, found.columns)
    if (change === undefined) return
    if (table.state === 'reading') this.#tables.readAgain(table)
    this.#alter(table, found, change)
  }

  /** Reports the columns that are gone or have another type: what uses them fails. */
  #alter(table: TableCapture, altered: CapturedTable, { gone, retyped }: SchemaChange): void {
    const name = printedTable(table.table)
    if (gone.length > 0) {
      const message = `column ${gone.join(', ')} of table ${name} was dropped or renamed`
      this.#attempt.reportLost(table.table, message, gone)
    }
    for (const { name: column, from, to } of retyped) {
      const message = `column ${column} of table ${name} has the type ${to} now; it was ${from}`
      this.#attempt.reportLost(table.table, message, [column])
    }
    this.#tables.alter(table, altered)
  }

  /** Compares all tables with the catalog. */
  async checkTables(): Promise<void> {
    const tables = this.#tables.all()
    const lost = await lostTables(
      this.#attempt.session,
      tables.map(({ table }) => table),
    )
    for (const { table: found, message } of lost) {
      const table = this.#tables.get(found.oid)
      if (table !== undefined) await this.#lose(table, message)
    }
  }

  /** Ends the capture of a table; the others continue. */
  async #lose(table: TableCapture, message: string): Promise<void> {
    this.#tables.remove(table)
    await unpublishTable(this.#attempt.session, this.#attempt.start.publication, table.oid)
    this.#attempt.reportLost(table.table, message)
  }
}
