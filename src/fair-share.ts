/**
 * One bounded resource that clients share: memory of bodies, long reads, followers, queries, connections.
 *
 * A client is a token, or without tokens a network address. A single client may take everything. As soon as another
 * client asks, the share of each is the capacity divided by the number of clients, and the client that holds most
 * (`heaviest`) has to release some. This class only counts. Each resource has its own way to take some back, for
 * example by cutting an upload or refusing a request. docs/decisions/0024-fair-shares.md has the rules of all
 * resources.
 */

/** The key of a client: `token:NAME` or `address:…`. */
export type ClientKey = string

export class FairShare {
  readonly capacity: number
  readonly #held = new Map<ClientKey, number>()
  #total = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** The amount that all clients hold together. */
  get total(): number {
    return this.#total
  }

  /** The number of clients that hold something. */
  get clients(): number {
    return this.#held.size
  }

  held(client: ClientKey): number {
    return this.#held.get(client) ?? 0
  }

  /** Whether this amount is free. */
  fits(amount: number): boolean {
    return this.#total + amount <= this.capacity
  }

  /** The share of each client while others ask, with `client` included in their number. */
  shareWith(client: ClientKey): number {
    return this.capacity / (this.#held.size + (this.#held.has(client) ? 0 : 1))
  }

  /** Whether `client` would stay within its share if it held `amount` more. */
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

  /** Counts the amount without checking the capacity. */
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
