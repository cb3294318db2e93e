/** Why the process of queries, or the one that checks statements, has ended: all that it had under way is rejected with this. */

import type { QueryKey } from './query-worker.ts'
import { SqlError, type SqlState } from './sql-error.ts'

export type EndReason =
  | 'not-interruptible' // a query went on after it was cancelled, or a statement took too long to check
  | 'memory' // more than its limit, and the queries could not be interrupted
  | 'died' // a crash, or the system ended it
  | 'hung' // no answer, and no processor time used
  | 'disk' // what it had spilled has to make room for events
  | 'closed' // the service stops

export class ProcessEnded extends SqlError {
  readonly reason: EndReason
  /** The query that is to blame, if that is known. */
  readonly key: QueryKey | undefined

  constructor(reason: EndReason, sqlState: SqlState, message: string, key?: QueryKey) {
    super(sqlState, message)
    this.reason = reason
    this.key = key
  }
}

/** Where the culprit is known, by the keys of what runs: 'gone' if none of these is to blame. */
export function culpritOf<T>(
  { reason, key }: ProcessEnded,
  running: ReadonlyMap<QueryKey, T>,
): T | 'gone' | undefined {
  if (reason === 'hung') return 'gone'
  return key === undefined ? undefined : (running.get(key) ?? 'gone')
}

/** Whether an error met all that ran at that moment, though at most one of them is to blame. */
export function isCollective(error: unknown): error is SqlError {
  if (error instanceof ProcessEnded) return error.reason !== 'disk' && error.reason !== 'closed'
  return error instanceof SqlError && error.sqlState === '53200'
}
