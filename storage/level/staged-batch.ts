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
import assert from 'node:assert'
import type { EventHeaders, EventSlices, LogId, Position, StagedBatch } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { BlockBuilder } from './block-builder.ts'
import { sealBlock } from './block-codec.ts'
import type { GroupCommit } from './group-commit.ts'
import { encodeHeaders } from './header-codec.ts'
import { orphanKey, pieceKey } from './keys.ts'
import { type Batch, copiesOnPut, type Level } from './level.ts'
import type { Change } from './log-change.ts'
import { EVENT_OVERHEAD_BYTES } from './log-group.ts'
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

interface BatchChange {
  readonly change: Change
  readonly bytes: number
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
  #log: LogId
  /** All of it, as one change of its log, once that is asked for: then no more is added. */
  #change: BatchChange | undefined
  #ended = false

  constructor(area: StagingArea, log: LogId) {
    this.#area = area
    this.#log = log
  }

  async add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    this.#assertOpen()
    assert(this.#change === undefined, 'nothing is added to a batch after its first commit')
    if (headers !== this.#lastHeaders) {
      this.#lastEncoded = encodeHeaders(headers)
      this.#lastHeaders = headers
    }
    this.#builder.addSlices(slices, this.#lastEncoded)
    const threshold = this.#segment === undefined ? STAGE_BYTES : PIECES_BYTES
    if (this.#builder.finishedBytes >= threshold) await this.#writePieces(false)
  }

  moveTo(log: LogId): void {
    this.#assertOpen()
    this.#log = log
  }

  async commit(): Promise<Position | undefined> {
    this.#assertOpen()
    if (this.hasUnwritten) await this.writeRest()
    const taken = this.take()
    if (taken === undefined) return undefined
    try {
      return await taken.writer.append(taken.change, taken.bytes)
    } catch (error) {
      if (error instanceof StorageError && error.code === 'dropped') this.giveBack()
      throw error
    }
  }

  /** Whether pieces of a segment have to be written before `take`. */
  get hasUnwritten(): boolean {
    return this.#segment !== undefined && this.#change === undefined
  }

  async writeRest(): Promise<void> {
    this.#assertOpen()
    await this.#writePieces(true)
    await this.#writing
  }

  /**
   * The batch as one change of its log, which the caller writes; undefined if it is empty. From here on a segment may be
   * part of the log, whatever the outcome: if not, its mark is found at the next open.
   */
  take(): (BatchChange & { readonly writer: LogWriter }) | undefined {
    this.#assertOpen()
    this.#change ??= this.#asChange()
    this.#ended = true
    if (this.#change === undefined) return undefined
    return { ...this.#change, writer: this.#area.writerOf(this.#log) }
  }

  /** Nothing of what was taken has been written: it can be committed again, or discarded. */
  giveBack(): void {
    this.#ended = false
  }

  #asChange(): BatchChange | undefined {
    if (this.#segment !== undefined) {
      const [count, bodyBytes] = [this.#stagedCount, this.#stagedBodyBytes]
      const change: Change = { kind: 'segment', segment: this.#segment, count, bodyBytes }
      return { change, bytes: EVENT_OVERHEAD_BYTES }
    }
    const blocks = this.#builder.take(true)
    if (blocks.length === 0) return undefined
    let bytes = 0
    for (const block of blocks) bytes += block.bytes.length
    return { change: { kind: 'blocks', blocks }, bytes }
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
    this.#writing.catch(() => {}) // the next `await` of it rejects
  }
}
