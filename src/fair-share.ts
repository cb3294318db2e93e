/**
 * One bounded resource that clients share: memory of bodies, long reads, followers, queries, connections.
 *
 * A client is a token, or without tokens a network address. A single client may take everything. As soon as another client
 * asks, the share of each is the capacity divided by the number of clients, and the client that holds most has to release
 * some: `heaviest` names it. This class only counts; each resource decides how it takes some back (a cut upload, a refused
 * request). docs/decisions/0024-fair-shares.md has the rules of all of them.
 */

/** Names a client: `token:NAME` or `address:…`. */
export type ClientKey = string

export class FairShare {
  readonly capacity: number
  readonly #held = new Map<ClientKey, number>()
  #total = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** Held by all clients together. */
  get total(): number {
    return this.#total
  }

  /** Clients that hold something. */
  get clients(): number {
    return this.#held.size
  }

  held(client: ClientKey): number {
    return this.#held.get(client) ?? 0
  }

  /** Whether `amount` more is free. */
  fits(amount: number): boolean {
    return this.#total + amount <= this.capacity
  }

  /** What each client may hold while others ask, with `client` counted among them. */
  shareWith(client: ClientKey): number {
    return this.capacity / (this.#held.size + (this.#held.has(client) ? 0 : 1))
  }

  /** Whether `client` would be within its share with `amount` more. */
  mayClaim(client: ClientKey, amount: number): boolean {
    return this.held(client) + amount <= this.shareWith(client)
  }

  /** The client other than `except` that holds most. */
  heaviest(except?: ClientKey): ClientKey | undefined {
    let most = 0
    let heaviest: ClientKey | undefined
    for (const [client, amount] of this.#held) {
      if (client !== except && amount > most) {
        most = amount
        heaviest = client
      }
    }
    return heaviest
  }

  /** Counts without a check of the capacity. */
  take(client: ClientKey, amount: number): void {
    const held = this.held(client) + amount
    this.#total += amount
    if (held > 0) this.#held.set(client, held)
    else this.#held.delete(client)
  }

  give(client: ClientKey, amount: number): void {
    this.take(client, -amount)
  }
}
