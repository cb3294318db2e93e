/**
 * The queue behind `/async`: events that have been answered 202 and wait for the next group commit of the log.
 *
 * The queue is bounded in bytes. When it is full, the request waits until its own event is written. CDAP has the same
 * back-pressure: a fast producer slows down instead of filling the memory.
 */
import type { EventData } from '../../storage/log.ts'

/** Approximate memory of an event and its promises, in addition to its bytes. */
const EVENT_OVERHEAD_BYTES = 512

export class AsyncQueue {
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Bytes of waiting events. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Undefined if the event may be answered now; otherwise a promise that resolves when it may be answered. `onLost` is
   * called if the write fails after the answer.
   */
  accept(
    event: EventData,
    written: Promise<void>,
    onLost: (error: unknown) => void,
  ): Promise<void> | undefined {
    const bytes = bytesOf(event)
    this.#bytes += bytes
    const leave = () => {
      this.#bytes -= bytes
    }
    if (this.#bytes > this.#bytesMax) return written.finally(leave)
    written.then(leave, (error) => {
      leave()
      onLost(error)
    })
    return undefined
  }
}

function bytesOf(event: EventData): number {
  let bytes = event.body.length + EVENT_OVERHEAD_BYTES
  for (const [name, value] of event.headers) bytes += name.length + value.length
  return bytes
}
