/**
 * The resources of one kind: those that are durable, in memory, and a draft of a change over them.
 *
 *   catalog:  <collection>/<namespace>:<id>   {"number", …the resource}
 *
 * Numbers ascend with creation: lists are in their order, also after a restart.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { NamespaceName } from '../streams/names.ts'

export interface Stored {
  readonly metadata: {
    readonly id: string
    readonly namespace: NamespaceName
    readonly deploymentId?: string
    readonly labels?: Texts
    readonly annotations?: Texts
  }
}

type Texts = Readonly<Record<string, string>>

interface Entry<T> {
  readonly number: number
  readonly value: T
}

type Entries<T> = Map<string, Entry<T>>

export class ResourceCollection<T extends Stored> {
  readonly name: string
  /** By id, in order of creation. */
  readonly #byNamespace = new Map<NamespaceName, Entries<T>>()
  readonly #byDeployment = new Map<string, Entries<T>>()
  #count = 0
  #clientCharacters = 0

  constructor(name: string) {
    this.name = name
  }

  /** `share` returns the one copy of equal resources' texts. Resolves with the highest number. */
  async load(catalog: Catalog, share: (value: T) => T): Promise<number> {
    const entries: Entry<T>[] = []
    await catalog.each(this.name, (_, document) => {
      const { number, ...value } = document as { readonly number: number } & T
      entries.push({ number, value: share(value as unknown as T) })
    })
    entries.sort((one, other) => one.number - other.number)
    for (const entry of entries) this.set(entry)
    return entries.at(-1)?.number ?? 0
  }

  get count(): number {
    return this.#count
  }

  /** Of the labels and annotations of all. */
  get clientCharacters(): number {
    return this.#clientCharacters
  }

  get(namespace: NamespaceName, id: string): T | undefined {
    return this.entry(namespace, id)?.value
  }

  entry(namespace: NamespaceName, id: string): Entry<T> | undefined {
    return this.#byNamespace.get(namespace)?.get(id)
  }

  has(id: string): boolean {
    for (const entries of this.#byNamespace.values()) if (entries.has(id)) return true
    return false
  }

  entries(namespace: NamespaceName, deploymentId?: string): Iterable<Entry<T>> {
    const entries =
      deploymentId === undefined ? this.#byNamespace.get(namespace) : this.#byDeployment.get(deploymentId)
    return entries?.values() ?? []
  }

  list(namespace: NamespaceName, deploymentId?: string): T[] {
    const values: T[] = []
    for (const { value } of this.entries(namespace, deploymentId))
      if (value.metadata.namespace === namespace) values.push(value)
    return values
  }

  *all(): Generator<T> {
    for (const entries of this.#byNamespace.values()) for (const { value } of entries.values()) yield value
  }

  set(entry: Entry<T>): void {
    const { id, namespace, deploymentId } = entry.value.metadata
    const before = this.entry(namespace, id)
    if (before === undefined) this.#count++
    this.#clientCharacters += clientCharacters(entry.value) - clientCharacters(before?.value)
    put(this.#byNamespace, namespace, id, entry)
    if (deploymentId !== undefined) put(this.#byDeployment, deploymentId, id, entry)
  }

  remove({ metadata: { id, namespace, deploymentId } }: T): void {
    const before = this.entry(namespace, id)
    if (before === undefined) return
    this.#count--
    this.#clientCharacters -= clientCharacters(before.value)
    take(this.#byNamespace, namespace, id)
    if (deploymentId !== undefined) take(this.#byDeployment, deploymentId, id)
  }

  removalOf(namespace: NamespaceName): CatalogChange[] {
    return this.list(namespace).map((value) => changeOf(this.name, value, undefined))
  }
}

/** What one change makes of a collection. It reads its own changes; the collection has them when they are durable. */
export class DraftCollection<T extends Stored> {
  readonly #base: ResourceCollection<T>
  readonly #namespace: NamespaceName
  readonly #nextNumber: () => number
  /** Undefined: removed. */
  readonly #changed = new Map<string, { readonly entry: Entry<T> | undefined; readonly value: T }>()

  constructor(base: ResourceCollection<T>, namespace: NamespaceName, nextNumber: () => number) {
    this.#base = base
    this.#namespace = namespace
    this.#nextNumber = nextNumber
  }

  get(id: string): T | undefined {
    const changed = this.#changed.get(id)
    return changed === undefined ? this.#base.get(this.#namespace, id) : changed.entry?.value
  }

  /** As it was before the change. */
  before(id: string): T | undefined {
    return this.#base.get(this.#namespace, id)
  }

  list(deploymentId?: string): T[] {
    const before = this.#base.list(this.#namespace, deploymentId)
    if (this.#changed.size === 0) return before
    const values = before.flatMap((value) => this.get(value.metadata.id) ?? [])
    for (const [id, { entry }] of this.#changed) {
      if (entry === undefined || this.before(id) !== undefined) continue
      if (deploymentId === undefined || entry.value.metadata.deploymentId === deploymentId)
        values.push(entry.value)
    }
    return values
  }

  put(value: T): T {
    const { id } = value.metadata
    const present = this.#changed.get(id)?.entry ?? this.#base.entry(this.#namespace, id)
    const number = present?.number ?? this.#nextNumber()
    this.#changed.set(id, { entry: { number, value }, value })
    return value
  }

  remove(value: T): void {
    this.#changed.set(value.metadata.id, { entry: undefined, value })
  }

  /** Of what is put, in no particular order. */
  putIds(): string[] {
    return [...this.#changed].flatMap(([id, { entry }]) => (entry === undefined ? [] : [id]))
  }

  changes(): CatalogChange[] {
    return [...this.#changed.values()].map(({ entry, value }) =>
      changeOf(this.#base.name, value, entry && { number: entry.number, ...entry.value }),
    )
  }

  apply(): void {
    for (const { entry, value } of this.#changed.values()) {
      if (entry === undefined) this.#base.remove(value)
      else this.#base.set(entry)
    }
  }
}

/** Of labels and annotations, which may be as long as a request. */
export function clientCharacters(value: Stored | undefined): number {
  const { labels, annotations } = value?.metadata ?? {}
  return charactersOf(labels) + charactersOf(annotations)
}

const known = new WeakMap<Texts, number>()

function charactersOf(texts: Texts | undefined): number {
  if (texts === undefined) return 0
  let characters = known.get(texts)
  if (characters === undefined) {
    characters = Object.entries(texts).reduce((sum, [name, text]) => sum + name.length + text.length, 0)
    known.set(texts, characters)
  }
  return characters
}

function changeOf(collection: string, { metadata }: Stored, document: unknown): CatalogChange {
  return { collection, id: `${metadata.namespace}:${metadata.id}`, document }
}

function put<Key, T>(groups: Map<Key, Entries<T>>, key: Key, id: string, entry: Entry<T>): void {
  const group = groups.get(key)
  if (group === undefined) groups.set(key, new Map([[id, entry]]))
  else group.set(id, entry)
}

function take<Key, T>(groups: Map<Key, Entries<T>>, key: Key, id: string): void {
  const group = groups.get(key)
  group?.delete(id)
  if (group?.size === 0) groups.delete(key)
}
