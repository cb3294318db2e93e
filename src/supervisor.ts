/**
 * Keeps a service running whose store accepts writes.
 *
 * After a failed write LevelDB accepts no other write until it is opened again, and only then is it known whether the
 * failed write is on disk. So when the disk accepts writes again, the supervisor closes the service and opens a new one
 * on the same folder: streams, namespaces and logs are read from disk, as after a crash. Until then the failed service
 * answers reads and refuses writes.
 */
import type { RequestListener } from 'node:http'

/** The service on one open store. */
export interface Service {
  readonly listener: RequestListener
  /** Why its store refuses writes; undefined while it accepts them. */
  failure(): Error | undefined
  /** Whether the failure may end without opening the store again. Then the store is not opened again. */
  readonly failureHeals?: boolean
  /** If it rejects, another call tries again. */
  close(): Promise<void>
}

export interface SupervisorOptions<S extends Service> {
  readonly open: () => Promise<S>
  /**
   * Rejects with the reason while opening again would fail. The failed service then continues to answer reads.
   * `urgent`: a request is waiting in `reopened`.
   */
  readonly ready: (service: S, urgent: boolean) => Promise<void>
  /** Called when opening again fails, and when it succeeds. */
  readonly report: (event: unknown) => void
}

const POLL_INTERVAL_MS = 1000
const NOT_READY_PAUSE_MS = 2000
/** If a store fails repeatedly, the pauses between openings grow, because each opening cuts off reads. */
const PAUSE_MS_MOST = 30_000
/** After this many successful polls the pause is reset to its first value. */
const POLLS_UNTIL_HEALTHY = 60

export class Supervisor<S extends Service> {
  readonly #options: SupervisorOptions<S>
  #service: S
  /** Whether the service is closed, and the next one not open yet. */
  #closed = false
  /** How often the store has been opened again. */
  recoveries = 0
  #timer: NodeJS.Timeout | undefined
  #polling: Promise<void> = Promise.resolve()
  #stopped = false
  /** The pause until the next poll of a failed service. */
  #pauseMs = POLL_INTERVAL_MS
  #healthyPolls = 0
  /** The reason why the last attempt to open again failed. */
  #obstacle: Error | undefined
  /** Time of the last poll. */
  #polledMs = 0
  readonly #waiting = new Set<() => void>()

  constructor(service: S, options: SupervisorOptions<S>) {
    this.#service = service
    this.#options = options
    this.#wait(POLL_INTERVAL_MS)
  }

  /** The current service; while the next one is being opened, the closed one, which refuses requests. */
  get service(): S {
    return this.#service
  }

  /** Why writes are refused, as a sentence; undefined while they are accepted. */
  failure(): Error | undefined {
    const failure = this.#service.failure()
    if (failure === undefined) return undefined
    const obstacle = this.#obstacle === undefined ? '' : `; the last try: ${this.#obstacle.message}`
    return new Error(
      `writes are refused since one failed (${failure.message}), until the disk takes writes again${obstacle}`,
      { cause: failure },
    )
  }

  /** Resolves when the store has been opened again, or after `withinMs`. A call may start the next attempt earlier. */
  reopened(withinMs: number): Promise<void> {
    const sinceMs = performance.now() - this.#polledMs
    if (this.#timer !== undefined) this.#wait(Math.max(0, NOT_READY_PAUSE_MS - sinceMs))
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        this.#waiting.delete(end)
        resolve()
      }
      const timer = setTimeout(end, withinMs).unref()
      this.#waiting.add(end)
    })
  }

  /** Resolves when the current service is closed. No other service is opened after that. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    for (const end of this.#waiting) end()
    await this.#polling
    if (!this.#closed) await this.#service.close()
  }

  #wait(pauseMs: number): void {
    if (this.#stopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#polledMs = performance.now()
      this.#polling = this.#poll()
    }, pauseMs).unref()
  }

  async #poll(): Promise<void> {
    if (this.#service.failure() === undefined) {
      if (++this.#healthyPolls >= POLLS_UNTIL_HEALTHY) this.#pauseMs = POLL_INTERVAL_MS
      for (const end of this.#waiting) end() // the store accepts writes
      return this.#wait(POLL_INTERVAL_MS)
    }
    this.#healthyPolls = 0
    if (this.#service.failureHeals === true) return this.#wait(POLL_INTERVAL_MS)
    const ready = () => this.#options.ready(this.#service, this.#waiting.size > 0)
    if (!(await this.#succeeds(ready))) return this.#wait(NOT_READY_PAUSE_MS)
    if (this.#stopped) return
    const opened = await this.#succeeds(() => this.#replace())
    this.#options.report(opened ? 'the store has been opened again, and takes writes' : this.#obstacle)
    this.#wait(this.#pauseMs)
    this.#pauseMs = Math.min(2 * this.#pauseMs, PAUSE_MS_MOST)
  }

  async #succeeds(step: () => Promise<void>): Promise<boolean> {
    try {
      await step()
      this.#obstacle = undefined
      return true
    } catch (error) {
      this.#obstacle = error instanceof Error ? error : new Error(String(error))
      return false
    }
  }

  async #replace(): Promise<void> {
    if (!this.#closed) await this.#service.close()
    this.#closed = true
    this.#service = await this.#options.open()
    this.#closed = false
    this.recoveries++
    for (const end of this.#waiting) end()
  }
}
