/** The callers of this node that wait for the outcome of a record, by its sender. */
import type { StorageError } from '../storage-error.ts'
import { lockName, type Outcome } from './catalog-replay.ts'
import type { Sender } from './change-codec.ts'

interface Waiter {
  resolve(outcome: Outcome): void
  reject(error: StorageError): void
}

export class Outcomes {
  readonly #waiters = new Map<string, Waiter>()
  #hasAnswered = false

  /** The next outcome of this sender's record. Call it before the record can be applied. */
  expect(from: Sender): Promise<Outcome> {
    const outcome = new Promise<Outcome>((resolve, reject) => {
      this.#waiters.set(lockName(from), { resolve, reject })
    })
    outcome.catch(() => {}) // the caller may have given up
    return outcome
  }

  isExpected(from: Sender): boolean {
    return this.#waiters.has(lockName(from))
  }

  forget(from: Sender): void {
    this.#waiters.delete(lockName(from))
  }

  /** Whether a caller has been waiting for it. */
  decided(from: Sender, outcome: Outcome): boolean {
    const name = lockName(from)
    const waiter = this.#waiters.get(name)
    if (waiter === undefined) return false
    this.#waiters.delete(name)
    this.#hasAnswered = true
    waiter.resolve(outcome)
    return true
  }

  hasAnswered(): boolean {
    const has = this.#hasAnswered
    this.#hasAnswered = false
    return has
  }

  /** No outcome can be known any more. */
  fail(error: StorageError): void {
    for (const { reject } of this.#waiters.values()) reject(error)
    this.#waiters.clear()
  }
}
