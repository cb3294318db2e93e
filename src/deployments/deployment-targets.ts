/** Where jobs of deployments run. A target is never changed, and stays while something uses it. */
import type { NamespaceName } from '../streams/names.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import { notFound } from './not-found.ts'
import { assertValid, givenIn, newMetadata } from './resource-request.ts'
import { TARGET_KINDS, targetSchema } from './resource-schemas.ts'
import type { ResourceStore } from './resource-store.ts'
import type { DeploymentTarget, Json } from './resources.ts'

/** Of one namespace. */
const TARGETS_MAX = 100

export class DeploymentTargets {
  readonly #store: ResourceStore

  constructor(store: ResourceStore) {
    this.#store = store
  }

  get(namespace: NamespaceName, nameOrId: string): DeploymentTarget {
    const target = find(this.#store.targets(namespace), nameOrId)
    if (target === undefined) throw notFound('DeploymentTargetNotFound', namespace, nameOrId)
    return target
  }

  async create(namespace: NamespaceName, body: Json): Promise<DeploymentTarget> {
    const errors: AttributeError[] = []
    const given = givenIn(targetSchema, body, namespace, errors)
    const kinds = Object.keys(given.spec).filter((kind) => TARGET_KINDS.some((one) => one === kind))
    if (kinds.length !== 1 && !errors.some(({ attribute }) => attribute.startsWith('spec')))
      errors.push({ attribute: 'spec', message: `must have one of ${TARGET_KINDS.join(', ')}` })
    assertValid(errors)
    const { name } = given.metadata
    return this.#store.change(namespace, (change) => {
      const present = change.targets(namespace)
      if (present.some(({ metadata }) => metadata.name === name))
        throw new DeploymentError('NameAlreadyExists', `DeploymentTarget ${name} already exists.`, {
          namespace,
          name,
        })
      if (present.length >= TARGETS_MAX)
        throw new DeploymentError(
          'TooManyResources',
          `namespace ${namespace} has ${TARGETS_MAX} deployment targets; delete one first`,
        )
      const metadata = { ...newMetadata(this.#store.newId(), namespace, this.#store.nowMs(), given), name }
      return change.putTarget({ metadata, spec: given.spec as unknown as DeploymentTarget['spec'] })
    })
  }

  delete(namespace: NamespaceName, nameOrId: string): Promise<DeploymentTarget> {
    return this.#store.change(namespace, (change) => {
      const target = find(change.targets(namespace), nameOrId)
      if (target === undefined) throw notFound('DeploymentTargetNotFound', namespace, nameOrId)
      const { id } = target.metadata
      const user = change.deployments(namespace).find(({ spec }) => spec.deploymentTargetId === id)
      if (user !== undefined)
        throw inUse(
          target,
          `deployment ${user.metadata.id} uses it; delete the deployment, or give it another target`,
        )
      if (change.defaults(namespace).spec.deploymentTargetId === id)
        throw inUse(target, 'it is the default; PATCH deployment-defaults with another deploymentTargetId')
      change.deleteTarget(target)
      return target
    })
  }
}

function inUse({ metadata: { name, namespace } }: DeploymentTarget, why: string): DeploymentError {
  return new DeploymentError('DeploymentTargetInUse', `DeploymentTarget ${name} cannot be deleted: ${why}.`, {
    namespace,
    name,
  })
}

function find(targets: readonly DeploymentTarget[], nameOrId: string): DeploymentTarget | undefined {
  return (
    targets.find(({ metadata }) => metadata.name === nameOrId) ??
    targets.find(({ metadata }) => metadata.id === nameOrId)
  )
}
