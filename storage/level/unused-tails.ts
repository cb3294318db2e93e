/**
 * Tails of the logs that have not been used since the store was opened. A service may have many thousands of streams of which
 * few are busy, so a log at rest is a row of numbers outside the garbage-collected heap; it gets a LogWriter when it is
 * first asked for something, and is not in here any more.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { LogId } from '../log.ts'
import type { StoredTail } from './tail-codec.ts'

/** A tail in a page: its numbers in this order. */
const FIELDS = 7
/** 14 KiB: pages are added, never grown, for what grows is copied and leaves its old memory behind. */
const PAGE_TAILS = 256
/** Stands in the place of nextSequence. */
const WOKEN = -1

export class UnusedTails {
  /** Ascending. */
  readonly #logs: LogId[] = []
  readonly #pages: Float64Array[] = []

  /** Logs come in the order of their ids, as LevelDB has them. */
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

  /** Undefined for a log that is not here, or not any more. */
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

  /** The same, and from now on the log is not here. */
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
