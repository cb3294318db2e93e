/** The workshop's side of the messages: does what it is asked, and asks for events. */
import { freeMemory } from '../../storage/free-memory.ts'
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import type { EventQuery } from '../streams/streams.ts'
import type { EventSource, SourceRead } from './event-source.ts'
import type { Watched } from './memory-watch.ts'
import { LocalWorkshop } from './query-worker.ts'
import {
  errorOf,
  type FromWorkshop,
  failureOf,
  type SourceMessage,
  type ToWorkshop,
} from './query-worker-messages.ts'

/** The way back. */
export interface HostPort {
  post(message: FromWorkshop): void
  listen(onMessage: (message: ToWorkshop | SourceMessage) => void): void
}

export interface WorkshopHost extends Watched {
  close(): Promise<void>
}

export function hostWorkshop(port: HostPort): WorkshopHost {
  const post = (message: FromWorkshop) => port.post(message)
  const source = new RemoteSource(post)
  let opening: Promise<LocalWorkshop> | undefined
  let queryWorker: LocalWorkshop | undefined
  let memoryMax: number | undefined

  async function answer({ call, method, args }: ToWorkshop & { kind: 'call' }): Promise<void> {
    try {
      const opened = await opening!
      // The caller's side has the types: remote-workshop.ts.
      const value = await (opened[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
      post({ kind: 'answer', call, value })
    } catch (error) {
      post({ kind: 'refusal', call, failure: failureOf(error) })
    }
  }

  port.listen((message) => {
    switch (message.kind) {
      case 'open':
        memoryMax = message.options.processBytes
        opening = LocalWorkshop.open(message.options, source)
        opening.then(
          (opened) => {
            queryWorker = opened
          },
          () => {}, // whoever calls is told
        )
        break
      case 'call':
        void answer(message)
        break
      case 'tell':
        opening?.then((opened) => opened[message.method](message.key)).catch(() => {})
        break
      default:
        source.take(message)
    }
  })

  return {
    get memoryMax() {
      return memoryMax
    },
    get isBusy() {
      return queryWorker?.isBusy ?? false
    },
    interruptAll: (reason) => queryWorker?.interruptAll(reason),
    giveUp: () => post({ kind: 'out-of-memory' }),
    close: async () => (await opening?.catch(() => undefined))?.close(),
  }
}

class RemoteSource implements EventSource {
  readonly #post: (message: FromWorkshop) => void
  readonly #asked = new Map<number, (message: SourceMessage) => void>()
  #asks = 0

  constructor(post: (message: FromWorkshop) => void) {
    this.#post = post
  }

  take(message: SourceMessage): void {
    this.#asked.get(message.ask)?.(message)
  }

  currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]> {
    if (ids.length === 0) return Promise.resolve([])
    const ask = ++this.#asks
    return new Promise((resolve) => {
      this.#asked.set(ask, (message) => {
        this.#asked.delete(ask)
        if (message.kind === 'logs') resolve(message.logs.map((log) => log ?? undefined))
      })
      this.#post({ kind: 'ask-logs', ask, ids })
    })
  }

  read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined> {
    const ask = ++this.#asks
    const blocks = new ArrivingBlocks(
      () => this.#post({ kind: 'taken', ask }),
      () => this.#post({ kind: 'enough', ask }),
    )
    return new Promise((resolve, reject) => {
      this.#asked.set(ask, (message) => {
        if (message.kind === 'reading') resolve({ log: message.log, startMs: message.startMs, blocks })
        if (message.kind === 'block') blocks.arrived(message.block)
        if (message.kind !== 'read-end') return
        this.#asked.delete(ask)
        const error = message.failure && errorOf(message.failure)
        if (error === undefined) resolve(undefined)
        else reject(error) // does nothing if blocks have come
        blocks.ended(error)
      })
      this.#post({ kind: 'ask-read', ask, id, query })
    })
  }
}

/** What has come and was not asked for yet, or was asked for and has not come yet. */
class ArrivingBlocks implements AsyncIterableIterator<EventBlock, void, undefined> {
  readonly #blocks: EventBlock[] = []
  readonly #onTaken: () => void
  readonly #onEnough: () => void
  #taken: EventBlock | undefined
  #ended = false
  #error: Error | undefined
  #wake: () => void = () => {}

  constructor(onTaken: () => void, onEnough: () => void) {
    this.#onTaken = onTaken
    this.#onEnough = onEnough
  }

  arrived(block: EventBlock): void {
    this.#blocks.push(block)
    this.#wake()
  }

  ended(error: Error | undefined): void {
    this.#ended = true
    this.#error = error
    this.#wake()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<EventBlock, void>> {
    while (this.#blocks.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const value = this.#blocks.shift()
    // The one before is not needed any more, and the garbage collector would let many of them pile up.
    if (this.#taken !== undefined) freeMemory([new Uint8Array(this.#taken.bytes.buffer)])
    this.#taken = value
    if (value !== undefined) {
      this.#onTaken()
      return { done: false, value }
    }
    if (this.#error !== undefined) throw this.#error
    return { done: true, value: undefined }
  }

  async return(): Promise<IteratorResult<EventBlock, void>> {
    this.#onEnough()
    this.#blocks.length = 0
    return { done: true, value: undefined }
  }
}
