/**
 * The writing end of one log: what waits to be written, and the tail as of the last durable write.
 *
 * Everything that changes a log (events, small batches, segment references, trims) goes through here in order, so that
 * the tail in memory and the tail on disk cannot differ.
 */
import type { EventData, LogId, Position } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { BLOCK_CAPACITY, BlockBuilder } from './block-builder.ts'
import { sealBlock, type UnsealedBlock } from './block-codec.ts'
import type { GroupCommit, GroupMember } from './group-commit.ts'
import { encodedHeadersEqual } from './header-codec.ts'
import { blockKey, orphanKey, referenceKey, tailKey } from './keys.ts'
import type { Batch } from './level.ts'
import { encodeReference } from './segment-reference.ts'
import { EMPTY_TAIL, encodeTail, type StoredTail } from './tail-codec.ts'

/** Fields and headers that a run of one event costs beside its body, about. */
const EVENT_OVERHEAD_BYTES = 16

type Change =
  | { readonly kind: 'events'; readonly events: readonly EventData[]; readonly headers: readonly Buffer[] }
  | { readonly kind: 'blocks'; readonly blocks: readonly UnsealedBlock[] }
  | { readonly kind: 'segment'; readonly segment: number; readonly count: number; readonly bodyBytes: number }
  | { readonly kind: 'trim'; readonly trim: Trim }
  | { readonly kind: 'merge'; readonly merge: Merge }
  | { readonly kind: 'barrier' }

/** Keys to delete and segments to give up; the log then begins at `first`. */
export interface Trim {
  readonly keys: readonly Buffer[]
  readonly segments: readonly number[]
  readonly first: Position
  /** Nothing is left: the log itself goes, too. */
  readonly last: boolean
}

/** Small blocks, one after the other, to be replaced by one; and how far merging has come with that. */
export interface Merge {
  readonly keys: readonly Buffer[]
  readonly block: UnsealedBlock | undefined
  /** Position of the first event of the block. */
  readonly first: Position
  /** The merge point afterwards. */
  readonly done: Position
}

interface Waiting {
  readonly change: Change
  readonly bytes: number
  readonly resolve: (position: Position) => void
  readonly reject: (error: StorageError) => void
  sequence: number
}

export class LogWriter implements GroupMember {
  readonly log: LogId
  readonly #commit: GroupCommit
  readonly #onAppended: (writer: LogWriter) => void
  #tail: StoredTail
  #waiting: Waiting[] = []
  #staged: Waiting[] = []
  #stagedTail: StoredTail = EMPTY_TAIL
  #dropping = false
  #merges = 0

  constructor(log: LogId, tail: StoredTail, commit: GroupCommit, onAppended: (writer: LogWriter) => void) {
    this.log = log
    this.#tail = tail
    this.#commit = commit
    this.#onAppended = onAppended
  }

  /** As of the last durable write. */
  get tail(): StoredTail {
    return this.#tail
  }

  /** What may be gone already: the trim point, or the one that is being written. */
  get trimmedTo(): number {
    if (this.#staged.length === 0) return this.#tail.firstSequence
    return Math.max(this.#tail.firstSequence, this.#stagedTail.firstSequence)
  }

  get dropping(): boolean {
    return this.#dropping
  }

  /**
   * Goes up when a merge is about to be written and again when it has been, so it is odd in between: a reader that finds
   * a gap learns from it whether blocks may have been moved under it.
   */
  get merges(): number {
    return this.#merges
  }

  /** From now on the log takes nothing but its own end. */
  markDropping(): void {
    this.#dropping = true
  }

  /** `headers[i]` are the encoded headers of `events[i]`. For `linger` see EventLog.append. */
  appendEvents(events: readonly EventData[], headers: readonly Buffer[], linger: boolean): Promise<Position> {
    let bytes = 0
    for (let i = 0; i < events.length; i++)
      bytes += events[i].body.length + headers[i].length + EVENT_OVERHEAD_BYTES
    return this.#enqueue({ kind: 'events', events, headers }, bytes, linger)
  }

  appendBlocks(blocks: readonly UnsealedBlock[]): Promise<Position> {
    let bytes = 0
    for (const block of blocks) bytes += block.bytes.length
    return this.#enqueue({ kind: 'blocks', blocks }, bytes)
  }

  appendSegment(segment: number, count: number, bodyBytes: number): Promise<Position> {
    return this.#enqueue({ kind: 'segment', segment, count, bodyBytes }, EVENT_OVERHEAD_BYTES)
  }

  async trim(trim: Trim): Promise<void> {
    await this.#enqueue({ kind: 'trim', trim }, trim.keys.length * EVENT_OVERHEAD_BYTES)
  }

  async merge(merge: Merge): Promise<void> {
    await this.#enqueue({ kind: 'merge', merge }, merge.block?.bytes.length ?? EVENT_OVERHEAD_BYTES)
  }

  /** Resolves once everything that was enqueued before is on disk. */
  async barrier(): Promise<void> {
    await this.#enqueue({ kind: 'barrier' }, 0)
  }

  #enqueue(change: Change, bytes: number, linger = false): Promise<Position> {
    if (this.#dropping && change.kind !== 'trim' && change.kind !== 'barrier') {
      return Promise.reject(new StorageError('dropped', `log ${this.log} has been dropped`))
    }
    const refusal = this.#commit.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, bytes, resolve, reject, sequence: 0 })
      this.#commit.join(this, linger)
    })
  }

  stage(batch: Batch, nowMs: number, budget: number): { bytes: number; more: boolean } {
    let bytes = 0
    let taken = 0
    while (taken < this.#waiting.length && (taken === 0 || bytes + this.#waiting[taken].bytes <= budget)) {
      bytes += this.#waiting[taken++].bytes
    }
    this.#staged = this.#waiting.slice(0, taken)
    this.#waiting = this.#waiting.slice(taken)
    const group = new LogGroup(this.log, this.#tail, nowMs, batch)
    for (let i = 0; i < this.#staged.length; i++) group.add(this.#staged[i])
    if (group.merges) this.#merges++
    this.#stagedTail = group.finish()
    return { bytes, more: this.#waiting.length > 0 }
  }

  settle(error?: StorageError): void {
    const staged = this.#staged
    this.#staged = []
    if (this.#merges % 2 === 1) this.#merges++
    if (error !== undefined) {
      for (const waiting of staged) waiting.reject(error)
      return
    }
    const grown = this.#stagedTail.nextSequence > this.#tail.nextSequence
    this.#tail = this.#stagedTail
    const timestampMs = this.#tail.lastTimestampMs
    for (const waiting of staged) waiting.resolve({ timestampMs, sequence: waiting.sequence })
    if (grown) this.#onAppended(this)
  }

  refuse(error: StorageError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) one.reject(error)
  }
}

/** Turns the changes of one group into LevelDB operations, all under one timestamp. */
class LogGroup {
  readonly #log: LogId
  readonly #batch: Batch
  readonly #timestampMs: number
  #tail: { -readonly [K in keyof StoredTail]: StoredTail[K] }
  #gone = false
  /** Whether blocks are replaced by joined ones. */
  merges = false
  /** Waiting events that go into blocks together: they are packed when something else follows, or at the end. */
  #events: EventData[] = []
  #headers: Buffer[] = []

  constructor(log: LogId, tail: StoredTail, nowMs: number, batch: Batch) {
    this.#log = log
    this.#batch = batch
    this.#tail = { ...tail }
    // Never back: a clock that does is clamped to the last event's time.
    this.#timestampMs = Math.max(nowMs, tail.lastTimestampMs)
  }

  add(waiting: Waiting): void {
    const { change } = waiting
    switch (change.kind) {
      case 'events':
        for (let i = 0; i < change.events.length; i++) {
          this.#events.push(change.events[i])
          this.#headers.push(change.headers[i])
        }
        waiting.sequence = this.#tail.nextSequence + this.#events.length - 1
        return
      case 'blocks':
        this.#packEvents()
        for (const block of change.blocks) this.#putBlock(block)
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
    waiting.sequence = this.#tail.nextSequence - 1
  }

  /** The tail after this group. */
  finish(): StoredTail {
    this.#packEvents()
    const key = tailKey(this.#log)
    if (this.#gone) this.#batch.del(key)
    else this.#batch.put(key, encodeTail(key, this.#tail))
    return this.#tail
  }

  #packEvents(): void {
    const events = this.#events
    const headers = this.#headers
    if (events.length === 0) return
    let capacity = 64
    for (let i = 0; i < events.length; i++)
      capacity += events[i].body.length + headers[i].length + EVENT_OVERHEAD_BYTES
    const builder = new BlockBuilder(Math.min(capacity, BLOCK_CAPACITY))
    let begin = 0
    for (let i = 1; i <= events.length; i++) {
      if (i < events.length && encodedHeadersEqual(headers[i], headers[begin])) continue
      builder.addEvents(events, begin, i, headers[begin])
      begin = i
    }
    for (const block of builder.take(true)) this.#putBlock(block)
    this.#events = []
    this.#headers = []
  }

  #putBlock(block: UnsealedBlock): void {
    const key = blockKey(this.#log, this.#timestampMs, this.#tail.nextSequence)
    this.#batch.put(key, sealBlock(key, block.bytes))
    this.#advance(block.count, block.bodyBytes)
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

  /** What has been trimmed since the blocks were read must not come back. */
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
