/** Opens the connector of a table. */

import type { KafkaAccess } from '../../tables/table.ts'
import type { DecodedColumn, FixedPlan, LookupPlan, SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import type { Lookup, Scan, Sink, Source } from './connector.ts'
import type { ConnectorContext } from './connector-context.ts'
import { DatagenSource } from './datagen-source.ts'
import { KafkaSink } from './kafka-sink.ts'
import { KafkaSource } from './kafka-source.ts'
import { BlackholeSink, PrintSink } from './local-sinks.ts'
import { PostgresLookup } from './postgres-lookup.ts'
import { lookupOptions, notPossible, scanOptions, sinkOptions } from './postgres-options.ts'
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
  return PostgresLookup.open(lookupOptions(table, plan))
}

export async function openScan(
  table: ConnectedTable,
  columns: FixedPlan['columns'],
  _context: ConnectorContext,
): Promise<Scan> {
  return PostgresScan.open(scanOptions(table, columns))
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
      return new PrintSink(table.name, types, context.print)
    }
    case 'jdbc':
      return PostgresSink.open(sinkOptions(table, plan, context.jid, index))
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
