/**
 * The work in progress: requests in work, and bodies in memory. All work is counted here, and refused beyond the limits. The
 * counting is plain additions, because it happens with every event.
 *
 * A request that waits for its client (for the rest of a body, or to take more of an answer) is not in work, so slow clients
 * do not keep others out. The bytes of their bodies count, and long answers are counted on their own.
 */
import type { IncomingMessage } from 'node:http'
import { Semaphore } from '../../../storage/semaphore.ts'
import type { ClientKey } from '../../fair-share.ts'
import { BodyMemory, type BodyMemoryLimits } from './body-memory.ts'
import { clientKey } from './client-key.ts'
import { ReadSlots, type ReadSlotsLimits } from './read-slots.ts'

export interface LoadLimits extends BodyMemoryLimits, ReadSlotsLimits {
  readonly maxRequests: number
}

/** How many reads may look for their first events at a time: each may hold a megabyte, and none takes long. */
const FINDING_MAX = 32

export class Load {
  /** Of bodies that are arriving. */
  readonly bodies: BodyMemory
  /** Of long answers. */
  readonly readSlots: ReadSlots
  /** Which client a request counts for. */
  readonly clientOf: (incoming: IncomingMessage) => ClientKey
  readonly #bytesMax: number
  #working = 0
  #done = 0
  #workingBytes = 0
  #readsBegun = 0
  readonly #finding = new Semaphore(FINDING_MAX)

  /** Without `clientOf` a client is an address. */
  constructor(limits: LoadLimits, clientOf?: (incoming: IncomingMessage) => ClientKey) {
    this.bodies = new BodyMemory(limits)
    this.readSlots = new ReadSlots(limits)
    this.clientOf = clientOf ?? ((incoming) => clientKey(incoming, undefined))
    this.#bytesMax = limits.maxRequestBytes
  }

  /** Requests in work. */
  get working(): number {
    return this.#working
  }

  /** Requests that were in work and are answered, since the start. */
  get done(): number {
    return this.#done
  }

  /** Bytes of bodies that wait for the disk, or are arriving. */
  get heldBytes(): number {
    return this.#workingBytes + this.bodies.held
  }

  /** Long answers that are being sent. */
  get reads(): number {
    return this.readSlots.held
  }

  /** Reads, long or short, since the start. */
  get readsBegun(): number {
    return this.#readsBegun
  }

  /** Whether bodies take all the memory they may: those that arrive never take the part of the complete ones. */
  get outOfMemory(): boolean {
    return this.#workingBytes + Math.min(this.bodies.held, this.bodies.capacity) >= this.#bytesMax
  }

  /** Why writes are refused, as a sentence; undefined while there is memory for them. */
  failure(): Error | undefined {
    if (!this.outOfMemory && !this.bodies.refusedRecently) return undefined
    return new Error(
      `writes are refused: bodies hold ${this.heldBytes} bytes of memory, and at most ${this.#bytesMax} may be held`,
    )
  }

  /** A request with a body of `bytes` is complete, and now in work. */
  begin(bytes: number): void {
    this.#working++
    this.#workingBytes += bytes
  }

  /** Ends what `begin` began. */
  end(bytes: number): void {
    this.#working--
    this.#done++
    this.#workingBytes -= bytes
  }

  async whileDoing<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.begin(bytes)
    try {
      return await work()
    } finally {
      this.end(bytes)
    }
  }

  /** Calls `find`, with which a read looks for its first events, when fewer than FINDING_MAX do. */
  async whileFinding<T>(find: () => Promise<T>): Promise<T> {
    this.begin(0)
    this.#readsBegun++
    try {
      return await this.#finding.run(find)
    } finally {
      this.end(0)
    }
  }
}
