/**
 * Savepoints as clients create and delete them. The files of savepoints that the service has taken on its own go with them; those of
 * savepoints that a client has asked for, or named, stay.
 */
import type { CatalogChange } from '../../storage/catalog.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import { notFound } from './not-found.ts'
import type { DeploymentReconciler } from './reconciler/reconciler.ts'
import { assertValid, givenIn, newMetadata } from './resource-request.ts'
import { savepointSchema } from './resource-schemas.ts'
import type { ResourceChange, ResourceStore } from './resource-store.ts'
import type { Deployment, Json, SavepointResource } from './resources.ts'
import { deleteWithFiles, disposalOf, isOfClient, type SavepointDisposals } from './savepoint-disposals.ts'

export interface SavepointResourcesParts {
  readonly store: ResourceStore
  readonly registry: Pick<Registry, 'onRemoval'>
  readonly reconciler: Pick<DeploymentReconciler, 'startSavepoint'>
  readonly disposals: Pick<SavepointDisposals, 'dispose'>
}

/** Of one deployment: those that clients have made. They are never deleted by the service. */
const SAVEPOINTS_MAX = 100

export class SavepointResources implements RemovalHook {
  readonly #parts: SavepointResourcesParts

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
      deleteWithFiles(change, savepoint)
      return savepoint
    })
    this.dispose()
    return deleted
  }

  /** Files of the savepoints of a deployment that is deleted in this change. Call `dispose` when it is durable. */
  deleteAllOf(change: ResourceChange, { metadata: { namespace, id } }: Deployment): void {
    for (const savepoint of change.savepoints(namespace, id)) deleteWithFiles(change, savepoint)
  }

  /** Call it when a change with `deleteAllOf` is durable. */
  dispose(): void {
    this.#parts.disposals.dispose()
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[] {
    if (namespace === undefined) return []
    return this.#parts.store.savepoints(namespace).flatMap((savepoint) => disposalOf(savepoint) ?? [])
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace !== undefined) this.dispose()
  }
}

function assertCapacity(savepoints: readonly SavepointResource[], deploymentId: string): void {
  const count = savepoints.filter(isOfClient).length
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
