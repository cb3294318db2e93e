/** Opens the connector of a table. */

import type { TypedColumn } from '../../sql/data-types.ts'
import { encodedName } from '../../sql/encoded-name.ts'
import type { JdbcConnector, KafkaAccess, PostgresAccess } from '../../tables/table.ts'
import type { DecodedColumn, FixedPlan, LookupPlan, SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import { ConnectorError, type Lookup, type Scan, type Sink, type Source } from './connector.ts'
import type { ConnectorContext } from './connector-context.ts'
import { DatagenSource } from './datagen-source.ts'
import { KafkaSink } from './kafka-sink.ts'
import { KafkaSource } from './kafka-source.ts'
import { BlackholeSink, PrintSink } from './local-sinks.ts'
import { PostgresLookup } from './postgres-lookup.ts'
import { PostgresScan } from './postgres-scan.ts'
import { PostgresSink } from './postgres-sink.ts'
import { StreamSink } from './stream-sink.ts'
import { StreamSource } from './stream-source.ts'

/** `index` is that of the source in the plan. */
export async function openSource(
  table: ConnectedTable,
  _decoded: readonly DecodedColumn[],
  index: number,
  context: ConnectorContext,
): Promise<Source> {
  if (table.stream !== undefined) return new StreamSource(table, index, context)
  if (table.connector.kind === 'datagen') {
    return new DatagenSource({
      connector: table.connector,
      columns: table.physical,
      seed: `${context.jid}/${index}`,
      nowMs: context.nowMs,
    })
  }
  const access = kafkaAccess(table)
  if (access !== undefined) return KafkaSource.open(table, access, context.nowMs)
  throw notPossible(table, 'read as events')
}

export async function openLookup(
  table: ConnectedTable,
  plan: LookupPlan,
  _context: ConnectorContext,
): Promise<Lookup> {
  const columns = plan.columns.map(({ name }) => physicalColumn(table, name))
  const keyColumns = plan.keyColumns.map((name) => physicalColumn(table, name))
  return PostgresLookup.open({ ...postgresPlace(table, 'looked up'), columns, keyColumns })
}

export async function openScan(
  table: ConnectedTable,
  columns: FixedPlan['columns'],
  _context: ConnectorContext,
): Promise<Scan> {
  return PostgresScan.open({
    ...postgresPlace(table, 'read as a whole'),
    columns: columns.map(({ name }) => physicalColumn(table, name)),
  })
}

/** `index` is that of the sink in the plan. */
export async function openSink(
  table: ConnectedTable,
  plan: SinkPlan,
  index: number,
  context: ConnectorContext,
): Promise<Sink> {
  if (table.stream !== undefined) return new StreamSink(table, plan, index, context)
  switch (table.connector.kind) {
    case 'blackhole':
      return new BlackholeSink()
    case 'print': {
      const types = plan.columns.map(({ type }) => type)
      return new PrintSink(table.name, types, (text) => void process.stdout.write(text))
    }
    case 'jdbc':
      return PostgresSink.open({
        ...postgresPlace(table, 'written'),
        columns: plan.columns.map(({ name }) => physicalColumn(table, name)),
        primaryKey: table.primaryKey,
        job: context.jid,
        sink: index,
      })
    default: {
      const access = kafkaAccess(table)
      if (access !== undefined) return KafkaSink.open(table, plan, access, context.nowMs)
      throw notPossible(table, 'written')
    }
  }
}

function kafkaAccess({ connector, access }: ConnectedTable): KafkaAccess | undefined {
  const isTopic = connector.kind === 'topic' || connector.kind === 'upsert-topic'
  return isTopic && access.kind === 'kafka' ? access : undefined
}

function postgresPlace(
  table: ConnectedTable,
  what: string,
): {
  readonly access: PostgresAccess
  readonly connector: JdbcConnector
  readonly integrationId: string | undefined
} {
  const { connector, access, integrationId } = table
  if (connector.kind !== 'jdbc' || access.kind !== 'postgres') throw notPossible(table, what)
  return { access, connector, integrationId }
}

/** `name` as in plans: encoded, because the engine's names have no case. */
export function physicalColumn({ physical, name: table }: ConnectedTable, name: string): TypedColumn {
  const column =
    physical.find((other) => encodedName(other.name) === name) ??
    physical.find((other) => other.name === name)
  if (column === undefined) throw new ConnectorError(`table ${table} has no column ${name}`, false)
  return column
}

function notPossible({ name, connector }: ConnectedTable, what: string): ConnectorError {
  return new ConnectorError(`table ${name} of kind ${connector.kind} cannot be ${what}`, false)
}
