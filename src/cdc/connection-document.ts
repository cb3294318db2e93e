/** The document of one connection and its copy in memory, which changes when the document is durable. */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { Registry } from '../streams/registry.ts'
import { type ConnectionRecord, recordChange, removalChanges } from './connection-record.ts'

export class ConnectionDocument {
  readonly #catalog: Catalog
  readonly #registry: Registry
  #record: ConnectionRecord
  /** It is not written again after its removal. */
  #removed = false

  constructor(catalog: Catalog, registry: Registry, record: ConnectionRecord) {
    this.#catalog = catalog
    this.#registry = registry
    this.#record = record
  }

  get record(): ConnectionRecord {
    return this.#record
  }

  get isRemoved(): boolean {
    return this.#removed
  }

  /** Resolves when the change is durable. `more` is stored in the same write; it may reject, and then nothing has changed. */
  save(
    update: (record: ConnectionRecord) => ConnectionRecord,
    more: () => Promise<readonly CatalogChange[]> = async () => [],
  ): Promise<void> {
    return this.written(update, async (change) => {
      await this.#catalog.commit([change, ...(await more())])
    })
  }

  /** As `save`; `write` stores the change, with events. */
  written<T>(
    update: (record: ConnectionRecord) => ConnectionRecord,
    write: (change: CatalogChange) => Promise<T>,
  ): Promise<T> {
    return this.#registry.change(async () => {
      if (this.#removed) throw new Error('the connection is deleted')
      const next = update(this.#record)
      const result = await write(recordChange(next))
      this.#record = next
      return result
    })
  }

  remove(): Promise<void> {
    return this.#registry.change(async () => {
      if (this.#removed) return
      await this.#catalog.commit(removalChanges(this.#record))
      this.#removed = true
    })
  }

  /** The record was changed by a write of another module: the removal of its namespace. */
  replaced(record: ConnectionRecord): void {
    this.#record = record
  }
}
