/**
 * Shares the event loop among long tasks of the control plane: lists, searches, metrics of thousands of streams.
 *
 * A task runs in slices of a few milliseconds. Between two slices, of any client, the event loop handles all events
 * that have arrived, and while events arrive there is a pause as long as a slice. Waiting clients get slices in turn,
 * however many requests each of them has. A few tasks of a client run at a time; its others wait. When there are too
 * many tasks, the newest waiting task of the client with the most tasks is refused. While the event loop is delayed, a
 * client may have one running task and a few waiting ones; further tasks are refused.
 */
import { type ClientKey, FairShare } from './fair-share.ts'
import { ServiceError } from './service-error.ts'

/** Short compared with the fsync that an append waits for anyway. */
const SLICE_MS = 2
/** Without an event or a read for this long, there is no pause between slices. */
const QUIET_MS = 100
/** Limit of the running tasks of one client: each holds the finished part of its answer in memory. */
const UNDER_WAY_MAX = 2
/** Limit of the tasks of all clients, running or waiting. */
const TASKS_MAX = 256
/** Limits of one client while the event loop is delayed: running tasks, and all tasks. */
const DELAYED_UNDER_WAY_MAX = 1
const DELAYED_TASKS_MAX = 8

/** Passed to a task. The task pauses when `isOver` is true, and continues after `next`. */
export interface Slice {
  readonly isOver: boolean
  /** Resolves when the client has its next slice. */
  next(): Promise<void>
}

export interface LoopShareOptions {
  /** Whether the event loop is delayed. */
  readonly isDelayed?: () => boolean
  /** A counter of finished events and reads. While it increases, slices take at most half of the time. */
  readonly done?: () => number
  readonly tasksMax?: number
  readonly sliceMs?: number
}

interface Waiting {
  readonly start: () => void
  readonly refuse: () => void
}

interface ClientTasks {
  underWay: number
  readonly waiting: Waiting[]
}

export class LoopShare {
  readonly #isDelayed: () => boolean
  readonly #done: () => number
  #doneBefore = 0
  #eventsAtMs = Number.NEGATIVE_INFINITY
  readonly #sliceMs: number
  readonly #tasks: FairShare
  readonly #byClient = new Map<ClientKey, ClientTasks>()
  /** The clients that wait for a slice, the next one first. */
  readonly #turns = new Map<ClientKey, (() => void)[]>()
  #scheduled = false

  constructor({
    isDelayed = () => false,
    done = () => 0,
    tasksMax = TASKS_MAX,
    sliceMs = SLICE_MS,
  }: LoopShareOptions = {}) {
    this.#isDelayed = isDelayed
    this.#done = done
    this.#sliceMs = sliceMs
    this.#tasks = new FairShare(tasksMax)
  }

  /** The tasks of all clients, running or waiting. */
  get tasks(): number {
    return this.#tasks.total
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

  /** For a task that is admitted already, such as the rest of an answer to a slow client. */
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
    if (isDelayed && this.#tasks.held(client) >= DELAYED_TASKS_MAX) throw tooMany()
    if (!this.#tasks.fits(1)) this.#evict(client)
    this.#tasks.take(client, 1)
    const tasks = this.#byClient.get(client) ?? { underWay: 0, waiting: [] }
    this.#byClient.set(client, tasks)
    if (tasks.underWay < (isDelayed ? DELAYED_UNDER_WAY_MAX : UNDER_WAY_MAX)) {
      tasks.underWay++
      return
    }
    await new Promise<void>((start, reject) => {
      tasks.waiting.push({ start, refuse: () => reject(tooMany()) })
    })
  }

  /** Refuses the newest waiting task of the client with the most tasks, unless that is `client`. */
  #evict(client: ClientKey): void {
    const heaviest = this.#tasks.heaviest(client)
    const isFair = heaviest !== undefined && this.#tasks.held(heaviest) > this.#tasks.held(client) + 1
    const newest = isFair ? this.#byClient.get(heaviest)?.waiting.pop() : undefined
    if (newest === undefined) throw tooMany()
    this.#tasks.give(heaviest!, 1)
    newest.refuse()
  }

  #leave(client: ClientKey): void {
    this.#tasks.give(client, 1)
    const tasks = this.#byClient.get(client)!
    const next = tasks.waiting.shift()
    if (next !== undefined) next.start()
    else if (--tasks.underWay === 0) this.#byClient.delete(client)
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

  /** Starts the next slice in the next iteration of the event loop; while events arrive, after a pause as long as a slice. */
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
