/**
 * The sizes of a stream as server-sent events, one for each notification, until the client goes, has had as many as it
 * asked for, or the service stops. A comment in between keeps proxies from taking the connection for dead.
 */
import type { ServerResponse } from 'node:http'
import type { SizeFeed } from '../notifications/size-feed.ts'
import { ServiceError } from '../service-error.ts'
import type { Streams } from '../streams/streams.ts'
import { assertAcceptable } from './accept.ts'
import type { HttpContext } from './bindings.ts'
import { ALREADY_SENT } from './long-answer.ts'
import { streamOf } from './path-names.ts'

/** Each is a connection; more are refused. */
const FOLLOWERS_MAX = 512
/** Shorter than what any proxy takes for silence; with a short `idleSeconds` half of that, for the door does the same. */
const BEAT_MS = 15_000
/** A client that takes none of so many bytes is given up. */
const UNTAKEN_BYTES_MAX = 64 * 1024

const HEADERS = { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' }

export interface SizeEventOptions {
  readonly limits: { readonly maxReadSeconds: number; readonly idleSeconds: number }
}

export function sizeEventsRoute(streams: Streams, feed: SizeFeed, { limits }: SizeEventOptions) {
  const beatMs = Math.min(BEAT_MS, limits.idleSeconds * 500)
  let followers = 0
  return async (c: HttpContext): Promise<Response> => {
    const stream = streams.get(streamOf(c))
    const limit = parseLimit(c.req.query('limit'))
    assertAcceptable(c, 'text/event-stream')
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS)
    if (followers >= FOLLOWERS_MAX) {
      throw new ServiceError(
        'overloaded',
        `${followers} clients follow notifications, and no more are let in`,
      )
    }
    const { outgoing } = c.env
    const closed = new Promise<void>((resolve) => outgoing.once('close', resolve))
    const { socket } = c.env.incoming
    const end = () => outgoing.end()
    socket.once('end', end) // a client that closes its side has gone
    followers++
    outgoing.writeHead(200, HEADERS)
    outgoing.flushHeaders()
    let left = limit
    const unsubscribe = feed.subscribe(stream, {
      notify({ timestampMs, size }) {
        if (left <= 0) return
        send(outgoing, `event: size\ndata: ${JSON.stringify({ timestamp: timestampMs, size })}\n\n`)
        if (--left === 0) outgoing.end()
      },
      end,
    })
    const beat = setInterval(() => send(outgoing, ':\n\n'), beatMs).unref()
    const deadline = setTimeout(end, limits.maxReadSeconds * 1000).unref()
    await closed
    clearInterval(beat)
    clearTimeout(deadline)
    socket.off('end', end)
    unsubscribe()
    followers--
    return ALREADY_SENT
  }
}

function send(outgoing: ServerResponse, text: string): void {
  if (outgoing.writableEnded || outgoing.destroyed) return
  if (outgoing.writableLength > UNTAKEN_BYTES_MAX) outgoing.destroy()
  else outgoing.write(text)
}

function parseLimit(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY
  if (/^[0-9]{1,9}$/.test(text) && Number(text) > 0) return Number(text)
  throw new ServiceError('invalid_parameter', `limit is '${text}'; use a whole number above 0`)
}
