/** The workshop as the rest of the service sees it: in a process of its own, which gets events from this one. */
import type { ResultColumn } from './cells.ts'
import type { EngineOptions } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { outOfMemory } from './memory-watch.ts'
import { ProcessEnded } from './process-ended.ts'
import type {
  BoundTable,
  NamedTableRequest,
  Outline,
  QueryKey,
  QueryWorker,
  RunOutcome,
  StrictFailure,
} from './query-worker.ts'
import {
  BLOCKS_AHEAD,
  type CalledMethod,
  errorOf,
  type FromWorkshop,
  failureOf,
  type ToWorkshop,
} from './query-worker-messages.ts'
import { openWorkshopPort, type WorkshopPort } from './query-worker-port.ts'
import type { Row } from './result.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A query that still runs so long after it was cancelled cannot be interrupted: its process is ended. */
const STOP_MS = 5_000
/** So long it may take to check a statement. */
const CHECK_MS = 10_000
/** A process that used less of the processor than this share of the time did not get it, or hangs: no statement is to blame. */
const BUSY_SHARE = 0.1
/** What was used before this share of the time has passed is not looked at, so that nothing is for what is quick. */
const FIRST_SHARE = 0.1
/** So often in a row it may be late without having worked. */
const LATE_MAX = 6
/** Answers that have arrived already get so long to be seen. */
const ARRIVED_MS = 20

export class RemoteQueryWorker implements QueryWorker {
  readonly #port: WorkshopPort
  readonly #source: EventSource
  readonly #waiting = new Map<number, Waiting>()
  readonly #reads = new Map<number, Sending>()
  readonly #sends = new Set<Promise<void>>()
  /** What ends the process if a query that was cancelled does not. */
  readonly #stopping = new Map<QueryKey, Deadline>()
  readonly #checking = new Set<Deadline>()
  readonly #onEnded: (ended: ProcessEnded) => void
  readonly #limitsChecks: boolean
  #calls = 0
  /** Deadlines in a row that passed while the process did not work. */
  #timesLate = 0
  #failure: ProcessEnded | undefined

  private constructor(
    port: WorkshopPort,
    source: EventSource,
    onEnded: (ended: ProcessEnded) => void,
    limitsChecks: boolean,
  ) {
    this.#port = port
    this.#limitsChecks = limitsChecks
    this.#source = source
    this.#onEnded = onEnded
    port.listen(
      (message) => this.#take(message),
      (why) => this.#failed(endedBy(why)),
    )
  }

  /**
   * `onEnded` is told once no call will succeed any more, with why: it is to be closed then. With `limitsChecks` a statement
   * that takes too long to read or bind ends the process.
   */
  static async open(
    options: EngineOptions,
    source: EventSource,
    onEnded: (ended: ProcessEnded) => void,
    limitsChecks: boolean,
  ): Promise<RemoteQueryWorker> {
    const queryWorker = new RemoteQueryWorker(await openWorkshopPort(), source, onEnded, limitsChecks)
    queryWorker.#post({ kind: 'open', options })
    return queryWorker
  }

  read(key: QueryKey, text: string): Promise<Outline> {
    return this.#inTime(key, this.#call('read', [key, text]))
  }

  bind(key: QueryKey, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]> {
    return this.#inTime(key, this.#call('bind', [key, tables]))
  }

  async run(
    key: QueryKey,
    tables: readonly NamedTableRequest[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure> {
    try {
      return await this.#call('run', [key, tables, strict])
    } finally {
      this.#stopping.get(key)?.clear()
      this.#stopping.delete(key)
    }
  }

  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]> {
    return this.#call('page', [key, from, count])
  }

  /** Only of one that runs. */
  stop(key: QueryKey): void {
    this.#post({ kind: 'tell', method: 'stop', key })
    if (this.#stopping.has(key)) return
    this.#stopping.set(key, new Deadline(this.#port, STOP_MS, (late) => this.#late(late, key)))
  }

  drop(key: QueryKey): void {
    this.#stopping.get(key)?.clear()
    this.#stopping.delete(key)
    this.#post({ kind: 'tell', method: 'drop', key })
  }

  async close(): Promise<void> {
    for (const deadline of this.#stopping.values()) deadline.clear()
    this.#failed(new ProcessEnded('closed', '57014', 'the service stops'))
    await this.#port.close()
    await Promise.all(this.#sends)
  }

  /**
   * What takes longer to check than anybody waits cannot be interrupted: it ends the process. Rejects with Stalled if it is
   * late for no fault of its own.
   */
  #inTime<T>(key: QueryKey, answer: Promise<T>): Promise<T> {
    if (!this.#limitsChecks) return answer
    return new Promise((resolve, reject) => {
      const deadline = new Deadline(this.#port, CHECK_MS, (late) => {
        if (late === 'idle') reject(new Stalled())
        // Of several that have been there all the time any may be the one.
        const long = [...this.#checking].filter((other) => other.isLong)
        this.#late(late, long.length === 1 ? key : undefined)
      })
      this.#checking.add(deadline)
      answer.then(resolve, reject).finally(() => {
        deadline.clear()
        this.#checking.delete(deadline)
      })
    })
  }

  #late(late: Late, key: QueryKey | undefined): void {
    if (late === 'busy') this.#failed(notInterruptible(key))
    else if (++this.#timesLate >= LATE_MAX) this.#failed(hung())
  }

  /** Whatever runs fails for this reason, and so does whatever is asked of it afterwards. */
  end(reason: ProcessEnded): void {
    this.#failed(reason)
  }

  #call<T>(method: CalledMethod, args: readonly unknown[]): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const call = ++this.#calls
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject })
      this.#post({ kind: 'call', call, method, args })
    })
  }

  #post(message: ToWorkshop): void {
    this.#port.post(message)
  }

  #take(message: FromWorkshop): void {
    this.#timesLate = 0
    switch (message.kind) {
      case 'answer':
        this.#waiting.get(message.call)?.resolve(message.value)
        this.#waiting.delete(message.call)
        break
      case 'refusal':
        this.#waiting.get(message.call)?.reject(errorOf(message.failure))
        this.#waiting.delete(message.call)
        break
      case 'ask-logs':
        void this.#source
          .currentLogs(message.ids)
          .then((logs) =>
            this.#port.send({ kind: 'logs', ask: message.ask, logs: logs.map((log) => log ?? null) }),
          )
        break
      case 'ask-read': {
        const sending = this.#send(message).finally(() => this.#sends.delete(sending))
        this.#sends.add(sending)
        break
      }
      case 'taken':
        this.#reads.get(message.ask)?.taken()
        break
      case 'enough':
        this.#reads.get(message.ask)?.enough()
        break
      case 'out-of-memory':
        this.#failed(new ProcessEnded('memory', '53200', outOfMemory().message))
    }
  }

  async #send({ ask, id, query }: FromWorkshop & { kind: 'ask-read' }): Promise<void> {
    if (this.#failure !== undefined) return
    const sending = new Sending()
    this.#reads.set(ask, sending)
    try {
      const read = await this.#source.read(id, query)
      if (read !== undefined) {
        await this.#port.send({ kind: 'reading', ask, log: read.log, startMs: read.startMs })
        for await (const block of read.blocks) {
          await this.#port.send({ kind: 'block', ask, block })
          if (!(await sending.mayGoOn())) break
        }
      }
      await this.#port.send({ kind: 'read-end', ask, failure: undefined })
    } catch (error) {
      await this.#port.send({ kind: 'read-end', ask, failure: failureOf(error) })
    } finally {
      this.#reads.delete(ask)
    }
  }

  #failed(error: ProcessEnded): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    for (const sending of this.#reads.values()) sending.enough()
    this.#onEnded(error)
  }
}

/** A check that was late for no fault of the statement. */
export class Stalled extends Error {
  override readonly name = 'Stalled'

  constructor() {
    super('the machine has no time to check statements now; try again later')
  }
}

function endedBy(why: string): ProcessEnded {
  return new ProcessEnded(
    'died',
    'HY000',
    `the process of queries has ended (${why}), and all that it had with it; ask again`,
  )
}

function notInterruptible(key: QueryKey | undefined): ProcessEnded {
  return new ProcessEnded(
    'not-interruptible',
    '57014',
    'a query could not be interrupted: its process was ended, and all that it had with it',
    key,
  )
}

function hung(): ProcessEnded {
  return new ProcessEnded('hung', 'HY000', 'the process of queries did not answer and was ended; ask again')
}

/** Whether the process has worked all the time, or did not get the processor. */
type Late = 'busy' | 'idle'

/**
 * A time limit for what one process does. `onLate` is told what the process has done meanwhile, and again after as long,
 * until it is cleared.
 */
class Deadline {
  readonly #port: WorkshopPort
  readonly #ms: number
  readonly #onLate: (late: Late) => void
  #timer: NodeJS.Timeout
  #isLong = false

  constructor(port: WorkshopPort, ms: number, onLate: (late: Late) => void) {
    this.#port = port
    this.#ms = ms
    this.#onLate = onLate
    this.#timer = setTimeout(() => this.#watch(), ms * FIRST_SHARE)
  }

  /** Whether a good part of the time has passed. */
  get isLong(): boolean {
    return this.#isLong
  }

  clear(): void {
    clearTimeout(this.#timer)
  }

  #watch(): void {
    this.#isLong = true
    const cpuMs = this.#port.cpuMs()
    const since = performance.now()
    this.#timer = setTimeout(
      () => {
        const share = (Number(this.#port.cpuMs()) - Number(cpuMs)) / (performance.now() - since)
        const late: Late = share < BUSY_SHARE ? 'idle' : 'busy' // busy, too, where it is not known
        // If this process was late itself, the answer may have arrived: it is read before this.
        this.#timer = setTimeout(() => {
          this.#watch()
          this.#onLate(late)
        }, ARRIVED_MS)
      },
      this.#ms * (1 - FIRST_SHARE),
    )
  }
}

/** Blocks of one read on their way. */
class Sending {
  #onTheWay = 0
  #enough = false
  #wake: () => void = () => {}

  taken(): void {
    this.#onTheWay--
    this.#wake()
  }

  enough(): void {
    this.#enough = true
    this.#wake()
  }

  /** After each block: resolves when another may follow, with false if nobody wants one. */
  async mayGoOn(): Promise<boolean> {
    this.#onTheWay++
    while (this.#onTheWay >= BLOCKS_AHEAD && !this.#enough) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return !this.#enough
  }
}
