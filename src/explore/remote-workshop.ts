/** The workshop as the rest of the service sees it: in a process of its own, which gets events from this one. */
import type { ResultColumn } from './cells.ts'
import type { EngineOptions } from './engine.ts'
import type { EventSource } from './event-source.ts'
import { outOfMemory } from './memory-watch.ts'
import type { Row } from './result.ts'
import { SqlError } from './sql-error.ts'
import type {
  BoundTable,
  NeededTable,
  Outline,
  QueryKey,
  RunOutcome,
  StrictFailure,
  Workshop,
} from './workshop.ts'
import {
  BLOCKS_AHEAD,
  type CalledMethod,
  errorOf,
  type FromWorkshop,
  failureOf,
  type ToWorkshop,
} from './workshop-messages.ts'
import { openWorkshopPort, type WorkshopPort } from './workshop-port.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A query that does not hear so long that it was given up cannot be interrupted: it ends with its process. */
const STOP_MS = 5_000
/** So long it may take to find out what a query is. */
const CHECK_MS = 10_000

export class RemoteWorkshop implements Workshop {
  readonly #port: WorkshopPort
  readonly #source: EventSource
  readonly #waiting = new Map<number, Waiting>()
  readonly #reads = new Map<number, Sending>()
  readonly #sends = new Set<Promise<void>>()
  /** What ends the process if a query that was given up does not. */
  readonly #stopping = new Map<QueryKey, NodeJS.Timeout>()
  readonly #onEnded: (error: Error) => void
  #calls = 0
  #failure: Error | undefined

  private constructor(port: WorkshopPort, source: EventSource, onEnded: (error: Error) => void) {
    this.#port = port
    this.#source = source
    this.#onEnded = onEnded
    port.listen(
      (message) => this.#take(message),
      (why) => this.#failed(endedBy(why)),
    )
  }

  /** `onEnded` is told once no call will succeed any more, with why: it is to be closed then. */
  static async open(
    options: EngineOptions,
    source: EventSource,
    onEnded: (error: Error) => void,
  ): Promise<RemoteWorkshop> {
    const workshop = new RemoteWorkshop(await openWorkshopPort(), source, onEnded)
    workshop.#post({ kind: 'open', options })
    return workshop
  }

  read(key: QueryKey, text: string): Promise<Outline> {
    return this.#inTime(this.#call('read', [key, text]))
  }

  bind(key: QueryKey, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]> {
    return this.#inTime(this.#call('bind', [key, tables]))
  }

  async run(
    key: QueryKey,
    tables: readonly NeededTable[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure> {
    try {
      return await this.#call('run', [key, tables, strict])
    } finally {
      clearTimeout(this.#stopping.get(key))
      this.#stopping.delete(key)
    }
  }

  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]> {
    return this.#call('page', [key, from, count])
  }

  /** Only of one that runs. */
  stop(key: QueryKey): void {
    this.#post({ kind: 'tell', method: 'stop', key })
    if (!this.#stopping.has(key))
      this.#stopping.set(
        key,
        setTimeout(() => this.#kill(), STOP_MS),
      )
  }

  drop(key: QueryKey): void {
    this.#post({ kind: 'tell', method: 'drop', key })
  }

  async close(): Promise<void> {
    for (const timer of this.#stopping.values()) clearTimeout(timer)
    this.#failed(new SqlError('57014', 'the service stops'))
    await this.#port.close()
    await Promise.all(this.#sends)
  }

  /** What takes longer to check than anybody waits cannot be interrupted either. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.#kill(), CHECK_MS)
    try {
      return await answer
    } finally {
      clearTimeout(timer)
    }
  }

  /** Whatever runs fails for this reason, and so does whatever is asked of it afterwards. */
  end(reason: SqlError): void {
    this.#failed(reason)
  }

  #kill(): void {
    this.end(new SqlError('57014', 'a query could not be interrupted; it was ended, and all others with it'))
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
        this.#failed(outOfMemory())
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

  #failed(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    for (const sending of this.#reads.values()) sending.enough()
    this.#onEnded(error)
  }
}

function endedBy(why: string): SqlError {
  return new SqlError(
    'HY000',
    `the process of queries has ended (${why}), and all queries with it; ask again`,
  )
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
