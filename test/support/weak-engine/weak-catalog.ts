/** A catalog that answers late, and applies changes in the order of their commits. */
import type {
  Catalog,
  CatalogChange,
  CatalogCondition,
  CatalogDocument,
  CommitOutcome,
  DocumentVersion,
} from '../../../storage/catalog.ts'
import type { Pace } from './pace.ts'
import type { WeakData } from './weak-data.ts'
import type { WriteQueue } from './write-queue.ts'

export class WeakCatalog implements Catalog {
  readonly #data: WeakData
  readonly #queue: WriteQueue
  readonly #pace: Pace

  constructor(data: WeakData, queue: WriteQueue, pace: Pace) {
    this.#data = data
    this.#queue = queue
    this.#pace = pace
  }

  async each(
    collection: string,
    visit: (id: string, document: unknown, version: DocumentVersion) => void,
    prefix = '',
  ): Promise<void> {
    await this.#assertOpen()
    const begin = `${collection}/${prefix}`
    const keys = [...this.#data.documents.keys()].filter((key) => key.startsWith(begin))
    keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const [i, key] of keys.entries()) {
      if (i % 50 === 49) await this.#pace.pause()
      const stored = this.#data.documents.get(key)
      if (stored !== undefined)
        visit(key.slice(collection.length + 1), JSON.parse(stored.json), stored.version)
    }
  }

  async get(collection: string, id: string): Promise<CatalogDocument | undefined> {
    await this.#assertOpen()
    const stored = this.#data.documents.get(`${collection}/${id}`)
    return stored && { document: JSON.parse(stored.json), version: stored.version }
  }

  commit(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[] = [],
  ): Promise<CommitOutcome> {
    const prepared = prepare(changes)
    return this.#queue.run(() => {
      if (!this.holds(conditions)) return 'conflict'
      this.applyNow(prepared)
      return 'done'
    })
  }

  async fresh(): Promise<void> {
    await this.#assertOpen()
  }

  watch(): void {}

  holds(conditions: readonly CatalogCondition[]): boolean {
    return conditions.every(
      ({ collection, id, version }) => this.#data.documents.get(`${collection}/${id}`)?.version === version,
    )
  }

  /** Inside the write queue. */
  applyNow(changes: readonly PreparedChange[]): void {
    for (const { key, json } of changes) {
      if (json === undefined) this.#data.documents.delete(key)
      else this.#data.documents.set(key, { json, version: this.#data.nextVersion() })
    }
  }

  async #assertOpen(): Promise<void> {
    await this.#pace.pause()
    const refusal = this.#queue.refusal()
    if (refusal?.code === 'closed') throw refusal
  }
}

interface PreparedChange {
  readonly key: string
  readonly json: string | undefined
}

/** As text: what a caller changes in a document afterwards does not count. */
export function prepare(changes: readonly CatalogChange[]): PreparedChange[] {
  return changes.map(({ collection, id, document }) => ({
    key: `${collection}/${id}`,
    json: document === undefined ? undefined : JSON.stringify(document),
  }))
}
