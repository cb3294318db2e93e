/**
 * A semaphore that clients share: so many turns at a time, round-robin over the clients that wait.
 *
 *   the last turn is for a client that has none: one client may hold all the others, and nobody waits behind it alone
 *   the client with the fewest turns is next, then the one that was served longest ago
 *   a client that waits without a turn while another holds several: the latest of those has to give way
 *   a client with a penalty waits while others are there
 *
 * It also finds out which turn is to blame when all that run have failed together (`judge`): the others run again.
 */
import { type ClientKey, FairShare } from '../fair-share.ts'
import type { Penalties } from './penalties.ts'

export interface Task {
  readonly client: ClientKey
  /** It may have ended a process: no other such turn runs beside it, so that the next failure tells. */
  suspect: boolean
  /** Undefined until it has failed together with others; to be reset when it begins. */
  verdict: Verdict | undefined
  begin(): void
  /** Ends soon, and asks again. */
  preempt(): void
}

export type Verdict = 'guilty' | 'innocent'

/** A turn that has to give way gets so long to end by itself. */
const PREEMPT_AFTER_MS = 500
/** A client that asked for nothing so long is not there any more. */
const PRESENT_MS = 60_000
/** Clients that are remembered before those that are gone are looked for. */
const PRESENT_MAX = 256

export class FairSemaphore {
  readonly #permits: number
  readonly #penalties: Penalties
  readonly #waiting = new Map<ClientKey, Task[]>()
  /** In the order in which they began. */
  readonly #running = new Set<Task>()
  readonly #held: FairShare
  /** When a client was last served, as a count. */
  readonly #served = new Map<ClientKey, number>()
  readonly #seenMs = new Map<ClientKey, number>()
  #serving = 0
  #timer: NodeJS.Timeout | undefined

  constructor(permits: number, penalties: Penalties) {
    this.#permits = permits
    this.#penalties = penalties
    this.#held = new FairShare(permits)
  }

  get running(): readonly Task[] {
    return [...this.#running]
  }

  /** How long its next turn has to wait for a penalty at least. */
  penaltyMs(client: ClientKey): number {
    return this.#hasToWaitMs(client)
  }

  waitingOf(client: ClientKey): number {
    return this.#waiting.get(client)?.length ?? 0
  }

  /** `begin` is called when it is its turn, at once if there is one; `first`: before the others of its client. */
  ask(task: Task, first = false): void {
    this.#see(task.client)
    const queue = this.#waiting.get(task.client) ?? []
    if (first) queue.unshift(task)
    else queue.push(task)
    this.#waiting.set(task.client, queue)
    this.#serve()
  }

  /** It runs no more, or does not want to run. */
  leave(task: Task): void {
    if (this.#running.delete(task)) this.#held.give(task.client, 1)
    else this.#dequeue(task)
    this.#serve()
  }

  /**
   * All that run have failed together. `culprit` is to blame if it is known, else the only one that runs, or the only
   * suspect; if it cannot be told, all are suspects from now on. 'none': it is none of them.
   */
  judge(culprit?: Task | 'none'): void {
    const running = this.running
    for (const task of running) task.verdict = 'innocent'
    if (culprit === 'none') return
    const suspects = running.filter(({ suspect }) => suspect)
    const [only, ...others] = culprit !== undefined ? [culprit] : suspects.length > 0 ? suspects : running
    if (only !== undefined && others.length === 0) {
      only.verdict = 'guilty'
      this.#penalties.add(only.client)
    } else {
      for (const task of running) task.suspect = true
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#waiting.clear()
  }

  #see(client: ClientKey): void {
    const nowMs = performance.now()
    this.#seenMs.set(client, nowMs)
    if (this.#seenMs.size <= PRESENT_MAX) return
    for (const [other, ms] of this.#seenMs) {
      if (ms + PRESENT_MS >= nowMs || this.#held.held(other) > 0 || this.waitingOf(other) > 0) continue
      this.#seenMs.delete(other)
      this.#served.delete(other)
    }
  }

  #dequeue(task: Task): void {
    const queue = this.#waiting.get(task.client)
    const index = queue?.indexOf(task) ?? -1
    if (queue === undefined || index === -1) return
    queue.splice(index, 1)
    if (queue.length === 0) this.#waiting.delete(task.client)
  }

  #serve(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (;;) {
      const task = this.#next()
      if (task === undefined) break
      this.#dequeue(task)
      this.#running.add(task)
      this.#held.take(task.client, 1)
      this.#served.set(task.client, ++this.#serving)
      task.begin()
    }
    const waitMs = this.#nextPollMs()
    if (waitMs !== undefined) this.#timer = setTimeout(() => this.#poll(), waitMs).unref()
  }

  #next(): Task | undefined {
    const free = this.#permits - this.#held.total
    if (free <= 0) return undefined
    const hasSuspect = this.running.some(({ suspect }) => suspect)
    let best: Task | undefined
    for (const [client, [task]] of this.#waiting) {
      if (task === undefined || (free === 1 && this.#permits > 1 && this.#held.held(client) > 0)) continue
      if ((task.suspect && hasSuspect) || this.#hasToWaitMs(client) > 0) continue
      if (best === undefined || this.#isBefore(client, best.client)) best = task
    }
    return best
  }

  #isBefore(client: ClientKey, other: ClientKey): boolean {
    const difference = this.#held.held(client) - this.#held.held(other)
    return difference < 0 || (difference === 0 && this.#servedAt(client) < this.#servedAt(other))
  }

  #servedAt(client: ClientKey): number {
    return this.#served.get(client) ?? 0
  }

  #hasToWaitMs(client: ClientKey): number {
    const waitMs = this.#penalties.waitMs(client)
    return waitMs > 0 && this.#othersAreThere(client) ? waitMs : 0
  }

  #othersAreThere(client: ClientKey): boolean {
    const sinceMs = performance.now() - PRESENT_MS
    for (const [other, ms] of this.#seenMs) if (other !== client && ms > sinceMs) return true
    return false
  }

  /** When something changes by time alone: a penalty ends, or somebody has waited long enough for another to give way. */
  #nextPollMs(): number | undefined {
    if (this.#overShare() !== undefined) return PREEMPT_AFTER_MS
    const waits = [...this.#waiting.keys()].map((client) => this.#hasToWaitMs(client)).filter((ms) => ms > 0)
    return waits.length === 0 ? undefined : Math.min(...waits) + 1
  }

  #poll(): void {
    this.#overShare()?.preempt()
    this.#serve()
  }

  /** The latest turn of a client that holds several while another, which may have one, has none. */
  #overShare(): Task | undefined {
    if (this.#held.total < this.#permits) return undefined
    const waits = [...this.#waiting.keys()].some(
      (client) => this.#held.held(client) === 0 && this.#hasToWaitMs(client) === 0,
    )
    const heaviest = waits ? this.#held.heaviest() : undefined
    if (heaviest === undefined || this.#held.held(heaviest) < 2) return undefined
    return this.running.findLast(({ client }) => client === heaviest)
  }
}
