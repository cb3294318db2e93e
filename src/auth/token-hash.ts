/**
 * Secrets of tokens, and the hashes that stand for them in the token file.
 *
 *   secret: 'mr_' and 32 random bytes as base64url, 43 characters
 *   hash:   SHA-256 of the secret's text, 64 hexadecimal digits in lower case
 *
 * A slow hash protects what people choose, because it can be guessed. 256 random bits cannot be, so a fast one is as safe,
 * and it is computed for every request.
 */
import { hash, timingSafeEqual } from 'node:crypto'
import { TokenProblem } from './token-problem.ts'

export const SECRET_RANDOM_BYTES = 32

const PREFIX = 'mr_'
const SECRET = /^mr_[A-Za-z0-9_-]{43}$/
const SECRETS_IN_TEXT = /mr_[A-Za-z0-9_-]{43,}/g
const HASH = /^[0-9a-f]{64}$/

declare const brand: unique symbol
export type TokenHash = string & { readonly [brand]: 'TokenHash' }

/** `random` is SECRET_RANDOM_BYTES bytes from a cryptographic source. */
export function secretFrom(random: Uint8Array): string {
  if (random.length !== SECRET_RANDOM_BYTES) throw new TokenProblem('a secret is made of 32 random bytes')
  return PREFIX + Buffer.from(random).toString('base64url')
}

/** Whether a text has the form of a secret: others need not be hashed. */
export function isSecret(text: string): boolean {
  return text.length === PREFIX.length + 43 && SECRET.test(text)
}

export function hashOfSecret(secret: string): TokenHash {
  return hash('sha256', secret, 'hex') as TokenHash
}

/** Throws TokenProblem, which does not repeat the text: it may be a secret in the wrong place. */
export function parseTokenHash(text: unknown): TokenHash {
  if (typeof text === 'string' && HASH.test(text)) return text as TokenHash
  throw new TokenProblem('its hash is not 64 hexadecimal digits in lower case')
}

export function bytesOfHash(hash: TokenHash): Buffer {
  return Buffer.from(hash, 'latin1')
}

/** In constant time. */
export function sameHash(one: Buffer, other: TokenHash): boolean {
  return timingSafeEqual(one, bytesOfHash(other))
}

/** For all printed text: a secret that a client sent in the wrong place must not appear in a log or an answer. */
export function withoutSecrets(text: string): string {
  return text.includes(PREFIX) ? text.replace(SECRETS_IN_TEXT, `${PREFIX}…`) : text
}
