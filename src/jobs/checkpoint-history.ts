/**
 * The checkpoints of one job since the service started. A checkpoint is a commit of a step; ids count the commits of the state, so
 * commits whose reports are lost, because the process was killed, still count. Savepoints are added by their owner.
 */
import type { CheckpointFigures, CheckpointReport } from './worker/job-worker-protocol.ts'

export interface Checkpoint {
  readonly id: number
  readonly status: 'COMPLETED' | 'FAILED'
  readonly kind: 'CHECKPOINT' | 'SAVEPOINT' | 'SYNC_SAVEPOINT'
  readonly format?: 'CANONICAL' | 'NATIVE'
  readonly triggeredMs: number
  readonly durationMs: number
  /** Bytes that were written. */
  readonly bytes: number
  readonly stateBytes: number
  /** Of a savepoint. */
  readonly location?: string
  /** Why it failed. */
  readonly message?: string
  /** The part of the duration that made it durable. */
  readonly syncMs?: number
  readonly asyncMs?: number
}

export interface RestoredCheckpoint {
  readonly id: number
  readonly restoredMs: number
  readonly isSavepoint: boolean
  readonly location?: string
}

export interface CheckpointHistory {
  readonly counts: {
    readonly restored: number
    readonly total: number
    readonly inProgress: number
    readonly completed: number
    readonly failed: number
  }
  /** The last 10, newest first. */
  readonly history: readonly Checkpoint[]
  readonly latest: {
    readonly completed?: Checkpoint
    readonly savepoint?: Checkpoint
    readonly failed?: Checkpoint
    readonly restored?: RestoredCheckpoint
  }
  /** The last completed ones, for the summary; newest first. */
  readonly samples: readonly Checkpoint[]
}

const HISTORY_MAX = 10
const SAMPLES_MAX = 100

export const NO_CHECKPOINTS: CheckpointHistory = {
  counts: { restored: 0, total: 0, inProgress: 0, completed: 0, failed: 0 },
  history: [],
  latest: {},
  samples: [],
}

export class Checkpoints {
  readonly #history: Checkpoint[] = []
  readonly #samples: Checkpoint[] = []
  #latest: CheckpointHistory['latest'] = {}
  #restored = 0
  #completed = 0
  #failed = 0
  /** Commits of the state that are counted, or were made before the service started; undefined before the first report. */
  #epoch: number | undefined

  /**
   * The job runs. `epoch`: commits of the state from which it goes on; undefined for a new state. `savepoint`: where that state
   * comes from, if this is its first run.
   */
  running(epoch: number | undefined, nowMs: number, savepoint?: string): void {
    this.#count(epoch ?? 0)
    if (epoch === undefined) return
    const from = savepoint === undefined ? {} : { location: savepoint }
    this.restored({ id: epoch, restoredMs: nowMs, isSavepoint: savepoint !== undefined, ...from })
  }

  /** The job goes on from a checkpoint or savepoint. */
  restored(restored: RestoredCheckpoint): void {
    this.#restored++
    this.#latest = { ...this.#latest, restored }
  }

  /** `epoch`: commits of the state now. */
  reported(epoch: number, report: CheckpointReport | undefined): void {
    this.#count(epoch)
    for (const commit of report?.completed ?? []) this.#add(completedOf(commit))
    const failed = report?.failed
    if (failed === undefined) return
    const { id, startedMs: triggeredMs, durationMs, message } = failed
    this.#failed++
    this.#add({
      ...{ id, status: 'FAILED', kind: 'CHECKPOINT', triggeredMs, durationMs: whole(durationMs) },
      ...{ bytes: 0, stateBytes: 0, message },
    })
  }

  /** A savepoint is complete, or has failed. */
  savepointed(savepoint: Checkpoint): void {
    if (savepoint.status === 'COMPLETED') this.#completed++
    else this.#failed++
    this.#add(savepoint)
  }

  /** Forgets the samples: the job has ended. */
  ended(): void {
    this.#samples.length = 0
  }

  /** `inProgress`: operations of clients that have not ended. Commits of steps are counted when they are done. */
  view(inProgress: number): CheckpointHistory {
    const [restored, completed, failed] = [this.#restored, this.#completed, this.#failed]
    return {
      counts: { restored, total: inProgress + completed + failed, inProgress, completed, failed },
      history: [...this.#history].reverse(),
      latest: this.#latest,
      samples: [...this.#samples].reverse(),
    }
  }

  #count(epoch: number): void {
    if (this.#epoch !== undefined) this.#completed += Math.max(0, epoch - this.#epoch)
    this.#epoch = epoch
  }

  #add(checkpoint: Checkpoint): void {
    const { status, kind } = checkpoint
    this.#history.push(checkpoint)
    if (this.#history.length > HISTORY_MAX) this.#history.shift()
    const name = status === 'FAILED' ? 'failed' : kind === 'CHECKPOINT' ? 'completed' : 'savepoint'
    this.#latest = { ...this.#latest, [name]: checkpoint }
    if (status === 'FAILED') return
    this.#samples.push(checkpoint)
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift()
  }
}

function completedOf({
  id,
  startedMs,
  durationMs,
  syncMs,
  bytes,
  stateBytes,
}: CheckpointFigures): Checkpoint {
  return {
    ...{ id, status: 'COMPLETED', kind: 'CHECKPOINT', triggeredMs: startedMs, durationMs: whole(durationMs) },
    ...{ bytes, stateBytes, ...(syncMs !== undefined && { syncMs: whole(syncMs) }) },
  }
}

function whole(ms: number): number {
  return Math.round(ms)
}
