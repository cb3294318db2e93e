/**
 * The result of one query in memory: its rows, the moment of the database that they belong to, its last changes, and those who wait
 * for more.
 */
import type { Moment } from '../cdc/capture-service.ts'
import type { ResultUpdate } from '../jobs/query-job.ts'
import { ChangeLog } from './change-log.ts'
import type { HeldItems } from './held-items.ts'
import { type Answer, KeptAnswers, type KeptMemory } from './kept-answers.ts'
import type { ResultMemory } from './result-memory.ts'
import { ResultRows, type ResultShape } from './result-rows.ts'

export interface QueryResultParts {
  readonly queryId: number
  readonly shape: ResultShape
  readonly memory: ResultMemory
  readonly held: HeldItems
  readonly kept: KeptMemory
  /** Another text after each start of the service, [0-9a-z]+. */
  readonly process: string
  readonly nowMs: () => number
}

export class QueryResult {
  readonly log: ChangeLog
  readonly held: HeldItems
  readonly #memory: ResultMemory
  #rows: ResultRows
  readonly #kept: KeptAnswers
  readonly #followers = new Set<() => void>()
  readonly #waiting = new Set<() => void>()
  /** The first and the last moment that the present rows belong to. */
  #since: Moment | undefined
  #asOf: Moment | undefined
  #refreshMs: number | undefined

  constructor({ queryId, shape, memory, held, kept, process, nowMs }: QueryResultParts) {
    this.held = held
    this.log = new ChangeLog(process, queryId)
    this.#memory = memory
    this.#rows = new ResultRows(shape, memory)
    this.#kept = new KeptAnswers(kept, nowMs)
  }

  /** Another job computes the result. The present rows are read until it has published. */
  restarted(): void {
    this.#rows.restarted()
  }

  /** The query was planned anew. Call it before the first result. */
  reshape(shape: ResultShape): void {
    this.#rows.free()
    this.#rows = new ResultRows(shape, this.#memory)
  }

  /** Undefined before the first result, as `asOf` and `refreshMs`. */
  get size(): number | undefined {
    return this.#asOf && this.#rows.size
  }

  get asOf(): Moment | undefined {
    return this.#asOf
  }

  get refreshMs(): number | undefined {
    return this.#refreshMs
  }

  /** Takes a part of an update; returns whether the rows are those of its moment now. Throws ResultTooLarge. */
  publish(update: ResultUpdate): boolean {
    const published = this.#rows.take(update)
    if (published === undefined) return false
    const moment = momentOf(update)
    const { changes, removedBytes } = published
    const goesBack = this.#asOf !== undefined && moment.lsn < this.#asOf.lsn
    // A job that starts again with an older state publishes nothing older than what was read: it reaches that soon.
    if (!goesBack || changes.length > 0) {
      this.#asOf = moment
      if (changes.length > 0 || this.#since === undefined) this.#since = moment
    }
    this.#refreshMs = update.refreshMs
    if (changes.length > 0) this.log.add(moment, changes)
    if (removedBytes > 0) {
      this.#kept.removed(removedBytes)
      this.held.removed(this, removedBytes)
    }
    this.wake()
    return true
  }

  /** Nothing that the query reads was changed until this moment. */
  advance(moment: Moment): void {
    if (this.#asOf === undefined || moment.lsn <= this.#asOf.lsn) return
    this.#asOf = moment
    callAll(this.#waiting)
  }

  /** The present rows. Call it after the first result. */
  async answer(): Promise<Answer & { readonly revision: number }> {
    for (;;) {
      const { revision } = this.log
      const rows = await this.#rows.sorted()
      // With the same revision no update was published while the rows were sorted, or the last one is part of them.
      if (revision === this.log.revision) return { rows, asOf: this.#asOf!, revision }
    }
  }

  /** The answer of an earlier page; undefined if it is not kept. */
  async answerAt(lsn: bigint): Promise<Answer | undefined> {
    const kept = this.#kept.find(lsn)
    if (kept !== undefined) return kept
    if (this.#since === undefined) return undefined
    const { rows, asOf } = await this.answer()
    return this.#since.lsn <= lsn && lsn <= asOf.lsn ? { rows, asOf: { ...asOf, lsn } } : undefined
  }

  keep(answer: Answer): void {
    this.#kept.keep(answer)
  }

  /** Calls `wake` after each change of the rows or of the status. Returns the function that ends it. */
  follow(wake: () => void): () => void {
    this.#followers.add(wake)
    return () => this.#followers.delete(wake)
  }

  /** As `follow`, and also when `asOf` moves without changes. */
  waitForMoment(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  get isFollowed(): boolean {
    return this.#followers.size > 0
  }

  get isAwaited(): boolean {
    return this.#waiting.size > 0
  }

  wake(): void {
    callAll(this.#followers)
    callAll(this.#waiting)
  }

  tidy(): void {
    this.#kept.tidy()
  }

  free(): void {
    this.#rows.free()
    this.#kept.clear()
    this.#asOf = undefined
    this.wake()
  }
}

function momentOf({ moment: { lsn, txId, timestampMs } }: ResultUpdate): Moment {
  return { lsn: BigInt(lsn), txId, timestampMs }
}

function callAll(calls: Iterable<() => void>): void {
  for (const call of [...calls]) call()
}
