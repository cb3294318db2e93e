/**
 * Requests that wait for the coordinator while no node has it: a node starts, or takes over from one that has stopped. They
 * hold nothing but their connection; their bodies are not read.
 */
import type { ServerResponse } from 'node:http'

export interface WaitingRequestsOptions {
  /** Whether a node serves them now. */
  readonly isReady: () => boolean
  /** Whether waiting is of no use: this node is cut off. */
  readonly isHopeless: () => boolean
  /** Requests that wait at a time. */
  readonly requestsMax: number
  readonly waitMs?: number
}

/** A node that gives the coordinator up is followed by another one in less time; one that dies is not. */
const WAIT_MS = 5_000
const POLL_INTERVAL_MS = 20

interface Waiting {
  readonly untilMs: number
  readonly goOn: () => void
}

export class WaitingRequests {
  readonly #options: WaitingRequestsOptions
  readonly #waiting = new Set<Waiting>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: WaitingRequestsOptions) {
    this.#options = options
  }

  /** Calls `goOn` once: when a node serves the request, or when its time is over. Never if the client has left before. */
  add(outgoing: ServerResponse, goOn: () => void): void {
    const { isReady, isHopeless, requestsMax, waitMs = WAIT_MS } = this.#options
    if (isReady() || isHopeless() || this.#waiting.size >= requestsMax) {
      goOn()
      return
    }
    const left = () => this.#remove(waiting)
    const waiting: Waiting = {
      untilMs: performance.now() + waitMs,
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
    this.#release(() => true)
  }

  #poll(): void {
    const nowMs = performance.now()
    const isOver = this.#options.isReady() || this.#options.isHopeless()
    this.#release(({ untilMs }) => isOver || untilMs <= nowMs)
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
