/**
 * Savepoints as clients create and delete them. The files of savepoints that the service has taken on its own go with them; those of
 * savepoints that a client has asked for, or named, stay.
 *
 *   catalog:  savepoint-disposals/<namespace>:<id>   {"location"}: files that are to be deleted. Written with the deletion of the savepoint.
 */
import { setTimeout } from 'node:timers/promises'
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { JobService } from '../jobs/job-service.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import { notFound } from './not-found.ts'
import type { DeploymentReconciler } from './reconciler/reconciler.ts'
import { assertValid, givenIn, newMetadata } from './resource-request.ts'
import { savepointSchema } from './resource-schemas.ts'
import type { ResourceChange, ResourceStore } from './resource-store.ts'
import type { Deployment, Json, SavepointOrigin, SavepointResource } from './resources.ts'

export interface SavepointResourcesParts {
  readonly store: ResourceStore
  readonly catalog: Catalog
  readonly registry: Pick<Registry, 'onRemoval'>
  readonly jobs: Pick<JobService, 'disposeSavepoint' | 'disposal'>
  readonly reconciler: Pick<DeploymentReconciler, 'startSavepoint'>
  readonly report: (error: unknown) => void
}

/** Of one deployment: those that clients have made. They are never deleted by the service. */
const SAVEPOINTS_MAX = 100
const DISPOSALS = 'savepoint-disposals'
const POLL_MS = 50
/** Their files belong to the client. */
const OF_CLIENT: ReadonlySet<SavepointOrigin> = new Set(['USER_REQUEST', 'COPIED'])

export class SavepointResources implements RemovalHook {
  readonly #parts: SavepointResourcesParts
  /** One disposal after another. */
  #disposing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(parts: SavepointResourcesParts) {
    this.#parts = parts
    parts.registry.onRemoval(this)
  }

  /** With a location: a savepoint that is there. Else one is taken. */
  async create(namespace: NamespaceName, body: Json): Promise<SavepointResource> {
    const { store, reconciler } = this.#parts
    const errors: AttributeError[] = []
    const given = givenIn(savepointSchema, body, namespace, errors)
    const { deploymentId } = given.metadata as unknown as { readonly deploymentId?: string }
    const deployment = deploymentId === undefined ? undefined : store.deployment(namespace, deploymentId)
    if (deploymentId !== undefined && deployment === undefined)
      errors.push({
        attribute: 'metadata.deploymentId',
        message: `deployment ${deploymentId.slice(0, 100)} does not exist`,
      })
    assertValid(errors)
    assertCapacity(store.savepoints(namespace, deploymentId), deploymentId!)
    const { savepointLocation, flinkSavepointId } = given.spec as SavepointResource['spec']
    if (savepointLocation === undefined) return reconciler.startSavepoint(deployment!)
    return store.change(namespace, (change) => {
      const present = change.deployment(namespace, deploymentId!)
      if (present === undefined) throw notFound('DeploymentNotFound', namespace, deploymentId!)
      assertCapacity(change.savepoints(namespace, deploymentId), deploymentId!)
      const metadata = {
        ...newMetadata(store.newId(), namespace, store.nowMs(), given),
        ...{ deploymentId: deploymentId!, origin: 'COPIED' as const },
      }
      const spec = { savepointLocation, flinkSavepointId: flinkSavepointId ?? store.newId() }
      return change.putSavepoint({ metadata, spec, status: { state: 'COMPLETED' } })
    })
  }

  async delete(namespace: NamespaceName, id: string): Promise<SavepointResource> {
    const deleted = await this.#parts.store.change(namespace, (change) => {
      const savepoint = change.savepoint(namespace, id)
      if (savepoint === undefined) throw notFound('SavepointNotFound', namespace, id)
      assertUnused(change, savepoint)
      change.deleteSavepoint(savepoint)
      this.#disposeWith(change, savepoint)
      return savepoint
    })
    this.dispose()
    return deleted
  }

  /** Files of the savepoints of a deployment that is deleted in this change. Call `dispose` when it is durable. */
  deleteAllOf(change: ResourceChange, { metadata: { namespace, id } }: Deployment): void {
    for (const savepoint of change.savepoints(namespace, id)) {
      change.deleteSavepoint(savepoint)
      this.#disposeWith(change, savepoint)
    }
  }

  /** Deletes files that are to be deleted, those of an earlier start of the service too. */
  dispose(): void {
    this.#disposing = this.#disposing.then(() => this.#disposeAll()).catch(this.#parts.report)
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#disposing
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[] {
    if (namespace === undefined) return []
    return this.#parts.store.savepoints(namespace).flatMap((savepoint) => disposalOf(savepoint) ?? [])
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace !== undefined) this.dispose()
  }

  #disposeWith(change: ResourceChange, savepoint: SavepointResource): void {
    const { id, namespace } = savepoint.metadata
    const { savepointLocation } = savepoint.spec
    const disposal = disposalOf(savepoint)
    const isShared = change
      .savepoints(namespace)
      .some(({ spec, metadata }) => metadata.id !== id && spec.savepointLocation === savepointLocation)
    if (disposal !== undefined && !isShared) change.also(disposal)
  }

  async #disposeAll(): Promise<void> {
    const found: [string, string][] = []
    await this.#parts.catalog.each(DISPOSALS, (id, document) => {
      found.push([id, (document as DisposalDocument).location])
    })
    for (const [id, location] of found) {
      if (this.#closed) return
      await this.#disposeOne(location)
      await this.#parts.catalog.commit([{ collection: DISPOSALS, id, document: undefined }])
    }
  }

  /** What cannot be deleted, because it is gone or outside of the savepoint directories, is not tried again. */
  async #disposeOne(location: string): Promise<void> {
    const { jobs } = this.#parts
    try {
      const triggerId = await jobs.disposeSavepoint(location)
      while (!this.#closed && jobs.disposal(triggerId).state === 'in-progress') await setTimeout(POLL_MS)
    } catch (error) {
      if (!(error instanceof ServiceError && error.code.startsWith('savepoint_'))) throw error
    }
  }
}

interface DisposalDocument {
  readonly location: string
}

function disposalOf({ metadata, spec }: SavepointResource): CatalogChange | undefined {
  const { id, namespace, origin } = metadata
  const { savepointLocation: location } = spec
  if (location === undefined || OF_CLIENT.has(origin)) return undefined
  return { collection: DISPOSALS, id: `${namespace}:${id}`, document: { location } }
}

function assertCapacity(savepoints: readonly SavepointResource[], deploymentId: string): void {
  const count = savepoints.filter(({ metadata }) => OF_CLIENT.has(metadata.origin)).length
  if (count < SAVEPOINTS_MAX) return
  throw new DeploymentError(
    'TooManyResources',
    `deployment ${deploymentId} has ${SAVEPOINTS_MAX} savepoints; delete one first`,
  )
}

function assertUnused(change: ResourceChange, { metadata, status }: SavepointResource): void {
  const { id, namespace, deploymentId } = metadata
  if (status.state === 'STARTED')
    throw new DeploymentError(
      'SavepointInProgress',
      `Savepoint ${id} is being taken; delete it when it has ended.`,
      { namespace, id },
    )
  if (status.state !== 'COMPLETED') return
  const deployment = change.deployment(namespace, deploymentId)
  if (deployment === undefined || !restsSuspended(deployment)) return
  const others = change
    .savepoints(namespace, deploymentId)
    .filter((other) => other.metadata.id !== id && other.status.state === 'COMPLETED')
  if (others.length > 0) return
  throw new DeploymentError(
    'SavepointInUse',
    `Savepoint ${id} is the only state of deployment ${deploymentId}, which is suspended; start or cancel the deployment first.`,
    { namespace, id },
  )
}

function restsSuspended({ spec, status }: Deployment): boolean {
  return status.state === 'SUSPENDED' || (status.state === 'TRANSITIONING' && spec.state !== 'CANCELLED')
}
