/** Joint writes in the order of their calls. Decides how many of them become one LevelDB write (joint-write.ts). */
import type { StorageError } from '../storage-error.ts'
import { conditionTexts, type DocumentTexts, type JointLog, type JointWrite } from './joint-write.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'

export class JointQueue {
  readonly #db: Level
  readonly #waiting: JointWrite[] = []

  constructor(db: Level) {
    this.#db = db
  }

  get size(): number {
    return this.#waiting.length
  }

  push(joint: JointWrite): void {
    this.#waiting.push(joint)
    joint.enqueue()
  }

  /**
   * Takes the joint writes that are ready, of about `budget` bytes in total, and stages those whose conditions hold.
   * Undefined if there is nothing to write. The caller ensures that no write runs meanwhile. Throws if they cannot be staged:
   * the writers of their logs may be ahead of the disk then, and no further write may follow.
   */
  async stage(nowMs: number, budget: number): Promise<StagedJoints | undefined> {
    const joints = await this.#takeHolding(budget)
    if (joints.length === 0) return undefined
    try {
      return new StagedJoints(this.#db, joints, nowMs)
    } catch (error) {
      failAll(joints, storageErrorOf(error))
      throw error
    }
  }

  async #takeHolding(budget: number): Promise<readonly JointWrite[]> {
    const ready = this.#takeReady(budget)
    try {
      return holding(ready, await conditionTexts(this.#db, ready))
    } catch (error) {
      failAll(ready, error) // conditions cannot be read: nothing is written
      return []
    }
  }

  refuseAll(error: StorageError): void {
    for (const joint of this.#waiting.splice(0)) joint.refuse(error)
  }

  #takeReady(budget: number): JointWrite[] {
    const taken = new Map<JointLog, number>()
    let ready = 0
    let bytes = 0
    for (const joint of this.#waiting) {
      if (!joint.isNext(taken) || (ready > 0 && bytes + joint.bytes > budget)) break
      joint.take(taken)
      bytes += joint.bytes
      ready++
    }
    return this.#waiting.splice(0, ready)
  }
}

function failAll(joints: readonly JointWrite[], error: unknown): void {
  for (const joint of joints) joint.fail(error)
}

/** The joint writes whose conditions hold after the writes before them. The others end as conflicts. */
function holding(joints: readonly JointWrite[], texts: DocumentTexts): JointWrite[] {
  return joints.filter((joint) => {
    const holds = joint.holds(texts)
    if (holds) joint.change(texts)
    else joint.conflict()
    return holds
  })
}

/** Joint writes in one LevelDB batch. */
export class StagedJoints {
  readonly batch: Batch
  readonly changes: number
  readonly bytes: number
  readonly #joints: readonly JointWrite[]
  readonly #logs: ReadonlySet<JointLog>

  constructor(db: Level, joints: readonly JointWrite[], nowMs: number) {
    this.batch = db.batch() as Batch
    this.#joints = joints
    this.#logs = new Set(joints.flatMap((joint) => [...joint.logs]))
    const entries = new Set(joints.flatMap((joint) => joint.entries))
    for (const log of this.#logs) log.stageJoint(this.batch, nowMs, entries)
    for (const joint of joints) joint.stageDocuments(this.batch)
    this.changes = joints.reduce((sum, { count }) => sum + count, 0)
    this.bytes = joints.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The batch is durable; with an error it was not acknowledged. */
  settle(error?: StorageError): void {
    for (const log of this.#logs) log.settle(error)
    for (const joint of this.#joints) joint.settle(error)
    for (const log of this.#logs) log.joinAgain()
  }
}
