/**
 * All queries. Their number is limited, and each is removed when it has not been used for some time. They end with the
 * process.
 *
 * One client alone may use the whole limit. If the limit is reached and another client submits a query, a query of the
 * client with the most is ended: the finished one that was not used for the longest time, else a waiting one, else a
 * running one.
 */
import { type ClientKey, FairShare } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import type { SharedResource } from '../shared-resource.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Query, QueryFailure } from './query.ts'
import type { QueryHandle } from './query-handle.ts'

export interface QueryListOptions {
  readonly nowMs: () => number
  /** Limit of queries that run or have rows. The same number of ended queries is kept in addition. */
  readonly queriesMax: number
  readonly idleMs: number
}

export interface QueryPage {
  readonly limit: number
  readonly cursor: 'next' | 'prev'
  /** Queries submitted before this time ('next') or after it ('prev'). */
  readonly offsetMs: number
}

export class QueryList implements SharedResource {
  readonly resource = 'queries'
  readonly #options: QueryListOptions
  /** In the order of submission. */
  readonly #queries = new Map<QueryHandle, Query>()

  cut = 0
  refused = 0

  constructor(options: QueryListOptions) {
    this.#options = options
  }

  get held(): number {
    return this.#shares(true).total
  }

  get capacity(): number {
    return this.#options.queriesMax
  }

  get clients(): number {
    return this.#shares(true).clients
  }

  /** Throws ServiceError 'overloaded' if the client may not add a query now. */
  assertCapacityFor(client: ClientKey): void {
    this.expire()
    const shares = this.#shares(true)
    if (shares.fits(1) || shares.mayClaim(client, 1)) return
    const held = shares.held(client)
    this.refused++
    throw new ServiceError(
      'overloaded',
      held === shares.total
        ? `${held} queries are open, which is as many as may be; close some, or wait until they expire`
        : `${held} of the ${shares.total} queries that are open are of one client, which is its share; close some, or try again later`,
    )
  }

  /** Throws ServiceError 'overloaded' as `assertCapacityFor`; may end a query of another client. */
  add(query: Query): void {
    this.assertCapacityFor(query.client)
    if (!this.#shares(true).fits(1)) this.#endOneOfOthers(query.client)
    while (!this.#shares(false).fits(1)) this.#queries.delete(this.#heaviest(false)!.handle)
    this.#queries.set(query.handle, query)
  }

  #endOneOfOthers(client: ClientKey): void {
    const query = this.#heaviest(true, client)
    if (query === undefined) return
    this.cut++
    query.end(NOT_WITHIN_SHARE)
  }

  /** Finding a query counts as use, if the caller may see it. */
  find(handle: string, maySee: (query: Query) => boolean): Query | undefined {
    this.expire()
    const query = this.#queries.get(handle as QueryHandle)
    if (query === undefined || !maySee(query)) return undefined
    query.touchedMs = this.#options.nowMs()
    return query
  }

  #shares(isActive: boolean): FairShare {
    const shares = new FairShare(this.#options.queriesMax)
    for (const query of this.#queries.values()) if (query.isActive === isActive) shares.take(query.client, 1)
    return shares
  }

  /** The query to end first, of the client with the most queries. */
  #heaviest(isActive: boolean, except?: ClientKey): Query | undefined {
    const client = this.#shares(isActive).heaviest(except)
    const queries = [...this.#queries.values()].filter(
      (query) => query.client === client && query.isActive === isActive,
    )
    if (!isActive) return queries[0]
    const [idle] = queries
      .filter(({ status }) => status === 'FINISHED')
      .sort((a, b) => a.touchedMs - b.touchedMs)
    return idle ?? queries.findLast(({ status }) => status === 'INITIALIZED') ?? queries.at(-1)
  }

  all(): readonly Query[] {
    return [...this.#queries.values()]
  }

  ofNamespace(namespace: NamespaceName): Query[] {
    this.expire()
    return [...this.#queries.values()].filter((query) => query.namespace === namespace)
  }

  /** Removes queries that have not been used for some time. One that still runs is cancelled. */
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

const NOT_WITHIN_SHARE: QueryFailure = {
  sqlState: '53000',
  message: 'another client needed a place, and this one had the most queries open; close those that are done',
}

/** Newest first. */
export function pageOf(queries: readonly Query[], { limit, cursor, offsetMs }: QueryPage): Query[] {
  const newestFirst = [...queries].reverse()
  if (cursor === 'next') return newestFirst.filter(({ createdMs }) => createdMs < offsetMs).slice(0, limit)
  const newer = newestFirst.filter(({ createdMs }) => createdMs > offsetMs)
  return newer.slice(Math.max(0, newer.length - limit))
}
