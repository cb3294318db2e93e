/**
 * The token file as text: JSON, made for `millrace token`, but people may read and write it, too.
 *
 *   {"format": 1, "tokens": [{
 *     "name": "shop",                        [A-Za-z0-9._-]+, at most 64
 *     "hash": "9f86d081…",                   SHA-256 of the secret (token-hash.ts)
 *     "grants": ["default:orders-*:write"],  at least one (grants.ts)
 *     "created": "2027-01-31T12:00:00.000Z", for people
 *     "expires": "2028-01-31T12:00:00.000Z", absent: never
 *     "eventsPerSecond": 1000,               absent: no limit
 *     "bytesPerSecond": 1048576              absent: no limit
 *   }]}
 *
 * It is parsed strictly: a misspelt "expires" that is ignored would make a token that never expires. Errors name the problem
 * and repeat only names and grants, never hashes.
 */
import { type Grant, parseGrant, printGrant } from './grants.ts'
import { isSecret, parseTokenHash, type TokenHash } from './token-hash.ts'
import { TokenProblem } from './token-problem.ts'

const FORMAT = 1
const NAME = /^[A-Za-z0-9._-]{1,64}$/
const INSTANT =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,3})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})$/
/** 1 TB, or as many events, in a second: more than any machine takes. */
export const RATE_MOST = 1_000_000_000_000

export interface TokenEntry {
  readonly name: string
  readonly hash: TokenHash
  readonly grants: readonly Grant[]
  readonly createdMs?: number | undefined
  /** The token is good before this moment. */
  readonly expiresMs?: number | undefined
  readonly eventsPerSecond?: number | undefined
  readonly bytesPerSecond?: number | undefined
}

/** Throws TokenProblem. */
export function parseTokenFile(text: string): TokenEntry[] {
  const { format, tokens } = objectWith(parseJson(text), 'the file', ['format', 'tokens'])
  if (format !== FORMAT) {
    throw new TokenProblem(`its "format" is not ${FORMAT}, the only one this Millrace knows`)
  }
  if (!Array.isArray(tokens)) throw new TokenProblem('its "tokens" are not a list')
  const entries = tokens.map((token, i) => parseEntry(token, `token ${i + 1}`))
  assertUnique(entries, ({ name }) => name, 'name')
  assertUnique(entries, ({ hash }) => hash, 'hash')
  return entries
}

export function printTokenFile(entries: readonly TokenEntry[]): string {
  const tokens = entries.map(
    ({ name, hash, grants, createdMs, expiresMs, eventsPerSecond, bytesPerSecond }) => ({
      name,
      hash,
      grants: grants.map(printGrant),
      created: createdMs === undefined ? undefined : printInstant(createdMs),
      expires: expiresMs === undefined ? undefined : printInstant(expiresMs),
      eventsPerSecond,
      bytesPerSecond,
    }),
  )
  return `${JSON.stringify({ format: FORMAT, tokens }, undefined, 2)}\n`
}

/** Throws TokenProblem. */
export function parseTokenName(text: unknown): string {
  if (typeof text === 'string' && isSecret(text)) {
    throw new TokenProblem('a secret stands where the name of a token belongs')
  }
  if (typeof text === 'string' && NAME.test(text)) return text
  throw new TokenProblem('the name of a token is 1 to 64 letters, digits, dots, hyphens and underscores')
}

/** A moment with its zone, to milliseconds since 1970. Throws TokenProblem. */
export function parseInstant(text: unknown): number {
  const ms = typeof text === 'string' && INSTANT.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw new TokenProblem('a moment is written like 2027-01-31T12:00:00Z')
  return ms
}

export function printInstant(ms: number): string {
  return new Date(ms).toISOString()
}

/** Throws TokenProblem. */
export function parseRate(number: unknown): number {
  if (Number.isInteger(number) && (number as number) >= 1 && (number as number) <= RATE_MOST) {
    return number as number
  }
  throw new TokenProblem(`a rate is a whole number from 1 to ${RATE_MOST}`)
}

function parseEntry(json: unknown, place: string): TokenEntry {
  const entry = objectWith(json, place, [
    'name',
    'hash',
    'grants',
    'created',
    'expires',
    'eventsPerSecond',
    'bytesPerSecond',
  ])
  const name = inPlace(place, () => parseTokenName(entry.name))
  return inPlace(`token '${name}'`, () => ({
    name,
    hash: parseTokenHash(entry.hash),
    grants: parseGrants(entry.grants),
    createdMs: optional(entry.created, parseInstant),
    expiresMs: optional(entry.expires, parseInstant),
    eventsPerSecond: optional(entry.eventsPerSecond, parseRate),
    bytesPerSecond: optional(entry.bytesPerSecond, parseRate),
  }))
}

function parseGrants(json: unknown): Grant[] {
  if (Array.isArray(json) && json.length > 0 && json.every((one) => typeof one === 'string')) {
    return json.map(parseGrant)
  }
  throw new TokenProblem('its grants are not a list of at least one text')
}

/** The message of JSON.parse quotes the text around the mistake, and that may be a hash. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TokenProblem('it is not JSON')
  }
}

function objectWith(json: unknown, place: string, known: readonly string[]): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new TokenProblem(`${place} is not a JSON object`)
  }
  const unknown = Object.keys(json).find((key) => !known.includes(key))
  if (unknown !== undefined) {
    throw new TokenProblem(`${place} has a member that is none of ${known.join(', ')}`)
  }
  return json as Record<string, unknown>
}

function inPlace<T>(place: string, parse: () => T): T {
  try {
    return parse()
  } catch (problem) {
    if (!(problem instanceof TokenProblem)) throw problem
    throw new TokenProblem(`${place}: ${problem.message}`)
  }
}

function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : parse(value)
}

function assertUnique(
  entries: readonly TokenEntry[],
  key: (entry: TokenEntry) => string,
  what: string,
): void {
  const seen = new Map<string, string>()
  for (const entry of entries) {
    const before = seen.get(key(entry))
    if (before !== undefined) {
      throw new TokenProblem(`tokens '${before}' and '${entry.name}' have the same ${what}`)
    }
    seen.set(key(entry), entry.name)
  }
}
