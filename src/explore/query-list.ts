/**
 * The queries there are: a bounded number, each until nobody has asked for it for a while. Nothing outlives the process.
 *
 * One client alone may have them all. Where they are all taken and another client asks, the client with the most gives one
 * back: rows that nobody has asked for longest, else what waits, else what runs.
 */
import { type ClientKey, FairShare } from '../fair-share.ts'
import { ServiceError } from '../service-error.ts'
import type { SharedResource } from '../shared-resource.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { Query, QueryFailure } from './query.ts'
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

export class QueryList implements SharedResource {
  readonly resource = 'queries'
  readonly #options: QueryListOptions
  /** The oldest first. */
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

  /** Throws ServiceError 'overloaded' if there is no place for a query of this client. */
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

  /** Throws ServiceError 'overloaded' as `assertCapacityFor`; ends a query of another client if it has to. */
  add(query: Query): void {
    this.assertCapacityFor(query.client)
    if (!this.#shares(true).fits(1)) this.#giveBack(query.client)
    while (!this.#shares(false).fits(1)) this.#queries.delete(this.#heaviest(false)!.handle)
    this.#queries.set(query.handle, query)
  }

  #giveBack(client: ClientKey): void {
    const query = this.#heaviest(true, client)
    if (query === undefined) return
    this.cut++
    query.end(GAVE_WAY)
  }

  /** Keeps it from expiring, if whoever asks may see it. */
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

  /** The query of the client with the most that is missed least. */
  #heaviest(isActive: boolean, except?: ClientKey): Query | undefined {
    const client = this.#shares(isActive).heaviest(except)
    const its = [...this.#queries.values()].filter(
      (query) => query.client === client && query.isActive === isActive,
    )
    if (!isActive) return its[0]
    const [idle] = its.filter(({ status }) => status === 'FINISHED').sort((a, b) => a.touchedMs - b.touchedMs)
    return idle ?? its.findLast(({ status }) => status === 'INITIALIZED') ?? its.at(-1)
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

const GAVE_WAY: QueryFailure = {
  sqlState: '53000',
  message: 'another client needed a place, and this one had the most queries open; close those that are done',
}

/** Of these, the newest first. */
export function pageOf(queries: readonly Query[], { limit, cursor, offsetMs }: QueryPage): Query[] {
  const newestFirst = [...queries].reverse()
  if (cursor === 'next') return newestFirst.filter(({ createdMs }) => createdMs < offsetMs).slice(0, limit)
  const newer = newestFirst.filter(({ createdMs }) => createdMs > offsetMs)
  return newer.slice(Math.max(0, newer.length - limit))
}
