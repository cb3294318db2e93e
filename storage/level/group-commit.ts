/**
 * Group commit: one LevelDB write at a time, with fsync. Changes that arrive meanwhile share the next one.
 *
 * One write at a time, of any kind. After a write that failed half way LevelDB continues in the same log, acknowledges
 * the next writes as durable, and does not find them when it opens. So no write starts while another may still fail.
 *
 * A group starts after the event loop has processed all input that was readable, so that requests that arrived together
 * are written together. docs/decisions/0003-group-commit.md has the measurements.
 */
import type { GroupWatcher } from '../log.ts'
import { Mutex } from '../mutex.ts'
import { StorageError } from '../storage-error.ts'
import { JointQueue, type StagedJoints } from './joint-queue.ts'
import type { JointWrite } from './joint-write.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'
import type { WalName } from './wal-name.ts'

/** Approximate maximum of one write: above it, a write costs more latency than the shared fsync saves. */
const GROUP_BYTES_MAX = 1024 * 1024
/** Time that a group without urgent changes waits for more changes. */
const LINGER_MS = 5

/**
 * A participant of a group: a log or a catalog commit with changes to write. `stage` and `settle` alternate; a member
 * may join again at any time.
 */
export interface GroupMember {
  /**
   * Adds operations of about `budget` bytes to the batch. Returns the number and bytes of the staged changes, and
   * whether more changes wait.
   */
  stage(batch: Batch, nowMs: number, budget: number): { changes: number; bytes: number; more: boolean }
  /** The staged changes are durable; or, with an error, the engine did not acknowledge them. */
  settle(error?: StorageError): void
  /** The engine refuses writes: the member rejects all its waiting changes. */
  refuse(error: StorageError): void
}

export class GroupCommit {
  readonly #db: Level
  readonly #nowMs: () => number
  readonly #sync: boolean
  readonly #walName: WalName | undefined
  readonly #mutex = new Mutex()
  /** Called for every group that has become durable. */
  watcher: GroupWatcher | undefined
  #waiting = new Set<GroupMember>()
  /** Writes over several logs and documents, in the order of their calls. */
  readonly #joints: JointQueue
  #running: Promise<void> | undefined
  /** The next group has a change that must not linger. */
  #urgent = false
  /** Ends the current linger period, if any. */
  #endLinger: () => void = () => {}
  #failure: StorageError | undefined
  /** Called at the first write that fails. */
  onFailure: () => void = () => {}
  /** When the first of the changes that wait now was enqueued. */
  #waitingSinceMs = 0
  #stagedChanges = 0
  #stagedBytes = 0
  #closed = false

  /** Without `sync` no write is promised to survive a power cut. An engine in memory has no `walName`. */
  constructor(db: Level, nowMs: () => number, sync: boolean, walName?: WalName) {
    this.#db = db
    this.#nowMs = nowMs
    this.#sync = sync
    this.#walName = walName
    this.#joints = new JointQueue(db)
  }

  /** The reason why writes are refused: set by the first failed write, until the engine is opened again. */
  get failure(): StorageError | undefined {
    return this.#failure
  }

  /** The error with which a write would be rejected now, or undefined. */
  refusal(): StorageError | undefined {
    if (this.#failure !== undefined) {
      return new StorageError(this.#failure.code, this.#failure.message, { cause: this.#failure })
    }
    return this.#closed ? new StorageError('closed', 'the store is closed') : undefined
  }

  /**
   * One write outside the groups, with fsync, while no other write runs. It is certain to survive a power cut once a
   * later group is durable, because only groups sync the name of a new write-ahead log (wal-name.ts). Rejects with
   * StorageError. After a failed write all later ones are refused.
   */
  async write(batch: Batch): Promise<void> {
    const locked = this.#mutex.lock()
    if (locked !== undefined) await locked
    try {
      const refusal = this.refusal()
      if (refusal !== undefined) throw refusal
      await this.#write(batch)
    } finally {
      this.#mutex.unlock()
    }
  }

  /**
   * The member takes part in the next group. Joining twice before that group has the effect of joining once. With
   * `linger` the group may wait a few milliseconds for more changes.
   */
  join(member: GroupMember, linger = false): void {
    if (this.#waiting.size === 0 && this.watcher !== undefined) this.#waitingSinceMs = performance.now()
    this.#waiting.add(member)
    if (!linger) {
      this.#urgent = true
      this.#endLinger()
    }
    this.#running ??= this.#run()
  }

  /** The write takes part in the next group of joint writes once no other change waits before it. */
  joinJoint(joint: JointWrite): void {
    if (this.#waiting.size === 0 && this.watcher !== undefined) this.#waitingSinceMs = performance.now()
    this.#joints.push(joint)
    this.#urgent = true
    this.#endLinger()
    this.#running ??= this.#run()
  }

  /** Whether joint writes wait. If so, commits of documents that arrive now have to wait for them. */
  get hasJoints(): boolean {
    return this.#joints.size > 0
  }

  /** Resolves when no change waits to be written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Writes the waiting changes, then refuses all later ones. */
  async close(): Promise<void> {
    await this.idle()
    this.#closed = true
  }

  async #run(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.#waiting.size > 0 || this.#joints.size > 0) {
      if (this.#waiting.size > 0) {
        if (!this.#urgent) await this.#linger()
        await this.#writeGroup()
      }
      if (this.#joints.size > 0) await this.#writeJoints()
    }
    this.#running = undefined
  }

  #linger(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LINGER_MS)
      this.#endLinger = () => {
        clearTimeout(timer)
        setImmediate(resolve) // as at the start of #run: changes that arrived together are written together
      }
    })
  }

  async #writeGroup(): Promise<void> {
    const locked = this.#mutex.lock()
    if (locked !== undefined) await locked
    const members: GroupMember[] = []
    let failure = this.#failure
    let outcome: StorageError | undefined
    const sinceMs = this.#waitingSinceMs
    const beganMs = this.watcher === undefined ? 0 : performance.now()
    if (failure === undefined) {
      try {
        const batch = this.#stageGroup(members)
        outcome = await this.#writeAcknowledged(batch)
        failure = this.#failure
      } catch (error) {
        failure = this.#fail(error)
        outcome = failure // nothing was sent to LevelDB
      }
    } else {
      this.#refuseAll(failure)
    }
    this.#mutex.unlock()
    if (this.watcher !== undefined && failure === undefined) this.#tellWatcher(this.watcher, beganMs, sinceMs)
    for (const member of members) member.settle(outcome)
  }

  /** Writes the joint writes that are ready, up to about GROUP_BYTES_MAX, in one LevelDB write. */
  async #writeJoints(): Promise<void> {
    const locked = this.#mutex.lock()
    if (locked !== undefined) await locked
    const sinceMs = this.#waitingSinceMs
    const beganMs = this.watcher === undefined ? 0 : performance.now()
    if (this.#failure !== undefined) this.#refuseAll(this.#failure)
    const staged = await this.#stageJoints()
    const outcome = staged && (await this.#writeAcknowledged(staged.batch))
    this.#mutex.unlock()
    if (staged === undefined) return
    this.#stagedChanges = staged.changes
    this.#stagedBytes = staged.bytes
    if (this.watcher !== undefined && outcome === undefined) this.#tellWatcher(this.watcher, beganMs, sinceMs)
    staged.settle(outcome)
  }

  /** Undefined if there is nothing to write. */
  async #stageJoints(): Promise<StagedJoints | undefined> {
    try {
      return await this.#joints.stage(this.#nowMs(), GROUP_BYTES_MAX)
    } catch (error) {
      this.#fail(error)
      return undefined
    }
  }

  /** A watcher that throws must not fail the group. */
  #tellWatcher(watcher: GroupWatcher, beganMs: number, sinceMs: number): void {
    const nowMs = performance.now()
    try {
      watcher(this.#stagedChanges, this.#stagedBytes, nowMs - beganMs, nowMs - sinceMs)
    } catch {}
  }

  /**
   * Resolves with undefined once the write is durable; otherwise with the error for its members. After an error the
   * write may still be on disk.
   */
  async #writeAcknowledged(batch: Batch): Promise<StorageError | undefined> {
    try {
      const moved = await this.#write(batch)
      if (moved) await this.#walName?.settle()
      return undefined
    } catch (error) {
      const failure = this.#fail(error)
      if (failure.code === 'closed') return failure // LevelDB did not receive the write
      return new StorageError('unknown', failure.message, { cause: failure })
    }
  }

  /** Resolves with true if the write is in a file whose name may not be durable yet. */
  async #write(batch: Batch): Promise<boolean> {
    try {
      await batch.write({ sync: this.#sync })
      return this.#walName?.moved() ?? false
    } catch (error) {
      throw this.#fail(error)
    }
  }

  #fail(error: unknown): StorageError {
    if (this.#failure === undefined) {
      this.#failure = storageErrorOf(error)
      this.onFailure()
    }
    return this.#failure
  }

  #stageGroup(members: GroupMember[]): Batch {
    const batch = this.#db.batch()
    const nowMs = this.#nowMs()
    this.#urgent = false
    this.#stagedChanges = 0
    let budget = GROUP_BYTES_MAX
    const unfinished: GroupMember[] = []
    for (const member of this.#waiting) {
      if (budget <= 0) break
      members.push(member)
      const { changes, bytes, more } = member.stage(batch, nowMs, budget)
      this.#stagedChanges += changes
      budget -= bytes
      if (more) unfinished.push(member)
    }
    // Members are removed only now: if staging throws, all of them are still waiting and can be refused.
    for (const member of members) this.#waiting.delete(member)
    // After the members that were not staged: a member with many changes does not delay the others.
    for (const member of unfinished) this.#waiting.add(member)
    this.#stagedBytes = GROUP_BYTES_MAX - budget
    if (this.#waiting.size > 0) {
      this.#urgent = true
      this.#waitingSinceMs = performance.now()
    }
    return batch
  }

  #refuseAll(error: StorageError): void {
    const waiting = this.#waiting
    this.#waiting = new Set()
    for (const member of waiting) member.refuse(error)
    this.#joints.refuseAll(error)
  }
}
