/**
 * What clients of the platform see of a namespace beside its name: the name as it was written, the time of its creation, role bindings.
 *
 *   catalog:  platform-namespaces/<namespace>   {"shownName"?: string, "createdMs"?: number, "roleBindings": [{"members": […], "role": …}]}
 *
 * A namespace that was made by another API has no document before its role bindings are set. All of it is in memory, and is removed with
 * the namespace in the same commit.
 */
import type { Catalog, CatalogChange } from '../../../storage/catalog.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../../streams/registry.ts'

export const ROLES = ['viewer', 'editor', 'owner'] as const
export type PlatformRole = (typeof ROLES)[number]

export interface RoleBinding {
  readonly members: readonly string[]
  readonly role: PlatformRole
}

export interface Facts {
  /** With hyphens, where the name of the namespace has `_`; undefined: the name itself. */
  readonly shownName?: string
  /** Undefined if it was not recorded. */
  readonly createdMs?: number
  readonly roleBindings: readonly RoleBinding[]
}

const COLLECTION = 'platform-namespaces'
const WITHOUT_DOCUMENT: Facts = { roleBindings: [{ members: ['system:authenticated'], role: 'owner' }] }

export class NamespaceFacts implements RemovalHook {
  readonly #catalog: Catalog
  readonly #facts = new Map<NamespaceName, Facts>()

  private constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  static async load(catalog: Catalog, registry: Registry): Promise<NamespaceFacts> {
    const facts = new NamespaceFacts(catalog)
    await catalog.each(COLLECTION, (id, document) => {
      facts.#facts.set(id as NamespaceName, document as Facts)
    })
    registry.onRemoval(facts)
    return facts
  }

  of(namespace: NamespaceName): Facts {
    return this.#facts.get(namespace) ?? WITHOUT_DOCUMENT
  }

  /** To be committed with the namespace; then call `took`. */
  changeTo(namespace: NamespaceName, document: Facts): CatalogChange {
    return { collection: COLLECTION, id: namespace, document }
  }

  took(namespace: NamespaceName, facts: Facts): void {
    this.#facts.set(namespace, facts)
  }

  /** Of a namespace that exists. Call it inside a change of the registry. */
  async put(namespace: NamespaceName, facts: Facts): Promise<void> {
    await this.#catalog.commit([this.changeTo(namespace, facts)])
    this.took(namespace, facts)
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[] {
    if (namespace === undefined || !this.#facts.has(namespace)) return []
    return [{ collection: COLLECTION, id: namespace, document: undefined }]
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace !== undefined) this.#facts.delete(namespace)
  }
}
