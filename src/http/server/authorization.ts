/**
 * The header `Authorization`, as clients send it. The word for the kind may come in any case; CDAP's Ruby client puts the
 * whole value in single quotes. Clients of Aiven write `aivenv1` for `Bearer`.
 */
import type { IncomingMessage } from 'node:http'

const BEARER = /^\s*'?(?:bearer|aivenv1) +([^\s']+)'?\s*$/i
const BASIC = /^\s*'?basic +([A-Za-z0-9+/_-]+={0,2})'?\s*$/i

/** The secret of a `Bearer` or `aivenv1` value; undefined if there is none. */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  const { authorization } = headers
  if (authorization === undefined) return undefined
  // Nearly every request has this form. `Tokens.find` checks the secret itself.
  if (authorization.startsWith('Bearer mr_')) return authorization.slice('Bearer '.length)
  return BEARER.exec(authorization)?.[1]
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

export function basicOf({ headers }: IncomingMessage): Credentials | undefined {
  const encoded = BASIC.exec(headers.authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) }
}
