/** A cached query as JSON, and the moment of its rows. */

import type { QueryView } from '../../cached-queries/query-service.ts'
import type { Moment } from '../../cdc/capture-service.ts'
import { printedLsn } from '../../cdc/lsn.ts'

export function createdQuery({ id, name, status, connection, stream, jid, ...view }: QueryView) {
  const { columns, primaryKey, warnings } = view
  return {
    ...{ id, name, status, connection, stream: stream.stream, jobId: jid },
    ...{ columns: columns.map(columnOf), primaryKey, readUrl: `/queries/${id}/rows` },
    ...(warnings.length > 0 && { warnings }),
  }
}

/** With its state now. */
export function presentQuery(view: QueryView) {
  const { sqlQuery, rows, asOf, lastRefreshMs, error } = view
  return {
    ...createdQuery(view),
    sqlQuery,
    rows: rows ?? null,
    asOf: asOf === undefined ? null : momentOf(asOf),
    lastRefreshMs: lastRefreshMs === undefined ? null : Math.round(lastRefreshMs),
    error: error === undefined ? null : { code: error.code, message: error.message },
  }
}

export function columnOf({ name, type, nullable }: QueryView['columns'][number]) {
  return { name, type, nullable }
}

export function momentOf({ lsn, txId, timestampMs }: Moment) {
  return { lsn: printedLsn(lsn), txId: txId ?? null, ts_ms: timestampMs }
}
