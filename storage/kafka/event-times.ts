/**
 * Sets the times of events by a clock of the caller, on topics that take the times of their producers. Tests need that: elsewhere
 * brokers set the times, because the clocks of nodes differ. There may be one node only.
 */
import { BATCH_FIELDS, type UnsealedBatch } from './record-batch.ts'

export class EventTimes {
  readonly #nowMs: () => number
  readonly #lastMs = new Map<string, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Sets the time of all events of a batch that is not sealed, and returns it. It never goes back in a topic. */
  set(topic: string, { bytes }: UnsealedBatch): number {
    const timestampMs = Math.max(this.#nowMs(), this.#lastMs.get(topic) ?? 0)
    this.#lastMs.set(topic, timestampMs)
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    view.setBigInt64(BATCH_FIELDS.baseTimestamp, BigInt(timestampMs))
    view.setBigInt64(BATCH_FIELDS.maxTimestamp, BigInt(timestampMs))
    return timestampMs
  }
}
