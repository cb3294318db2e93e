/**
 * Keeps the workshop's process within its memory. DuckDB's own limit counts what its buffer manager gives out; texts that a
 * function makes, plans and parts of vectors are not among it, and one row can hold gigabytes of them. So the process looks
 * at itself: beyond the limit all queries that run are ended, and if one cannot be interrupted, the process with them, by
 * the service: `process.exit` would wait for what the engine does.
 */
import { SqlError } from './sql-error.ts'

export interface Watched {
  /** Bytes; undefined as long as there is nothing to watch. */
  readonly memoryMax: number | undefined
  readonly isBusy: boolean
  interruptAll(reason: SqlError): void
  /** Asks for the end of the process. */
  giveUp(): void
}

const POLL_INTERVAL_MS = 20
/** So long a query may take to hear that it is ended, and to give back what it had. */
const PATIENCE_MS = 300
/** What is kept where nothing runs grows no more. */
const IDLE_POLL_INTERVAL_MS = 1_000

export function watchMemory(watched: Watched): void {
  let endAtMs: number | undefined
  let nextMs = 0
  setInterval(() => {
    const { memoryMax, isBusy } = watched
    const now = performance.now()
    if (memoryMax === undefined || (!isBusy && endAtMs === undefined && now < nextMs)) return
    nextMs = now + IDLE_POLL_INTERVAL_MS
    if (process.memoryUsage.rss() <= memoryMax) endAtMs = undefined
    else if (endAtMs === undefined) {
      endAtMs = now + PATIENCE_MS
      watched.interruptAll(outOfMemory())
    } else if (now > endAtMs) watched.giveUp()
  }, POLL_INTERVAL_MS)
}

export function outOfMemory(): SqlError {
  return new SqlError(
    '53200',
    'the queries that ran needed more memory than there is; ask for less at a time',
  )
}
