/**
 * What every worker process does: it has a lower priority than the service, the system ends it first when the machine runs
 * out of memory, it ends when the service ends, even after a crash, and it stays within its memory limit.
 *
 * DuckDB's own limit counts the allocations of its buffer manager. Texts that a function returns, plans and parts of vectors
 * are not counted, and one row can contain gigabytes of them. Above the limit the process interrupts its running
 * statements. If they cannot be interrupted, the service ends the process, because `process.exit` would wait for the
 * engine.
 */
import { readdirSync, writeFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import type { SqlError } from '../duckdb/sql-error.ts'

/** The worker whose memory is watched. */
export interface WatchedWorker {
  /** Limit of the process in bytes; undefined before the engine is open. */
  readonly memoryMax: number | undefined
  /** Whether a statement runs. If so, `interruptAll` can end it. */
  readonly isBusy: boolean
  interruptAll(reason: SqlError): void
  /** Calls `begins` before statements run, so that an idle process need not wake up to see whether one does. */
  onBusy?(begins: () => void): void
  /** Asks the service to end this process. */
  askToEnd(): void
}

const LOWER_PRIORITY = 10
/** The highest value: the kernel ends this process before others. */
const OOM_SCORE = '1000'
const MEMORY_INTERVAL_MS = 20
/** Memory of stored rows does not grow, so an idle process is checked less often. */
const IDLE_MEMORY_INTERVAL_MS = 1_000
/** Time for interrupted queries to end and to free their memory. */
const INTERRUPT_MS = 300

export function lowerPriority(): void {
  try {
    // Every thread has its own priority; a new thread inherits that of the thread which starts it.
    for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), LOWER_PRIORITY)
    writeFileSync('/proc/self/oom_score_adj', OOM_SCORE)
  } catch {
    // Without the right to change the priority, the process runs with that of the service.
  }
}

export function endWithService(): void {
  const end = () => process.kill(process.pid, 'SIGKILL')
  process.on('disconnect', end)
  if (!process.connected) end() // the service ended while this process was starting
  // A terminal or a supervisor may signal the whole process group. The service decides when the worker ends.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
}

export function watchMemory(worker: WatchedWorker, outOfMemory: () => SqlError): void {
  let interruptedUntilMs: number | undefined
  let busyMs = performance.now()
  let nextMs = 0
  let isFast = false
  let timer: NodeJS.Timeout | undefined
  const check = () => {
    const { memoryMax, isBusy } = worker
    const nowMs = performance.now()
    if (isBusy || interruptedUntilMs !== undefined) busyMs = nowMs
    else if (worker.onBusy !== undefined && nowMs - busyMs > IDLE_MEMORY_INTERVAL_MS) poll(false)
    if (memoryMax === undefined || (!isBusy && interruptedUntilMs === undefined && nowMs < nextMs)) return
    nextMs = isFast ? nowMs + IDLE_MEMORY_INTERVAL_MS : 0
    if (process.memoryUsage.rss() <= memoryMax) interruptedUntilMs = undefined
    else if (interruptedUntilMs === undefined) {
      interruptedUntilMs = nowMs + INTERRUPT_MS
      poll(true)
      worker.interruptAll(outOfMemory())
    } else if (nowMs > interruptedUntilMs) worker.askToEnd()
  }
  const poll = (fast: boolean) => {
    if (timer !== undefined && fast === isFast) return
    isFast = fast
    clearInterval(timer)
    timer = setInterval(check, fast ? MEMORY_INTERVAL_MS : IDLE_MEMORY_INTERVAL_MS)
  }
  poll(true)
  worker.onBusy?.(() => {
    busyMs = performance.now()
    poll(true)
  })
}
