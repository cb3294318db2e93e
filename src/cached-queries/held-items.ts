/**
 * What is being sent to readers of changes, and so is in memory although it may not be part of a result any more: rows and changes of all
 * queries. Readers of the same item hold it together. If slow readers hold too much, those of the oldest item are cut.
 */

/** Of all readers. One item alone may be larger: it is at most as large as a result. */
const HELD_BYTES_MAX = 128 * 1024 * 1024

interface Held {
  /** The result of which the item has rows; undefined for an item that has none but its own. */
  readonly result: object | undefined
  bytes: number
  /** Part of `bytes`: of rows that were removed from the result since. */
  removed: number
  readonly readers: Set<() => void>
}

export class HeldItems {
  readonly #bytesMax: number
  /** Oldest first. */
  readonly #items = new Map<object, Held>()
  #bytes = 0

  constructor(bytesMax = HELD_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** A reader gets an item of this size; call the result when it was sent. Calls `cut` if the reader is cut. */
  hold(item: object, { result, bytes }: Pick<Held, 'result' | 'bytes'>, cut: () => void): () => void {
    let held = this.#items.get(item)
    if (held === undefined) {
      held = { result, bytes, removed: 0, readers: new Set() }
      this.#items.set(item, held)
      this.#bytes += bytes
    }
    const { readers } = held
    const reader = () => cut()
    readers.add(reader)
    this.#cutOldest()
    return () => {
      readers.delete(reader)
      if (readers.size === 0 && this.#items.get(item) === held) this.#drop(item, held)
    }
  }

  /** Rows of this size are not part of the result any more. */
  removed(result: object, bytes: number): void {
    const newest = this.#newestOf(result)
    if (newest === undefined) return
    newest.bytes += bytes
    newest.removed += bytes
    this.#bytes += bytes
    this.#cutOldest()
  }

  #cutOldest(): void {
    for (const [item, held] of this.#items) {
      if (this.#bytes <= this.#bytesMax || this.#items.size === 1) return
      this.#drop(item, held)
      for (const cut of held.readers) cut()
    }
  }

  #drop(item: object, held: Held): void {
    // Rows that were removed after this item may be part of the one before it, too.
    const before = held.result && this.#newestOf(held.result, item)
    this.#items.delete(item)
    this.#bytes -= held.bytes
    if (before === undefined) return
    before.bytes += held.removed
    before.removed += held.removed
    this.#bytes += held.removed
  }

  /** Of the items before `end`. */
  #newestOf(result: object, end?: object): Held | undefined {
    let newest: Held | undefined
    for (const [item, held] of this.#items) {
      if (item === end) break
      if (held.result === result) newest = held
    }
    return newest
  }
}
