/**
 * The changes of one log in one group, as LevelDB operations with one timestamp.
 *
 * A group that only adds events does not write the tail. It writes a mark instead, which records that the tail on disk
 * is out of date. If many logs grow at the same time, writing all their tails every time would cost as much as writing
 * the events (checkpoints.ts).
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */

import { encodedHeadersEqual } from '../header-set.ts'
import type { EventData, LogId } from '../log.ts'
import { BLOCK_CAPACITY, BlockBuilder } from './block-builder.ts'
import { sealBlock, type UnsealedBlock } from './block-codec.ts'
import { blockKey, markKey, orphanKey, referenceKey, tailKey } from './keys.ts'
import type { Batch } from './level.ts'
import type { Merge, RestoredBlock, Trim, Waiting } from './log-change.ts'
import { encodeReference } from './segment-reference.ts'
import { singleEventBlock } from './single-event-block.ts'
import { encodeTail, type StoredTail } from './tail-codec.ts'

/** Approximate bytes of the fields and headers that a run of one event has beside its body. */
export const EVENT_OVERHEAD_BYTES = 16

export class LogGroup {
  readonly #log: LogId
  readonly #batch: Batch
  readonly #timestampMs: number
  #tail: { -readonly [K in keyof StoredTail]: StoredTail[K] }
  #gone = false
  /** A change other than events was added, so the tail is written. */
  #tailDue = false
  /** Whether a mark is on disk after this group. */
  marked: boolean
  /** Whether the group replaces blocks by joined ones. */
  merges = false
  /** Whether the group contains events of a backup. */
  restores = false
  /**
   * Waiting events that go into blocks together. They are packed when another kind of change follows, or at the end.
   */
  #events: EventData[] = []
  #headers: Buffer[] = []

  constructor(log: LogId, tail: StoredTail, marked: boolean, nowMs: number, batch: Batch) {
    this.#log = log
    this.marked = marked
    this.#batch = batch
    this.#tail = { ...tail }
    // Timestamps never go back: if the clock does, the timestamp of the last event is used.
    this.#timestampMs = Math.max(nowMs, tail.lastTimestampMs)
  }

  add(waiting: Waiting): void {
    const { change } = waiting
    switch (change.kind) {
      case 'events':
        for (let i = 0; i < change.events.length; i++) {
          this.#events.push(change.events[i]!)
          this.#headers.push(change.headers[i]!)
        }
        waiting.sequence = this.#tail.nextSequence + this.#events.length - 1
        return
      case 'blocks':
        this.#packEvents()
        for (const block of change.blocks) this.#putBlock(block)
        waiting.sequence = this.#tail.nextSequence - 1
        return
      case 'restored':
        for (const block of change.blocks) this.#putRestored(block)
        this.restores = true
        break
      case 'segment':
        this.#packEvents()
        this.#putReference(change.segment, change.count, change.bodyBytes)
        break
      case 'trim':
        this.#packEvents()
        this.#trim(change.trim)
        break
      case 'merge':
        this.#merge(change.merge)
        break
      case 'barrier':
        break
    }
    this.#tailDue = true
    waiting.sequence = this.#tail.nextSequence - 1
  }

  /** Completes the group. Returns the tail after it. */
  finish(): StoredTail {
    this.#packEvents()
    if (this.#tailDue) this.#putTail()
    else if (!this.marked) this.#putMark()
    return this.#tail
  }

  #putTail(): void {
    const key = tailKey(this.#log)
    if (this.#gone) this.#batch.del(key)
    else this.#batch.put(key, encodeTail(key, this.#tail))
    if (this.marked) this.#batch.del(markKey(this.#log))
    this.marked = false
  }

  #putMark(): void {
    this.#batch.put(markKey(this.#log), EMPTY_VALUE)
    this.marked = true
  }

  #packEvents(): void {
    const events = this.#events
    const headers = this.#headers
    if (events.length === 0) return
    if (events.length === 1) this.#putBlock(singleEventBlock(events[0]!, headers[0]!))
    else this.#packSeveral(events, headers)
    this.#events = []
    this.#headers = []
  }

  #packSeveral(events: readonly EventData[], headers: readonly Buffer[]): void {
    let capacity = 64
    for (let i = 0; i < events.length; i++)
      capacity += events[i]!.body.length + headers[i]!.length + EVENT_OVERHEAD_BYTES
    const builder = new BlockBuilder(Math.min(capacity, BLOCK_CAPACITY))
    let begin = 0
    for (let i = 1; i <= events.length; i++) {
      if (i < events.length && encodedHeadersEqual(headers[i]!, headers[begin]!)) continue
      builder.addEvents(events, begin, i, headers[begin]!)
      begin = i
    }
    for (const block of builder.take(true)) this.#putBlock(block)
  }

  #putBlock(block: UnsealedBlock): void {
    const key = blockKey(this.#log, this.#timestampMs, this.#tail.nextSequence)
    this.#batch.put(key, sealBlock(key, block.bytes))
    this.#advance(block.count, block.bodyBytes)
  }

  #putRestored({ bytes, count, bodyBytes, firstTimestampMs, lastTimestampMs }: RestoredBlock): void {
    const tail = this.#tail
    const key = blockKey(this.#log, firstTimestampMs, tail.nextSequence)
    this.#batch.put(key, sealBlock(key, bytes))
    if (tail.firstSequence === tail.nextSequence) tail.firstTimestampMs = firstTimestampMs
    tail.nextSequence += count
    tail.bytesWritten += bodyBytes
    tail.lastTimestampMs = lastTimestampMs
  }

  #putReference(segment: number, count: number, bodyBytes: number): void {
    const key = referenceKey(this.#log, this.#timestampMs, this.#tail.nextSequence)
    this.#batch.put(key, encodeReference(key, { segment, count }))
    this.#batch.del(orphanKey(segment))
    this.#advance(count, bodyBytes)
  }

  #advance(count: number, bodyBytes: number): void {
    const tail = this.#tail
    if (tail.firstSequence === tail.nextSequence) tail.firstTimestampMs = this.#timestampMs
    tail.nextSequence += count
    tail.bytesWritten += bodyBytes
    tail.lastTimestampMs = this.#timestampMs
  }

  /** Does nothing if the blocks have been trimmed since they were read: trimmed events must not appear again. */
  #merge({ keys, block, first, done }: Merge): void {
    if (first.sequence < this.#tail.firstSequence) return
    if (block !== undefined) {
      this.merges = true
      const key = blockKey(this.#log, first.timestampMs, first.sequence)
      for (const small of keys) if (!small.equals(key)) this.#batch.del(small)
      this.#batch.put(key, sealBlock(key, block.bytes))
    }
    this.#tail.mergedSequence = done.sequence
    this.#tail.mergedTimestampMs = done.timestampMs
  }

  #trim(trim: Trim): void {
    for (const key of trim.keys) this.#batch.del(key)
    for (const segment of trim.segments) this.#batch.put(orphanKey(segment), EMPTY_VALUE)
    this.#tail.firstSequence = trim.first.sequence
    this.#tail.firstTimestampMs = trim.first.timestampMs
    this.#gone = trim.last
  }
}

const EMPTY_VALUE = Buffer.alloc(0)
