/**
 * The listener of plain POSTs of one event, from node's request to the log and back without Hono.
 *
 * This is by far the most frequent request, and Hono with its adapter would cost it about as much as HTTP itself
 * (docs/decisions/0011-direct-posts.md). The listener takes a request with the plain path of a stream that exists, and a body
 * of known length that is sent as it is. It passes every other request to Hono, which also words all refusals before the body.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { NAMESPACE_NAME, type NamespaceName, STREAM_NAME, type StreamName } from '../../streams/names.ts'
import { type ProblemCounts, problemOfError, type ReportFailure } from '../messages/problems.ts'
import type { ServiceResponse } from '../server/answer-class.ts'
import type { Guard } from '../server/guard.ts'
import { writeProblem } from '../server/problem.ts'
import { dropBody } from '../server/refusals.ts'
import type { ServiceRequest } from '../server/service-request.ts'
import { cdapShapeOf } from './problem-shape.ts'
import type { OpenEvent, SingleEvents } from './single-event.ts'

export interface DirectPostsOptions {
  readonly report: ReportFailure
  readonly problems?: ProblemCounts
  /** Undefined: tokens are not required. */
  readonly guard?: Guard | undefined
}

const PATH = new RegExp(`^/v3/namespaces/(${NAMESPACE_NAME})/streams/(${STREAM_NAME})(/async)?/?$`)

/** Its requests and answers are those of `newServer`. */
export function directPosts(
  events: SingleEvents,
  options: DirectPostsOptions,
  honoListener: RequestListener,
): RequestListener {
  return (incoming, outgoing) => {
    const event = openIfPlain(events, options.guard, incoming)
    if (event === undefined) return honoListener(incoming, outgoing)
    const length = events.plainLength(incoming)
    if (length === undefined) return honoListener(incoming, outgoing)
    events.count(event, length)
    ;(incoming as ServiceRequest).takeBody(length, (body) => {
      const stored = () => (outgoing as ServiceResponse).answerEmpty(event.queued ? 202 : 200)
      const failed = (error: unknown) => answerProblem(incoming, outgoing, error, options)
      if (body === undefined) events.receive(event).then(stored, failed)
      else events.store(event, body, stored, failed)
    })
  }
}

/** Undefined if this is another request, or one that is refused before its body. */
function openIfPlain(
  events: SingleEvents,
  guard: Guard | undefined,
  incoming: IncomingMessage,
): OpenEvent | undefined {
  const path = incoming.method === 'POST' ? PATH.exec(incoming.url!) : null
  if (path === null) return undefined
  const id = { namespace: path[1] as NamespaceName, stream: path[2] as StreamName }
  const writer = guard?.writerTo(id, incoming)
  if (guard !== undefined && writer === undefined) return undefined
  try {
    return events.open(incoming, id, writer, path[3] !== undefined)
  } catch {
    return undefined
  }
}

/** A connection that is closed, or on which the client of a slow body was answered, gets no other answer. */
function answerProblem(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  error: unknown,
  { report, problems }: DirectPostsOptions,
): void {
  if (incoming.socket.destroyed || incoming.socket.writableEnded) return
  writeProblem(incoming, outgoing, problemOfError(error, report, problems), cdapShapeOf)
  if (!incoming.complete) dropBody(incoming)
}
