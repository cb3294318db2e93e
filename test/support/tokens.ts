/** Token files for tests, with secrets that are known. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { parseGrant } from '../../src/auth/grants.ts'
import { printTokenFile, type TokenEntry } from '../../src/auth/token-file.ts'
import { hashOfSecret, secretFrom } from '../../src/auth/token-hash.ts'

export interface TestToken extends Partial<Omit<TokenEntry, 'grants'>> {
  readonly name: string
  readonly grants?: readonly string[]
}

export const ALL = '*:*:read,write,admin'

/** A secret of the right form that only this number gives. */
export function secretNumber(number: number): string {
  return secretFrom(Buffer.alloc(32, number))
}

export function tokenEntry({ name, grants = [ALL], ...more }: TestToken, secret: string): TokenEntry {
  return { name, hash: hashOfSecret(secret), grants: grants.map(parseGrant), ...more }
}

export interface TestTokens {
  readonly path: string
  /** Name of a token -> its secret. */
  readonly secrets: Readonly<Record<string, string>>
  /** `Authorization` of the token with this name. */
  bearer(name: string): { Authorization: string }
}

/** Gone when the test is over. */
export async function tokenFile(tokens: readonly TestToken[]): Promise<TestTokens> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-tokens-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'tokens.json')
  const secrets = Object.fromEntries(tokens.map(({ name }, i) => [name, secretNumber(i + 1)]))
  const entries = tokens.map((token) => tokenEntry(token, secrets[token.name]!))
  await writeFile(path, printTokenFile(entries), { mode: 0o600 })
  return { path, secrets, bearer: (name) => ({ Authorization: `Bearer ${secrets[name]}` }) }
}
