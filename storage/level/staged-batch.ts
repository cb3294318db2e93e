/**
 * A batch on its way in. A small one waits in memory and joins the log as blocks; one above 1 MiB is written aside as
 * the pieces of a segment, which joins the log by one small reference. Either way: all of it or nothing.
 *
 * Pieces are written with fsync. LevelDB starts a new write-ahead log whenever its memory table is full and never syncs
 * the old one, so the fsync of the reference alone would not cover pieces written before that moment.
 *
 * The segment is marked as an orphan until the write that adds the reference, which removes the mark: what a crash or
 * an aborted upload leaves behind is found by its mark and swept.
 */
import type { EventHeaders, EventSlices, LogId, Position, StagedBatch } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { BlockBuilder } from './block-builder.ts'
import { sealBlock } from './block-codec.ts'
import type { GroupCommit } from './group-commit.ts'
import { encodeHeaders } from './header-codec.ts'
import { orphanKey, pieceKey } from './keys.ts'
import { type Batch, copiesOnPut, type Level } from './level.ts'
import type { LogWriter } from './log-writer.ts'

/** From here on a batch is staged on disk. CDAP's `stream.batch.buffer.threshold`. */
const STAGE_BYTES = 1024 * 1024
/** One write of pieces. Larger ones make larger LevelDB files, see open.ts. */
const PIECES_BYTES = 1024 * 1024

/** What a staged batch needs from its log engine. */
export interface StagingArea {
  readonly db: Level
  readonly commit: GroupCommit
  nextSegment(): number
  /** The segment belongs to no log and will not: sweep it. */
  abandon(segment: number): void
  writerOf(log: LogId): LogWriter
}

export class LevelStagedBatch implements StagedBatch {
  readonly #area: StagingArea
  readonly #builder = new BlockBuilder()
  #segment: number | undefined
  /** Events and body bytes that are in pieces already. */
  #stagedCount = 0
  #stagedBodyBytes = 0
  /** The write under way: one at a time, while the next pieces are being filled. */
  #writing: Promise<void> = Promise.resolve()
  #lastHeaders: EventHeaders | undefined
  #lastEncoded: Buffer = Buffer.alloc(0)
  #ended = false

  constructor(area: StagingArea) {
    this.#area = area
  }

  async add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    this.#assertOpen()
    if (headers !== this.#lastHeaders) {
      this.#lastEncoded = encodeHeaders(headers)
      this.#lastHeaders = headers
    }
    this.#builder.addSlices(slices, this.#lastEncoded)
    const threshold = this.#segment === undefined ? STAGE_BYTES : PIECES_BYTES
    if (this.#builder.finishedBytes >= threshold) await this.#writePieces(false)
  }

  async commit(target: () => LogId): Promise<Position | undefined> {
    this.#assertOpen()
    if (this.#segment === undefined) {
      const blocks = this.#builder.take(true)
      this.#ended = true
      return blocks.length === 0 ? undefined : this.#area.writerOf(target()).appendBlocks(blocks)
    }
    await this.#writePieces(true)
    await this.#writing
    const writer = this.#area.writerOf(target())
    // From here on the segment may be part of the log, whatever we are told: if not, its mark is found at the next open.
    this.#ended = true
    try {
      return await writer.appendSegment(this.#segment, this.#stagedCount, this.#stagedBodyBytes)
    } catch (error) {
      const nothingWritten = error instanceof StorageError && error.code === 'dropped'
      if (nothingWritten) this.#area.abandon(this.#segment)
      throw error
    }
  }

  async discard(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    this.#builder.take(true)
    await this.#writing.catch(() => {}) // a write that failed has told its caller already
    if (this.#segment !== undefined) this.#area.abandon(this.#segment)
  }

  #assertOpen(): void {
    if (this.#ended) throw new StorageError('closed', 'the batch has been committed or discarded')
  }

  /** Starts the next write once the one before has ended, so that at most one is under way and one is being filled. */
  async #writePieces(all: boolean): Promise<void> {
    await this.#writing
    const refusal = this.#area.commit.refusal()
    if (refusal !== undefined) throw refusal
    const blocks = this.#builder.take(all)
    if (blocks.length === 0) return // taken by an `add` that waited beside this one
    const batch = this.#area.db.batch() as Batch
    if (this.#segment === undefined) {
      this.#segment = this.#area.nextSegment()
      batch.put(orphanKey(this.#segment), Buffer.alloc(0))
    }
    for (const block of blocks) {
      const key = pieceKey(this.#segment, this.#stagedCount)
      batch.put(key, sealBlock(key, block.bytes))
      this.#stagedCount += block.count
      this.#stagedBodyBytes += block.bodyBytes
    }
    if (copiesOnPut(this.#area.db)) this.#builder.recycle(blocks)
    this.#writing = this.#area.commit.write(batch)
    this.#writing.catch(() => {}) // whoever waits for it next is told
  }
}
