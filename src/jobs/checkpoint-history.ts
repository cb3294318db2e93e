/** The checkpoints and savepoints of a job as the APIs show them. A checkpoint is a commit of the state: its id is the epoch. */

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
