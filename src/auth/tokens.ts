/** The tokens that are good now: from a secret to whoever holds it. */
import { Grants, printGrant } from './grants.ts'
import { RateLimit } from './rate-limit.ts'
import type { TokenEntry } from './token-file.ts'
import { bytesOfHash, hashOfSecret, isSecret, sameHash, type TokenHash } from './token-hash.ts'

/** Whoever sent a good token. */
export interface Client {
  readonly name: string
  /** Of its secret: a token of the same name with another secret is another client to what the first one left. */
  readonly hash: TokenHash
  readonly grants: Grants
  /** Undefined: never. */
  readonly expiresMs: number | undefined
  /** Undefined: as fast as it likes. */
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
   * Which hash is tried can be measured from outside, but to try one means to know a secret that has it: so a look-up in
   * a map gives nothing away.
   */
  #byHash: ReadonlyMap<string, Known> = new Map()
  #byName: ReadonlyMap<string, Known> = new Map()

  /** From now on these are good and no others. A token that stays as it was keeps what it has used of its rate. */
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

  /** The token of this name as it is now, with whatever secret; undefined if there is none that is good. */
  named(name: string, nowMs: number): Client | undefined {
    const client = this.#byName.get(name)?.client
    return client !== undefined && !isExpired(client, nowMs) ? client : undefined
  }

  /** The token whose secret has this hash; undefined if there is none that is good. */
  ofHash(hash: string, nowMs: number): Client | undefined {
    const client = this.#byHash.get(hash)?.client
    return client !== undefined && !isExpired(client, nowMs) ? client : undefined
  }

  /** What a client that was found earlier may do now; undefined if its secret is good no more. */
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
