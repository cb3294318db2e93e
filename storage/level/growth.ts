/** Callers that wait until a log has an event with a given sequence. Logs without waiters have no cost. */
import type { LogId } from '../log.ts'
import { StorageError } from '../storage-error.ts'

interface Waiter {
  readonly sequence: number
  readonly resolve: () => void
  readonly reject: (error: StorageError) => void
}

export class GrowthWaiters {
  readonly #waiters = new Map<LogId, Set<Waiter>>()

  get isEmpty(): boolean {
    return this.#waiters.size === 0
  }

  /** Resolves at the next `grown` beyond this sequence, at `dropped`, or when `signal` is aborted. */
  wait(log: LogId, sequence: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const end = () => {
        signal.removeEventListener('abort', aborted)
        this.#remove(log, waiter)
      }
      const aborted = () => {
        end()
        resolve()
      }
      const waiter: Waiter = {
        sequence,
        resolve: aborted,
        reject(error) {
          end()
          reject(error)
        },
      }
      signal.addEventListener('abort', aborted)
      const waiters = this.#waiters.get(log)
      if (waiters === undefined) this.#waiters.set(log, new Set([waiter]))
      else waiters.add(waiter)
    })
  }

  /** The log has all events below `nextSequence`. */
  grown(log: LogId, nextSequence: number): void {
    for (const waiter of [...(this.#waiters.get(log) ?? [])]) {
      if (waiter.sequence < nextSequence) waiter.resolve()
    }
  }

  /** Resolves all waiters of the log. Their next read shows that the log no longer exists. */
  dropped(log: LogId): void {
    for (const waiter of [...(this.#waiters.get(log) ?? [])]) waiter.resolve()
  }

  /** Rejects all waiters with 'closed'. */
  close(): void {
    for (const waiters of [...this.#waiters.values()]) {
      for (const waiter of [...waiters]) waiter.reject(new StorageError('closed', 'the store is closed'))
    }
  }

  #remove(log: LogId, waiter: Waiter): void {
    const waiters = this.#waiters.get(log)
    waiters?.delete(waiter)
    if (waiters?.size === 0) this.#waiters.delete(log)
  }
}
