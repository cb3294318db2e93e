/**
 * The queries there are: a bounded number, each until nobody has asked for it for a while. Nothing outlives the process.
 */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Query } from './query.ts'
import type { QueryHandle } from './query-handle.ts'

export interface QueryListOptions {
  readonly nowMs: () => number
  /** Those that run or have rows; as many again are remembered without. */
  readonly queriesMax: number
  readonly idleMs: number
}

export interface QueryPage {
  readonly limit: number
  readonly cursor: 'next' | 'prev'
  /** Milliseconds: those before it, or after it. */
  readonly offsetMs: number
}

export class QueryList {
  readonly #options: QueryListOptions
  /** The oldest first. */
  readonly #queries = new Map<QueryHandle, Query>()

  constructor(options: QueryListOptions) {
    this.#options = options
  }

  /** Throws ServiceError 'overloaded' if there are too many. */
  add(query: Query): void {
    this.expire()
    const all = [...this.#queries.values()]
    const active = all.filter(({ isActive }) => isActive)
    if (active.length >= this.#options.queriesMax) {
      throw new ServiceError(
        'overloaded',
        `${active.length} queries are open, which is as many as may be; close some, or wait until they expire`,
      )
    }
    const inactive = all.filter(({ isActive }) => !isActive)
    for (const { handle } of inactive.slice(0, Math.max(0, inactive.length - this.#options.queriesMax + 1))) {
      this.#queries.delete(handle)
    }
    this.#queries.set(query.handle, query)
  }

  find(handle: string): Query | undefined {
    this.expire()
    const query = this.#queries.get(handle as QueryHandle)
    if (query !== undefined) query.touchedMs = this.#options.nowMs()
    return query
  }

  all(): readonly Query[] {
    return [...this.#queries.values()]
  }

  ofNamespace(namespace: NamespaceName): Query[] {
    this.expire()
    return [...this.#queries.values()].filter((query) => query.namespace === namespace)
  }

  /** Forgets what nobody has asked for; one that still runs is given up. */
  expire(): void {
    const beforeMs = this.#options.nowMs() - this.#options.idleMs
    for (const [handle, query] of this.#queries) {
      if (query.touchedMs >= beforeMs) continue
      query.close()
      this.#queries.delete(handle)
    }
  }

  closeAll(): void {
    for (const query of this.#queries.values()) query.close()
    this.#queries.clear()
  }
}

/** Of these, the newest first. */
export function pageOf(queries: readonly Query[], { limit, cursor, offsetMs }: QueryPage): Query[] {
  const newestFirst = [...queries].reverse()
  if (cursor === 'next') return newestFirst.filter(({ createdMs }) => createdMs < offsetMs).slice(0, limit)
  const newer = newestFirst.filter(({ createdMs }) => createdMs > offsetMs)
  return newer.slice(Math.max(0, newer.length - limit))
}
