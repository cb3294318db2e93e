/** The secret of a new token. It is shown once, to the client that asked for it; files keep its hash. */
import { randomBytes } from 'node:crypto'
import { SECRET_RANDOM_BYTES, secretFrom } from './token-hash.ts'

export function newSecret(): string {
  return secretFrom(randomBytes(SECRET_RANDOM_BYTES))
}
