/**
 * The failures of a worker process, and the rules that find the responsible query.
 *
 * When the process ends, every request to it is rejected with the same ProcessEnded. At most one query is responsible;
 * the others can run again.
 */
import { SqlError, type SqlState } from '../duckdb/sql-error.ts'

export type EndReason =
  | 'not-interruptible' // a query did not stop after it was cancelled, or a statement took too long to check
  | 'memory' // above its limit, and the queries could not be interrupted
  | 'died' // a crash, or the system ended it
  | 'hung' // no answer, and no processor time used
  | 'disk' // its spilled data was removed, because events need the disk space
  | 'closed' // the service stops

export class ProcessEnded extends SqlError {
  readonly reason: EndReason
  /** The responsible query, if it is known. */
  readonly key: number | undefined

  constructor(reason: EndReason, sqlState: SqlState, message: string, key?: number) {
    super(sqlState, message)
    this.reason = reason
    this.key = key
  }
}

export function exited(reason: string): ProcessEnded {
  const message = `the process of queries has ended (${reason}), and all that it had with it; ask again`
  return new ProcessEnded('died', 'HY000', message)
}

export function notInterruptible(key: number | undefined): ProcessEnded {
  const message = 'a query could not be interrupted: its process was ended, and all that it had with it'
  return new ProcessEnded('not-interruptible', '57014', message, key)
}

export function hung(): ProcessEnded {
  return new ProcessEnded('hung', 'HY000', 'the process of queries did not answer and was ended; ask again')
}

const OUT_OF_MEMORY = 'the queries that ran needed more memory than there is; ask for less at a time'

/** For the queries that the worker interrupts at its memory limit. */
export function outOfMemory(): SqlError {
  return new SqlError('53200', OUT_OF_MEMORY)
}

export function endedForMemory(): ProcessEnded {
  return new ProcessEnded('memory', '53200', OUT_OF_MEMORY)
}

/** The responsible query of the running ones; 'none' if none of them is responsible, undefined if that is not known. */
export function culpritOf<T>(
  { reason, key }: ProcessEnded,
  running: ReadonlyMap<number, T>,
): T | 'none' | undefined {
  if (reason === 'hung') return 'none'
  return key === undefined ? undefined : (running.get(key) ?? 'none')
}

/** Whether the error was reported to every running query, although at most one of them is responsible. */
export function isCollective(error: unknown): error is SqlError {
  if (error instanceof ProcessEnded) return error.reason !== 'disk' && error.reason !== 'closed'
  return error instanceof SqlError && error.sqlState === '53200'
}

/** 'busy': the process used the processor until the deadline. 'idle': it got no processor time, or it hangs. */
export type Late = 'busy' | 'idle'

/** Below this share of processor time a process counts as idle, and no statement is responsible. */
const BUSY_SHARE = 0.1
/** Measuring starts after this share of the time, so that short work costs nothing. */
const UNMEASURED_SHARE = 0.1
/** Time to receive an answer that has already arrived. */
const RECEIVE_MS = 20

/**
 * A time limit for work in a worker process. Calls `onLate` when the time is over, and again after each further period,
 * until it is cleared.
 */
export class Deadline {
  readonly #cpuMs: () => number | undefined
  readonly #ms: number
  readonly #onLate: (late: Late) => void
  #timer: NodeJS.Timeout
  #isMeasuring = false

  constructor(cpuMs: () => number | undefined, ms: number, onLate: (late: Late) => void) {
    this.#cpuMs = cpuMs
    this.#ms = ms
    this.#onLate = onLate
    this.#timer = setTimeout(() => this.#measure(), ms * UNMEASURED_SHARE)
  }

  /** Whether processor time is measured already: more than UNMEASURED_SHARE of the time has passed. */
  get isLong(): boolean {
    return this.#isMeasuring
  }

  clear(): void {
    clearTimeout(this.#timer)
  }

  #measure(): void {
    this.#isMeasuring = true
    const startCpuMs = this.#cpuMs()
    const startMs = performance.now()
    this.#timer = setTimeout(
      () => {
        const share = (Number(this.#cpuMs()) - Number(startCpuMs)) / (performance.now() - startMs)
        const late: Late = share < BUSY_SHARE ? 'idle' : 'busy' // NaN counts as busy: the system does not report the time
        // If this process itself was late, the answer may have arrived already and is received first.
        this.#timer = setTimeout(() => {
          this.#measure()
          this.#onLate(late)
        }, RECEIVE_MS)
      },
      this.#ms * (1 - UNMEASURED_SHARE),
    )
  }
}
