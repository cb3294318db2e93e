/**
 * The way of every request from node's server to the routes: what a request must pass before anything is done for it, in
 * this order. Each step either answers the request itself, or leaves it to the next one.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Connections } from './connections.ts'
import { answersPreflight, type CorsRules } from './cors.ts'
import type { Gate } from './gate.ts'
import type { PipelinedRequests } from './pipelined-requests.ts'
import type { ShapeOf } from './problem.ts'
import { refusesUnclearHead } from './request-head.ts'

export interface AdmissionParts {
  readonly pipelined: PipelinedRequests
  readonly connections: Connections
  readonly gate: Gate
  /** Undefined: pages of other origins may not use the API. */
  readonly cors: CorsRules | undefined
  readonly tokensRequired: boolean
  readonly shapeOf: ShapeOf
}

export function admission(parts: AdmissionParts, listener: RequestListener): RequestListener {
  const { pipelined, connections, gate, cors, tokensRequired, shapeOf } = parts
  function handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (refusesUnclearHead(incoming, outgoing, tokensRequired, shapeOf)) return
    if (connections.refuses(incoming, outgoing)) return
    if (cors !== undefined && answersPreflight(cors, incoming, outgoing)) return
    if (gate.refuses(incoming, outgoing)) return
    listener(incoming, outgoing)
  }
  return (incoming, outgoing) => {
    if (!pipelined.defers(incoming, outgoing, handle)) handle(incoming, outgoing)
  }
}
