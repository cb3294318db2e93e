/**
 * The sizes of a stream as server-sent events, one for each notification. The answer ends when the client disconnects, has
 * received as many as it requested, loses its access, or the service stops. Comments keep proxies from closing an idle
 * connection.
 */
import type { ServerResponse } from 'node:http'
import type { SizeFeed } from '../../notifications/size-feed.ts'
import { ServiceError } from '../../service-error.ts'
import type { Streams } from '../../streams/streams.ts'
import { assertAcceptable } from '../messages/accept.ts'
import { ALREADY_SENT } from '../messages/long-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import type { Followers } from '../server/followers.ts'
import type { OpenAnswers } from '../server/open-answers.ts'
import { streamOf } from '../server/path-names.ts'

/** Shorter than the idle limit of any proxy; at most half of our own `idleSeconds`. */
const BEAT_MS = 15_000
/** A client that leaves this many bytes unread is disconnected. */
const UNTAKEN_BYTES_MAX = 64 * 1024

const HEADERS = { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' }

export interface SizeEventOptions {
  readonly limits: {
    readonly maxReadSeconds: number
    readonly idleSeconds: number
  }
  readonly openAnswers: OpenAnswers
  readonly followers: Followers
}

export function sizeEventsRoute(
  streams: Streams,
  feed: SizeFeed,
  { limits, openAnswers, followers }: SizeEventOptions,
) {
  const beatMs = Math.min(BEAT_MS, limits.idleSeconds * 500)
  return async (c: HttpContext): Promise<Response> => {
    const stream = streams.get(streamOf(c))
    const limit = parseLimit(c.req.query('limit'))
    assertAcceptable(c, 'text/event-stream')
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS)
    const { incoming, outgoing } = c.env
    const end = () => outgoing.end()
    const leave = followers.enter(clientKey(incoming, c.get('client')), end)
    const closed = new Promise<void>((resolve) => outgoing.once('close', resolve))
    const unwatch = openAnswers.watch(c, end)
    const { socket } = incoming
    socket.once('end', end) // a client that closes its side has disconnected
    outgoing.writeHead(200, HEADERS)
    outgoing.flushHeaders()
    let left = limit
    const unsubscribe = feed.subscribe(stream, {
      notify({ timestampMs, size }) {
        if (left <= 0) return
        send(outgoing, `event: size\ndata: ${JSON.stringify({ timestamp: timestampMs, size })}\n\n`)
        if (--left === 0) end()
      },
      end,
    })
    const beat = setInterval(() => send(outgoing, ':\n\n'), beatMs).unref()
    const deadline = setTimeout(end, limits.maxReadSeconds * 1000).unref()
    await closed
    clearInterval(beat)
    clearTimeout(deadline)
    unwatch()
    socket.off('end', end)
    unsubscribe()
    leave()
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
