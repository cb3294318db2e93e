/** Writes of the weak engine, one at a time in the order of their calls; a failure refuses them until it heals. */
import type { GroupWatcher } from '../../../storage/log.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import type { Pace } from './pace.ts'

export interface QueuedWrite {
  /** Changes the data; throws StorageError without having changed anything. */
  apply(): void
  resolve(): void
  reject(error: StorageError): void
}

export class WriteQueue {
  readonly #pace: Pace
  #waiting: QueuedWrite[] = []
  #running: Promise<void> | undefined
  #failure: StorageError | undefined
  #closed = false
  /** Called after every write, as for a group of one change. */
  watcher: GroupWatcher | undefined

  constructor(pace: Pace) {
    this.#pace = pace
  }

  get failure(): StorageError | undefined {
    return this.#failure
  }

  /** Writes are refused from now on, until `heal`. */
  fail(error: StorageError): void {
    this.#failure = error
  }

  heal(): void {
    this.#failure = undefined
  }

  refusal(): StorageError | undefined {
    if (this.#closed) return new StorageError('closed', 'the store is closed')
    const failure = this.#failure
    return failure && new StorageError('unavailable', failure.message, { cause: failure })
  }

  /** Resolves with what `apply` returns, once it is visible. */
  run<T>(apply: () => T): Promise<T> {
    const refusal = this.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise<T>((resolve, reject) => {
      let result: T
      this.#waiting.push({
        apply() {
          result = apply()
        },
        resolve: () => resolve(result),
        reject,
      })
      this.#running ??= this.#drain()
    })
  }

  /** Takes the writes that wait out of the queue: the caller applies and settles them. */
  takeWaiting(most: number): QueuedWrite[] {
    return this.#waiting.splice(0, most)
  }

  async close(): Promise<void> {
    await this.#running
    this.#closed = true
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#pace.pause()
      const write = this.#waiting.shift()
      if (write !== undefined) this.settle(write)
    }
    this.#running = undefined
  }

  #tellWatcher(): void {
    try {
      this.watcher?.(1, 0, 0, 0)
    } catch {}
  }

  settle(write: QueuedWrite): void {
    const refusal = this.#failure === undefined ? undefined : this.refusal()
    try {
      if (refusal !== undefined) throw refusal
      write.apply()
      this.#tellWatcher()
      write.resolve()
    } catch (error) {
      write.reject(error as StorageError)
    }
  }
}
