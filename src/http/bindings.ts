/** What every handler gets from the server: node's own request and answer, beside Hono's context. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'

export interface HttpEnv {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse }
}

export type HttpContext = Context<HttpEnv>
