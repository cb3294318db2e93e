/** Node's requests -> the Hono application: the only file that knows its adapter. */
import type { IncomingMessage, RequestListener } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'
import type { HttpEnv } from './server/bindings.ts'
import type { ShapeOf } from './server/problem.ts'

/** `hostname` is for requests that name no host, as HTTP/1.0 may. */
export function honoListener(app: Hono<HttpEnv>, hostname: string, shapeOf: ShapeOf): RequestListener {
  // The adapter calls errorHandler before its listener returns, and does not say for which request.
  let current: IncomingMessage
  const listener = getRequestListener(app.fetch as Parameters<typeof getRequestListener>[0], {
    hostname,
    errorHandler: (error) => answerUnreadable(error, current, shapeOf),
  })
  return (incoming, outgoing) => {
    current = incoming
    void listener(incoming, outgoing)
  }
}

/** Every request that has a path is answered by the app; this is for one that no path can be read from. */
function answerUnreadable(error: unknown, { url, headers }: IncomingMessage, shapeOf: ShapeOf): Response {
  const reason = error instanceof Error ? error.message : String(error)
  const problem = {
    status: 400,
    code: 'unreadable_request',
    text: `the request cannot be read: ${reason}`,
  } as const
  const { contentType, text } = shapeOf(url, headers.accept)(problem)
  return new Response(text, { status: 400, headers: { 'Content-Type': contentType } })
}
