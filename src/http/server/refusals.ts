/** How a request is sent away before anything is done for it: at little cost, and without keeping its body. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ConstantHeaders } from './answer-class.ts'
import type { Problem, ProblemShape, ShapeOf } from './problem.ts'

/** Seconds after which it is worth another try. */
export const RETRY_AFTER_SECONDS = 1
/** A body up to this is dropped while it comes, for the connection to go on with its next request. */
const DROPPED_BYTES_MAX = 64 * 1024
/** The client of a larger one gets so long to notice the answer, then the connection is closed. */
const NOTICE_MS = 1_000
/** … or so many bytes. */
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

/** Node drops the rest of a short body by itself, once the answer is out. */
export function bodyIsLarge({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return length === undefined
    ? headers['transfer-encoding'] !== undefined
    : Number(length) > DROPPED_BYTES_MAX
}

/** Nobody wants what is still to come: it is dropped for a moment, in which a client may see its answer and stop. */
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
