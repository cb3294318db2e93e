/** The namespaces service. Streams live in namespaces; `default` always exists. */
import type { CatalogChange } from '../../storage/catalog.ts'
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

  /** False: the operator does not allow it. */
  get areDeletable(): boolean {
    return this.#deletable
  }

  /** Does not change an existing namespace. `beside`: documents of other modules, in the same commit. */
  create(
    name: NamespaceName,
    change: NamespaceChange,
    beside: readonly CatalogChange[] = [],
  ): Promise<'created' | 'exists'> {
    return this.#registry.change(async () => {
      if (RESERVED.has(name)) {
        throw new ServiceError(
          'reserved_namespace',
          `Cannot create the namespace '${name}'. '${name}' is a reserved namespace.`,
        )
      }
      if (this.#registry.namespace(name) !== undefined) return 'exists'
      const properties = mergeNamespaceProperties(DEFAULT_NAMESPACE_PROPERTIES, change)
      await this.#registry.putNamespace(name, properties, beside)
      return 'created'
    })
  }

  setProperties(name: NamespaceName, change: NamespaceChange): Promise<void> {
    return this.#registry.change(async () => {
      const { properties } = this.get(name)
      await this.#registry.putNamespace(name, mergeNamespaceProperties(properties, change))
    })
  }

  /**
   * Deletes the namespace and all its streams. What uses them, such as jobs, is ended before. `assertMay` throws if the namespace must
   * stay; it is called before anything is ended, and again right before the removal.
   */
  async delete(name: NamespaceName, assertMay: () => void = () => {}): Promise<void> {
    this.#assertDeletable(name)
    assertMay()
    await this.#registry.beforeRemoval(name)
    await this.#registry.change(async () => {
      this.#assertDeletable(name)
      assertMay()
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
