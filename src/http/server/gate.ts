/**
 * The gate before all routes: what is too much is sent away here, before anything is done for it.
 *
 * Up to `maxRequests` are worked on at a time, which is the benefit of the doubt: a burst, or many clients that each wait
 * for their answer, are served a little later. When all of them take longer than `maxWaitMs` and the process is busy all
 * the time, more comes in than can be done, and waiting helps nobody: then an eighth is worked on at a time, until there is
 * room again, so that what is taken is answered soon. So it is while the event loop is late, whatever keeps it: what comes
 * waits then, however few requests are worked on. docs/decisions/0015-overload.md has the measurements, and
 * docs/decisions/0025-event-loop.md what else yields to events then.
 *
 * A refusal costs half of what an event costs. Clients that send again at once, whatever Retry-After says, would leave no
 * time for anything else, so a refusal waits a few hundredths of a second before it goes out.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asksForHealth } from './health-checks.ts'
import type { Load } from './load.ts'
import { bodyIsLarge, Refusal } from './refusals.ts'

/** While overloaded, this part of `maxRequests` is worked on at a time. */
const OVERLOADED_SHARE = 1 / 8
/** With no more than this part it is never overloaded, however long they take: so few are better served than refused. */
const HARMLESS_SHARE = 1 / 4
/** Refusals go out in bundles, one every tick, each so many ticks after it was filled. */
const TICK_MS = 10
const DELAY_TICKS = 6
/** How often it is looked how long requests take, and whether there is room again. */
const CHECK_TICKS = 30
/** There is room again when less than this part of what may be worked on was, on average. */
const ROOM_SHARE = 1 / 2
/** Busy for less of the time, requests wait for the disk, and many wait for it no longer than few: they share its writes. */
const BUSY_SHARE = 0.8
/** With nothing to look after for so many looks, nothing ticks any more. */
const CALM_CHECKS = 3

const TOO_MANY_REQUESTS = new Refusal('more requests come in than can be done; try again later')
const TOO_MANY_BYTES = new Refusal('as much is on its way to the disk as is held in memory; try again later')

export interface GateLimits {
  readonly maxRequests: number
  readonly maxWaitMs: number
}

/** Whether the event loop is late, whatever keeps it: then everything waits, few requests or many. */
export interface LateLoop {
  readonly isDelayed: boolean
}

/** Which part of the time since it was last asked the process was busy, 0 to 1. */
export type BusyShare = () => number

export class Gate {
  readonly #load: Load
  readonly #limits: GateLimits
  readonly #busyShare: BusyShare
  readonly #loop: LateLoop
  /** From here on it is looked after. */
  readonly #overloadedLimit: number
  /** Requests that were sent away, since the start. */
  refused = 0
  #limit: number
  #ticking: NodeJS.Timeout | undefined
  /** Refused and not yet told, by when they are: the first bundle is next. */
  #bundles: Refused[][] = []
  #ticks = 0
  #calmChecks = 0
  /** Since the last look: requests worked on, summed over the ticks; and those done before it. */
  #workingSum = 0
  #doneBefore = 0
  #polledAtMs = 0

  constructor(load: Load, limits: GateLimits, busyShare: BusyShare, loop: LateLoop = NEVER_LATE) {
    this.#load = load
    this.#limits = limits
    this.#busyShare = busyShare
    this.#loop = loop
    this.#overloadedLimit = Math.max(1, Math.floor(limits.maxRequests * OVERLOADED_SHARE))
    this.#limit = limits.maxRequests
  }

  /** Whether this request is too much: then it is answered 503, now or in a moment. */
  refuses(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    if (this.#load.working >= this.#overloadedLimit) this.#ticking ??= this.#beginTicking()
    if (!this.#isShut || asksForHealth(incoming)) return false
    this.#refuse(incoming, outgoing)
    return true
  }

  /**
   * For clients that ask before they send a body (`Expect: 100-continue`): is answered here if the gate is shut, and
   * their body need not come at all.
   */
  refusesBeforeBody(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    if (!this.#isShut) return false
    this.refused++
    outgoing.shouldKeepAlive = false // a body that does not come cannot be told from one that does
    this.#refusal.answer(incoming, outgoing)
    return true
  }

  get #isShut(): boolean {
    return this.#load.working >= this.#limit || this.#load.outOfMemory
  }

  get #refusal(): Refusal {
    return this.#load.outOfMemory ? TOO_MANY_BYTES : TOO_MANY_REQUESTS
  }

  #refuse(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.refused++
    this.#ticking ??= this.#beginTicking() // for want of memory it may be shut before
    this.#calmChecks = 0
    // With a large body it shall stop sending now.
    if (bodyIsLarge(incoming)) {
      this.#refusal.answer(incoming, outgoing)
    } else {
      incoming.resume() // what comes of its body is dropped, not kept until it is told
      this.#bundles.at(-1)?.push({ incoming, outgoing }) // there are bundles while it ticks
    }
  }

  #beginTicking(): NodeJS.Timeout {
    this.#bundles = Array.from({ length: DELAY_TICKS }, () => [])
    this.#calmChecks = 0
    this.#beginLook()
    return setInterval(() => this.#tick(), TICK_MS).unref()
  }

  #tick(): void {
    const due = this.#bundles.shift()!
    this.#bundles.push([])
    const refusal = this.#refusal
    for (const { incoming, outgoing } of due) refusal.answer(incoming, outgoing)
    this.#workingSum += this.#load.working
    if (++this.#ticks >= CHECK_TICKS) this.#poll()
  }

  #poll(): void {
    const working = this.#workingSum / this.#ticks
    // Little's law: as many as are there at a time, over as many as go in a time, is how long each of them is there.
    const waitMs = (working * (performance.now() - this.#polledAtMs)) / (this.#load.done - this.#doneBefore)
    if (this.#limit === this.#limits.maxRequests) {
      const slow = working > this.#limits.maxRequests * HARMLESS_SHARE && waitMs > this.#limits.maxWaitMs
      if ((slow || this.#loop.isDelayed) && this.#busyShare() > BUSY_SHARE)
        this.#limit = this.#overloadedLimit
    } else if (working < this.#limit * ROOM_SHARE && !this.#loop.isDelayed) {
      this.#limit = this.#limits.maxRequests
    }
    if (working >= this.#overloadedLimit || this.#limit < this.#limits.maxRequests) this.#calmChecks = 0
    if (++this.#calmChecks > CALM_CHECKS) this.#endTicking()
    this.#beginLook()
  }

  #beginLook(): void {
    this.#busyShare()
    this.#ticks = 0
    this.#workingSum = 0
    this.#doneBefore = this.#load.done
    this.#polledAtMs = performance.now()
  }

  /** Nothing is left in the bundles: the last refusal is longer ago than they take. */
  #endTicking(): void {
    clearInterval(this.#ticking)
    this.#ticking = undefined
  }
}

const NEVER_LATE: LateLoop = { isDelayed: false }

interface Refused {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}
