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
    /** Undefined if the parameters of the path name it: `:namespace` and `:stream`. */
    subject: Subject | undefined
  }
}

/** What a request is about, for access and audit, where an API has other parameters in its paths. */
export interface Subject {
  /** Undefined before it is known. */
  readonly namespace: string | undefined
  /** Of a table, a job or an integration. */
  readonly id?: string | undefined
}

export type HttpContext = Context<HttpEnv>
export type Handler = (c: HttpContext) => Response | Promise<Response>
