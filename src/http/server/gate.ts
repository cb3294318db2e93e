/**
 * The overload gate before all routes: it refuses requests before anything is done for them.
 *
 * Up to `maxRequests` are in work at a time, so that a burst, or many clients that each wait for their answer, are served a
 * little later. If requests take longer than `maxWaitMs` and the process is busy all the time, more requests arrive than can
 * be handled. Then an eighth is in work at a time until the load falls, so that accepted requests are answered soon. The same
 * applies while the event loop is late, because then new requests wait however few are in work.
 * docs/decisions/0015-overload.md has the measurements; docs/decisions/0025-event-loop.md says what else is slowed down.
 *
 * A refusal costs half as much as an event. Clients that retry at once, whatever Retry-After says, would leave no time for
 * anything else, so a refusal is sent a few hundredths of a second later.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asksForHealth } from './health-checks.ts'
import type { Load } from './load.ts'
import { alwaysPlainText, type ShapeOf } from './problem.ts'
import { bodyIsLarge, Refusal } from './refusals.ts'

/** While overloaded, this part of `maxRequests` is in work at a time. */
const OVERLOADED_SHARE = 1 / 8
/** With up to this part of `maxRequests` in work the service is never overloaded, however long they take. */
const HARMLESS_SHARE = 1 / 4
/** Refusals are sent in bundles, one each tick; a bundle is sent this many ticks after it was begun. */
const TICK_MS = 10
const DELAY_TICKS = 6
/** How often the gate checks how long requests take, and whether the overload is over. */
const CHECK_TICKS = 30
/** The overload is over when less than this part of what may be in work was, on average. */
const CALM_SHARE = 1 / 2
/** If the process is busy for less of the time, requests wait for the disk, and many wait no longer than few: they share writes. */
const BUSY_SHARE = 0.8
/** The ticking stops after this many checks without much load. */
const CALM_CHECKS = 3

const TOO_MANY_REQUESTS = new Refusal('more requests come in than can be done; try again later')
const TOO_MANY_BYTES = new Refusal('as much is on its way to the disk as is held in memory; try again later')

export interface GateLimits {
  readonly maxRequests: number
  readonly maxWaitMs: number
}

/** Whether the event loop is late: then every request waits, however few there are. */
export interface LateLoop {
  readonly isDelayed: boolean
}

/** Which part of the time since the last call the process was busy, 0 to 1. */
export type BusyShare = () => number

export class Gate {
  readonly #load: Load
  readonly #limits: GateLimits
  readonly #busyShare: BusyShare
  readonly #loop: LateLoop
  readonly #shapeOf: ShapeOf
  /** At this many requests in work the overload check starts. */
  readonly #overloadedLimit: number
  /** Requests that were refused since the start. */
  refused = 0
  #limit: number
  #ticking: NodeJS.Timeout | undefined
  /** Refused requests that are not answered yet. The first bundle is answered next. */
  #bundles: Refused[][] = []
  #ticks = 0
  #calmChecks = 0
  /** Since the last check: requests in work, summed over the ticks. And how many were done before it. */
  #workingSum = 0
  #doneBefore = 0
  #polledAtMs = 0

  constructor(
    load: Load,
    limits: GateLimits,
    busyShare: BusyShare,
    loop: LateLoop = NEVER_LATE,
    shapeOf: ShapeOf = alwaysPlainText,
  ) {
    this.#shapeOf = shapeOf
    this.#load = load
    this.#limits = limits
    this.#busyShare = busyShare
    this.#loop = loop
    this.#overloadedLimit = Math.max(1, Math.floor(limits.maxRequests * OVERLOADED_SHARE))
    this.#limit = limits.maxRequests
  }

  /** Whether the gate refuses this request: it is answered 503, now or after the delay. */
  refuses(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    if (this.#load.working >= this.#overloadedLimit) this.#ticking ??= this.#beginTicking()
    if (!this.#isShut || asksForHealth(incoming)) return false
    this.#refuse(incoming, outgoing)
    return true
  }

  /**
   * For clients that wait before they send a body (`Expect: 100-continue`): if the gate is shut, the request is answered here,
   * and the body need not be sent.
   */
  refusesBeforeBody(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    if (!this.#isShut) return false
    this.refused++
    outgoing.shouldKeepAlive = false // the client may send the body all the same
    this.#refusal.answer(incoming, outgoing, this.#shapeOf)
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
    this.#ticking ??= this.#beginTicking() // without memory the gate is shut with fewer requests
    this.#calmChecks = 0
    // A client with a large body must stop sending now.
    if (bodyIsLarge(incoming)) {
      this.#refusal.answer(incoming, outgoing, this.#shapeOf)
    } else {
      incoming.resume() // the body is dropped, not kept until the refusal is sent
      this.#bundles.at(-1)?.push({ incoming, outgoing }) // there are bundles while it ticks
    }
  }

  #beginTicking(): NodeJS.Timeout {
    this.#bundles = Array.from({ length: DELAY_TICKS }, () => [])
    this.#calmChecks = 0
    this.#beginCheck()
    return setInterval(() => this.#tick(), TICK_MS).unref()
  }

  #tick(): void {
    const due = this.#bundles.shift()!
    this.#bundles.push([])
    const refusal = this.#refusal
    for (const { incoming, outgoing } of due) refusal.answer(incoming, outgoing, this.#shapeOf)
    this.#workingSum += this.#load.working
    if (++this.#ticks >= CHECK_TICKS) this.#poll()
  }

  #poll(): void {
    const working = this.#workingSum / this.#ticks
    // Little's law: the average number in work, over the number done per time, is how long each one takes.
    const waitMs = (working * (performance.now() - this.#polledAtMs)) / (this.#load.done - this.#doneBefore)
    if (this.#limit === this.#limits.maxRequests) {
      const slow = working > this.#limits.maxRequests * HARMLESS_SHARE && waitMs > this.#limits.maxWaitMs
      if ((slow || this.#loop.isDelayed) && this.#busyShare() > BUSY_SHARE)
        this.#limit = this.#overloadedLimit
    } else if (working < this.#limit * CALM_SHARE && !this.#loop.isDelayed) {
      this.#limit = this.#limits.maxRequests
    }
    if (working >= this.#overloadedLimit || this.#limit < this.#limits.maxRequests) this.#calmChecks = 0
    if (++this.#calmChecks > CALM_CHECKS) this.#endTicking()
    this.#beginCheck()
  }

  #beginCheck(): void {
    this.#busyShare()
    this.#ticks = 0
    this.#workingSum = 0
    this.#doneBefore = this.#load.done
    this.#polledAtMs = performance.now()
  }

  /** The bundles are empty: the last refusal is longer ago than their delay. */
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
