/**
 * Requests that wait for the coordinator: a node starts, takes over from one that has stopped, or cannot be reached. They hold
 * nothing but their connection; their bodies are not read.
 */
import type { ServerResponse } from 'node:http'

export interface WaitingRequestsOptions {
  /** The node that would serve them now: its id. Undefined: none. */
  readonly place: () => string | undefined
  /** Whether waiting is of no use: this node is cut off. */
  readonly isHopeless: () => boolean
  /** Requests that wait at a time. */
  readonly requestsMax: number
  /** How long a request waits in all. */
  readonly waitMs: number
}

const POLL_INTERVAL_MS = 20
/** After this time a request is sent again to a node that has not taken it. */
const RETRY_MS = 500

/** A node that has just got the coordinator loads it meanwhile. */
const FORWARDED_WAIT_MS = 5_000

/** How long one request may still wait, and the node that has not taken it. */
export class WaitLimit {
  readonly #untilMs: number
  #failed: string | undefined
  #retryMs = 0

  constructor(waitMs: number) {
    this.#untilMs = performance.now() + waitMs
  }

  get isOver(): boolean {
    return performance.now() >= this.#untilMs
  }

  /** This node has not taken the request. */
  failedAt(place: string): void {
    this.#failed = place
    this.#retryMs = performance.now() + RETRY_MS
  }

  mayTry(place: string | undefined): boolean {
    return place !== undefined && (place !== this.#failed || performance.now() >= this.#retryMs)
  }
}

interface Waiting {
  readonly waitLimit: WaitLimit
  readonly goOn: () => void
}

export class WaitingRequests {
  readonly #options: WaitingRequestsOptions
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: WaitingRequestsOptions) {
    this.#options = options
  }

  /** Of a request that comes in; `isForwarded`: another node waits for it already. */
  waitLimit(isForwarded: boolean): WaitLimit {
    const { waitMs } = this.#options
    return new WaitLimit(isForwarded ? Math.min(waitMs, FORWARDED_WAIT_MS) : waitMs)
  }

  /** Whether a request that no node has taken may wait for another try. */
  mayWait(waitLimit: WaitLimit): boolean {
    return !waitLimit.isOver && !this.#isUseless
  }

  /** Calls `goOn` once: when a node may serve the request, or when its time is over. Never if the client has left before. */
  add(outgoing: ServerResponse, waitLimit: WaitLimit, goOn: () => void): void {
    if (waitLimit.mayTry(this.#options.place()) || !this.mayWait(waitLimit)) {
      goOn()
      return
    }
    const left = () => this.#remove(waiting)
    const waiting: Waiting = {
      waitLimit,
      goOn: () => {
        outgoing.off('close', left)
        goOn()
      },
    }
    outgoing.once('close', left)
    this.#waiting.add(waiting)
    this.#timer ??= setInterval(() => this.#poll(), POLL_INTERVAL_MS)
  }

  /** Ends all waiting: the service stops. */
  close(): void {
    this.#isClosed = true
    this.#release(() => true)
  }

  get #isUseless(): boolean {
    const { isHopeless, requestsMax } = this.#options
    return this.#isClosed || isHopeless() || this.#waiting.size >= requestsMax
  }

  #poll(): void {
    const place = this.#options.place()
    const isHopeless = this.#options.isHopeless()
    this.#release(({ waitLimit }) => isHopeless || waitLimit.isOver || waitLimit.mayTry(place))
  }

  #release(isOver: (waiting: Waiting) => boolean): void {
    for (const waiting of [...this.#waiting]) {
      if (!isOver(waiting)) continue
      this.#remove(waiting)
      waiting.goOn()
    }
  }

  #remove(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    if (this.#waiting.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
