/**
 * `GET /token`, where CDAP's clients fetch what they send from then on: name and secret of a token as Basic credentials,
 * and back comes the secret, as a Bearer token. It makes nothing: `millrace token` does.
 */
import type { Tokens } from '../../auth/tokens.ts'
import type { HttpContext } from '../messages/bindings.ts'
import { basicOf } from '../server/authorization.ts'
import { answerUnauthorized, type PublicAddress } from '../server/unauthorized.ts'

/** What a token without an end is said to last: clients add it to the time of day, and come back then. */
const YEAR_SECONDS = 365 * 86_400

export function tokenRoutes(tokens: Tokens, nowMs: () => number, address: PublicAddress) {
  return {
    token(c: HttpContext) {
      const credentials = basicOf(c.env.incoming)
      if (credentials === undefined) return answerUnauthorized(c, 'missing', address, 'Basic')
      const now = nowMs()
      const client = tokens.find(credentials.password, now)
      if (typeof client === 'string') return answerUnauthorized(c, client, address, 'Basic')
      if (client.name !== credentials.user) return answerUnauthorized(c, 'unknown', address, 'Basic')
      const { expiresMs } = client
      const answer = {
        access_token: credentials.password,
        token_type: 'Bearer',
        expires_in: expiresMs === undefined ? YEAR_SECONDS : Math.floor((expiresMs - now) / 1000),
      }
      return c.body(JSON.stringify(answer), 200, {
        'Content-Type': 'application/json',
      })
    },
  }
}
