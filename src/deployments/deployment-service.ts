/**
 * What the API does with deployments and what belongs to them. Every call checks that the namespace exists: ServiceError
 * 'namespace_not_found'. What does not exist is a DeploymentError '…NotFound'. Bodies are JSON values as the client sent them (`null` in
 * a POST counts as absent); they are checked here, against the schemas of `resource-schemas.ts`, and refused with ValidationError.
 */
import type { JobOwner } from '../jobs/job-service.ts'
import type { NamespaceName } from '../streams/names.ts'
import type {
  Deployment,
  DeploymentDefaults,
  DeploymentTarget,
  EventResource,
  JobResource,
  Json,
  JsonObject,
  SavepointResource,
  SecretValue,
} from './resources.ts'

export interface DeploymentService {
  /** Oldest first, as all lists here. `selector`: a label selector as the client sent it; DeploymentError 'InvalidLabelSelector'. */
  deployments(namespace: NamespaceName, selector?: string): readonly Deployment[]
  /** By id, or by a name that no other deployment of the namespace has; else DeploymentError 'AmbiguousName'. */
  deployment(namespace: NamespaceName, idOrName: string): Deployment
  /** Resolves when the deployment is durable. Nothing is started before. The status shows TRANSITIONING if a job is to start. */
  createDeployment(namespace: NamespaceName, body: Json, owner: JobOwner): Promise<Deployment>
  /** `patch`: RFC 7386, applied to what GET prints. DeploymentError 'StateNotRestorable' for an upgrade whose state does not fit. */
  patchDeployment(
    namespace: NamespaceName,
    idOrName: string,
    patch: Json,
    owner: JobOwner,
  ): Promise<Deployment>
  /** Resolves with what was deleted. DeploymentError 'DeploymentNotCancelled'. */
  deleteDeployment(namespace: NamespaceName, idOrName: string): Promise<Deployment>

  targets(namespace: NamespaceName): readonly DeploymentTarget[]
  target(namespace: NamespaceName, name: string): DeploymentTarget
  createTarget(namespace: NamespaceName, body: Json): Promise<DeploymentTarget>
  deleteTarget(namespace: NamespaceName, name: string): Promise<DeploymentTarget>

  defaults(namespace: NamespaceName): DeploymentDefaults
  patchDefaults(namespace: NamespaceName, patch: Json): Promise<DeploymentDefaults>
  /** The spec of the defaults of all namespaces. */
  globalDefaults(): JsonObject

  jobs(
    namespace: NamespaceName,
    filter: { readonly deploymentId?: string | undefined },
  ): readonly JobResource[]
  job(namespace: NamespaceName, id: string): JobResource

  savepoints(namespace: NamespaceName, filter: ResourceFilter): readonly SavepointResource[]
  savepoint(namespace: NamespaceName, id: string): SavepointResource
  createSavepoint(namespace: NamespaceName, body: Json): Promise<SavepointResource>
  deleteSavepoint(namespace: NamespaceName, id: string): Promise<SavepointResource>

  events(namespace: NamespaceName, filter: ResourceFilter): readonly EventResource[]

  secrets(namespace: NamespaceName): readonly SecretValue[]
  secret(namespace: NamespaceName, name: string): SecretValue
  createSecret(namespace: NamespaceName, body: Json): Promise<SecretValue>
  patchSecret(namespace: NamespaceName, name: string, patch: Json): Promise<SecretValue>
  deleteSecret(namespace: NamespaceName, name: string): Promise<SecretValue>
}

export interface ResourceFilter {
  readonly deploymentId?: string | undefined
  readonly jobId?: string | undefined
}
