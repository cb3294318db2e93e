/**
 * Keeps the order of the calls among commits and writes of this process that share documents. A commit is only begun in its turn;
 * a write with events holds its documents until it has ended.
 */
import type { DocumentKey } from './change-codec.ts'

export class DocumentOrder {
  /** What the next one with this document waits for. */
  readonly #tails = new Map<DocumentKey, Promise<void>>()

  /** Begins `start` after every call before it that shares documents has begun, and every such write has ended. */
  async commit<T>(keys: readonly DocumentKey[], start: () => Promise<T>): Promise<T> {
    const before = this.#before(keys)
    if (before.length === 0) return start()
    let begun = () => {}
    this.#setTails(
      keys,
      new Promise((resolve) => {
        begun = resolve
      }),
    )
    await Promise.all(before)
    const result = start()
    begun()
    return result
  }

  /** The same, and calls behind it that share documents wait until it has ended. */
  async write<T>(keys: readonly DocumentKey[], work: () => Promise<T>): Promise<T> {
    const before = this.#before(keys)
    let ended = () => {}
    this.#setTails(
      keys,
      new Promise((resolve) => {
        ended = resolve
      }),
    )
    try {
      await Promise.all(before)
      return await work()
    } finally {
      ended()
    }
  }

  #before(keys: readonly DocumentKey[]): Promise<void>[] {
    return [...new Set(keys.flatMap((key) => this.#tails.get(key) ?? []))]
  }

  #setTails(keys: readonly DocumentKey[], tail: Promise<void>): void {
    for (const key of keys) this.#tails.set(key, tail)
    void tail.then(() => {
      for (const key of keys) if (this.#tails.get(key) === tail) this.#tails.delete(key)
    })
  }
}
