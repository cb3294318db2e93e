/** Refusals of requests before anything is done for them: at little cost, and without keeping the body. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConstantHeaders } from './answer-class.ts'

/** Seconds after which a client should retry. */
export const RETRY_AFTER_SECONDS = 1
/** A body up to this length is read and dropped, so that the connection goes on with its next request. */
const DROPPED_BYTES_MAX = 64 * 1024
/** With a larger body the client has this long to notice the answer, then the connection is closed. */
const NOTICE_MS = 1_000
/** … or after this many bytes. */
const NOTICE_BYTES = 4 * 1024 * 1024

/** 503 with one sentence and `Retry-After`: made once, used often. */
export class Refusal {
  readonly #sentence: string
  readonly #headers: ConstantHeaders

  constructor(sentence: string) {
    this.#sentence = sentence
    this.#headers = new ConstantHeaders({
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(sentence)),
      'Retry-After': `${RETRY_AFTER_SECONDS}`,
    })
  }

  answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    outgoing.writeHead(503, this.#headers)
    outgoing.end(this.#sentence)
    if (bodyIsLarge(incoming)) dropBody(incoming)
  }
}

/** Node itself drops the rest of a short body, once the answer is sent. */
export function bodyIsLarge({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return length === undefined
    ? headers['transfer-encoding'] !== undefined
    : Number(length) > DROPPED_BYTES_MAX
}

/** Reads and drops the rest of a body for a moment, in which the client may see its answer and stop sending. */
export function dropBody(incoming: IncomingMessage): void {
  if (incoming.readableEnded || incoming.destroyed) return
  let dropped = 0
  const close = () => {
    if (!incoming.complete) incoming.socket.destroySoon()
  }
  const timer = setTimeout(close, NOTICE_MS)
  timer.unref()
  incoming.on('data', (chunk: Buffer) => {
    dropped += chunk.length
    if (dropped > NOTICE_BYTES) close()
  })
  incoming.once('close', () => clearTimeout(timer))
  incoming.on('error', () => {})
}
