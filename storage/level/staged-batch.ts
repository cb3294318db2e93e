/**
 * A batch that is being uploaded. Up to 1 MiB it waits in memory and is appended as blocks. Above that it is written as
 * pieces of a segment, and one small reference adds the segment to the log. It becomes visible as a whole or not at
 * all.
 *
 * Pieces are written with fsync. LevelDB starts a new write-ahead log whenever its memory table is full, and never
 * syncs the old one. So the fsync of the reference alone would not cover pieces that were written before that.
 *
 * The segment is marked as an orphan until the write that adds the reference; that write removes the mark. If a crash
 * or an aborted upload leaves a segment, the mark identifies it and it is swept.
 */
import assert from 'node:assert'
import { encodeHeaders } from '../header-set.ts'
import type { EventHeaders, EventSlices, HeadedEvents, LogId, Position, StagedBatch } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { BlockBuilder } from './block-builder.ts'
import { sealBlock } from './block-codec.ts'
import type { GroupCommit } from './group-commit.ts'
import { orphanKey, pieceKey } from './keys.ts'
import { type Batch, copiesOnPut, type Level } from './level.ts'
import type { Change } from './log-change.ts'
import { EVENT_OVERHEAD_BYTES } from './log-group.ts'
import type { LogWriter } from './log-writer.ts'

/** Above this size a batch is staged on disk. CDAP's `stream.batch.buffer.threshold`. */
const STAGE_BYTES = 1024 * 1024
/** Size of one write of pieces. Larger writes make larger LevelDB files, see open.ts. */
const PIECES_BYTES = 1024 * 1024

/** The functions of the log engine that a staged batch needs. */
export interface StagingArea {
  readonly db: Level
  readonly commit: GroupCommit
  nextSegment(): number
  /** The segment belongs to no log and will not become part of one: sweep it. */
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
  /** Events and body bytes that are already in pieces. */
  #stagedCount = 0
  #stagedBodyBytes = 0
  /** The current write of pieces. One runs at a time, while the next pieces are being filled. */
  #writing: Promise<void> = Promise.resolve()
  #lastHeaders: EventHeaders | undefined
  #lastEncoded: Buffer = Buffer.alloc(0)
  #log: LogId
  /** The whole batch as one change of its log, set by the first `take`. After that no events are added. */
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
    if (this.#isDue) await this.#writePieces(false)
  }

  async addHeaded(events: HeadedEvents): Promise<void> {
    this.#assertOpen()
    assert(this.#change === undefined, 'nothing is added to a batch after its first commit')
    this.#builder.addHeaded(events)
    if (this.#isDue) await this.#writePieces(false)
  }

  get #isDue(): boolean {
    return this.#builder.finishedBytes >= (this.#segment === undefined ? STAGE_BYTES : PIECES_BYTES)
  }

  async spill(): Promise<void> {
    this.#assertOpen()
    assert(this.#change === undefined, 'nothing is written beside the log after the first commit')
    await this.#writePieces(true)
    await this.#writing
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
   * The batch as one change of its log, which the caller writes; undefined if it is empty. After this call a segment
   * may become part of the log, whatever the outcome. If it does not, the next opening finds its mark.
   */
  take(): (BatchChange & { readonly writer: LogWriter }) | undefined {
    this.#assertOpen()
    this.#change ??= this.#asChange()
    this.#ended = true
    if (this.#change === undefined) return undefined
    return { ...this.#change, writer: this.#area.writerOf(this.#log) }
  }

  /** The change that `take` returned was not written. The batch can be committed again, or discarded. */
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
    await this.#writing.catch(() => {}) // the caller of the failed write has its error already
    if (this.#segment !== undefined) this.#area.abandon(this.#segment)
  }

  #assertOpen(): void {
    if (this.#ended) throw new StorageError('closed', 'the batch has been committed or discarded')
  }

  /** Starts the next write after the previous one has ended, so that at most one runs while one is being filled. */
  async #writePieces(all: boolean): Promise<void> {
    await this.#writing
    const refusal = this.#area.commit.refusal()
    if (refusal !== undefined) throw refusal
    const blocks = this.#builder.take(all)
    if (blocks.length === 0) return // another `add` that waited at the same time has taken them
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
    this.#writing.catch(() => {}) // the next `await` of this promise rejects
  }
}
