/** The job of a query: its plan with the streams that it reads and writes. */
import type { CapturedStream } from '../cdc/capture-service.ts'
import type { CapturedTable, TableName } from '../cdc/captured-table.ts'
import type { QueryTable } from '../jobs/plan/query-plan.ts'
import type { QueryJobDefinition } from '../jobs/query-job.ts'
import type { ConnectedTable } from '../jobs/worker/job-worker-protocol.ts'
import type { StreamId } from '../streams/names.ts'
import type { Connector } from '../tables/table.ts'
import { type QueryRecord, streamOf } from './query-record.ts'

export function tableIdOf({ schema, table }: TableName): string {
  return `${schema}.${table}`
}

export function queryTable({ schema, table, columns, key }: CapturedTable): QueryTable {
  return {
    ...{ schema, table, key, tableId: tableIdOf({ schema, table }) },
    columns: columns.map(({ name, databaseType, type, nullable }) => ({
      name,
      databaseType,
      type,
      nullable,
    })),
  }
}

export function definitionOf(record: QueryRecord, captured: readonly CapturedStream[]): QueryJobDefinition {
  const { plan, environment, database, id, version } = record
  const streams = new Map(captured.map(({ table, stream }) => [tableIdOf(table), stream]))
  const sources = record.tables.map((table) => sourceTable(table, streams.get(table.tableId)))
  return {
    plan: plan.plan,
    tables: [...sources, ...plan.plan.inserts.map(({ sink }) => sinkTable(sink, streamOf(record)))],
    source: { environment, database, query: `q${id}`, version: `millrace-${version}` },
    key: plan.key,
    keyIsRow: plan.keyIsRow,
    visibleColumns: plan.columns.length,
  }
}

function sourceTable({ tableId, columns, key }: QueryTable, stream: StreamId | undefined): ConnectedTable {
  const physical = columns.map(({ name, type, nullable }) => ({ name, type, nullable }))
  return { ...connected(tableId, stream), physical, primaryKey: key, isCaptured: true }
}

function sinkTable(
  { tableId, columns }: QueryRecord['plan']['plan']['inserts'][number]['sink'],
  stream: StreamId,
): ConnectedTable {
  const physical = columns.map(({ name, type }) => ({ name, type, nullable: true }))
  return { ...connected(tableId, stream), physical, primaryKey: [] }
}

function connected(id: string, stream: StreamId | undefined) {
  const connector: Connector = {
    ...{ kind: 'topic', topic: stream?.stream ?? '', startup: 'earliest', valueFormat: 'debezium-json' },
    ...{ keyFormat: undefined, keyFields: [], valueFieldsInclude: 'ALL' },
  }
  return { id, name: id, connector, access: { kind: 'stream' } as const, stream }
}

/** Whether a column that the query reads, or the key of a table, is another one than when it was planned. */
export function differsInUse(record: QueryRecord, captured: readonly CapturedTable[]): boolean {
  return captured.some((table) => {
    const planned = record.tables.find(({ tableId }) => tableId === tableIdOf(table))
    if (planned === undefined) return false
    if (planned.key.join('\n') !== table.key.join('\n')) return true
    const now = queryTable(table).columns
    return [...columnsOf(record, planned.tableId)].some((name) => {
      const [one, other] = [planned.columns, now].map((all) => all.find((column) => column.name === name))
      return one !== undefined && other !== undefined && JSON.stringify(one) !== JSON.stringify(other)
    })
  })
}

/** Whether events of the tables can be read as planned. A table that has changed is planned again, or has lost columns of the query. */
export function fitsPlan(record: QueryRecord, captured: readonly CapturedTable[]): boolean {
  if (differsInUse(record, captured)) return false
  return captured.every((table) => {
    const names = new Set(table.columns.map(({ name }) => name))
    return [...columnsOf(record, tableIdOf(table))].every((name) => names.has(name))
  })
}

/** Columns of a table that the query reads; those of its key too. */
export function columnsOf({ plan, tables }: QueryRecord, tableId: string): ReadonlySet<string> {
  const decoded = plan.plan.sources
    .filter((source) => source.tableId === tableId)
    .flatMap((source) => source.decoded.map(({ name }) => name))
  const key = tables.find((table) => table.tableId === tableId)?.key ?? []
  return new Set([...decoded, ...key])
}
