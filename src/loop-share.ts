/**
 * The time of the event loop that long work of the control plane gets: lists, searches, metrics of thousands of streams.
 *
 * Such work runs in slices of a few milliseconds. Between two slices, of any client, the event loop handles all events that
 * have arrived, and while events arrive there is a pause as long as a slice. Waiting clients get slices in turn, however many
 * requests each of them has. A client has a few works under way at a time; its others wait. When there are too many works,
 * the newest waiting work of the client with most of them is refused. While the event loop is delayed, a client may have one
 * work under way and a few that wait; further ones are refused.
 */
import { type ClientKey, FairShare } from './fair-share.ts'
import { ServiceError } from './service-error.ts'

/** Short beside the fsync that an append waits for anyway. */
const SLICE_MS = 2
/** Without an event or a read for this long, there is no pause between slices. */
const QUIET_MS = 100
/** How many works of one client may be under way: each holds the finished part of its answer in memory. */
const UNDER_WAY_MAX = 2
/** Works of all clients, under way or waiting. */
const WORKS_MAX = 256
/** The same two of one client while the event loop is delayed. */
const DELAYED_UNDER_WAY_MAX = 1
const DELAYED_WORKS_MAX = 8

/** Passed to long work: it stops when `isOver` is true, and goes on after `next`. */
export interface Slice {
  readonly isOver: boolean
  /** Resolves when the client has its next slice. */
  next(): Promise<void>
}

export interface LoopShareOptions {
  /** Whether the event loop is late already. */
  readonly isDelayed?: () => boolean
  /** Goes up with every finished event and read. While it does, slices take at most half of the time. */
  readonly done?: () => number
  readonly worksMax?: number
  readonly sliceMs?: number
}

interface Waiting {
  readonly start: () => void
  readonly refuse: () => void
}

interface ClientWorks {
  underWay: number
  readonly waiting: Waiting[]
}

export class LoopShare {
  readonly #isDelayed: () => boolean
  readonly #done: () => number
  #doneBefore = 0
  #eventsAtMs = Number.NEGATIVE_INFINITY
  readonly #sliceMs: number
  readonly #works: FairShare
  readonly #byClient = new Map<ClientKey, ClientWorks>()
  /** The clients that wait for a slice, the next one first. */
  readonly #turns = new Map<ClientKey, (() => void)[]>()
  #scheduled = false

  constructor({
    isDelayed = () => false,
    done = () => 0,
    worksMax = WORKS_MAX,
    sliceMs = SLICE_MS,
  }: LoopShareOptions = {}) {
    this.#isDelayed = isDelayed
    this.#done = done
    this.#sliceMs = sliceMs
    this.#works = new FairShare(worksMax)
  }

  /** Works of all clients, under way or waiting. */
  get works(): number {
    return this.#works.total
  }

  /** Runs `work` in slices. Rejects with ServiceError 'overloaded' if it is refused. */
  async run<T>(client: ClientKey, work: (slice: Slice) => Promise<T>): Promise<T> {
    await this.#admit(client)
    try {
      const slice = this.slice(client)
      await slice.next()
      return await work(slice)
    } finally {
      this.#leave(client)
    }
  }

  /** For work that is admitted already, such as the rest of an answer to a slow client. */
  slice(client: ClientKey): Slice {
    const sliceMs = this.#sliceMs
    let endMs = 0
    return {
      get isOver() {
        return performance.now() >= endMs
      },
      next: () =>
        new Promise<void>((resolve) => {
          this.#wait(client, () => {
            endMs = performance.now() + sliceMs
            resolve()
          })
        }),
    }
  }

  async #admit(client: ClientKey): Promise<void> {
    const isDelayed = this.#isDelayed()
    if (isDelayed && this.#works.held(client) >= DELAYED_WORKS_MAX) throw tooMany()
    if (!this.#works.fits(1)) this.#evict(client)
    this.#works.take(client, 1)
    const works = this.#byClient.get(client) ?? { underWay: 0, waiting: [] }
    this.#byClient.set(client, works)
    if (works.underWay < (isDelayed ? DELAYED_UNDER_WAY_MAX : UNDER_WAY_MAX)) {
      works.underWay++
      return
    }
    await new Promise<void>((start, reject) => {
      works.waiting.push({ start, refuse: () => reject(tooMany()) })
    })
  }

  /** Refuses the newest waiting work of the client with the most, unless that is the client that asks. */
  #evict(client: ClientKey): void {
    const heaviest = this.#works.heaviest(client)
    const isFair = heaviest !== undefined && this.#works.held(heaviest) > this.#works.held(client) + 1
    const newest = isFair ? this.#byClient.get(heaviest)?.waiting.pop() : undefined
    if (newest === undefined) throw tooMany()
    this.#works.give(heaviest!, 1)
    newest.refuse()
  }

  #leave(client: ClientKey): void {
    this.#works.give(client, 1)
    const works = this.#byClient.get(client)!
    const next = works.waiting.shift()
    if (next !== undefined) next.start()
    else if (--works.underWay === 0) this.#byClient.delete(client)
  }

  #wait(client: ClientKey, begin: () => void): void {
    const others = this.#turns.get(client)
    if (others === undefined) this.#turns.set(client, [begin])
    else others.push(begin)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#giveSlice)
  }

  /** Starts one slice in each iteration of the event loop. */
  readonly #giveSlice = (): void => {
    const [first] = this.#turns
    if (first === undefined) {
      this.#scheduled = false
      return
    }
    const [client, waiting] = first
    this.#turns.delete(client)
    const begin = waiting.shift()!
    if (waiting.length > 0) this.#turns.set(client, waiting) // behind the others
    this.#schedule()
    begin()
  }

  /** The next slice starts in the next iteration of the event loop, or while events arrive after a pause as long as a slice. */
  #schedule(): void {
    const done = this.#done()
    const nowMs = performance.now()
    if (done !== this.#doneBefore) this.#eventsAtMs = nowMs
    this.#doneBefore = done
    if (nowMs - this.#eventsAtMs > QUIET_MS) setImmediate(this.#giveSlice)
    else setTimeout(this.#giveSlice, 2 * this.#sliceMs)
  }
}

function tooMany(): ServiceError {
  return new ServiceError(
    'overloaded',
    'more long lists and searches are asked for than can be made; try again later',
  )
}
