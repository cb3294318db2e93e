/**
 * The changes of a cached query, as they are published. The answer ends when the client disconnects, when the query is deleted, after
 * `--max-read-seconds`, when the token loses its grant, and when the service stops; but for the first it says so.
 *
 * A client gets the next item when its socket has taken the one before. Items wait in the query service, within its limits.
 */
import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { QueryItem, QueryService } from '../../cached-queries/query-service.ts'
import type { AppOptions } from '../api.ts'
import { assertAcceptable, preference } from '../messages/accept.ts'
import { ALREADY_SENT } from '../messages/long-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import { mayRead } from './access.ts'
import { type ChangeTexts, type EndReason, lineTexts, sseTexts } from './change-texts.ts'
import { type Heartbeats, heartbeatsOf } from './heartbeats.ts'
import { readableQuery } from './query-of.ts'

const SSE = 'text/event-stream'
const LINES = 'application/x-ndjson'
/** A long item is written in pieces of this many characters. */
const PIECE_CHARS = 64 * 1024

export function changesRoute(service: QueryService, options: AppOptions) {
  const { limits, openAnswers, followers, nowMs, report } = options
  const spread = new Spread()
  return async (c: HttpContext): Promise<Response> => {
    const query = readableQuery(c, service)
    const heartbeats = heartbeatsOf(c, limits.idleSeconds * 1000, spread)
    assertAcceptable(c, SSE, LINES)
    const accept = c.req.header('accept')
    const isLines = preference(accept, LINES).quality > preference(accept, SSE).quality
    const texts = (isLines ? lineTexts : sseTexts)(query.columns)
    const headers = { 'Content-Type': texts.contentType, 'X-Accel-Buffering': 'no', Vary: 'Accept' }
    if (c.req.method === 'HEAD') return c.body(null, 200, headers)
    // A browser repeats the URL when it reconnects, and adds the header.
    const after = c.req.header('last-event-id') || c.req.query('after')
    const { incoming, outgoing } = c.env
    const sending = new Sending(outgoing, texts, after)
    const leave = followers.enter(clientKey(incoming, c.get('client')), () => sending.close())
    const unwatch = openAnswers.watch(
      c,
      () => sending.end('revoked'),
      (client) => mayRead(client, query),
    )
    const { socket } = incoming
    const gone = () => sending.close()
    socket.once('end', gone) // a client that closes its side has disconnected
    let stopTimers = () => {}
    try {
      const items = service.changes(query.id, {
        ...(after && { after }),
        signal: sending.signal,
        tooSlow: () => sending.cut(),
      })
      const iterator = items[Symbol.asyncIterator]()
      const first = iterator.next()
      await Promise.race([first, nextTurn()]) // a cursor that is none is refused before there is a status
      outgoing.writeHead(200, headers)
      outgoing.flushHeaders()
      stopTimers = startTimers(sending, heartbeats, spread.near(limits.maxReadSeconds * 1000), nowMs)
      await sending.sendAll(first, iterator)
    } catch (error) {
      if (!outgoing.headersSent) throw error
      report(error)
      outgoing.destroy()
    } finally {
      stopTimers()
      sending.close()
      unwatch()
      socket.off('end', gone)
      leave()
    }
    return ALREADY_SENT
  }
}

/** Numbers just below 1, spread evenly, so that clients that came together do not all end together. */
export class Spread {
  #last = 0

  near(value: number): number {
    this.#last = (this.#last + 0.618_034) % 1
    return value * (1 - 0.1 * this.#last)
  }
}

function startTimers(
  sending: Sending,
  { everyMs, asEvent }: Heartbeats,
  lifetimeMs: number,
  nowMs: () => number,
): () => void {
  const lifetime = setTimeout(() => sending.end('lifetime'), lifetimeMs).unref()
  const beat = everyMs && setInterval(() => sending.beat(everyMs, asEvent, nowMs()), everyMs / 4).unref()
  return () => {
    clearTimeout(lifetime)
    if (beat) clearInterval(beat)
  }
}

class Sending {
  readonly #outgoing: ServerResponse
  readonly #texts: ChangeTexts
  readonly #controller = new AbortController()
  #cursor: string | undefined
  /** A part of an item is written, and the rest is not. */
  #isInside = false
  #wroteAtMs = performance.now()

  constructor(outgoing: ServerResponse, texts: ChangeTexts, cursor: string | undefined) {
    this.#outgoing = outgoing
    this.#texts = texts
    this.#cursor = cursor
    outgoing.once('close', () => this.#controller.abort())
  }

  /** Aborted when nothing more is to be sent. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  async sendAll(
    first: Promise<IteratorResult<QueryItem>>,
    iterator: AsyncIterator<QueryItem>,
  ): Promise<void> {
    if (this.#texts.opening !== '') this.#outgoing.write(this.#texts.opening)
    for (let next = await first; !next.done; next = await iterator.next()) {
      const item = next.value
      if (this.signal.aborted) break
      if (item.event === 'end') {
        this.#cursor = item.cursor ?? this.#cursor
        this.end(item.reason)
        break
      }
      await this.#send(item)
    }
    await iterator.return?.()
  }

  async #send(item: Exclude<QueryItem, { event: 'end' }>): Promise<void> {
    let piece = ''
    this.#isInside = true
    for (const part of this.#texts.item(item)) {
      piece += part
      if (piece.length < PIECE_CHARS) continue
      await this.#write(piece)
      await nextTurn()
      if (this.signal.aborted) return
      piece = ''
    }
    const written = this.#write(piece)
    this.#isInside = false
    if ('cursor' in item) this.#cursor = item.cursor
    await written
  }

  /** Resolves when the client has taken enough for the next piece, or nothing more is to be sent. */
  async #write(text: string): Promise<void> {
    this.#wroteAtMs = performance.now()
    if (this.signal.aborted || this.#outgoing.write(text)) return
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#outgoing.off('drain', done)
        this.signal.removeEventListener('abort', done)
        resolve()
      }
      this.#outgoing.once('drain', done)
      this.signal.addEventListener('abort', done)
    })
  }

  beat(everyMs: number, asEvent: boolean, nowMs: number): void {
    const isIdle = performance.now() - this.#wroteAtMs >= everyMs * 0.75
    if (!isIdle || this.#isInside || this.signal.aborted || this.#outgoing.writableNeedDrain) return
    void this.#write(this.#texts.heartbeat(asEvent, nowMs, this.#cursor))
  }

  /** Says why, unless it would stand inside of an item. */
  end(reason: EndReason): void {
    if (this.signal.aborted) return
    if (!this.#isInside && this.#outgoing.headersSent)
      this.#outgoing.write(this.#texts.end(reason, this.#cursor))
    this.close()
  }

  /** Within an item: the client sees a body without its end. */
  cut(): void {
    this.#controller.abort()
    this.#outgoing.destroy()
  }

  close(): void {
    this.#controller.abort()
    if (this.#outgoing.headersSent) this.#outgoing.end()
  }
}
