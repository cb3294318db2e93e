/**
 * The gate before all routes: what is too much is sent away here, before anything is done for it.
 *
 * Up to `maxRequests` are worked on at a time, which is the benefit of the doubt: a burst, or many clients that each wait
 * for their answer, are served a little later. When it is used up, more comes in than can be done, and waiting would help
 * nobody: then a queue of an eighth is kept, so that what is taken is answered about as fast as ever, until nothing had
 * to be sent away for a while. docs/decisions/0015-overload.md has the measurements.
 *
 * A refusal costs half of what an event costs. Clients that send again at once, whatever Retry-After says, would leave no
 * time for anything else, so a refusal waits a few hundredths of a second before it goes out.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Load } from './load.ts'
import { bodyIsLarge, sendRefusal } from './refusals.ts'

/** While overloaded, this part of `maxRequests` is worked on at a time. */
const OVERLOADED_SHARE = 1 / 8
/** Overloaded until nothing was refused for so long. */
const CALM_MS = 1_000
/** Refusals go out in bundles, so many of these later. */
const TICK_MS = 10
const DELAY_TICKS = 4

/** Asked when something is wrong, by those who would restart us if they got no answer. */
const HEALTH = /^\/(?:ping|status|v3\/system\/services\/(?:streams\/)?status)(?:\?|$)/

export class Gate {
  readonly #load: Load
  readonly #maxRequests: number
  #limit: number
  #quietTicks = 0
  #ticking: NodeJS.Timeout | undefined
  /** Refused and not yet told, by when they are: the first bundle is next. */
  #bundles: Refused[][] = []

  constructor(load: Load, maxRequests: number) {
    this.#load = load
    this.#maxRequests = maxRequests
    this.#limit = maxRequests
  }

  guard(listener: RequestListener): RequestListener {
    return (incoming, outgoing) => {
      if (this.#isShut && !HEALTH.test(incoming.url!)) this.#refuse(incoming, outgoing)
      else listener(incoming, outgoing)
    }
  }

  /**
   * For clients that ask before they send a body (`Expect: 100-continue`): is answered here if the gate is shut, and
   * their body need not come at all.
   */
  refusesBeforeBody(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    const length = Number(incoming.headers['content-length'])
    if (!this.#isShut && !(length > 0 && !this.#load.mayArrive(length))) return false
    outgoing.shouldKeepAlive = false // a body that does not come cannot be told from one that does
    sendRefusal(incoming, outgoing, this.#sentence)
    return true
  }

  get #isShut(): boolean {
    return this.#load.working >= this.#limit || this.#load.outOfMemory
  }

  get #sentence(): string {
    return this.#load.outOfMemory
      ? 'as much is on its way to the disk as is held in memory; try again later'
      : 'more requests come in than can be done; try again later'
  }

  #refuse(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.#ticking === undefined) this.#beginOverload()
    this.#quietTicks = 0
    // With a large body it shall stop sending now.
    if (bodyIsLarge(incoming)) {
      sendRefusal(incoming, outgoing, this.#sentence)
    } else {
      incoming.resume() // what comes of its body is dropped, not kept until it is told
      this.#bundles[this.#bundles.length - 1].push({ incoming, outgoing })
    }
  }

  #beginOverload(): void {
    this.#limit = Math.max(1, Math.floor(this.#maxRequests * OVERLOADED_SHARE))
    this.#bundles = Array.from({ length: DELAY_TICKS }, () => [])
    this.#ticking = setInterval(() => this.#tick(), TICK_MS)
    this.#ticking.unref()
  }

  #tick(): void {
    const due = this.#bundles.shift()!
    this.#bundles.push([])
    const sentence = this.#sentence
    for (const { incoming, outgoing } of due) sendRefusal(incoming, outgoing, sentence)
    if (++this.#quietTicks * TICK_MS > CALM_MS) this.#endOverload()
  }

  /** Nothing is left in the bundles: the last refusal is longer ago than they take. */
  #endOverload(): void {
    clearInterval(this.#ticking)
    this.#ticking = undefined
    this.#limit = this.#maxRequests
  }
}

interface Refused {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}
