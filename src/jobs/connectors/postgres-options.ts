/** What the connectors of PostgreSQL need of a table and a plan. Throws ConnectorError if the table is of another kind. */
import type { TypedColumn } from '../../sql/data-types.ts'
import type { PostgresAccess } from '../../tables/table.ts'
import type { FixedPlan, LookupPlan, SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable, JobId } from '../worker/job-worker-protocol.ts'
import { ConnectorError } from './connector.ts'
import type { LookupOptions } from './postgres-lookup.ts'
import type { ScanOptions } from './postgres-scan.ts'
import type { SinkOptions } from './postgres-sink.ts'
import type { TablePlace } from './postgres-table.ts'

export function lookupOptions(table: ConnectedTable, plan: LookupPlan): LookupOptions {
  return {
    ...placeOf(table, 'looked up'),
    columns: plan.columns.map(({ name }) => physicalColumn(table, name)),
    keyColumns: plan.keyColumns.map((name) => physicalColumn(table, name)),
  }
}

export function scanOptions(table: ConnectedTable, columns: FixedPlan['columns']): ScanOptions {
  return {
    ...placeOf(table, 'read as a whole'),
    columns: columns.map(({ name }) => physicalColumn(table, name)),
  }
}

/** `index` is that of the sink in the plan. */
export function sinkOptions(table: ConnectedTable, plan: SinkPlan, job: JobId, index: number): SinkOptions {
  return {
    ...placeOf(table, 'written'),
    columns: plan.columns.map(({ name }) => physicalColumn(table, name)),
    primaryKey: table.primaryKey,
    job,
    sink: index,
  }
}

function placeOf(table: ConnectedTable, what: string): TablePlace & { readonly access: PostgresAccess } {
  const { connector, access, integrationId } = table
  if (connector.kind !== 'jdbc' || access.kind !== 'postgres') throw notPossible(table, what)
  return { access, connector, integrationId }
}

function physicalColumn({ physical, name: table }: ConnectedTable, name: string): TypedColumn {
  const column = physical.find((other) => other.name === name)
  if (column === undefined) throw new ConnectorError(`table ${table} has no column ${name}`, false)
  return column
}

export function notPossible({ name, connector }: ConnectedTable, what: string): ConnectorError {
  return new ConnectorError(`table ${name} of kind ${connector.kind} cannot be ${what}`, false)
}
