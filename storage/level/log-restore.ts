/**
 * Fills a fresh log with events that have their times already. They become ordinary blocks, each of a time short enough that
 * expiry frees it as a whole, and are written a megabyte at a time.
 */
import assert from 'node:assert'
import type { EventHeaders, EventSlices, LogRestore } from '../log.ts'
import { BlockBuilder } from './block-builder.ts'
import { encodeHeaders } from './header-codec.ts'
import type { RestoredBlock } from './log-change.ts'
import type { LogWriter } from './log-writer.ts'

/** What waits in memory to be written. */
const WRITE_BYTES = 1024 * 1024
/** Time one block may span, as with blocks that the janitor joins. */
const SPAN_MS = 3_600_000

export class LevelLogRestore implements LogRestore {
  readonly #writer: LogWriter
  readonly #builder = new BlockBuilder()
  #finished: RestoredBlock[] = []
  #finishedBytes = 0
  /** Time of the first event in the block that is being filled; undefined if it has none. */
  #openedMs: number | undefined
  #lastMs = 0

  constructor(writer: LogWriter) {
    this.#writer = writer
  }

  async add(slices: EventSlices, headers: EventHeaders, timestampMs: number): Promise<void> {
    assert(timestampMs >= this.#lastMs, 'times never go back')
    if (slices.count === 0) return
    const encoded = encodeHeaders(headers)
    const joins = this.#openedMs !== undefined && timestampMs - this.#openedMs <= SPAN_MS
    // A block that is begun in the middle of these would have to begin with their time.
    if (!joins || !this.#builder.takesWhole(slices, encoded)) this.#closeBlock()
    this.#openedMs ??= timestampMs
    this.#builder.addSlices(slices, encoded, timestampMs - this.#openedMs)
    this.#lastMs = timestampMs
    this.#collect()
    if (this.#finishedBytes >= WRITE_BYTES) await this.#write()
  }

  async finish(): Promise<void> {
    this.#closeBlock()
    await this.#write()
  }

  #closeBlock(): void {
    this.#builder.closeBlock()
    this.#collect()
    this.#openedMs = undefined
  }

  /** Takes what the builder has finished: of several blocks all but the first hold events of one time only. */
  #collect(): void {
    for (const block of this.#builder.take(false)) {
      const firstTimestampMs = this.#openedMs ?? this.#lastMs
      this.#finished.push({ ...block, firstTimestampMs, lastTimestampMs: this.#lastMs })
      this.#finishedBytes += block.bytes.length
    }
    if (this.#builder.isEmpty) this.#openedMs = undefined
  }

  async #write(): Promise<void> {
    const blocks = this.#finished
    this.#finished = []
    this.#finishedBytes = 0
    if (blocks.length > 0) await this.#writer.appendRestored(blocks)
  }
}
