/** The way of one node to the shared store: it takes a moment, and a test can cut it off or stop the whole node. */
import { StorageError } from '../../../storage/storage-error.ts'
import type { Pace } from '../weak-engine/pace.ts'

export class Link {
  readonly #pace: Pace
  #isCut = false
  #isClosed = false
  #resumed: Promise<void> | undefined
  #resume: () => void = () => {}
  /** Requests arrive in the order in which they were sent. */
  #lastSent: Promise<void> = Promise.resolve()

  constructor(pace: Pace) {
    this.#pace = pace
  }

  get isOpen(): boolean {
    return !this.#isCut && !this.#isClosed && !this.isPaused
  }

  get isPaused(): boolean {
    return this.#resumed !== undefined
  }

  cut(): void {
    this.#isCut = true
  }

  mend(): void {
    this.#isCut = false
  }

  /** As SIGSTOP: nothing that the node has begun goes on, until `resume`. */
  pause(): void {
    this.#resumed ??= new Promise((resolve) => {
      this.#resume = resolve
    })
  }

  resume(): void {
    this.#resumed = undefined
    this.#resume()
  }

  close(): void {
    this.#isClosed = true
    this.resume()
  }

  /** A read of the store. */
  async read<T>(read: () => Promise<T> | T): Promise<T> {
    await this.#send()
    const result = await read()
    await this.#pass('unavailable')
    return result
  }

  /** A write: if the answer does not come back, its outcome is not known. */
  async write<T>(write: () => Promise<T> | T): Promise<T> {
    await this.#send()
    const result = await write()
    await this.#pass('unknown')
    return result
  }

  #send(): Promise<void> {
    const sent = this.#lastSent.then(() => this.#pass('unavailable'))
    this.#lastSent = sent.catch(() => {})
    return sent
  }

  async #pass(code: 'unavailable' | 'unknown'): Promise<void> {
    await this.#pace.pause()
    while (this.#resumed !== undefined) await this.#resumed
    if (this.#isClosed) throw new StorageError('closed', 'the store is closed')
    if (this.#isCut) throw new StorageError(code, 'the node is cut off from the store')
  }
}
