/** The context of every handler: Hono's own, node's request and answer, and the client. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Context } from 'hono'
import type { Client } from '../../auth/tokens.ts'
import type { Access } from './access.ts'

export interface HttpEnv {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse }
  Variables: {
    /** Null without a valid token; undefined if tokens are not required. */
    client: Client | null | undefined
    /** The access that the route requires; undefined before the guard has checked it. */
    access: Access | undefined
  }
}

export type HttpContext = Context<HttpEnv>
export type Handler = (c: HttpContext) => Response | Promise<Response>
