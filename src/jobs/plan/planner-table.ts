/** A table as the planner receives it: with its columns and what its connector can do. It is JSON. */
import type { TypedColumn } from '../../sql/data-types.ts'
import type { TableSchema } from '../../sql/table-schema.ts'
import type { Table } from '../../tables/table.ts'
import type { PlannedTable } from './job-plan.ts'

export interface PlannerTable extends PlannedTable {
  readonly schema: TableSchema
  /** Types of all columns in the order of the schema, computed ones included. */
  readonly columns: readonly TypedColumn[]
}

export function plannerTable(table: Table): PlannerTable {
  const { id, name, schemaSql, schema, columns, connector, integrationId } = table
  const target =
    connector.kind === 'jdbc' ? connector.tableName : 'topic' in connector ? connector.topic : connector.kind
  return {
    id,
    name,
    schemaSql,
    schema,
    columns,
    connectorKind: connector.kind,
    valueFormat: 'valueFormat' in connector ? connector.valueFormat : undefined,
    identity: `${integrationId}/${connector.kind}/${target}`,
  }
}

/** How a query may use the table. */
export function relationKind({
  connectorKind,
  valueFormat,
}: PlannerTable): 'append' | 'changing' | 'fixed' | 'none' {
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
