/**
 * Deployments and what belongs to them: checks of requests, and the changes that they make. What a change starts is the reconciler's; it
 * learns of a change when it is durable.
 */
import { isDeepStrictEqual } from 'node:util'
import type { JarJobs } from '../jars/jar-jobs.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import type { SqlScriptService } from '../sql-scripts/sql-script-service.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Streams } from '../streams/streams.ts'
import { artifactErrors } from './artifact-check.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import type { DeploymentService, ResourceFilter } from './deployment-service.ts'
import { GLOBAL_DEFAULTS, specOf, targetOf, withDefaults, withTargetId } from './deployment-spec.ts'
import { DeploymentTargets } from './deployment-targets.ts'
import { parseLabelSelector } from './label-selector.ts'
import { memberOf } from './merge-patch.ts'
import { patchDefaults } from './namespace-defaults.ts'
import { notFound } from './not-found.ts'
import { OneAtATime } from './one-at-a-time.ts'
import { type DeploymentReconciler, statusAfterChange } from './reconciler/reconciler.ts'
import { isUuid } from './resource-ids.ts'
import { deploymentJson } from './resource-json.ts'
import { assertValid, bodyObject, type Given, givenIn, newMetadata, patched } from './resource-request.ts'
import { deploymentSchema } from './resource-schemas.ts'
import type { ResourceChange, ResourceStore } from './resource-store.ts'
import type {
  Artifact,
  Deployment,
  DeploymentDefaults,
  DeploymentSpec,
  DeploymentTarget,
  EventResource,
  JobResource,
  Json,
  JsonObject,
  SavepointResource,
  SecretValue,
} from './resources.ts'
import type { SavepointResources } from './savepoint-resources.ts'
import type { SecretValues } from './secret-values.ts'

export interface DeploymentsParts {
  readonly store: ResourceStore
  readonly streams: Pick<Streams, 'assertNamespace'>
  readonly scripts: Pick<SqlScriptService, 'validate'>
  readonly secrets: SecretValues
  readonly savepoints: SavepointResources
  readonly jars: Pick<JarJobs, 'script'>
  readonly reconciler: DeploymentReconciler
  /** Of one namespace. */
  readonly deploymentsMax: number
}

/** Of the specs of all deployments: they are in memory. */
const SPEC_CHARACTERS_ALL_MAX = 64 * 1024 * 1024
const DELETABLE: ReadonlySet<string> = new Set(['CANCELLED', 'FAILED', 'FINISHED'])

export class Deployments implements DeploymentService {
  readonly #parts: DeploymentsParts
  readonly #store: ResourceStore
  readonly #targets: DeploymentTargets
  /** Changes of one deployment, by id. */
  readonly #changing = new OneAtATime()
  readonly #specCharacters = new WeakMap<DeploymentSpec, number>()

  constructor(parts: DeploymentsParts) {
    this.#parts = parts
    this.#store = parts.store
    this.#targets = new DeploymentTargets(parts.store)
  }

  // Deployments

  deployments(namespace: NamespaceName, selector?: string): readonly Deployment[] {
    const all = this.#in(namespace).deployments(namespace)
    if (selector === undefined) return all
    const fits = parseLabelSelector(selector)
    return all.filter(({ metadata }) => fits(metadata.labels))
  }

  deployment(namespace: NamespaceName, idOrName: string): Deployment {
    const store = this.#in(namespace)
    const deployment = isUuid(idOrName)
      ? store.deployment(namespace, idOrName.toLowerCase())
      : this.#named(namespace, idOrName)
    if (deployment === undefined) throw notFound('DeploymentNotFound', namespace, idOrName)
    return deployment
  }

  async createDeployment(namespace: NamespaceName, body: Json, owner: JobOwner): Promise<Deployment> {
    const store = this.#in(namespace)
    this.#assertCapacity(store.deployments(namespace).length, namespace)
    const errors: AttributeError[] = []
    const named = withTargetId(bodyObject(body), store.targets(namespace), errors)
    const whole = withDefaults(named, store.defaults(namespace).spec)
    const given = givenIn(deploymentSchema, whole, namespace, errors)
    const spec = await this.#checked(namespace, given, undefined, owner, errors)
    const created = await store.change(namespace, (change) => {
      this.#assertCapacity(change.deployments(namespace).length, namespace)
      assertTarget(change, namespace, spec)
      const metadata = {
        ...newMetadata(store.newId(), namespace, store.nowMs(), given),
        name: given.metadata.name,
      }
      return stored(change, { metadata, spec }, undefined, owner?.name)
    })
    this.#parts.reconciler.changed(namespace, created.metadata.id)
    return created
  }

  patchDeployment(
    namespace: NamespaceName,
    idOrName: string,
    patch: Json,
    owner: JobOwner,
  ): Promise<Deployment> {
    const { id } = this.deployment(namespace, idOrName).metadata
    return this.#changing.run(id, () => this.#patch(namespace, id, patch, owner))
  }

  deleteDeployment(namespace: NamespaceName, idOrName: string): Promise<Deployment> {
    const { id } = this.deployment(namespace, idOrName).metadata
    return this.#changing.run(id, async () => {
      const deleted = await this.#store.change(namespace, (change) => {
        const deployment = present(change, namespace, id)
        const { state } = deployment.status
        if (!DELETABLE.has(state))
          throw new DeploymentError(
            'DeploymentNotCancelled',
            `Deployment ${id} is ${state}; set spec.state to CANCELLED, and delete it when its status is CANCELLED.`,
            { namespace, id },
          )
        this.#parts.savepoints.deleteAllOf(change, deployment)
        change.deleteDeployment(deployment)
        return deployment
      })
      this.#parts.savepoints.dispose()
      this.#parts.reconciler.changed(namespace, id)
      return deleted
    })
  }

  // Targets and defaults

  targets(namespace: NamespaceName): readonly DeploymentTarget[] {
    return this.#in(namespace).targets(namespace)
  }

  target(namespace: NamespaceName, name: string): DeploymentTarget {
    this.#in(namespace)
    return this.#targets.get(namespace, name)
  }

  async createTarget(namespace: NamespaceName, body: Json): Promise<DeploymentTarget> {
    this.#in(namespace)
    return this.#targets.create(namespace, body)
  }

  async deleteTarget(namespace: NamespaceName, name: string): Promise<DeploymentTarget> {
    this.#in(namespace)
    return this.#targets.delete(namespace, name)
  }

  defaults(namespace: NamespaceName): DeploymentDefaults {
    return this.#in(namespace).defaults(namespace)
  }

  async patchDefaults(namespace: NamespaceName, patch: Json): Promise<DeploymentDefaults> {
    return patchDefaults(this.#in(namespace), namespace, patch)
  }

  globalDefaults(): JsonObject {
    return GLOBAL_DEFAULTS
  }

  // Jobs, savepoints and events

  jobs(
    namespace: NamespaceName,
    { deploymentId }: { readonly deploymentId?: string | undefined },
  ): readonly JobResource[] {
    return this.#in(namespace).jobs(namespace, deploymentId)
  }

  job(namespace: NamespaceName, id: string): JobResource {
    const job = this.#in(namespace).job(namespace, id)
    if (job === undefined) throw notFound('JobNotFound', namespace, id)
    return job
  }

  savepoints(
    namespace: NamespaceName,
    { deploymentId, jobId }: ResourceFilter,
  ): readonly SavepointResource[] {
    return ofJob(this.#in(namespace).savepoints(namespace, deploymentId), jobId)
  }

  savepoint(namespace: NamespaceName, id: string): SavepointResource {
    const savepoint = this.#in(namespace).savepoint(namespace, id)
    if (savepoint === undefined) throw notFound('SavepointNotFound', namespace, id)
    return savepoint
  }

  async createSavepoint(namespace: NamespaceName, body: Json): Promise<SavepointResource> {
    this.#in(namespace)
    return this.#parts.savepoints.create(namespace, body)
  }

  async deleteSavepoint(namespace: NamespaceName, id: string): Promise<SavepointResource> {
    this.#in(namespace)
    return this.#parts.savepoints.delete(namespace, id)
  }

  events(namespace: NamespaceName, { deploymentId, jobId }: ResourceFilter): readonly EventResource[] {
    return ofJob(this.#in(namespace).events(namespace, deploymentId), jobId)
  }

  // Secret values

  secrets(namespace: NamespaceName): readonly SecretValue[] {
    return this.#in(namespace).secrets(namespace)
  }

  secret(namespace: NamespaceName, name: string): SecretValue {
    this.#in(namespace)
    return this.#parts.secrets.get(namespace, name)
  }

  async createSecret(namespace: NamespaceName, body: Json): Promise<SecretValue> {
    this.#in(namespace)
    return this.#parts.secrets.create(namespace, body)
  }

  async patchSecret(namespace: NamespaceName, name: string, patch: Json): Promise<SecretValue> {
    this.#in(namespace)
    return this.#parts.secrets.patch(namespace, name, patch)
  }

  async deleteSecret(namespace: NamespaceName, name: string): Promise<SecretValue> {
    this.#in(namespace)
    return this.#parts.secrets.delete(namespace, name)
  }

  async #patch(namespace: NamespaceName, id: string, patch: Json, owner: JobOwner): Promise<Deployment> {
    const store = this.#store
    const before = present(store, namespace, id)
    const errors: AttributeError[] = []
    const named = withTargetId(bodyObject(patch), store.targets(namespace), errors)
    const given = givenIn(deploymentSchema, patched(deploymentJson(before), named, errors), namespace, errors)
    const spec = await this.#checked(namespace, given, before.spec, owner, errors)
    const { labels, annotations } = given.metadata
    const asGiven = (now: Deployment) => ({
      ...now,
      metadata: { ...now.metadata, labels, annotations },
      spec,
    })
    await this.#parts.reconciler.checkUpgrade(before, asGiven(before))
    const givesSpec = memberOf(patch, 'spec') !== undefined
    const changed = await store.change(namespace, (change) => {
      assertTarget(change, namespace, spec)
      const now = present(change, namespace, id)
      return stored(change, asGiven(now), now, givesSpec ? owner?.name : now.owner)
    })
    this.#parts.reconciler.changed(namespace, id)
    return changed
  }

  /** The spec of a request, checked as a whole. Rejects with ValidationError, and DeploymentError 'NotImplemented'. */
  async #checked(
    namespace: NamespaceName,
    given: Given,
    before: DeploymentSpec | undefined,
    owner: JobOwner,
    errors: AttributeError[],
  ): Promise<DeploymentSpec> {
    const spec = specOf(given.spec, errors)
    const target = targetOf(spec, namespace, this.#store, errors)
    const artifact: Artifact | undefined = spec.template?.spec?.artifact
    const isKnown = before !== undefined && runsTheSame(before, spec)
    if (!isKnown && (artifact?.kind === 'SQLSCRIPT' || artifact?.kind === 'JAR'))
      errors.push(...(await artifactErrors(this.#parts, namespace, artifact, target, owner)))
    assertValid(errors)
    this.#assertMemory(spec, before)
    return spec
  }

  #named(namespace: NamespaceName, name: string): Deployment | undefined {
    const [found, other] = this.#store.deployments(namespace).filter(({ metadata }) => metadata.name === name)
    if (other === undefined) return found
    throw new DeploymentError(
      'AmbiguousName',
      `Several deployments of namespace ${namespace} have the name ${name.slice(0, 100)}; use the id of one.`,
      { namespace, name: name.slice(0, 100) },
    )
  }

  #assertCapacity(count: number, namespace: NamespaceName): void {
    const { deploymentsMax } = this.#parts
    if (count < deploymentsMax) return
    throw new DeploymentError(
      'TooManyResources',
      `namespace ${namespace} has ${deploymentsMax} deployments; delete one first, or start with a higher --max-deployments`,
    )
  }

  #assertMemory(spec: DeploymentSpec, before: DeploymentSpec | undefined): void {
    let characters = this.#charactersOf(spec)
    for (const other of this.#store.allDeployments())
      if (other.spec !== before) characters += this.#charactersOf(other.spec)
    if (characters <= SPEC_CHARACTERS_ALL_MAX) return
    throw new DeploymentError(
      'TooManyResources',
      'the specs of all deployments take too much memory; delete some deployments first',
    )
  }

  #charactersOf(spec: DeploymentSpec): number {
    const known = this.#specCharacters.get(spec)
    if (known !== undefined) return known
    const characters = JSON.stringify(spec).length
    this.#specCharacters.set(spec, characters)
    return characters
  }

  /** Throws ServiceError 'namespace_not_found'. */
  #in(namespace: NamespaceName): ResourceStore {
    this.#parts.streams.assertNamespace(namespace)
    return this.#store
  }
}

type Desired = Pick<Deployment, 'metadata' | 'spec'>

/** Writes the wanted state, with the status that follows from it. */
function stored(
  change: ResourceChange,
  desired: Desired,
  before: Deployment | undefined,
  owner: string | undefined,
): Deployment {
  const { status, progress, events } = statusAfterChange(before, desired.spec)
  const { metadata, spec } = desired
  const owned = owner !== undefined && { owner }
  const deployment = change.putDeployment({ metadata, spec, status, progress, ...owned })
  for (const { name, message } of events) change.addEvent(deployment, name, message)
  return deployment
}

function present(
  resources: Pick<ResourceChange, 'deployment'>,
  namespace: NamespaceName,
  id: string,
): Deployment {
  const deployment = resources.deployment(namespace, id)
  if (deployment === undefined) throw notFound('DeploymentNotFound', namespace, id)
  return deployment
}

/** What is known to run is not checked again: tables may be gone, and the deployment is to be cancelled. */
function runsTheSame(before: DeploymentSpec, { deploymentTargetId, template }: DeploymentSpec): boolean {
  return (
    before.deploymentTargetId === deploymentTargetId &&
    isDeepStrictEqual(before.template.spec.artifact, template?.spec?.artifact)
  )
}

/** It may have been deleted since the request was checked. */
function assertTarget(change: ResourceChange, namespace: NamespaceName, spec: DeploymentSpec): void {
  const errors: AttributeError[] = []
  targetOf(spec, namespace, change, errors)
  assertValid(errors)
}

function ofJob<T extends { readonly metadata: { readonly jobId?: string } }>(
  all: readonly T[],
  jobId: string | undefined,
): readonly T[] {
  return jobId === undefined ? all : all.filter(({ metadata }) => metadata.jobId === jobId)
}
