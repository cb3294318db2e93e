/**
 * A semaphore whose permits are shared by clients. A client has tasks; a task needs one permit while it runs.
 *
 *   Permits go round-robin to the clients with waiting tasks: first to the client that holds the fewest; of several such
 *   clients, to the one that was served the longest time ago.
 *   The last free permit is reserved for a client that holds none, so one client alone never holds all of them.
 *   If a client without a permit waits while another holds several, the latest task of that other client is preempted.
 *   A client with a penalty waits while other clients are present.
 *
 * It also finds the responsible task when all running tasks have failed together (`judge`); the others run again.
 */
import { type ClientKey, FairShare } from './fair-share.ts'
import type { Penalties } from './penalties.ts'

export interface Task {
  readonly client: ClientKey
  /**
   * The task may have ended a process. Only one suspect runs at a time, so that the next failure identifies the
   * responsible task.
   */
  suspect: boolean
  /** Set when the task has failed together with others; `begin` resets it. */
  verdict: Verdict | undefined
  /** Called when the task gets its permit. */
  begin(): void
  /** Asks the task to release its permit soon and to ask for another. */
  preempt(): void
}

export type Verdict = 'guilty' | 'innocent'

/** A task has this time to end before it is preempted. */
const PREEMPT_AFTER_MS = 500
/** A client that has not asked for this long does not count as present. */
const PRESENT_MS = 60_000
/** Above this number of known clients, clients that are not present are removed. */
const PRESENT_MAX = 256

export class FairSemaphore {
  readonly #permits: number
  readonly #penalties: Penalties
  readonly #waiting = new Map<ClientKey, Task[]>()
  /** In the order in which they started. */
  readonly #running = new Set<Task>()
  readonly #held: FairShare
  /** The number of the last permit that a client got. */
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

  /** How long the next task of the client has to wait at least, because of a penalty. */
  penaltyMs(client: ClientKey): number {
    const waitMs = this.#penalties.waitMs(client)
    return waitMs > 0 && this.#othersArePresent(client) ? waitMs : 0
  }

  waitingOf(client: ClientKey): number {
    return this.#waiting.get(client)?.length ?? 0
  }

  /**
   * Calls `begin` when the task gets a permit, possibly at once. With `first` the task precedes the other tasks of its
   * client.
   */
  ask(task: Task, first = false): void {
    this.#see(task.client)
    const queue = this.#waiting.get(task.client) ?? []
    if (first) queue.unshift(task)
    else queue.push(task)
    this.#waiting.set(task.client, queue)
    this.#serve()
  }

  /** Runs work of the client with a permit. It cannot be preempted. */
  async run<T>(client: ClientKey, work: () => Promise<T>): Promise<T> {
    let leave = () => {}
    await new Promise<void>((begin) => {
      const task = { client, suspect: false, verdict: undefined, begin, preempt() {} }
      leave = () => this.leave(task)
      this.ask(task)
    })
    return work().finally(leave)
  }

  /** Releases the permit of a task, or removes a waiting one. */
  leave(task: Task): void {
    if (this.#running.delete(task)) this.#held.give(task.client, 1)
    else this.#dequeue(task)
    this.#serve()
  }

  /**
   * Call it when all running tasks have failed together. The responsible task is `culprit` if it is known, else the
   * only suspect, else the only running task. If there are several candidates, all running tasks become suspects.
   * 'none' means that no running task is responsible.
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
      if ((task.suspect && hasSuspect) || this.penaltyMs(client) > 0) continue
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

  #othersArePresent(client: ClientKey): boolean {
    const sinceMs = performance.now() - PRESENT_MS
    for (const [other, ms] of this.#seenMs) if (other !== client && ms > sinceMs) return true
    return false
  }

  /** The time until a penalty ends or a task has to be preempted; undefined if there is neither. */
  #nextPollMs(): number | undefined {
    if (this.#overShare() !== undefined) return PREEMPT_AFTER_MS
    const waits = [...this.#waiting.keys()].map((client) => this.penaltyMs(client)).filter((ms) => ms > 0)
    return waits.length === 0 ? undefined : Math.min(...waits) + 1
  }

  #poll(): void {
    this.#overShare()?.preempt()
    this.#serve()
  }

  /** The latest task of the client with most permits, if it holds several and another client waits without one. */
  #overShare(): Task | undefined {
    if (this.#held.total < this.#permits) return undefined
    const waits = [...this.#waiting.keys()].some(
      (client) => this.#held.held(client) === 0 && this.penaltyMs(client) === 0,
    )
    const heaviest = waits ? this.#held.heaviest() : undefined
    if (heaviest === undefined || this.#held.held(heaviest) < 2) return undefined
    return this.running.findLast(({ client }) => client === heaviest)
  }
}
