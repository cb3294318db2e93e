/** Brings every deployment to the state that its spec asks for: at once after a change, and every second. */
import type { NamespaceName } from '../../streams/names.ts'
import type { Deployment, SavepointResource } from '../resources.ts'

export { type StatusAfterChange, statusAfterChange } from './status-after-change.ts'

export interface DeploymentReconciler {
  /** A deployment was changed or deleted; the change is durable. */
  changed(namespace: NamespaceName, id: string): void
  /**
   * Call it before a change of the spec is written. Rejects with DeploymentError 'StateNotRestorable' if the job that runs were to be
   * replaced by one that its state does not fit.
   */
  checkUpgrade(before: Deployment, after: Deployment): Promise<void>
  /**
   * Resolves with a savepoint that has begun (STARTED) when that is durable. Rejects with DeploymentError 'NoRunningJob',
   * 'SavepointInProgress'.
   */
  startSavepoint(deployment: Deployment): Promise<SavepointResource>
  /** Call it when the service answers requests. */
  start(): void
  /** Nothing of a deployment changes any more. */
  close(): Promise<void>
}
