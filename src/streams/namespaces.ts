/** The namespaces service. Streams live in namespaces; `default` always exists. */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from './names.ts'
import {
  DEFAULT_NAMESPACE_PROPERTIES,
  mergeNamespaceProperties,
  type NamespaceChange,
  type NamespaceProperties,
} from './namespace.ts'
import type { Registry } from './registry.ts'

const RESERVED: ReadonlySet<string> = new Set(['default', 'system', 'cdap'])

export interface NamedNamespace {
  readonly name: NamespaceName
  readonly properties: NamespaceProperties
}

export class Namespaces {
  readonly #registry: Registry
  readonly #deletable: boolean

  /** `deletable` false: the operator does not allow deletion of namespaces. */
  constructor(registry: Registry, deletable: boolean) {
    this.#registry = registry
    this.#deletable = deletable
  }

  /** Yields `default` first, then the others in the order of their names. */
  *list(): Generator<NamedNamespace> {
    for (const name of this.#registry.namespaceNames()) {
      const properties = this.#registry.namespace(name)
      if (properties !== undefined) yield { name, properties } // otherwise it was deleted since
    }
  }

  has(name: NamespaceName): boolean {
    return this.#registry.namespace(name) !== undefined
  }

  get(name: NamespaceName): NamedNamespace {
    const properties = this.#registry.namespace(name)
    if (properties === undefined)
      throw new ServiceError('namespace_not_found', `'namespace:${name}' was not found.`)
    return { name, properties }
  }

  /** Does not change an existing namespace. */
  create(name: NamespaceName, change: NamespaceChange): Promise<'created' | 'exists'> {
    return this.#registry.change(async () => {
      if (RESERVED.has(name)) {
        throw new ServiceError(
          'reserved_namespace',
          `Cannot create the namespace '${name}'. '${name}' is a reserved namespace.`,
        )
      }
      if (this.#registry.namespace(name) !== undefined) return 'exists'
      await this.#registry.putNamespace(name, mergeNamespaceProperties(DEFAULT_NAMESPACE_PROPERTIES, change))
      return 'created'
    })
  }

  setProperties(name: NamespaceName, change: NamespaceChange): Promise<void> {
    return this.#registry.change(async () => {
      const { properties } = this.get(name)
      await this.#registry.putNamespace(name, mergeNamespaceProperties(properties, change))
    })
  }

  /** Deletes the namespace and all its streams. What uses them, such as jobs, is ended before. */
  async delete(name: NamespaceName): Promise<void> {
    this.#assertDeletable(name)
    await this.#registry.beforeRemoval(name)
    await this.#registry.change(async () => {
      this.#assertDeletable(name)
      await this.#registry.removeNamespace(name)
    })
  }

  #assertDeletable(name: NamespaceName): void {
    if (!this.#deletable) {
      throw new ServiceError(
        'reset_disabled',
        `Namespace '${name}' cannot be deleted because 'enable.unrecoverable.reset' is not enabled. ` +
          'Please enable it and restart CDAP Master.',
      )
    }
    this.get(name)
  }
}
