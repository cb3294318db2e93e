/**
 * The writing end of one log: what waits to be written, and the tail as of the last durable write.
 *
 * Everything that changes a log (events, small batches, segment references, trims) goes through here in order, so that
 * the tail in memory and what is on disk cannot differ.
 */
import type { EventData, LogId, Position } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import type { UnsealedBlock } from './block-codec.ts'
import type { GroupCommit, GroupMember } from './group-commit.ts'
import type { Batch } from './level.ts'
import type { Change, Merge, RestoredBlock, Trim, Waiting } from './log-change.ts'
import { EVENT_OVERHEAD_BYTES, LogGroup } from './log-group.ts'
import { LogStretches } from './stretches.ts'
import { EMPTY_TAIL, type StoredTail } from './tail-codec.ts'

export interface LogWriterHooks {
  /** Number of this opening of the store. */
  readonly epoch: number
  /** Events have become durable. */
  readonly onAppended: (writer: LogWriter) => void
  /** From now on the tail on disk is behind, until `checkpoint`. */
  readonly onMarked: (writer: LogWriter) => void
}

export class LogWriter implements GroupMember {
  readonly log: LogId
  readonly #commit: GroupCommit
  readonly #hooks: LogWriterHooks
  readonly stretches: LogStretches
  #tail: StoredTail
  /** The tail on disk is behind, and a mark there says so (checkpoints.ts). */
  #marked: boolean
  #waiting: Waiting[] = []
  #staged: Waiting[] = []
  #stagedTail: StoredTail = EMPTY_TAIL
  #dropping = false
  #merges = 0

  constructor(log: LogId, tail: StoredTail, marked: boolean, commit: GroupCommit, hooks: LogWriterHooks) {
    this.log = log
    this.stretches = new LogStretches(log, hooks.epoch)
    this.#tail = tail
    this.#marked = marked
    this.#commit = commit
    this.#hooks = hooks
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

  async appendRestored(blocks: readonly RestoredBlock[]): Promise<void> {
    let bytes = 0
    for (const block of blocks) bytes += block.bytes.length
    await this.#enqueue({ kind: 'restored', blocks }, bytes)
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

  /** Brings the tail on disk up to date. Nobody waits for it: it goes with others. */
  async checkpoint(): Promise<void> {
    if (this.#dropping) return // then every write brings it up to date
    await this.#enqueue({ kind: 'barrier' }, EVENT_OVERHEAD_BYTES, true)
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

  stage(batch: Batch, nowMs: number, budget: number): { changes: number; bytes: number; more: boolean } {
    let bytes = 0
    let taken = 0
    while (taken < this.#waiting.length && (taken === 0 || bytes + this.#waiting[taken].bytes <= budget)) {
      bytes += this.#waiting[taken++].bytes
    }
    this.#staged = this.#waiting.slice(0, taken)
    this.#waiting = this.#waiting.slice(taken)
    const group = new LogGroup(this.log, this.#tail, this.#marked, nowMs, batch)
    for (let i = 0; i < this.#staged.length; i++) group.add(this.#staged[i])
    if (group.merges) this.#merges++
    this.#stagedTail = group.finish()
    if (!this.stretches.begun && this.#stagedTail.nextSequence > this.#tail.nextSequence) {
      this.stretches.begin(batch, this.#tail.nextSequence, group.restores)
    }
    if (group.marked && !this.#marked) this.#hooks.onMarked(this)
    this.#marked = group.marked
    return { changes: taken, bytes, more: this.#waiting.length > 0 }
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
    if (grown) this.#hooks.onAppended(this)
  }

  refuse(error: StorageError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) one.reject(error)
  }
}
