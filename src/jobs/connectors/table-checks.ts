/**
 * Checks of database tables before a job is created: the relation and its columns exist, their types fit, an upsert has its
 * unique index. Each check opens the connector that the job will use, and closes it. Returns warnings for the client that
 * creates the job: what the guarantee of a sink lacks. Rejects with ConnectorError.
 */
import type { FixedPlan, LookupPlan, SinkPlan } from '../plan/job-plan.ts'
import type { ConnectedTable, JobId } from '../worker/job-worker-protocol.ts'
import { PostgresLookup } from './postgres-lookup.ts'
import { lookupOptions, scanOptions, sinkOptions } from './postgres-options.ts'
import { PostgresScan } from './postgres-scan.ts'
import { PostgresSink } from './postgres-sink.ts'

export async function checkLookup(table: ConnectedTable, plan: LookupPlan): Promise<readonly string[]> {
  const lookup = await PostgresLookup.open(lookupOptions(table, plan))
  await lookup.close()
  return []
}

export async function checkScan(
  table: ConnectedTable,
  columns: FixedPlan['columns'],
): Promise<readonly string[]> {
  const scan = await PostgresScan.open(scanOptions(table, columns))
  await scan.close()
  return []
}

export async function checkSink(
  table: ConnectedTable,
  plan: SinkPlan,
  job: JobId,
  index: number,
): Promise<readonly string[]> {
  const sink = await PostgresSink.open(sinkOptions(table, plan, job, index))
  await sink.close()
  return sink.warnings
}
