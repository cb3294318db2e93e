/**
 * Slots for long answers, shared by clients. Each holds about a megabyte until its client has taken it.
 *
 * When all slots are taken and one more is needed, a reader is cut for it:
 *
 *   1. one that takes less than the minimum rate, of any client: the slowest first
 *   2. the slowest one of the client with most slots, as long as those are more than the new one would have
 *   3. one of the same client that has taken nothing for STALE_MS: the one that is idle longest. No more than one
 *      for each slot in that time, because clients that retry at once would all be new again
 *
 * If there is none, the new one waits for WAIT_MS_MAX, and is refused then. docs/decisions/0024-fair-shares.md has the
 * reasons.
 */

import { type ClientKey, FairShare } from '../../fair-share.ts'
import { ServiceError } from '../../service-error.ts'
import { CountedResource } from '../../shared-resource.ts'
import { SAMPLE_MS, TransferPace } from './transfer-pace.ts'

export interface ReadSlotsLimits {
  readonly maxReads: number
  readonly minReadBytesPerSecond: number
}

/** The kernel takes an answer in large steps, so a shorter time says nothing. */
const RATE_WINDOW_MS = 4_000
/** A reader of a megabyte a second moves in steps of up to three seconds where buffers are large, a faster one more often. */
const STALE_MS = 2_000
/** How often a slot is looked for while a read waits. */
const WAITING_POLL_INTERVAL_MS = 20
/** A read without a slot waits this long for one, then it is refused. */
const WAIT_MS_MAX = 6_000
/** Each has its first pieces in memory already. */
const WAITING_MAX = 32

interface Waiting {
  readonly client: ClientKey
  readonly resolve: (slot: ReadSlot) => void
  readonly reject: (error: ServiceError) => void
  readonly deadline: NodeJS.Timeout
  readonly cut: () => void
}

export class ReadSlots extends CountedResource {
  readonly #minBytesPerSecond: number
  readonly #readers = new Set<ReadSlot>()
  readonly #waiting = new Set<Waiting>()
  readonly #waitingShare = new FairShare(WAITING_MAX)
  #sampling: NodeJS.Timeout | undefined
  #serving: NodeJS.Timeout | undefined
  /** When the next reader may be cut for being idle. */
  #nextStaleMs = 0

  constructor({ maxReads, minReadBytesPerSecond }: ReadSlotsLimits) {
    super('reads', maxReads)
    this.#minBytesPerSecond = minReadBytesPerSecond
  }

  /** A slot for an answer of `client`; `leave` has to be called. `cut` ends the answer. Rejects with 'overloaded'. */
  async enter(client: ClientKey, cut: () => void): Promise<ReadSlot> {
    return this.#evict(client) ? this.#admit(client, cut) : this.#wait(client, cut)
  }

  /** Cuts the slowest reader below the minimum rate, for its connection; false if there is none. */
  cutSlow(): boolean {
    const slowest = this.#slowest((reader) => this.#isSlow(reader))
    if (slowest === undefined) return false
    this.#end(slowest)
    return true
  }

  /** For ReadSlot: its answer is over. */
  left(slot: ReadSlot): void {
    if (!this.#readers.delete(slot)) return
    this.share.give(slot.client, 1)
    this.#serveWaiting()
    if (this.#readers.size > 0) return
    clearInterval(this.#sampling)
    this.#sampling = undefined
  }

  #admit(client: ClientKey, cut: () => void): ReadSlot {
    const slot = new ReadSlot(this, client, cut)
    this.#readers.add(slot)
    this.share.take(client, 1)
    this.#sampling ??= setInterval(() => this.#sample(), SAMPLE_MS).unref()
    return slot
  }

  /** Whether there is a slot for `client`; another reader may have lost it. */
  #evict(client: ClientKey): boolean {
    if (this.share.fits(1)) return true
    const victim = this.#victim(client)
    if (victim !== undefined) this.#end(victim)
    return victim !== undefined
  }

  #victim(client: ClientKey): ReadSlot | undefined {
    const slow = this.#slowest((reader) => this.#isSlow(reader))
    if (slow !== undefined) return slow
    const heaviest = this.share.heaviest(client)
    if (heaviest !== undefined && this.share.held(heaviest) > this.share.held(client) + 1) {
      return this.#slowest((reader) => reader.client === heaviest)
    }
    return this.#stale(client)
  }

  #stale(client: ClientKey): ReadSlot | undefined {
    const nowMs = performance.now()
    if (nowMs < this.#nextStaleMs) return undefined
    let stale: { reader: ReadSlot; idleMs: number } | undefined
    for (const reader of this.#readers) {
      const { idleMs } = reader.pace
      if (reader.client !== client || idleMs < STALE_MS) continue
      if (stale === undefined || idleMs > stale.idleMs) stale = { reader, idleMs }
    }
    if (stale !== undefined) this.#nextStaleMs = nowMs + STALE_MS / this.share.capacity
    return stale?.reader
  }

  #slowest(among: (reader: ReadSlot) => boolean): ReadSlot | undefined {
    let slowest: { reader: ReadSlot; rate: number } | undefined
    for (const reader of this.#readers) {
      if (!among(reader)) continue
      const rate = reader.pace.bytesPerSecond(RATE_WINDOW_MS)
      // Of several that take nothing at all, the oldest one.
      if (slowest === undefined || rate < slowest.rate) slowest = { reader, rate }
    }
    return slowest?.reader
  }

  #isSlow({ pace }: ReadSlot): boolean {
    return pace.awaitedMs >= RATE_WINDOW_MS && pace.bytesPerSecond(RATE_WINDOW_MS) < this.#minBytesPerSecond
  }

  /** Its slot is free at once. */
  #end(slot: ReadSlot): void {
    this.cut++
    this.#readers.delete(slot)
    this.share.give(slot.client, 1)
    slot.cut()
  }

  #wait(client: ClientKey, cut: () => void): Promise<ReadSlot> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= WAITING_MAX && !this.#refuseOneOfHeaviest(client)) {
        reject(this.#refusal())
        return
      }
      const deadline = setTimeout(() => this.#refuse(waiting), WAIT_MS_MAX).unref()
      const waiting: Waiting = { client, resolve, reject, deadline, cut }
      this.#waiting.add(waiting)
      this.#waitingShare.take(client, 1)
      this.#serving ??= setInterval(() => this.#serveWaiting(), WAITING_POLL_INTERVAL_MS).unref()
    })
  }

  /** Too many reads wait: refuses one of the client with most of them, unless that client asks. */
  #refuseOneOfHeaviest(client: ClientKey): boolean {
    const heaviest = this.#waitingShare.heaviest(client)
    if (heaviest === undefined) return false
    if (this.#waitingShare.held(heaviest) <= this.#waitingShare.held(client) + 1) return false
    this.#refuse([...this.#waiting].findLast((waiting) => waiting.client === heaviest)!)
    return true
  }

  /** The client that has least is served first, and among those the one that waits longest. */
  #serveWaiting(): void {
    const byShare = [...this.#waiting].sort((a, b) => this.share.held(a.client) - this.share.held(b.client))
    for (const waiting of byShare) {
      if (!this.#evict(waiting.client)) continue
      this.#leave(waiting)
      waiting.resolve(this.#admit(waiting.client, waiting.cut))
    }
  }

  #refuse(waiting: Waiting): void {
    this.#leave(waiting)
    waiting.reject(this.#refusal())
  }

  #leave(waiting: Waiting): void {
    this.#waiting.delete(waiting)
    this.#waitingShare.give(waiting.client, 1)
    clearTimeout(waiting.deadline)
    if (this.#waiting.size > 0) return
    clearInterval(this.#serving)
    this.#serving = undefined
  }

  #refusal(): ServiceError {
    this.refused++
    return new ServiceError(
      'overloaded',
      `${this.held} long answers are being sent, and no more at a time; try again later, or ask for less with limit`,
    )
  }

  #sample(): void {
    for (const { pace } of this.#readers) pace.sample()
  }
}

/** One long answer that is being sent. */
export class ReadSlot {
  readonly client: ClientKey
  readonly pace = new TransferPace()
  /** Ends the answer. */
  readonly cut: () => void
  readonly #slots: ReadSlots

  constructor(slots: ReadSlots, client: ClientKey, cut: () => void) {
    this.#slots = slots
    this.client = client
    this.cut = cut
  }

  /** May be called twice. */
  leave(): void {
    this.#slots.left(this)
  }
}
