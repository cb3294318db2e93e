/**
 * Group commit: one LevelDB write at a time, with fsync; changes that arrive meanwhile share the next one.
 *
 * Strictly one, for all kinds of writes: behind a write that failed half way LevelDB goes on in the same log, takes what comes next,
 * says that it is durable, and cannot find it any more when it opens. So nothing is on its way while something may fail.
 *
 * A group opens when the event loop has handed out everything that was readable, so that requests which arrived
 * together are written together. docs/decisions/0003-group-commit.md has the measurements.
 */
import type { GroupWatcher } from '../log.ts'
import { Mutex } from '../mutex.ts'
import { StorageError } from '../storage-error.ts'
import { JointQueue, type StagedJoints } from './joint-queue.ts'
import type { JointWrite } from './joint-write.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'
import type { WalName } from './wal-name.ts'

/** About how much one write takes: above it a write costs more latency than the shared fsync saves. */
const GROUP_BYTES_MAX = 1024 * 1024
/** How long a group without urgent changes stays open for more. */
const LINGER_MS = 5

/** Someone with something to write. `stage` and `settle` alternate; a member may join again at any time. */
export interface GroupMember {
  /** Adds operations to the batch, of about `budget` bytes; answers how many changes and bytes, and whether more is waiting. */
  stage(batch: Batch, nowMs: number, budget: number): { changes: number; bytes: number; more: boolean }
  /** What was staged is durable, or, with an error, was not acknowledged by the engine. */
  settle(error?: StorageError): void
  /** The engine refuses writes: everything that waits is refused. */
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
  /** The next group has a change that does not linger. */
  #urgent = false
  /** Ends the lingering under way, if any. */
  #endLinger: () => void = () => {}
  #failure: StorageError | undefined
  /** Called at the first write that fails. */
  onFailure: () => void = () => {}
  /** When the first of those who wait now came. */
  #waitingSinceMs = 0
  #stagedChanges = 0
  #stagedBytes = 0
  #closed = false

  /** Without `sync` nothing is promised to survive a power cut. An engine in memory has no `walName`. */
  constructor(db: Level, nowMs: () => number, sync: boolean, walName?: WalName) {
    this.#db = db
    this.#nowMs = nowMs
    this.#sync = sync
    this.#walName = walName
    this.#joints = new JointQueue(db)
  }

  /** Why writes are refused: set by the first failed write, until the engine is opened anew. */
  get failure(): StorageError | undefined {
    return this.#failure
  }

  /** What a write would be refused with now, or undefined. */
  refusal(): StorageError | undefined {
    if (this.#failure !== undefined) {
      return new StorageError(this.#failure.code, this.#failure.message, { cause: this.#failure })
    }
    return this.#closed ? new StorageError('closed', 'the store is closed') : undefined
  }

  /**
   * A write beside the groups, in its turn, with fsync; sure to survive a power cut once a later group is durable. Rejects
   * with StorageError, and if the write failed, all that follow are refused.
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
   * The member takes part in the next group. Joining twice before it is the same as once. With `linger` the group
   * may stay open for a few milliseconds, to be shared by more.
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

  /** The write takes part in the next group of joint writes once nothing else waits before it. */
  joinJoint(joint: JointWrite): void {
    if (this.#waiting.size === 0 && this.watcher !== undefined) this.#waitingSinceMs = performance.now()
    this.#joints.push(joint)
    this.#urgent = true
    this.#endLinger()
    this.#running ??= this.#run()
  }

  /** Whether joint writes wait: then commits of documents that come now have to wait for them. */
  get hasJoints(): boolean {
    return this.#joints.size > 0
  }

  /** Resolves when nothing waits to be written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Writes what waits, then refuses everything that comes. */
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
        setImmediate(resolve) // as when a group opens: those who arrived together are written together
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

  /** As many joint writes as are ready, in one write. */
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
   * Resolves with undefined once the write is durable; else with the error for its members: it may be on disk
   * all the same.
   */
  async #writeAcknowledged(batch: Batch): Promise<StorageError | undefined> {
    try {
      const moved = await this.#write(batch)
      if (moved) await this.#walName?.settle()
      return undefined
    } catch (error) {
      const failure = this.#fail(error)
      if (failure.code === 'closed') return failure // LevelDB has not seen it
      return new StorageError('unknown', failure.message, { cause: failure })
    }
  }

  /** Resolves with whether the write stands in a file whose name may not be durable yet. */
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
    // Only now: if staging throws, all of them are still waiting and can be refused.
    for (const member of members) this.#waiting.delete(member)
    // Behind those who had no turn: a member with much to write does not keep the others waiting.
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
