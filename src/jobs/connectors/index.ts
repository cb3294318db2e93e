/** Opens the connector of a table. */
import type { DecodedColumn, FixedPlan, LookupPlan, SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import { ConnectorError, type Lookup, type Scan, type Sink, type Source } from './connector.ts'
import type { ConnectorContext } from './connector-context.ts'
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
  throw notPossible(table, 'read as events')
}

export async function openLookup(
  table: ConnectedTable,
  _plan: LookupPlan,
  _context: ConnectorContext,
): Promise<Lookup> {
  throw notPossible(table, 'looked up')
}

export async function openScan(
  table: ConnectedTable,
  _columns: FixedPlan['columns'],
  _context: ConnectorContext,
): Promise<Scan> {
  throw notPossible(table, 'read as a whole')
}

/** `index` is that of the sink in the plan. */
export async function openSink(
  table: ConnectedTable,
  plan: SinkPlan,
  index: number,
  context: ConnectorContext,
): Promise<Sink> {
  if (table.stream !== undefined) return new StreamSink(table, plan, index, context)
  throw notPossible(table, 'written')
}

function notPossible({ name, connector }: ConnectedTable, what: string): ConnectorError {
  return new ConnectorError(`table ${name} of kind ${connector.kind} cannot be ${what}`, false)
}
