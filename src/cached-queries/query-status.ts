/** The status of a query, from its connection, its tables, its job and its result. */
import type { CapturedStream, ConnectionView } from '../cdc/capture-service.ts'
import { printedTable } from '../cdc/captured-table.ts'
import { isTerminal, type JobView } from '../jobs/job.ts'
import { columnsOf, tableIdOf } from './query-definition.ts'
import type { QueryRecord } from './query-record.ts'
import type { QueryError, QueryStatus } from './query-service.ts'

export interface StatusFacts {
  readonly record: QueryRecord
  readonly connection: ConnectionView | undefined
  /** Those of the connection. */
  readonly captured: readonly CapturedStream[]
  readonly job: Pick<JobView, 'state' | 'exceptions'> | undefined
  /** The query has a result in memory. */
  readonly isReady: boolean
}

export interface StatusOfQuery {
  readonly status: QueryStatus
  readonly error: QueryError | undefined
}

const NO_ERROR = { error: undefined }

export function statusOf({ record, connection, captured, job, isReady }: StatusFacts): StatusOfQuery {
  const failure = record.failure ?? lossOf(record, captured) ?? failureOfJob(job)
  if (failure !== undefined) return { status: 'failed', error: failure }
  if (record.state === 'new' || connection === undefined || connection.status === 'new')
    return { status: 'new', ...NO_ERROR }
  if (connection.status === 'failed' || connection.status === 'deleting' || connection.status === 'deleted') {
    const message = connection.error ?? `connection ${connection.name} is ${connection.status}`
    return { status: 'failed', error: { code: `connection_${connection.status}`, message } }
  }
  const error = connection.error === undefined ? undefined : { code: 'connection', message: connection.error }
  if (connection.status === 'retrying') return { status: 'retrying', error }
  if (!tablesOf(record, captured).every(({ snapshotDone }) => snapshotDone))
    return { status: 'snapshotting', error }
  if (job?.state === 'RESTARTING') return { status: 'retrying', error: lastException(job) ?? error }
  return { status: isReady ? 'running' : 'snapshotting', error }
}

/** The captured tables of the query. */
export function tablesOf(
  record: QueryRecord,
  captured: readonly CapturedStream[],
): readonly CapturedStream[] {
  const ids = new Set(record.tables.map(({ tableId }) => tableId))
  return captured.filter(({ table }) => ids.has(tableIdOf(table)))
}

/** A table or a column that the query needs is not captured any more. */
export function lossOf(record: QueryRecord, captured: readonly CapturedStream[]): QueryError | undefined {
  for (const { table, lost } of tablesOf(record, captured)) {
    if (lost === undefined) continue
    const used = columnsOf(record, tableIdOf(table))
    if (lost.columns.length > 0 && !lost.columns.some((column) => used.has(column))) continue
    const message = `${lost.message}; delete the query, and create it again for table ${printedTable(table)} as it is now`
    return { code: 'schema_mismatch', message }
  }
  return undefined
}

function failureOfJob(job: StatusFacts['job']): QueryError | undefined {
  if (job === undefined || !isTerminal(job.state)) return undefined
  if (job.state === 'FAILED') {
    const message = lastException(job)?.message ?? 'the job of the query has failed'
    return { code: 'job_failed', message: `${message}; delete the query and create it again` }
  }
  const message = `the job of the query is ${job.state}; delete the query and create it again`
  return { code: 'job_failed', message }
}

function lastException(job: NonNullable<StatusFacts['job']>): QueryError | undefined {
  const last = job.exceptions.at(-1)
  return last && { code: 'job_failed', message: last.message }
}
