/** Rows of a query for one request: as of now, of at least a moment, or of the moment of an earlier page. */
import { CaptureError } from '../cdc/capture-service.ts'
import { printedLsn } from '../cdc/lsn.ts'
import { ServiceError } from '../service-error.ts'
import type { LiveQuery } from './live-query.ts'
import { queryNotFound } from './query-list.ts'
import type { RowsPage, RowsRequest } from './query-service.ts'
import type { QueryViews } from './query-views.ts'

const AT_LEAST_MS = 10_000

/** Calls `run` after `delayMs`; the result cancels it. */
export type Timer = (delayMs: number, run: () => void) => () => void

export async function rowsOf(
  query: LiveQuery,
  { limit, offset, lsn, atLeast, signal }: RowsRequest,
  views: QueryViews,
  timer: Timer,
): Promise<RowsPage> {
  const { id } = query.record
  await query.advance()
  if (atLeast !== undefined) await reach(query, atLeast, { signal, views, timer })
  if (query.result.asOf === undefined) {
    const { status, error } = views.status(query)
    const why = error === undefined ? '' : `: ${error.message}`
    throw new ServiceError(
      'query_not_ready',
      `query ${id} has no result yet, its status is ${status}${why}; try again later`,
      { retryAfterSeconds: 1 },
    )
  }
  const answer = lsn === undefined ? await query.result.answer() : await query.result.answerAt(lsn)
  if (answer === undefined) {
    throw new CaptureError(
      'conflict',
      `the rows as of ${printedLsn(lsn!)} are not kept any more; begin again without lsn`,
    )
  }
  const { rows, asOf } = answer
  const end = Math.min(rows.length, offset + limit)
  if (end < rows.length) query.result.keep({ rows, asOf })
  return {
    query: views.query(query),
    rows: rows.slice(offset, end).map(({ values }) => values),
    total: rows.length,
    asOf,
    next: end < rows.length ? { lsn: asOf.lsn, offset: end } : undefined,
  }
}

interface Waiting {
  readonly signal: AbortSignal
  readonly views: QueryViews
  readonly timer: Timer
}

async function reach(query: LiveQuery, atLeast: bigint, { signal, views, timer }: Waiting): Promise<void> {
  const isReached = () => (query.result.asOf?.lsn ?? -1n) >= atLeast
  if (isReached()) return
  await new Promise<void>((resolve) => {
    const cancel = timer(AT_LEAST_MS, () => finish())
    const unlisten = query.result.waitForMoment(() => {
      if (isReached() || query.ended !== undefined || query.record.failure !== undefined) finish()
    })
    const finish = () => {
      cancel()
      unlisten()
      signal.removeEventListener('abort', finish)
      resolve()
    }
    signal.addEventListener('abort', finish)
    if (signal.aborted || query.record.failure !== undefined) finish()
  })
  if (query.record.state === 'deleting') throw queryNotFound(query.record.id)
  if (isReached() || query.result.asOf === undefined) return
  const { status, error } = views.status(query)
  const why = error === undefined ? '' : ` (${error.message})`
  throw new ServiceError(
    'not_yet',
    `the rows are as of ${printedLsn(query.result.asOf.lsn)}, wanted at least ${printedLsn(atLeast)}; ` +
      `the status of the query is ${status}${why}; try again later`,
  )
}
