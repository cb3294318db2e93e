/** What the reconciler keeps of a deployment between two steps: `progress` of its document. */
import type { Deployment, JsonObject } from '../resources.ts'

export interface Progress {
  /** The template or the target was changed while a job ran: the job is replaced, in this way. */
  readonly upgrade?: 'STATEFUL' | 'STATELESS'
  /** Jobs in a row that have failed. */
  readonly failedJobs?: number
  /** The next job is not created before. */
  readonly nextJobMs?: number
  /** Savepoints in a row that have failed, of one suspension. */
  readonly failedSavepoints?: number
  readonly nextSavepointMs?: number
  /** As many savepoints have failed as are tried: the job goes on until the next change by a client. Why. */
  readonly suspensionFailed?: string
}

export function progressOf({ progress }: Pick<Deployment, 'progress'>): Progress {
  return (progress ?? {}) as Progress
}

/** Without the members that are undefined. */
export function progressDocument(progress: Progress): JsonObject {
  return Object.fromEntries(Object.entries(progress).filter(([, value]) => value !== undefined))
}
