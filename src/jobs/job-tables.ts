/** The tables of a job with everything that a connector needs to reach their data. */
import { SqlProblem } from '../sql/sql-problem.ts'
import { parseStreamName, type StreamId } from '../streams/names.ts'
import type { Table } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import type { ConnectedTable } from './worker/job-worker-protocol.ts'

export type TableSource = Pick<
  TableService,
  'get' | 'find' | 'list' | 'accessOf' | 'isOverStreams' | 'contacted'
>

/** Throws ServiceError 'integration_not_found', 'invalid_table', 'secret_unusable'. */
export function connected(table: Table, tables: TableSource): ConnectedTable {
  const access = tables.accessOf(table)
  const stream = access.kind === 'stream' ? topicStream(table) : undefined
  const physical = new Set(
    table.schema.columns.filter(({ kind }) => kind === 'physical').map(({ name }) => name),
  )
  return {
    id: table.id,
    integrationId: table.integrationId,
    name: table.name,
    connector: table.connector,
    access,
    physical: table.columns.filter(({ name }) => physical.has(name)),
    primaryKey: table.schema.primaryKey,
    stream,
  }
}

/** The stream of a table over the built-in integration; undefined for other tables. */
export function streamOf(table: Table, tables: TableSource): StreamId | undefined {
  return tables.isOverStreams(table) ? topicStream(table) : undefined
}

function topicStream({ namespace, connector }: Table): StreamId | undefined {
  if (connector.kind !== 'topic' && connector.kind !== 'upsert-topic') return undefined
  return { namespace, stream: parseStreamName(connector.topic) }
}

/** Throws SqlProblem for a sink with a column that its system does not take: events of a stream have the time of their storage. */
export function assertWritable(table: Table, tables: TableSource): void {
  if (streamOf(table, tables) === undefined) return
  const stamp = table.schema.columns.find(
    (column) => column.kind === 'metadata' && column.key === 'timestamp' && !column.isVirtual,
  )
  if (stamp === undefined) return
  throw new SqlProblem(
    `metadata column '${stamp.name}' of table ${table.name} cannot be written; declare it as VIRTUAL`,
  )
}

/** Identifies the data of a table across jobs: the integration, and the topic or the table in it. */
export function identityOf({ integrationId, connector }: Table): string {
  switch (connector.kind) {
    case 'topic':
    case 'upsert-topic':
      return `${integrationId}/${connector.topic}`
    case 'jdbc':
      return `${integrationId}/${connector.schema ?? ''}/${connector.table}`
    default:
      return `${integrationId}/${connector.kind}`
  }
}
