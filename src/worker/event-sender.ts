/** The service's side of the event pipe: reads streams for one worker and sends their blocks. */
import { BlockWindow, type EventMessage, type EventRequest } from './event-pipe.ts'
import type { EventSource } from './event-source.ts'
import { failureOf } from './failure.ts'

export class EventSender {
  readonly #source: EventSource
  readonly #send: (message: EventMessage) => Promise<void>
  readonly #windows = new Map<number, BlockWindow>()
  readonly #sends = new Set<Promise<void>>()
  #stopped = false

  /** `send` resolves when the memory of the message may be reused. */
  constructor(source: EventSource, send: (message: EventMessage) => Promise<void>) {
    this.#source = source
    this.#send = send
  }

  take(message: EventRequest): void {
    switch (message.kind) {
      case 'get-logs':
        this.#track(this.#sendLogs(message))
        break
      case 'start-read':
        this.#track(this.#sendEvents(message))
        break
      case 'block-used':
        this.#windows.get(message.request)?.acknowledge()
        break
      case 'stop-read':
        this.#windows.get(message.request)?.stop()
    }
  }

  /** Ends all reads, present and later ones. */
  stop(): void {
    this.#stopped = true
    for (const window of this.#windows.values()) window.stop()
  }

  /** Resolves when no read of the worker runs any more. */
  async ended(): Promise<void> {
    await Promise.all(this.#sends)
  }

  #track(send: Promise<void>): void {
    const tracked = send.finally(() => this.#sends.delete(tracked))
    this.#sends.add(tracked)
  }

  async #sendLogs({ request, ids }: EventRequest & { kind: 'get-logs' }): Promise<void> {
    const logs = await this.#source.currentLogs(ids)
    await this.#send({ kind: 'logs', request, logs: logs.map((log) => log ?? null) })
  }

  async #sendEvents({ request, id, query }: EventRequest & { kind: 'start-read' }): Promise<void> {
    if (this.#stopped) return
    const window = new BlockWindow()
    this.#windows.set(request, window)
    try {
      const read = await this.#source.read(id, query)
      if (read !== undefined) {
        await this.#send({ kind: 'read-started', request, log: read.log, startMs: read.startMs })
        for await (const block of read.blocks) {
          await this.#send({ kind: 'block', request, block })
          if (!(await window.mayContinue())) break
        }
      }
      await this.#send({ kind: 'read-ended', request, failure: undefined })
    } catch (error) {
      await this.#send({ kind: 'read-ended', request, failure: failureOf(error) })
    } finally {
      this.#windows.delete(request)
    }
  }
}
