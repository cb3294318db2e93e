/** 401 as CDAP's clients expect it: where to get a token, and what is wrong with the one that was sent. */
import type { Socket } from 'node:net'
import type { Problem } from './problem.ts'

/** The request has no token, an unknown one, or an expired one. */
export type Unauthenticated = 'missing' | 'unknown' | 'expired'

const DESCRIPTIONS = {
  unknown: 'the token is not known',
  expired: 'the token has expired',
} as const

/** `address` is the service's, as this client reaches it. */
export function unauthorized(
  unauthenticated: Unauthenticated,
  address: string,
  scheme: 'Bearer' | 'Basic' = 'Bearer',
): Problem {
  const realm = `${scheme} realm="millrace"`
  const tokenUrl = `${address}/token`
  const isBad = unauthenticated !== 'missing' && scheme === 'Bearer'
  const error = isBad ? 'invalid_token' : undefined
  const description = isBad ? DESCRIPTIONS[unauthenticated] : undefined
  return {
    status: 401,
    code: 'unauthenticated',
    text: description ?? `send a token, as ${scheme} in the header Authorization`,
    headers: {
      'WWW-Authenticate': isBad ? `${realm}, error="${error}", error_description="${description}"` : realm,
    },
    challenge: { tokenUrl, error, description },
  }
}

/** The URL of the service without a path, for the client of this connection. */
export type PublicAddress = (socket: Pick<Socket, 'localAddress' | 'localPort'>) => string

/** Addresses that stand for all addresses of a machine. */
const ALL_ADDRESSES = new Set(['0.0.0.0', '::', '::ffff:0.0.0.0'])

/**
 * The configured address, never one from a request: a forged header would send the client, and its password, to another
 * host. A host that stands for all addresses of the machine (`address` is the resolved one) is reported as
 * the address that the client has reached.
 */
export function publicAddress(host: string, address: string, publicUrl?: string): PublicAddress {
  if (publicUrl !== undefined) return () => publicUrl
  return (socket) => {
    const scheme = 'encrypted' in socket ? 'https' : 'http'
    const name = ALL_ADDRESSES.has(address) ? (socket.localAddress ?? '127.0.0.1') : host
    return `${scheme}://${inUrl(name.replace(/^::ffff:(?=[0-9.]+$)/i, ''))}:${socket.localPort}`
  }
}

function inUrl(address: string): string {
  return address.includes(':') && !address.startsWith('[') ? `[${address}]` : address
}
