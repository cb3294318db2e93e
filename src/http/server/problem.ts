/**
 * A request that is refused or has failed. Status, code, sentence and headers are decided where it is refused; the API that
 * its path belongs to gives the body its shape. Routes, the guard, the gate and the HTTP parser all answer through here.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { StorageErrorCode } from '../../../storage/storage-error.ts'
import type { CaptureErrorCode } from '../../cdc/capture-service.ts'
import type { DeploymentReason } from '../../deployments/deployment-error.ts'
import type { QueryProblem } from '../../jobs/plan/query-plan.ts'
import type { ServiceErrorCode } from '../../service-error.ts'
import type { HttpContext } from './bindings.ts'

export type ProblemCode =
  | ServiceErrorCode
  | CaptureErrorCode
  | QueryProblem['code']
  | DeploymentReason
  | 'invalid_attributes' // members of a resource, all together
  | `storage_${StorageErrorCode}`
  | 'internal' // a bug of ours
  | 'unauthenticated' // no token, an unknown one, an expired one
  | 'forbidden' // a token without the grant
  | 'too_many_requests' // a token beyond its rate
  | 'unknown_path'
  | 'wrong_method' // the path has routes, for other methods
  | 'unreadable_request' // bytes that are not HTTP, or a head that is ambiguous or too long
  | 'request_timeout' // the head or the body arrives too slowly

export interface Problem {
  readonly status: ContentfulStatusCode
  readonly code: ProblemCode
  /** One sentence for the client, without secrets. */
  readonly text: string
  /** Those that every API sends: Retry-After, Allow, WWW-Authenticate. */
  readonly headers?: Readonly<Record<string, string>>
  /** Of a 401 only. */
  readonly challenge?: Challenge
  /** What a handler threw, for an API whose errors carry more than a sentence. */
  readonly error?: unknown
}

/** What a client needs to authenticate. */
export interface Challenge {
  readonly tokenUrl: string
  /** Undefined if no token was sent. */
  readonly error: string | undefined
  readonly description: string | undefined
}

export interface ProblemBody {
  readonly contentType: string
  readonly text: string
}

/** Makes the body of a problem. An API has few shapes and makes each once: answers to overload are cached by shape. */
export type ProblemShape = (problem: Problem) => ProblemBody

/** The shape for a request, by its target as sent and its header Accept; either is undefined if it could not be read. */
export type ShapeOf = (target: string | undefined, accept: string | undefined) => ProblemShape

export const plainText: ProblemShape = ({ text }) => ({ contentType: 'text/plain; charset=utf-8', text })

export const alwaysPlainText: ShapeOf = () => plainText

/** For handlers of Hono. */
export function answerProblem(c: HttpContext, problem: Problem, shapeOf: ShapeOf): Response {
  const { contentType, text } = shapeOf(c.req.path, c.req.header('accept'))(problem)
  return c.body(text, problem.status, { ...problem.headers, 'Content-Type': contentType })
}

/** For answers that are written before any route is known. */
export function writeProblem(
  { url, headers }: { readonly url?: string | undefined; readonly headers: IncomingHttpHeaders },
  outgoing: ServerResponse,
  problem: Problem,
  shapeOf: ShapeOf,
): void {
  const { contentType, text } = shapeOf(url, headers.accept)(problem)
  outgoing.writeHead(problem.status, {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(text)),
    ...problem.headers,
  })
  outgoing.end(text)
}
