/** Refusals of requests before anything is done for them: at little cost, and without keeping the body. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConstantHeaders } from './answer-class.ts'
import type { Problem, ProblemShape, ShapeOf } from './problem.ts'

/** Seconds after which a client should retry. */
export const RETRY_AFTER_SECONDS = 1
/** A body up to this length is read and dropped, so that the connection goes on with its next request. */
const DROPPED_BYTES_MAX = 64 * 1024
/** With a larger body the client has this long to notice the answer, then the connection is closed. */
const NOTICE_MS = 1_000
/** … or after this many bytes. */
const NOTICE_BYTES = 4 * 1024 * 1024

/** 503 with one sentence and `Retry-After`: made once for each shape, sent often. */
export class Refusal {
  readonly #problem: Problem
  readonly #made = new WeakMap<ProblemShape, { headers: ConstantHeaders; text: string }>()

  constructor(text: string) {
    this.#problem = {
      status: 503,
      code: 'overloaded',
      text,
      headers: { 'Retry-After': `${RETRY_AFTER_SECONDS}` },
    }
  }

  answer(incoming: IncomingMessage, outgoing: ServerResponse, shapeOf: ShapeOf): void {
    const { headers, text } = this.#madeBy(shapeOf(incoming.url, incoming.headers.accept))
    outgoing.writeHead(503, headers)
    outgoing.end(text)
    if (bodyIsLarge(incoming)) dropBody(incoming)
  }

  #madeBy(shape: ProblemShape): { headers: ConstantHeaders; text: string } {
    const known = this.#made.get(shape)
    if (known !== undefined) return known
    const { contentType, text } = shape(this.#problem)
    const headers = new ConstantHeaders({
      'Content-Type': contentType,
      'Content-Length': String(Buffer.byteLength(text)),
      ...this.#problem.headers,
    })
    this.#made.set(shape, { headers, text })
    return { headers, text }
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
