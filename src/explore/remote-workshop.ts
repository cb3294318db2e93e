/** The workshop as the rest of the service sees it: in a thread of its own, which gets events from this one. */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import type { ResultColumn } from './cells.ts'
import type { EngineOptions } from './engine.ts'
import type { EventSource, SourceRead } from './event-source.ts'
import type { Row } from './result.ts'
import type { Node } from './statement.ts'
import type { BoundTable, QueryKey, RunOutcome, RunRequest, StrictFailure, Workshop } from './workshop.ts'
import {
  BLOCKS_AHEAD,
  type CalledMethod,
  errorOf,
  type FromWorkshop,
  failureOf,
  handedOver,
  type ToWorkshop,
} from './workshop-messages.ts'

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

export class RemoteWorkshop implements Workshop {
  readonly #port: Port
  readonly #source: EventSource
  readonly #waiting = new Map<number, Waiting>()
  readonly #reads = new Map<number, Sending>()
  #calls = 0
  #failure: Error | undefined

  private constructor(port: Port, source: EventSource, onEnded: () => void) {
    this.#port = port
    this.#source = source
    port.listen(
      (message) => this.#take(message),
      (error) => {
        this.#failed(error)
        onEnded()
      },
    )
  }

  /** `onEnded` is told once no call will succeed any more. */
  static async open(
    options: EngineOptions,
    source: EventSource,
    onEnded: () => void,
  ): Promise<RemoteWorkshop> {
    const workshop = new RemoteWorkshop(await openPort(), source, onEnded)
    workshop.#post({ kind: 'open', options })
    return workshop
  }

  parse(sql: string): Promise<Node> {
    return this.#call('parse', [sql])
  }

  bind(key: QueryKey, sql: string, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]> {
    return this.#call('bind', [key, sql, tables])
  }

  run(key: QueryKey, request: RunRequest): Promise<RunOutcome | StrictFailure> {
    return this.#call('run', [key, request])
  }

  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]> {
    return this.#call('page', [key, from, count])
  }

  stop(key: QueryKey): void {
    this.#post({ kind: 'tell', method: 'stop', key })
  }

  drop(key: QueryKey): void {
    this.#post({ kind: 'tell', method: 'drop', key })
  }

  async close(): Promise<void> {
    await this.#call('close', []).catch(() => {}) // nothing of it is left in either case
    await this.#port.close()
  }

  #call<T>(method: CalledMethod, args: readonly unknown[]): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const call = ++this.#calls
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject })
      this.#post({ kind: 'call', call, method, args })
    })
  }

  #post(message: ToWorkshop, memory: readonly ArrayBuffer[] = []): void {
    this.#port.post(message, memory)
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
          .then((logs) => this.#post({ kind: 'logs', ask: message.ask, logs }))
        break
      case 'ask-read':
        void this.#send(message)
        break
      case 'taken':
        this.#reads.get(message.ask)?.taken()
        break
      case 'enough':
        this.#reads.get(message.ask)?.enough()
    }
  }

  async #send({ ask, id, query }: FromWorkshop & { kind: 'ask-read' }): Promise<void> {
    const sending = new Sending()
    this.#reads.set(ask, sending)
    let read: SourceRead | undefined
    try {
      read = await this.#source.read(id, query)
      if (read !== undefined) {
        this.#post({ kind: 'reading', ask, log: read.log })
        for await (const block of read.blocks) {
          const { block: copy, memory } = handedOver(block)
          this.#post({ kind: 'block', ask, block: copy }, memory)
          if (!(await sending.mayGoOn())) break
        }
      }
      this.#post({ kind: 'read-end', ask, failure: undefined })
    } catch (error) {
      this.#post({ kind: 'read-end', ask, failure: failureOf(error) })
    } finally {
      this.#reads.delete(ask)
    }
  }

  #failed(error: Error): void {
    this.#failure = error
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
    for (const sending of this.#reads.values()) sending.enough()
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

interface Port {
  post(message: ToWorkshop, memory: readonly ArrayBuffer[]): void
  listen(onMessage: (message: FromWorkshop) => void, onFailure: (error: Error) => void): void
  close(): Promise<void>
}

/**
 * A thread, from the files that were built. Where the service runs from its sources, as in most tests, node could not load
 * them in a thread: there the same messages go to a workshop in this one.
 */
async function openPort(): Promise<Port> {
  if (import.meta.url.endsWith('.ts')) {
    const { hostWorkshop } = await import('./workshop-host.ts')
    const { port1, port2 } = new MessageChannel()
    hostWorkshop(port2)
    return portOf(port1, async () => port1.close())
  }
  const worker = new Worker(new URL('./workshop-thread.js', import.meta.url))
  return portOf(worker, async () => void (await worker.terminate()))
}

function portOf(end: Worker | MessagePort, close: () => Promise<void>): Port {
  return {
    post: (message, memory) => end.postMessage(message, memory as ArrayBuffer[]),
    listen(onMessage, onFailure) {
      end.on('message', onMessage)
      end.on('error', (error: Error) => onFailure(error))
      end.on('exit', () => onFailure(new Error('the thread of queries has ended')))
    },
    close,
  }
}
