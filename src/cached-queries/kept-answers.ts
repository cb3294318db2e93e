/**
 * Answers whose further pages may be asked for: sorted arrays of rows as of a moment. Each is kept for a while after its last page;
 * of too many, or of those that hold too many rows that are not part of the result any more, the oldest ones are not kept.
 */
import type { Moment } from '../cdc/capture-service.ts'
import type { ResultRow } from './result-rows.ts'

export interface Answer {
  readonly rows: readonly ResultRow[]
  readonly asOf: Moment
}

const KEPT_MS = 60_000
const ANSWERS_MAX = 16
const BYTES_MAX = 16 * 1024 * 1024
/** Of all queries together. */
const ALL_BYTES_MAX = 64 * 1024 * 1024
const POINTER_BYTES = 8

interface Kept {
  readonly answer: Answer
  untilMs: number
  /** Bytes of the rows that were removed after this answer and before the next one. */
  removedBytes: number
}

/** What the answers of all queries hold. If it is too much, the query whose answers hold most drops its oldest one. */
export class KeptMemory {
  readonly #bytesMax: number
  readonly #held = new Map<KeptAnswers, number>()
  #total = 0

  constructor(bytesMax = ALL_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  set(holder: KeptAnswers, bytes: number): void {
    this.#total += bytes - (this.#held.get(holder) ?? 0)
    if (bytes === 0) this.#held.delete(holder)
    else this.#held.set(holder, bytes)
    if (this.#total <= this.#bytesMax) return
    let largest: KeptAnswers | undefined
    for (const [other, its] of this.#held) if (its > (this.#held.get(largest!) ?? 0)) largest = other
    largest?.dropOldest()
  }
}

export class KeptAnswers {
  readonly #memory: KeptMemory
  readonly #nowMs: () => number
  /** By position, oldest first. */
  readonly #kept = new Map<bigint, Kept>()

  constructor(memory: KeptMemory, nowMs: () => number) {
    this.#memory = memory
    this.#nowMs = nowMs
  }

  keep(answer: Answer): void {
    const untilMs = this.#nowMs() + KEPT_MS
    const present = this.#kept.get(answer.asOf.lsn)
    if (present === undefined) this.#kept.set(answer.asOf.lsn, { answer, untilMs, removedBytes: 0 })
    else present.untilMs = untilMs
    this.tidy()
  }

  find(lsn: bigint): Answer | undefined {
    this.tidy()
    return this.#kept.get(lsn)?.answer
  }

  /** Rows of this size are not part of the result any more. */
  removed(bytes: number): void {
    const newest = [...this.#kept.values()].at(-1)
    if (newest !== undefined) newest.removedBytes += bytes
    this.tidy()
  }

  tidy(): void {
    const nowMs = this.#nowMs()
    for (const [lsn, { untilMs }] of this.#kept) if (untilMs <= nowMs) this.#drop(lsn)
    for (const [lsn] of this.#kept) {
      if (this.#kept.size <= ANSWERS_MAX && this.#bytes() <= BYTES_MAX) break
      this.#drop(lsn)
    }
    this.#memory.set(this, this.#bytes())
  }

  /** There must be one. */
  dropOldest(): void {
    const [oldest] = this.#kept.keys()
    this.#drop(oldest!)
    this.#memory.set(this, this.#bytes())
  }

  clear(): void {
    this.#kept.clear()
    this.#memory.set(this, 0)
  }

  /** What was removed after it is still part of the answers before it. */
  #drop(lsn: bigint): void {
    let before: Kept | undefined
    for (const [other, kept] of this.#kept) {
      if (other === lsn) {
        if (before !== undefined) before.removedBytes += kept.removedBytes
        break
      }
      before = kept
    }
    this.#kept.delete(lsn)
  }

  /** An answer alone whose rows are those of the result holds nothing but its array. */
  #bytes(): number {
    const arrays = new Set<readonly ResultRow[]>()
    let bytes = 0
    for (const { answer, removedBytes } of this.#kept.values()) {
      if (!arrays.has(answer.rows)) bytes += answer.rows.length * POINTER_BYTES
      arrays.add(answer.rows)
      bytes += removedBytes
    }
    return bytes
  }
}
