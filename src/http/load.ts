/**
 * What the service has taken on and not finished: requests it works on, and bodies it holds. Everything that takes
 * something on says so here, and is refused beyond the limits; plain counting, for it happens with every event.
 *
 * A request that waits for its client (for the rest of a body, for room to send) is none that is worked on: clients as
 * slow as they like keep nobody else out. What has arrived of their bodies counts, and long answers have a count of their
 * own.
 */
import { ServiceError } from '../service-error.ts'
import { Turnstile } from './turnstile.ts'

export interface LoadLimits {
  readonly maxRequests: number
  readonly maxRequestBytes: number
  readonly maxReads: number
}

/** Of all bytes, this part may be of bodies that are not complete: the rest is for those that come in one piece. */
const ARRIVING_SHARE = 0.75
/** Reads that are looking for their first events at a time: each may hold a megabyte, and none takes long. */
const FINDING_MAX = 32

export class Load {
  readonly #limits: LoadLimits
  #working = 0
  #done = 0
  #workingBytes = 0
  #arrivingBytes = 0
  #reads = 0
  #readsBegun = 0
  readonly #finding = new Turnstile(FINDING_MAX)

  constructor(limits: LoadLimits) {
    this.#limits = limits
  }

  /** Requests that are worked on. */
  get working(): number {
    return this.#working
  }

  /** Requests that were worked on and are answered, since the start. */
  get done(): number {
    return this.#done
  }

  /** Bytes of bodies that wait for the disk, or are arriving. */
  get heldBytes(): number {
    return this.#workingBytes + this.#arrivingBytes
  }

  /** Long answers that are being sent. */
  get reads(): number {
    return this.#reads
  }

  /** Reads, long or short, since the start. */
  get readsBegun(): number {
    return this.#readsBegun
  }

  /** Whether bodies take all the memory they may. */
  get outOfMemory(): boolean {
    return this.#workingBytes + this.#arrivingBytes >= this.#limits.maxRequestBytes
  }

  /** Whether a body of so many bytes may begin to arrive; one that is alone always may. */
  mayArrive(bytes: number): boolean {
    return this.#arrivingBytes === 0 || this.#arrivingBytes + bytes <= this.#arrivingBytesMax
  }

  /** Throws ServiceError 'overloaded' where `mayArrive` says no. */
  assertMayArrive(bytes: number): void {
    if (!this.mayArrive(bytes)) throw this.#tooMuch()
  }

  /** A request is complete, with a body of so many bytes, and is now worked on. */
  begin(bytes: number): void {
    this.#working++
    this.#workingBytes += bytes
  }

  /** What `begin` began is over. */
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

  /** For a body that arrives in pieces. */
  arrival(): Arrival {
    return new Arrival(this)
  }

  /** Throws ServiceError 'overloaded' if more is held than may be, and this is not the only body. */
  arriving(change: number, mine: number): void {
    this.#arrivingBytes += change
    if (change > 0 && this.#arrivingBytes > this.#arrivingBytesMax && this.#arrivingBytes > mine) {
      throw this.#tooMuch()
    }
  }

  /** A read looks for its first events, in its turn; what `find` resolves with. */
  async whileFinding<T>(find: () => Promise<T>): Promise<T> {
    this.begin(0)
    this.#readsBegun++
    const leave = await this.#finding.enter()
    try {
      return await find()
    } finally {
      this.end(0)
      leave()
    }
  }

  /** A long answer goes out from now until `endRead`. Throws ServiceError 'overloaded'. */
  beginRead(): void {
    if (this.#reads >= this.#limits.maxReads) {
      throw new ServiceError(
        'overloaded',
        `${this.#reads} long answers are being sent, and no more at a time; try again later, or ask for less with limit`,
      )
    }
    this.#reads++
  }

  endRead(): void {
    this.#reads--
  }

  #tooMuch(): ServiceError {
    return new ServiceError(
      'overloaded',
      'as much is arriving already as is held in memory at a time; try again later',
    )
  }

  get #arrivingBytesMax(): number {
    return this.#limits.maxRequestBytes * ARRIVING_SHARE
  }
}

/** The part of one body that is in memory. */
export class Arrival {
  readonly #load: Load
  #held = 0

  constructor(load: Load) {
    this.#load = load
  }

  /** So many bytes are held now. Throws ServiceError 'overloaded'; then they are to be given up, and `end` called. */
  holds(bytes: number): void {
    const change = bytes - this.#held
    this.#held = bytes
    this.#load.arriving(change, bytes)
  }

  /** Nothing is held any more, or it is counted elsewhere. May be called twice. */
  end(): void {
    this.holds(0)
  }
}
