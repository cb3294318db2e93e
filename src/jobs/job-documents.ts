/** Writes the documents of jobs: changes that are made while a write runs share the next one. */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { Registry } from '../streams/registry.ts'
import { decodeJobDocument, documentChange, JOBS, type JobRecord, removalChanges } from './job-record.ts'

export interface DocumentsParts {
  readonly catalog: Catalog
  readonly registry: Registry
  /** Whether the job still exists: its document is not written again after its removal. */
  readonly exists: (record: JobRecord) => boolean
  readonly report: (error: unknown) => void
  /** Calls `run` after `delayMs`; the result cancels it. */
  readonly timer: Timer
}

export type Timer = (delayMs: number, run: () => void) => () => void

/** Documents in one write: a statement may have 128 KiB, and a write should not delay events. */
const WRITE_DOCUMENTS_MAX = 32
/** While the store refuses writes. */
const RETRY_MS = 2_000

interface Waiting {
  resolve(): void
  reject(error: unknown): void
}

export class JobDocuments {
  readonly #parts: DocumentsParts
  readonly #dirty = new Map<JobRecord, Waiting[]>()
  #writing: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #closed = false

  constructor(parts: DocumentsParts) {
    this.#parts = parts
  }

  static async load(catalog: Catalog): Promise<JobRecord[]> {
    const records: JobRecord[] = []
    await catalog.each(JOBS, (id, document) => records.push(decodeJobDocument(id, document)))
    return records
  }

  /** Writes the document of a new job, and `more` in the same write. Call it inside `registry.change`. */
  async create(record: JobRecord, more: readonly CatalogChange[]): Promise<void> {
    await this.#parts.catalog.commit([documentChange(record), ...more])
  }

  /** Resolves when the present state of the job is durable. A failed write is repeated later, even though it rejects here. */
  save(record: JobRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = { resolve, reject }
      const others = this.#dirty.get(record)
      if (others === undefined) this.#dirty.set(record, [waiting])
      else others.push(waiting)
      this.#start()
    })
  }

  /** Removes jobs with the epochs of their sinks. `isRemovable` is asked again before the write. */
  async remove(records: readonly JobRecord[], removed: (record: JobRecord) => void): Promise<void> {
    const { registry, catalog, exists } = this.#parts
    await registry.change(async () => {
      const present = records.filter(exists)
      if (present.length === 0) return
      await catalog.commit(present.flatMap(removalChanges))
      for (const record of present) removed(record)
    })
  }

  /** No further write begins. Resolves when the present one has ended. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelRetry?.()
    await this.#writing
  }

  #start(): void {
    if (this.#writing !== undefined || this.#closed) return
    this.#cancelRetry?.()
    this.#cancelRetry = undefined
    this.#writing = this.#writeAll().finally(() => {
      this.#writing = undefined
      // A change that came after the last look at the list, and before this.
      if (this.#dirty.size > 0 && this.#cancelRetry === undefined) this.#start()
    })
  }

  async #writeAll(): Promise<void> {
    while (this.#dirty.size > 0 && !this.#closed) {
      if (!(await this.#writeSome())) {
        if (!this.#closed) this.#cancelRetry = this.#parts.timer(RETRY_MS, () => this.#start())
        return
      }
    }
  }

  /** Resolves with false if the store refused. */
  async #writeSome(): Promise<boolean> {
    const { registry, catalog, exists } = this.#parts
    const taken = [...this.#dirty].slice(0, WRITE_DOCUMENTS_MAX)
    try {
      await registry.change(async () => {
        for (const [record] of taken) this.#dirty.delete(record)
        const changes = taken.filter(([record]) => exists(record)).map(([record]) => documentChange(record))
        if (changes.length > 0) await catalog.commit(changes)
      })
    } catch (error) {
      for (const [record, waiting] of taken) {
        if (!this.#dirty.has(record)) this.#dirty.set(record, [])
        for (const one of waiting) one.reject(error)
      }
      return false
    }
    for (const [, waiting] of taken) for (const one of waiting) one.resolve()
    return true
  }
}
