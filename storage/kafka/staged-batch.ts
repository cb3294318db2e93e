/**
 * A large batch that is being uploaded. It is encoded as it arrives, and waits in memory: HELD_BYTES_MIN, or up to one whole
 * record batch while the batches of this node together hold little. Beyond that it waits in a file (spool.ts).
 *
 * What fits into one record batch is appended as one: it is contiguous and has one time. More becomes visible by a transaction,
 * which is opened at the commit and takes no longer than sending the bytes.
 */
import assert from 'node:assert'
import { decodeHeaders } from '../header-set.ts'
import type { EventHeaders, EventSlices, HeadedEvents, LogId, Position, StagedBatch } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { JOINT_BYTES_MORE, joinBatches } from './join-batches.ts'
import { BATCH_HEAD_BYTES } from './log-writer.ts'
import { assertFits } from './log-writers.ts'
import { BATCH_BYTES_MAX, RecordBatchBuilder, type UnsealedBatch } from './record-batch.ts'
import { type EncodedHeaders, encodeRecordHeaders } from './record-headers.ts'
import type { SpoolFile } from './spool.ts'
import { HELD_BYTES_MIN, type StagingArea } from './staging-area.ts'

/** Bytes of one record batch in a file. */
const PIECE_BYTES = 1024 * 1024

export class KafkaStagedBatch implements StagedBatch {
  readonly #area: StagingArea
  #log: LogId
  readonly #builder = new RecordBatchBuilder()
  /** Batches that wait to be written to the file. */
  #finished: UnsealedBatch[] = []
  #file: SpoolFile | undefined
  /** The present write to the file. One runs at a time. */
  #writing: Promise<void> = Promise.resolve()
  #count = 0
  /** Batches that are finished, in memory or in the file, and their encoded bytes. */
  #finishedBatches = 0
  #finishedBytes = 0
  #heldBytes = 0
  #lastHeaders: EventHeaders | undefined
  #lastSet: Buffer | undefined
  #lastEncoded: EncodedHeaders | undefined
  /** The batch in memory, once nothing is added any more. */
  #rest: UnsealedBatch | undefined
  #isComplete = false
  #ended = false
  /** Events are missing, because they could not be written to the file. */
  #failure: unknown

  constructor(area: StagingArea, log: LogId) {
    this.#area = area
    this.#log = log
  }

  get log(): LogId {
    return this.#log
  }

  /** Encoded bytes. */
  get bytes(): number {
    return this.#finishedBytes + (this.#builder.count > 0 ? this.#builder.bytes : 0)
  }

  get count(): number {
    return this.#count
  }

  add({ bytes, starts, ends, count }: EventSlices, headers: EventHeaders): Promise<void> {
    return this.#adding(() => {
      if (this.#lastEncoded === undefined || headers !== this.#lastHeaders) {
        this.#lastEncoded = encodeRecordHeaders(headers)
        this.#lastHeaders = headers
        this.#lastSet = undefined
      }
      for (let i = 0; i < count; i++) this.#addEvent(this.#lastEncoded, bytes, starts[i]!, ends[i]!)
    })
  }

  addHeaded({ bytes, bounds }: HeadedEvents): Promise<void> {
    return this.#adding(() => {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (let i = 2; i < bounds.length; i += 2) {
        const set = buffer.subarray(bounds[i - 2], bounds[i - 1])
        if (this.#lastEncoded === undefined || !this.#lastSet?.equals(set)) {
          this.#lastEncoded = encodeRecordHeaders(decodeHeaders(set))
          this.#lastSet = Buffer.from(set)
          this.#lastHeaders = undefined
        }
        this.#addEvent(this.#lastEncoded, bytes, bounds[i - 1]!, bounds[i]!)
      }
    })
  }

  async spill(): Promise<void> {
    this.#assertOpen()
    assert(!this.#isComplete, 'nothing is written to a file after the first commit')
    this.#finish()
    await this.#write()
  }

  moveTo(log: LogId): void {
    this.#assertOpen()
    this.#log = log
  }

  async commit(): Promise<Position | undefined> {
    this.#assertOpen()
    this.#ended = true
    try {
      const position = await this.#commit()
      await this.#free()
      return position
    } catch (error) {
      if (error instanceof StorageError && error.code === 'dropped') this.#ended = false
      else await this.#free()
      throw error
    }
  }

  async discard(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#free()
  }

  /**
   * For a write over several logs: from now on nothing is added, and `batches` may be called. The batch stays open until `end`
   * or `discard`, so the write can be tried again. Rejects as `add` does.
   */
  async complete(): Promise<void> {
    await this.#writing
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isComplete) return
    if (this.#finished.length > 0) await this.#write()
    this.#completeNow()
  }

  #completeNow(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isComplete) return
    this.#isComplete = true
    if (this.#builder.count > 0) {
      this.#rest = this.#builder.finish()
      this.#noteFinished(this.#rest)
    }
  }

  /** The record batches in order: one, if it all fits. */
  async *batches(): AsyncGenerator<UnsealedBatch, void, undefined> {
    assert(this.#isComplete)
    if (this.#batchCount > 1 && this.#isOne) yield await joinBatches(this.#separate())
    else yield* this.#separate()
  }

  /** The write is done, or its outcome is unknown. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#free()
  }

  /** Nothing is awaited before the append has its place among the others. */
  async #commit(): Promise<Position | undefined> {
    const { writers } = this.#area
    if (this.#failure !== undefined) throw this.#failure
    if (this.#count === 0) return undefined
    if (!this.#isOne) return writers.appendLargeBatch(this.#log, this.bytes, this.#completed())
    if (this.#file !== undefined || this.#finished.length > 0) return this.#appendWhole()
    this.#completeNow()
    return writers.appendBatch(this.#log, this.#rest!)
  }

  /** Reads the batch from the file when its turn comes, and holds it in memory until it is stored. */
  async #appendWhole(): Promise<Position> {
    let release = () => {}
    const isStored = new Promise<void>((resolve) => {
      release = resolve
    })
    const prepare = () =>
      new Promise<UnsealedBatch>((resolve, reject) => {
        const held = this.#area.withWhole(async () => {
          for await (const batch of this.#completed()) resolve(batch)
          await isStored
        })
        held.catch(reject)
      })
    try {
      return await this.#area.writers.appendPrepared(this.#log, { count: this.#count, prepare })
    } finally {
      release()
    }
  }

  async *#completed(): AsyncGenerator<UnsealedBatch, void, undefined> {
    await this.complete()
    yield* this.batches()
  }

  get #batchCount(): number {
    return this.#finishedBatches + (this.#builder.count > 0 ? 1 : 0)
  }

  /** Whether all of it fits into one record batch. */
  get #isOne(): boolean {
    const more = this.#batchCount - 1
    const joined = this.bytes - more * BATCH_HEAD_BYTES + this.#count * JOINT_BYTES_MORE
    return more === 0 || joined <= BATCH_BYTES_MAX
  }

  async *#separate(): AsyncGenerator<UnsealedBatch, void, undefined> {
    if (this.#file !== undefined) yield* this.#file.batches()
    if (this.#rest !== undefined) yield this.#rest
  }

  /** `encode` copies the events before this returns; what is too much for the memory is written afterwards. */
  async #adding(encode: () => void): Promise<void> {
    this.#assertOpen()
    assert(!this.#isComplete, 'nothing is added to a batch after its first commit')
    if (this.#failure !== undefined) throw this.#failure
    encode()
    this.#noteHeld()
    const isLarge = this.#builder.bytes > (this.#file === undefined ? HELD_BYTES_MIN : PIECE_BYTES)
    if (isLarge && (this.#file !== undefined || this.#area.isFull)) this.#finish()
    if (this.#finished.length > 0) await this.#write()
  }

  #addEvent(headers: EncodedHeaders, bytes: Uint8Array, start: number, end: number): void {
    assertFits(headers, end - start)
    const max = this.#file === undefined && this.#finished.length === 0 ? BATCH_BYTES_MAX : PIECE_BYTES
    if (this.#builder.bytes + RecordBatchBuilder.eventBytes(headers, end - start) > max) this.#finish()
    this.#builder.addEvent(headers, bytes, start, end)
    this.#count++
  }

  #finish(): void {
    if (this.#builder.count === 0) return
    const batch = this.#builder.finish()
    this.#finished.push(batch)
    this.#noteFinished(batch)
  }

  #noteFinished({ bytes }: UnsealedBatch): void {
    this.#finishedBatches++
    this.#finishedBytes += bytes.length
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeFinished())
    this.#writing.catch(() => {}) // the caller that awaits it gets the error
    return this.#writing
  }

  async #writeFinished(): Promise<void> {
    const batches = this.#finished
    this.#finished = []
    try {
      for (const batch of batches) {
        this.#file ??= await this.#area.spool.create()
        await this.#file.append(batch)
      }
    } catch (error) {
      this.#failure = error
      throw error
    } finally {
      this.#noteHeld()
    }
  }

  #noteHeld(): void {
    let held = this.#builder.count > 0 ? this.#builder.bytes : 0
    for (const { bytes } of this.#finished) held += bytes.length
    this.#area.hold(held - this.#heldBytes)
    this.#heldBytes = held
  }

  async #free(): Promise<void> {
    await this.#writing.catch(() => {})
    this.#area.hold(-this.#heldBytes)
    this.#heldBytes = 0
    this.#finished = []
    this.#rest = undefined
    await this.#file?.close()
    this.#file = undefined
  }

  #assertOpen(): void {
    if (this.#ended) throw new StorageError('closed', 'the batch has been committed or discarded')
  }
}
