/**
 * Keeps the order of the calls among commits and writes of this process that share documents, unless both only read them. A commit is
 * only begun in its turn; a write with events holds its documents until it has ended.
 */
import type { DocumentKey } from './change-codec.ts'

/** The documents of one call. One that it reads and changes is among `writes`. */
export interface CallDocuments {
  readonly reads: readonly DocumentKey[]
  readonly writes: readonly DocumentKey[]
}

/** What the next one with this document waits for. */
interface Tails {
  writer: Promise<void> | undefined
  /** Those behind the writer. */
  readonly readers: Set<Promise<void>>
}

export class DocumentOrder {
  readonly #tails = new Map<DocumentKey, Tails>()

  /** Begins `start` after every call before it that shares documents has begun, and every such write has ended. */
  async commit<T>(documents: CallDocuments, start: () => Promise<T>): Promise<T> {
    const before = this.#before(documents)
    if (before.length === 0) return start()
    let begun = () => {}
    this.#setTails(
      documents,
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
  async write<T>(documents: CallDocuments, work: () => Promise<T>): Promise<T> {
    const before = this.#before(documents)
    let ended = () => {}
    this.#setTails(
      documents,
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

  #before({ reads, writes }: CallDocuments): Promise<void>[] {
    const before = new Set<Promise<void>>()
    for (const key of [...reads, ...writes]) {
      const writer = this.#tails.get(key)?.writer
      if (writer !== undefined) before.add(writer)
    }
    for (const key of writes) for (const reader of this.#tails.get(key)?.readers ?? []) before.add(reader)
    return [...before]
  }

  #setTails({ reads, writes }: CallDocuments, tail: Promise<void>): void {
    for (const key of reads) this.#tailsOf(key).readers.add(tail)
    for (const key of writes) {
      const tails = this.#tailsOf(key)
      tails.writer = tail
      tails.readers.clear()
    }
    void tail.then(() => {
      for (const key of [...reads, ...writes]) this.#forget(key, tail)
    })
  }

  #tailsOf(key: DocumentKey): Tails {
    let tails = this.#tails.get(key)
    if (tails === undefined) {
      tails = { writer: undefined, readers: new Set() }
      this.#tails.set(key, tails)
    }
    return tails
  }

  #forget(key: DocumentKey, tail: Promise<void>): void {
    const tails = this.#tails.get(key)
    if (tails === undefined) return
    tails.readers.delete(tail)
    if (tails.writer === tail) tails.writer = undefined
    if (tails.writer === undefined && tails.readers.size === 0) this.#tails.delete(key)
  }
}
