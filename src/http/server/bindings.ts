/** What every handler gets: node's own request and answer, beside Hono's context, and who asks. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'
import type { Client } from '../../auth/tokens.ts'
import type { Access } from './access.ts'

export interface HttpEnv {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse }
  /** Null is a stranger; undefined means that nobody is asked for a token. */
  Variables: {
    client: Client | null | undefined
    /** What the route asks of a client, once it was let in. */
    access: Access | undefined
  }
}

export type HttpContext = Context<HttpEnv>
export type Handler = (c: HttpContext) => Response | Promise<Response>
