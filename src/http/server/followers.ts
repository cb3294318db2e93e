/**
 * The places for followers of notifications: each is a connection. Clients share them: when all are taken and a client with
 * less than its share asks, the client with the most loses the place it took last.
 */
import type { ClientKey } from '../../fair-share.ts'
import { ServiceError } from '../../service-error.ts'
import { CountedResource } from '../../shared-resource.ts'

interface Follower {
  readonly end: () => void
}

export class Followers extends CountedResource {
  /** By client, in the order in which they came. */
  readonly #byClient = new Map<ClientKey, Set<Follower>>()

  constructor(most: number) {
    super('followers', most)
  }

  /**
   * Takes a place; returns a function to be called when the connection is over. Calls `end` if the client loses the place.
   * Throws ServiceError 'overloaded'.
   */
  enter(client: ClientKey, end: () => void): () => void {
    if (!this.share.fits(1)) this.#evict(client)
    const follower: Follower = { end }
    this.share.take(client, 1)
    const own = this.#byClient.get(client)
    if (own === undefined) this.#byClient.set(client, new Set([follower]))
    else own.add(follower)
    return () => this.#leave(client, follower)
  }

  #evict(client: ClientKey): void {
    const heaviest = this.share.heaviest(client)
    const isFair = heaviest !== undefined && this.share.held(heaviest) > this.share.held(client) + 1
    const newest = isFair ? [...this.#byClient.get(heaviest)!].at(-1) : undefined
    if (newest === undefined) {
      this.refused++
      throw new ServiceError(
        'overloaded',
        `${this.share.total} connections follow notifications, and this client has its share of them`,
      )
    }
    this.#leave(heaviest!, newest)
    this.cut++
    newest.end()
  }

  /** May be called twice. */
  #leave(client: ClientKey, follower: Follower): void {
    const own = this.#byClient.get(client)
    if (own === undefined || !own.delete(follower)) return
    if (own.size === 0) this.#byClient.delete(client)
    this.share.give(client, 1)
  }
}
