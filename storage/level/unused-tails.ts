/**
 * Tails of the logs that have not been used since the store was opened. A service may have many thousands of streams,
 * of which few are active. So the tail of an unused log is a row of numbers outside the garbage-collected heap. When a
 * log is used for the first time it gets a LogWriter, and its tail is removed from here.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { LogId } from '../log.ts'
import type { StoredTail } from './tail-codec.ts'

/** A tail is this many numbers of a page, in the order in which `add` writes them. */
const FIELDS = 7
/**
 * A page has 14 KiB. Pages are added and never enlarged: enlarging one would copy it, and leave its old memory unused.
 */
const PAGE_TAILS = 256
/** This value in the place of nextSequence marks a tail that was removed. */
const WOKEN = -1

export class UnusedTails {
  /** Ascending. */
  readonly #logs: LogId[] = []
  readonly #pages: Float64Array[] = []

  /** Logs are added in the order of their ids, which is LevelDB's order. */
  add(log: LogId, tail: StoredTail): void {
    const row = this.#logs.push(log) - 1
    if (row % PAGE_TAILS === 0) this.#pages.push(new Float64Array(PAGE_TAILS * FIELDS))
    const page = this.#pageOf(row)
    const at = placeOf(row)
    page[at] = tail.nextSequence
    page[at + 1] = tail.lastTimestampMs
    page[at + 2] = tail.bytesWritten
    page[at + 3] = tail.firstSequence
    page[at + 4] = tail.firstTimestampMs
    page[at + 5] = tail.mergedSequence
    page[at + 6] = tail.mergedTimestampMs
  }

  /** Undefined for a log that is not here, or no longer here. */
  get(log: LogId): StoredTail | undefined {
    const row = this.#rowOf(log)
    if (row === undefined) return undefined
    const page = this.#pageOf(row)
    const at = placeOf(row)
    return {
      nextSequence: page[at]!,
      lastTimestampMs: page[at + 1]!,
      bytesWritten: page[at + 2]!,
      firstSequence: page[at + 3]!,
      firstTimestampMs: page[at + 4]!,
      mergedSequence: page[at + 5]!,
      mergedTimestampMs: page[at + 6]!,
    }
  }

  /** Returns the tail, and removes it from here: the log is used now. */
  wake(log: LogId): StoredTail | undefined {
    const tail = this.get(log)
    const row = this.#rowOf(log)
    if (row !== undefined) this.#pageOf(row)[placeOf(row)] = WOKEN
    return tail
  }

  logs(): LogId[] {
    return this.#logs.filter((_, row) => this.#isUnused(row))
  }

  #rowOf(log: LogId): number | undefined {
    let low = 0
    let high = this.#logs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#logs[middle]! < log) low = middle + 1
      else high = middle
    }
    return this.#logs[low] === log && this.#isUnused(low) ? low : undefined
  }

  #isUnused(row: number): boolean {
    return this.#pageOf(row)[placeOf(row)] !== WOKEN
  }

  #pageOf(row: number): Float64Array {
    return this.#pages[Math.floor(row / PAGE_TAILS)]!
  }
}

function placeOf(row: number): number {
  return (row % PAGE_TAILS) * FIELDS
}
