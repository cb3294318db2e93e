/**
 * The resources of all namespaces: in memory for readers, in the catalog for the next start.
 *
 *   catalog:  deployments/<namespace>:<id>, deployment-targets/…, deployment-defaults/<namespace>, deployment-jobs/…,
 *             deployment-savepoints/…, deployment-events/…, secret-values/<namespace>:<name>
 *
 * Interface first; the store itself follows in this file.
 */
import type { NamespaceName } from '../streams/names.ts'
import type {
  Deployment,
  DeploymentDefaults,
  DeploymentTarget,
  EventResource,
  JobResource,
  SavepointResource,
  SecretValue,
} from './resources.ts'

/** Read access to what is durable. Lists are oldest first. */
export interface StoredResources {
  deployments(namespace: NamespaceName): readonly Deployment[]
  deployment(namespace: NamespaceName, id: string): Deployment | undefined
  /** Of all namespaces. */
  allDeployments(): Iterable<Deployment>
  targets(namespace: NamespaceName): readonly DeploymentTarget[]
  defaults(namespace: NamespaceName): DeploymentDefaults
  jobs(namespace: NamespaceName, deploymentId?: string): readonly JobResource[]
  job(namespace: NamespaceName, id: string): JobResource | undefined
  savepoints(namespace: NamespaceName, deploymentId?: string): readonly SavepointResource[]
  savepoint(namespace: NamespaceName, id: string): SavepointResource | undefined
  events(namespace: NamespaceName, deploymentId?: string): readonly EventResource[]
  secrets(namespace: NamespaceName): readonly SecretValue[]
}

/** What one change writes: all of it, or nothing. */
export interface ResourceChange extends StoredResources {
  /**
   * Stores a resource as it is given, but for `metadata.resourceVersion`, one more than before (1 for a new one), and
   * `metadata.modifiedMs`, now. Returns what is stored.
   */
  putDeployment(deployment: Deployment): Deployment
  putTarget(target: DeploymentTarget): DeploymentTarget
  putDefaults(defaults: DeploymentDefaults): DeploymentDefaults
  putJob(job: JobResource): JobResource
  putSavepoint(savepoint: SavepointResource): SavepointResource
  putSecret(secret: SecretValue): SecretValue
  /** Adds an event; its time is after those of all others of the namespace. The oldest ones beyond 1,000 of the deployment go. */
  addEvent(deployment: Deployment, name: string, message: string, jobId?: string): void
  /** With its jobs, savepoints and events. */
  deleteDeployment(deployment: Deployment): void
  deleteTarget(target: DeploymentTarget): void
  deleteSavepoint(savepoint: SavepointResource): void
  deleteSecret(secret: SecretValue): void
}

export interface ResourceStore extends StoredResources {
  /**
   * One change at a time. `work` sees its own changes and is synchronous; what it throws cancels the change. Resolves when the change is
   * durable; only then do readers see it. Rejects with ServiceError 'namespace_not_found' if the namespace is gone.
   */
  change<T>(namespace: NamespaceName, work: (change: ResourceChange) => T): Promise<T>
  /** A new UUID. */
  newId(): string
}
