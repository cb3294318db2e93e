/** Short answers: status only, text, JSON. */
import type { ContentfulStatusCode, StatusCode } from 'hono/utils/http-status'
import { NO_CONTENT } from '../server/answer-class.ts'
import type { HttpContext } from '../server/bindings.ts'
import { assertAcceptable } from './accept.ts'

export function answerEmpty(c: HttpContext, status: StatusCode = 200): Response {
  return status === 204 ? c.body(null, 204) : c.body(null, status, NO_CONTENT)
}

export function answerText(
  c: HttpContext,
  text: string,
  status: ContentfulStatusCode = 200,
  headers: Record<string, string> = {},
): Response {
  return c.body(text, status, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' })
}

/**
 * `text` is JSON already, because some numbers are larger than JSON.stringify can print. For GET and HEAD throws ServiceError
 * 'not_acceptable'; after a change the answer is JSON whatever the client accepts.
 */
export function answerJsonText(c: HttpContext, text: string): Response {
  if (c.req.method === 'GET' || c.req.method === 'HEAD') assertAcceptable(c, 'application/json')
  return c.body(text, 200, { 'Content-Type': 'application/json' })
}

export function answerJson(c: HttpContext, value: unknown): Response {
  return answerJsonText(c, JSON.stringify(value))
}
