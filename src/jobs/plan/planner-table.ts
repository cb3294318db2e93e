/** A table as planning uses it: with its columns and what its connector can do. */
import type { TypedColumn } from '../../sql/data-types.ts'
import type { TableSchema } from '../../sql/table-schema.ts'
import type { PlannedTable } from './job-plan.ts'

export interface PlannerTable extends PlannedTable {
  readonly schema: TableSchema
  /** Types of all columns in the order of the schema, computed ones included. */
  readonly columns: readonly TypedColumn[]
}

/** Why no statement can use the table, as a sentence; undefined if it can. */
export function unusable({ name, problem }: PlannedTable): string | undefined {
  return problem === undefined ? undefined : `table ${name} cannot be used: ${problem}`
}

/** How a query may use the table. */
export function relationKind({
  connectorKind,
  valueFormat,
}: PlannedTable): 'append' | 'changing' | 'fixed' | 'none' {
  switch (connectorKind) {
    case 'topic':
      return valueFormat === 'debezium-json' ? 'changing' : 'append'
    case 'upsert-topic':
      return 'changing'
    case 'datagen':
      return 'append'
    case 'jdbc':
      return 'fixed'
    default:
      return 'none'
  }
}

/** Which changes a table takes as a sink. */
export function changesTaken(table: PlannerTable): 'inserts' | 'upserts' | 'retractions' | 'none' {
  switch (table.connectorKind) {
    case 'topic':
      return table.valueFormat === 'debezium-json' ? 'retractions' : 'inserts'
    case 'upsert-topic':
      return 'upserts'
    case 'jdbc':
      return table.schema.primaryKey.length > 0 ? 'upserts' : 'inserts'
    case 'datagen':
      return 'none'
    default:
      return 'retractions'
  }
}
