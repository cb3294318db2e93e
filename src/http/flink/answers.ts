/** Answers of Flink's API: JSON with the charset that Flink names, whatever the client accepts; log files as text. */
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { answerParts, type SlicedAnswerOptions } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'

export const JSON_TYPE = 'application/json; charset=UTF-8'
const CONTENT = { 'Content-Type': JSON_TYPE }

export function answer(c: HttpContext, value: unknown, status: ContentfulStatusCode = 200): Response {
  return c.body(JSON.stringify(value), status, CONTENT)
}

/** An error that only this API has. */
export function refuse(
  c: HttpContext,
  status: ContentfulStatusCode,
  text: string,
  headers: Record<string, string> = {},
): Response {
  return c.body(JSON.stringify({ errors: [text] }), status, { ...headers, ...CONTENT })
}

export function answerFile(c: HttpContext, text: string | Buffer): Response {
  const body = typeof text === 'string' ? text : new Uint8Array(text)
  return c.body(body, 200, { 'Content-Type': 'text/plain; charset=utf-8' })
}

/** In slices of the event loop's time. */
export function answerInParts(
  c: HttpContext,
  parts: Iterable<string | undefined>,
  options: SlicedAnswerOptions,
): Promise<Response> {
  return answerParts(c, async () => parts, options, CONTENT)
}
