/** The valid tokens: finds the client for a secret. */
import { Grants, printGrant } from './grants.ts'
import { RateLimit } from './rate-limit.ts'
import type { TokenEntry } from './token-file.ts'
import { bytesOfHash, hashOfSecret, isSecret, sameHash, type TokenHash } from './token-hash.ts'

/** A client that sent a valid token. */
export interface Client {
  readonly name: string
  /** Of its secret: a token of the same name with another secret is another client to what the first one left. */
  readonly hash: TokenHash
  readonly grants: Grants
  /** Undefined: never. */
  readonly expiresMs: number | undefined
  /** Undefined: no limit. */
  readonly rate: RateLimit | undefined
}

/** Names of tokens. One with another secret or other rights is a changed one. */
export interface TokensChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

interface Known {
  readonly hash: TokenHash
  readonly hashBytes: Buffer
  readonly client: Client
  /** The entry as text: whether it has changed. */
  readonly text: string
}

export class Tokens {
  /**
   * A client can measure which hash is looked up, but it must know a secret to choose the hash. So a look-up in a map reveals
   * nothing.
   */
  #byHash: ReadonlyMap<string, Known> = new Map()
  #byName: ReadonlyMap<string, Known> = new Map()

  /** Replaces all tokens. A token that did not change keeps the state of its rate limit. */
  replace(entries: readonly TokenEntry[], nowMs: number): TokensChange {
    const before = this.#byName
    const known = entries.map((entry): Known => {
      const text = textOf(entry)
      const same = before.get(entry.name)
      if (same?.text === text) return same
      const { hash } = entry
      return { hash, hashBytes: bytesOfHash(hash), client: clientOf(entry, nowMs), text }
    })
    this.#byHash = new Map(known.map((one) => [one.hash, one]))
    this.#byName = new Map(known.map((one) => [one.client.name, one]))
    const names = known.map(({ client }) => client.name)
    return {
      added: names.filter((name) => !before.has(name)),
      removed: [...before.keys()].filter((name) => !this.#byName.has(name)),
      changed: names.filter((name) => before.has(name) && before.get(name) !== this.#byName.get(name)),
    }
  }

  find(secret: string, nowMs: number): Client | 'unknown' | 'expired' {
    if (!isSecret(secret)) return 'unknown'
    const hash = hashOfSecret(secret)
    const known = this.#byHash.get(hash)
    if (known === undefined || !sameHash(known.hashBytes, hash)) return 'unknown'
    const { client } = known
    return isExpired(client, nowMs) ? 'expired' : client
  }

  *valid(nowMs: number): Generator<Client> {
    for (const { client } of this.#byName.values()) if (!isExpired(client, nowMs)) yield client
  }

  /** The current token of this name, whatever its secret; undefined if there is no valid one. */
  named(name: string, nowMs: number): Client | undefined {
    const client = this.#byName.get(name)?.client
    return client !== undefined && !isExpired(client, nowMs) ? client : undefined
  }

  /** The token whose secret has this hash; undefined if there is no valid one. */
  ofHash(hash: string, nowMs: number): Client | undefined {
    const client = this.#byHash.get(hash)?.client
    return client !== undefined && !isExpired(client, nowMs) ? client : undefined
  }

  /** The current rights of a client that was found earlier; undefined if its secret is not valid any more. */
  now({ name, hash }: Client, nowMs: number): Client | undefined {
    const client = this.named(name, nowMs)
    return client?.hash === hash ? client : undefined
  }
}

function isExpired({ expiresMs }: Client, nowMs: number): boolean {
  return expiresMs !== undefined && nowMs >= expiresMs
}

function clientOf(entry: TokenEntry, nowMs: number): Client {
  const { name, hash, grants, expiresMs, eventsPerSecond, bytesPerSecond } = entry
  const limited = eventsPerSecond !== undefined || bytesPerSecond !== undefined
  return {
    name,
    hash,
    grants: new Grants(grants),
    expiresMs,
    rate: limited ? new RateLimit(entry, nowMs) : undefined,
  }
}

function textOf({ hash, grants, expiresMs, eventsPerSecond, bytesPerSecond }: TokenEntry): string {
  return JSON.stringify([hash, grants.map(printGrant), expiresMs, eventsPerSecond, bytesPerSecond])
}
