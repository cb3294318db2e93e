/** 401, as CDAP's clients look for it: where a token can be had, and what is wrong with the one that was sent. */
import type { HttpContext } from './bindings.ts'

/** No token at all, one that nobody has, one that had its time. */
export type Stranger = 'missing' | 'unknown' | 'expired'

const DESCRIPTIONS = {
  unknown: 'the token is not known',
  expired: 'the token has expired',
} as const

export function answerUnauthorized(
  c: HttpContext,
  stranger: Stranger,
  scheme: 'Bearer' | 'Basic' = 'Bearer',
): Response {
  const realm = `${scheme} realm="millrace"`
  const bad = stranger !== 'missing' && scheme === 'Bearer'
  const error = bad && { error: 'invalid_token', error_description: DESCRIPTIONS[stranger] }
  return c.body(JSON.stringify({ auth_uri: [authUri(c)], ...error }), 401, {
    'Content-Type': 'application/json',
    'WWW-Authenticate': error
      ? `${realm}, error="${error.error}", error_description="${error.error_description}"`
      : realm,
  })
}

/** A name or address, with or without a port; nothing else that a header may hold gets into an answer. */
const HOST = /^(?:[a-zA-Z0-9._-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?$/

/** Where this client came in, as it said itself: so it holds behind a proxy that passes on the host. */
function authUri(c: HttpContext): string {
  const { headers, socket } = c.env.incoming
  const encrypted = 'encrypted' in socket || headers['x-forwarded-proto'] === 'https'
  const host = HOST.test(headers.host ?? '')
    ? headers.host
    : `${inUrl(socket.localAddress)}:${socket.localPort}`
  return `${encrypted ? 'https' : 'http'}://${host}/token`
}

function inUrl(address = '127.0.0.1'): string {
  return address.includes(':') ? `[${address}]` : address
}
