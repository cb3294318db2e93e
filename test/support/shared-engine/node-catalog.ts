/** The catalog of one node: its own replay of the history, and changes that are decided in the order of the history. */
import type {
  Catalog,
  CatalogChange,
  CatalogCondition,
  CatalogDocument,
  CommitOutcome,
  DocumentVersion,
  ObservedChange,
} from '../../../storage/catalog.ts'
import { prepare } from '../weak-engine/weak-catalog.ts'
import type { WriteQueue } from '../weak-engine/write-queue.ts'
import type { Link } from './link.ts'
import type { NodeState, SharedStore } from './shared-store.ts'

export class NodeCatalog implements Catalog {
  readonly #store: SharedStore
  readonly #node: NodeState
  readonly #link: Link
  readonly #documents: Map<string, { readonly json: string; readonly version: DocumentVersion }>
  readonly #watchers: ((change: ObservedChange) => void)[] = []
  /** Commits of this node whose caller does not know that they are stored. */
  readonly #unanswered = new Set<number>()
  readonly #applied = new Set<() => void>()
  readonly #queue: WriteQueue

  constructor(store: SharedStore, node: NodeState, link: Link, queue: WriteQueue) {
    this.#queue = queue
    this.#store = store
    this.#node = node
    this.#link = link
    this.#documents = new Map(store.data.documents)
  }

  async each(
    collection: string,
    visit: (id: string, document: unknown, version: DocumentVersion) => void,
    prefix = '',
  ): Promise<void> {
    const begin = `${collection}/${prefix}`
    const keys = [...this.#documents.keys()].filter((key) => key.startsWith(begin))
    keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const key of keys) {
      const stored = this.#documents.get(key)
      if (stored !== undefined)
        visit(key.slice(collection.length + 1), JSON.parse(stored.json), stored.version)
    }
  }

  async get(collection: string, id: string): Promise<CatalogDocument | undefined> {
    const stored = this.#documents.get(`${collection}/${id}`)
    return stored && { document: JSON.parse(stored.json), version: stored.version }
  }

  async commit(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[] = [],
  ): Promise<CommitOutcome> {
    const prepared = prepare(changes)
    return this.answered(() => (this.holds(conditions) ? this.record(prepared) : undefined))
  }

  /** Makes the write, and resolves when this node has replayed it. `write` returns its place; undefined: a conflict. */
  async answered(write: () => number | undefined): Promise<CommitOutcome> {
    let place: number | undefined
    try {
      await this.#link.write(() =>
        this.#queue.run(() => {
          place = write()
        }),
      )
    } catch (error) {
      if (place !== undefined && this.#node.applied < place) this.#unanswered.add(place)
      throw error
    }
    await this.#until(place ?? this.#store.history.length)
    return place === undefined ? 'conflict' : 'done'
  }

  holds(conditions: readonly CatalogCondition[]): boolean {
    return conditions.every(
      ({ collection, id, version }) =>
        this.#store.data.documents.get(`${collection}/${id}`)?.version === version,
    )
  }

  /** Returns the place of the commit in the history. */
  record(changes: ReturnType<typeof prepare>): number {
    const { data } = this.#store
    const stored = changes.map(({ key, json }) => {
      const version = json === undefined ? undefined : data.nextVersion()
      if (json === undefined) data.documents.delete(key)
      else data.documents.set(key, { json, version: version! })
      return { key, json, version }
    })
    return this.#store.record(this.#node.id, stored)
  }

  async fresh(isCertain = false): Promise<void> {
    const { barrier } = this.#store.options
    if (barrier === false || (barrier === 'certain' && !isCertain)) return
    const end = await this.#link.read(() => this.#store.history.length)
    await this.#until(end)
  }

  watch(onChange: (change: ObservedChange) => void): void {
    this.#watchers.push(onChange)
  }

  replay(length: number): void {
    if (!this.#link.isOpen) return
    while (this.#node.applied < length) {
      const { nodeId, changes } = this.#store.history[this.#node.applied]!
      this.#node.applied++
      const isOwn = nodeId === this.#node.id && !this.#unanswered.delete(this.#node.applied)
      for (const { key, json, version } of changes) {
        if (json === undefined) this.#documents.delete(key)
        else this.#documents.set(key, { json, version: version! })
      }
      if (isOwn) continue
      for (const { key, json, version } of changes) {
        const slash = key.indexOf('/')
        const document = json === undefined ? undefined : JSON.parse(json)
        const change = { collection: key.slice(0, slash), id: key.slice(slash + 1), document, version }
        for (const onChange of this.#watchers) onChange(change)
      }
    }
    for (const resolve of [...this.#applied]) resolve()
    this.#applied.clear()
    this.#store.changed()
  }

  /** Resolves when the node has replayed this many commits. */
  async #until(length: number): Promise<void> {
    this.replay(length)
    while (this.#node.applied < length) {
      await new Promise<void>((resolve) => this.#applied.add(resolve))
    }
  }
}
