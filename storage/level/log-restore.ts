/**
 * Fills a new log with events that keep their original timestamps. They become ordinary blocks, and are written a
 * megabyte at a time. The time range of each block is so short that expiry frees it as a whole.
 */
import assert from 'node:assert'
import { encodeHeaders } from '../header-set.ts'
import type { EventHeaders, EventSlices, LogRestore } from '../log.ts'
import { BlockBuilder } from './block-builder.ts'
import type { RestoredBlock } from './log-change.ts'
import type { LogWriter } from './log-writer.ts'

/** Bytes of blocks that wait in memory before they are written. */
const WRITE_BYTES = 1024 * 1024
/** Maximum time range of one block, as for blocks that the janitor joins. */
const SPAN_MS = 3_600_000

export class LevelLogRestore implements LogRestore {
  readonly #writer: LogWriter
  readonly #builder = new BlockBuilder()
  #finished: RestoredBlock[] = []
  #finishedBytes = 0
  /** Timestamp of the first event in the open block; undefined if the block is empty. */
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
    // If these events filled the open block and continued in another one, that block would have to begin with their
    // timestamp.
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

  /**
   * Takes the blocks that the builder has finished. If there are several, all but the first contain events of one
   * timestamp only.
   */
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
