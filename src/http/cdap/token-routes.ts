/**
 * `GET /token`, where CDAP's clients get a token: they send name and secret of a token as Basic credentials, and the answer has
 * the secret as a Bearer token. It creates none: `millrace token` does.
 */
import type { Tokens } from '../../auth/tokens.ts'
import { basicOf } from '../server/authorization.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answerProblem } from '../server/problem.ts'
import { type PublicAddress, type Unauthenticated, unauthorized } from '../server/unauthorized.ts'
import { cdapShapeOf } from './problem-shape.ts'

/** Reported for a token that does not expire: clients request it again after this time. */
const YEAR_SECONDS = 365 * 86_400

export function tokenRoutes(tokens: Tokens, nowMs: () => number, address: PublicAddress) {
  const refuse = (c: HttpContext, unauthenticated: Unauthenticated) =>
    answerProblem(c, unauthorized(unauthenticated, address(c.env.incoming.socket), 'Basic'), cdapShapeOf)
  return {
    token(c: HttpContext) {
      const credentials = basicOf(c.env.incoming)
      if (credentials === undefined) return refuse(c, 'missing')
      const now = nowMs()
      const client = tokens.find(credentials.password, now)
      if (typeof client === 'string') return refuse(c, client)
      if (client.name !== credentials.user) return refuse(c, 'unknown')
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
