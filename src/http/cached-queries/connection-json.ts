/** A connection as JSON: as it is answered when it is created, and with its connector in the form of Kafka Connect's status. */

import type { ConnectionStatusView, QueryView } from '../../cached-queries/query-service.ts'
import type { ConnectionStatus, ConnectionView } from '../../cdc/capture-service.ts'
import { printedTable } from '../../cdc/captured-table.ts'
import { printedLsn } from '../../cdc/lsn.ts'

/** What answers say of the service, which is the worker of all connectors. */
export interface Worker {
  /** Host and port as clients reach them. */
  readonly id: string
  readonly version: string
}

export function createdConnection({ id, name, status, ...view }: ConnectionView) {
  const { database, slot, publication, tables } = view
  return { id, name, status, database, slot, publication, tables: tables.map(printedTable) }
}

export function connectionStatus({ connection, jobs, queries }: ConnectionStatusView, worker: Worker) {
  const { id, name, status } = connection
  return {
    id,
    name,
    status,
    connector: connectorOf(connection, worker),
    jobs: jobs.map((job) => ({ job_id: job.jid, name: job.name, state: job.state })),
    queries: queries.map(queryOf),
  }
}

const STATES = {
  new: 'UNASSIGNED',
  snapshotting: 'RUNNING',
  running: 'RUNNING',
  retrying: 'RUNNING',
  failed: 'FAILED',
  deleting: 'UNASSIGNED',
  deleted: 'UNASSIGNED',
} as const satisfies Record<ConnectionStatus, string>

function connectorOf(connection: ConnectionView, { id, version }: Worker) {
  const { name, status, lsn, lagBytes, lastCommitMs, snapshot, reconnects, error } = connection
  const one = { state: STATES[status], worker_id: id, version }
  const trace = status === 'failed' && error !== undefined ? { trace: error } : {}
  return {
    name,
    connector: { ...one, ...trace },
    tasks: [{ id: 0, ...one, ...trace }],
    type: 'source',
    lsn: lsn === undefined ? null : printedLsn(lsn),
    lagBytes: lagBytes ?? null,
    lastCommitMs: lastCommitMs ?? null,
    snapshot: { done: snapshot.done, tables: snapshot.tables, rows: snapshot.rows },
    reconnects,
    error: error ?? null,
  }
}

function queryOf({ id, name, status, stream, rows, asOf, error }: QueryView) {
  return {
    id,
    name,
    status,
    stream: stream.stream,
    rows: rows ?? null,
    asOf: asOf === undefined ? null : { lsn: printedLsn(asOf.lsn), ts_ms: asOf.timestampMs },
    error: error ?? null,
  }
}
