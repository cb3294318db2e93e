/** Reports once to a job when a log that it reads has grown, or is not the log of its stream any more. */
import type { EventLog, LogId } from '../../../storage/log.ts'
import type { JobId } from '../worker/job-worker-protocol.ts'

interface Watch {
  readonly log: LogId
  readonly abort: AbortController
}

export class LogWatches {
  readonly #log: EventLog
  readonly #grown: (jid: JobId, source: number) => void
  /** One for each source of each job. */
  readonly #watches = new Map<string, Watch>()

  constructor(log: EventLog, grown: (jid: JobId, source: number) => void) {
    this.#log = log
    this.#grown = grown
  }

  /** Replaces the previous request for this source. */
  start(jid: JobId, source: number, log: LogId, sequence: number): void {
    const key = `${jid}:${source}`
    const before = this.#watches.get(key)
    this.#watches.delete(key)
    before?.abort.abort()
    const watch: Watch = { log, abort: new AbortController() }
    this.#watches.set(key, watch)
    const end = () => {
      if (this.#watches.get(key) !== watch) return
      this.#watches.delete(key)
      this.#grown(jid, source)
    }
    watch.abort.signal.addEventListener('abort', end)
    this.#log.growth(log, sequence, watch.abort.signal).then(end, end) // after an error the job reads, and gets it there
  }

  /** The log belongs to no stream any more: the jobs that wait for it read again. */
  replaced(log: LogId): void {
    for (const watch of [...this.#watches.values()]) if (watch.log === log) watch.abort.abort()
  }

  stop(jid: JobId): void {
    for (const [key, { abort }] of [...this.#watches]) {
      if (!key.startsWith(`${jid}:`)) continue
      this.#watches.delete(key)
      abort.abort()
    }
  }

  stopAll(): void {
    const watches = [...this.#watches.values()]
    this.#watches.clear()
    for (const { abort } of watches) abort.abort()
  }
}
