/** A staged batch that counts its events, for the totals of its log. */
import type { EventHeaders, EventSlices, HeadedEvents, LogId, Position, StagedBatch } from '../log.ts'
import { bodyBytes, headedBodyBytes, headedCount } from '../slices.ts'

/** Called when the events of a batch or an append are in the log. `last`: position of the last one. */
export type WrittenEvents = (log: LogId, last: Position, events: number, bytes: number) => void

export class CountedBatch<B extends StagedBatch = StagedBatch> implements StagedBatch {
  /** For a write over several logs, which replaces `commit`. */
  readonly inner: B
  readonly #onWritten: WrittenEvents
  #log: LogId
  #events = 0
  #bytes = 0

  constructor(inner: B, log: LogId, onWritten: WrittenEvents) {
    this.inner = inner
    this.#log = log
    this.#onWritten = onWritten
  }

  get log(): LogId {
    return this.#log
  }

  async add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    const [events, bytes] = [slices.count, bodyBytes(slices)]
    await this.inner.add(slices, headers)
    this.#count(events, bytes)
  }

  async addHeaded(headed: HeadedEvents): Promise<void> {
    const [events, bytes] = [headedCount(headed), headedBodyBytes(headed)]
    await this.inner.addHeaded(headed)
    this.#count(events, bytes)
  }

  spill(): Promise<void> {
    return this.inner.spill()
  }

  moveTo(log: LogId): void {
    this.inner.moveTo(log)
    this.#log = log
  }

  async commit(): Promise<Position | undefined> {
    const last = await this.inner.commit()
    this.noteWritten(last)
    return last
  }

  /** A write over several logs has stored the batch; undefined if it is empty. */
  noteWritten(last: Position | undefined): void {
    if (last !== undefined) this.#onWritten(this.#log, last, this.#events, this.#bytes)
  }

  discard(): Promise<void> {
    return this.inner.discard()
  }

  #count(events: number, bytes: number): void {
    this.#events += events
    this.#bytes += bytes
  }
}
