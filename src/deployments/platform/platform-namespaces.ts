/**
 * Namespaces as clients of the platform see them. Their names have hyphens, which names of namespaces here lack: `my-namespace` is the
 * namespace `my_namespace`, and either spelling finds it.
 */
import { ServiceError } from '../../service-error.ts'
import { DEFAULT_NAMESPACE, type NamespaceName, parseNewNamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { Registry } from '../../streams/registry.ts'
import { DeploymentError } from '../deployment-error.ts'
import type { DeploymentService } from '../deployment-service.ts'
import type { Facts, NamespaceFacts, RoleBinding } from './namespace-facts.ts'

export interface PlatformNamespace {
  readonly namespace: NamespaceName
  /** As it was written when it was created. */
  readonly name: string
  readonly createdMs: number | undefined
  readonly roleBindings: readonly RoleBinding[]
}

export interface PlatformParts {
  readonly namespaces: Namespaces
  readonly registry: Pick<Registry, 'change' | 'eachStreamOf'>
  readonly facts: NamespaceFacts
  readonly deployments: Pick<DeploymentService, 'deployments'>
  readonly nowMs: () => number
}

export class PlatformNamespaces {
  readonly #parts: PlatformParts

  constructor(parts: PlatformParts) {
    this.#parts = parts
  }

  /** `default` first, then the others in the order of their names. */
  *list(): Generator<PlatformNamespace> {
    for (const { name } of this.#parts.namespaces.list()) yield this.#shown(name)
  }

  /** Of a namespace that exists. */
  get(namespace: NamespaceName): PlatformNamespace {
    return this.#shown(namespace)
  }

  /** The name of a namespace as it was written when it was created. */
  shownName(namespace: NamespaceName): string {
    return this.#parts.facts.of(namespace).shownName ?? namespace
  }

  /** Rejects with DeploymentError 'NameAlreadyExists', also if another spelling has the name, and ServiceError 'reserved_namespace'. */
  async create(
    shownName: string,
    roleBindings: readonly RoleBinding[] | undefined,
  ): Promise<PlatformNamespace> {
    const { namespaces, facts, nowMs } = this.#parts
    const namespace = parseNewNamespaceName(shownName.replaceAll('-', '_'))
    const made: Facts = {
      ...(shownName !== namespace && { shownName }),
      createdMs: nowMs(),
      roleBindings: roleBindings ?? facts.of(namespace).roleBindings,
    }
    const outcome = await namespaces.create(namespace, {}, [facts.changeTo(namespace, made)])
    if (outcome === 'exists') {
      const existing = this.shownName(namespace)
      const also = existing === shownName ? '' : `, with the spelling ${existing}`
      throw new DeploymentError('NameAlreadyExists', `Namespace ${shownName} exists already${also}.`, {
        namespace: existing,
      })
    }
    facts.took(namespace, made)
    return this.#shown(namespace)
  }

  /** Rejects with ServiceError 'namespace_not_found' if it has been deleted meanwhile. */
  setRoleBindings(
    namespace: NamespaceName,
    roleBindings: readonly RoleBinding[],
  ): Promise<PlatformNamespace> {
    const { namespaces, registry, facts } = this.#parts
    return registry.change(async () => {
      namespaces.get(namespace)
      await facts.put(namespace, { ...facts.of(namespace), roleBindings })
      return this.#shown(namespace)
    })
  }

  /**
   * Resolves with what was deleted. Rejects with DeploymentError 'NamespaceNotEmpty' while there is a stream or a deployment that cannot be
   * deleted, with ServiceError 'reset_disabled' for the default namespace and where namespaces may not be deleted.
   */
  async delete(namespace: NamespaceName): Promise<PlatformNamespace> {
    if (namespace === DEFAULT_NAMESPACE)
      throw new ServiceError('reset_disabled', 'namespace default always exists; it cannot be deleted')
    const { namespaces } = this.#parts
    if (!namespaces.areDeletable)
      throw new ServiceError(
        'reset_disabled',
        'namespaces cannot be deleted here, because the service was started with --no-unrecoverable-reset',
      )
    const shown = this.#shown(namespace)
    await namespaces.delete(namespace, () => this.#assertEmpty(namespace))
    return shown
  }

  #assertEmpty(namespace: NamespaceName): void {
    const { registry, deployments } = this.#parts
    const name = this.shownName(namespace)
    for (const { id } of registry.eachStreamOf(namespace))
      throw notEmpty(name, `stream ${id.stream}`, 'delete its streams first')
    const live = deployments.deployments(namespace).find(({ status }) => !DELETABLE.has(status.state))
    if (live !== undefined)
      throw notEmpty(name, `deployment ${live.metadata.id}`, 'cancel its deployments first')
  }

  #shown(namespace: NamespaceName): PlatformNamespace {
    const { createdMs, roleBindings } = this.#parts.facts.of(namespace)
    return { namespace, name: this.shownName(namespace), createdMs, roleBindings }
  }
}

/** States in which a deployment can be deleted. */
const DELETABLE: ReadonlySet<string> = new Set(['CANCELLED', 'FAILED', 'FINISHED'])

function notEmpty(name: string, what: string, advice: string): DeploymentError {
  return new DeploymentError('NamespaceNotEmpty', `Namespace ${name} has ${what}; ${advice}.`, {
    namespace: name,
  })
}
