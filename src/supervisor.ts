/**
 * Keeps a house behind the door whose store takes writes.
 *
 * After a failed write LevelDB takes no other until it is opened anew, and only then is it known whether what failed is on
 * disk. So when the disk takes writes again, the house is closed and a new one opened on the same folder: streams,
 * namespaces and logs are read from disk, as after a crash. Until then the failed house answers reads, and refuses writes.
 */
import type { RequestListener } from 'node:http'

/** Everything behind the door, on one open store. */
export interface Service {
  readonly listener: RequestListener
  /** Why its store refuses writes since one failed. */
  failure(): Error | undefined
  /** Whether the failure may end by itself: then the store is not opened again. */
  readonly failureHeals?: boolean
  /** Calling it again after it has rejected tries again. */
  close(): Promise<void>
}

export interface SupervisorOptions<H extends Service> {
  readonly open: () => Promise<H>
  /**
   * Rejects with the reason while opening again would fail: the failed house stays, for its readers. `urgent`: somebody waits
   * for it in `reopened`.
   */
  readonly ready: (service: H, urgent: boolean) => Promise<void>
  /** Told when opening again fails, and when it is done. */
  readonly report: (event: unknown) => void
}

const POLL_INTERVAL_MS = 1000
const NOT_READY_PAUSE_MS = 2000
/** A store that fails again and again is opened less and less often: readers are cut off each time. */
const PAUSE_MS_MOST = 30_000
/** After so many looks at a house that is well its failure is history. */
const POLLS_UNTIL_HEALTHY = 60

export class Supervisor<H extends Service> {
  readonly #options: SupervisorOptions<H>
  #service: H
  /** Whether the house is closed, and the next one not yet open. */
  #closed = false
  /** How often the store has been opened anew. */
  recoveries = 0
  #timer: NodeJS.Timeout | undefined
  #polling: Promise<void> = Promise.resolve()
  #stopped = false
  /** Until the next look at a house that has failed. */
  #pauseMs = POLL_INTERVAL_MS
  #healthyPolls = 0
  /** What stands in the way of opening again. */
  #obstacle: Error | undefined
  /** When the last look was. */
  #polledMs = 0
  readonly #waiting = new Set<() => void>()

  constructor(service: H, options: SupervisorOptions<H>) {
    this.#service = service
    this.#options = options
    this.#wait(POLL_INTERVAL_MS)
  }

  /** The one that answers now; while the next is being opened, the closed one, which refuses. */
  get service(): H {
    return this.#service
  }

  /** Why writes are refused and what is waited for, as a sentence; undefined while all is well. */
  failure(): Error | undefined {
    const failure = this.#service.failure()
    if (failure === undefined) return undefined
    const obstacle = this.#obstacle === undefined ? '' : `; the last try: ${this.#obstacle.message}`
    return new Error(
      `writes are refused since one failed (${failure.message}), until the disk takes writes again${obstacle}`,
      { cause: failure },
    )
  }

  /** Resolves when the store has been opened again, or after so long. The next try is not put off for it. */
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

  /** Resolves when no house is opened any more, and the last one is closed. */
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
      for (const end of this.#waiting) end() // the store takes writes
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
