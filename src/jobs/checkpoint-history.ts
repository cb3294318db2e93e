/** Checkpoints and savepoints of a job since the service started. */
export interface Checkpoint {
  readonly id: number
  readonly status: 'COMPLETED' | 'FAILED'
  readonly kind: 'CHECKPOINT' | 'SAVEPOINT' | 'SYNC_SAVEPOINT'
  readonly format?: 'CANONICAL' | 'NATIVE'
  readonly triggeredMs: number
  readonly durationMs: number
  readonly bytes: number
  readonly stateBytes: number
  readonly location?: string
  readonly message?: string
  readonly syncMs?: number
  readonly asyncMs?: number
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
    readonly restored?: {
      readonly id: number
      readonly restoredMs: number
      readonly isSavepoint: boolean
      readonly location?: string
    }
  }
  /** Samples of the summary, of completed ones since the service started, bounded. */
  readonly samples: readonly Checkpoint[]
}
