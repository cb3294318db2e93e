/**
 * Writes one log. It holds the changes that wait to be written, and the tail as of the last durable write.
 *
 * All changes of a log (events, small batches, segment references, trims) go through this class in order, so that the
 * tail in memory and the data on disk cannot differ.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { EventData, LogId, Position } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import type { GroupCommit, GroupMember } from './group-commit.ts'
import type { Batch } from './level.ts'
import type { Change, Merge, RestoredBlock, Trim, Waiting } from './log-change.ts'
import { EVENT_OVERHEAD_BYTES, LogGroup } from './log-group.ts'
import { LogStretches } from './stretches.ts'
import { EMPTY_TAIL, type StoredTail } from './tail-codec.ts'

export interface LogWriterHooks {
  /** Number of this opening of the store. */
  readonly epoch: number
  /** Called when events have become durable. */
  readonly onAppended: (writer: LogWriter) => void
  /** Called when the tail on disk becomes out of date; it stays so until `checkpoint`. */
  readonly onMarked: (writer: LogWriter) => void
}

export class LogWriter implements GroupMember {
  readonly log: LogId
  readonly #commit: GroupCommit
  readonly #hooks: LogWriterHooks
  readonly stretches: LogStretches
  #tail: StoredTail
  /** The tail on disk is out of date, and a mark on disk records this (checkpoints.ts). */
  #marked: boolean
  #waiting: Waiting[] = []
  /** The changes in `#waiting` that are part of joint writes; undefined while there are none. */
  #joint: Set<Waiting> | undefined
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

  /** Events before this sequence may be gone: the trim point, or the trim point that is being written. */
  get trimmedTo(): number {
    if (this.#staged.length === 0) return this.#tail.firstSequence
    return Math.max(this.#tail.firstSequence, this.#stagedTail.firstSequence)
  }

  get dropping(): boolean {
    return this.#dropping
  }

  /**
   * Incremented when a merge is about to be written, and again when it has been written, so it is odd in between. A
   * reader that finds a gap compares it to detect whether blocks may have been joined meanwhile.
   */
  get merges(): number {
    return this.#merges
  }

  /** From now on the log refuses every change except its removal. */
  markDropping(): void {
    this.#dropping = true
  }

  /** `headers[i]` are the encoded headers of `events[i]`. For `linger` see EventLog.append. */
  appendEvents(events: readonly EventData[], headers: readonly Buffer[], linger: boolean): Promise<Position> {
    return this.#enqueue({ kind: 'events', events, headers }, bytesOf(events, headers), linger)
  }

  /** Appends a batch, as blocks or as the reference of its segment. `bytes` is its approximate size in the write. */
  append(change: Change, bytes: number): Promise<Position> {
    return this.#enqueue(change, bytes)
  }

  async appendRestored(blocks: readonly RestoredBlock[]): Promise<void> {
    let bytes = 0
    for (const block of blocks) bytes += block.bytes.length
    await this.#enqueue({ kind: 'restored', blocks }, bytes)
  }

  async trim(trim: Trim): Promise<void> {
    await this.#enqueue({ kind: 'trim', trim }, trim.keys.length * EVENT_OVERHEAD_BYTES)
  }

  async merge(merge: Merge): Promise<void> {
    await this.#enqueue({ kind: 'merge', merge }, merge.block?.bytes.length ?? EVENT_OVERHEAD_BYTES)
  }

  /** Resolves once all changes that were enqueued before are on disk. */
  async barrier(): Promise<void> {
    await this.#enqueue({ kind: 'barrier' }, 0)
  }

  /** Writes the tail. No caller waits for it: it is written together with other changes. */
  async checkpoint(): Promise<void> {
    if (this.#dropping) return // every write of a log that is being dropped includes its tail
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
      // After a joint write the change waits until that one is written; then `joinAgain` joins the group.
      if (this.#joint === undefined) this.#commit.join(this, linger)
    })
  }

  /** Throws 'dropped' if the log rejects changes: joint writes check it before they enqueue theirs. */
  assertTakes(): void {
    if (this.#dropping) throw new StorageError('dropped', `log ${this.log} has been dropped`)
  }

  /** Enqueues changes of joint writes after all changes that wait now. Only `stageJoint` stages them. */
  enqueueJoint(joint: readonly Waiting[]): void {
    this.#joint ??= new Set()
    for (const waiting of joint) {
      this.#waiting.push(waiting)
      this.#joint.add(waiting)
    }
  }

  isJointAt(index: number, joint: Waiting): boolean {
    return this.#waiting[index] === joint
  }

  /** Takes back changes that were enqueued together. */
  withdrawJoint(joint: readonly Waiting[]): void {
    const first = this.#waiting.indexOf(joint[0]!) // a joint write has at least one change in each of its logs
    if (first !== -1) this.#waiting.splice(first, joint.length)
    for (const waiting of joint) this.#joint?.delete(waiting)
    this.joinAgain()
  }

  /**
   * Stages the changes of joint writes, which are the first of the waiting changes. After it the caller calls `settle`
   * and `joinAgain`.
   */
  stageJoint(batch: Batch, nowMs: number, joint: ReadonlySet<Waiting>): void {
    let taken = 0
    while (taken < this.#waiting.length && joint.has(this.#waiting[taken]!))
      this.#joint?.delete(this.#waiting[taken++]!)
    this.#stageFirst(taken, batch, nowMs)
  }

  /** The changes that waited after a joint write take part in the next group. */
  joinAgain(): void {
    if (this.#joint?.size === 0) this.#joint = undefined
    const [first] = this.#waiting
    if (first !== undefined && this.#joint?.has(first) !== true) this.#commit.join(this)
  }

  stage(batch: Batch, nowMs: number, budget: number): { changes: number; bytes: number; more: boolean } {
    const end = this.#joint === undefined ? this.#waiting.length : this.#firstJoint(this.#joint)
    let bytes = 0
    let taken = 0
    while (taken < end && (taken === 0 || bytes + this.#waiting[taken]!.bytes <= budget)) {
      bytes += this.#waiting[taken++]!.bytes
    }
    this.#stageFirst(taken, batch, nowMs)
    return { changes: taken, bytes, more: taken < end }
  }

  #firstJoint(joint: ReadonlySet<Waiting>): number {
    return this.#waiting.findIndex((waiting) => joint.has(waiting))
  }

  #stageFirst(taken: number, batch: Batch, nowMs: number): void {
    this.#staged = this.#waiting.slice(0, taken)
    this.#waiting = this.#waiting.slice(taken)
    const group = new LogGroup(this.log, this.#tail, this.#marked, nowMs, batch)
    for (const waiting of this.#staged) group.add(waiting)
    if (group.merges) this.#merges++
    this.#stagedTail = group.finish()
    if (!this.stretches.begun && this.#stagedTail.nextSequence > this.#tail.nextSequence) {
      this.stretches.begin(batch, this.#tail.nextSequence, group.restores)
    }
    if (group.marked && !this.#marked) this.#hooks.onMarked(this)
    this.#marked = group.marked
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
    this.#joint = undefined
    for (const one of waiting) one.reject(error)
  }
}

/** Approximate bytes of these events in a write. */
export function bytesOf(events: readonly EventData[], headers: readonly Buffer[]): number {
  let bytes = 0
  for (let i = 0; i < events.length; i++) {
    bytes += events[i]!.body.length + headers[i]!.length + EVENT_OVERHEAD_BYTES
  }
  return bytes
}
