/** Answers in JSON or YAML: one resource, a list of any length, other values. */
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Json, JsonObject } from '../../deployments/resources.ts'
import { arrayParts, type SlicedAnswerOptions, sendParts } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { CONTENT_TYPE, type Form } from './media-types.ts'
import { yamlText } from './yaml-text.ts'

export function answer(
  c: HttpContext,
  form: Form,
  value: JsonObject,
  status: ContentfulStatusCode = 200,
): Response {
  const text = form === 'json' ? JSON.stringify(value) : yamlText(value)
  return c.body(text, status, { 'Content-Type': CONTENT_TYPE[form] })
}

/**
 * In slices of the event loop's time. `opening`: the members before the list, which is the last one, `name`. Undefined items are omitted.
 */
export function answerList<T>(
  c: HttpContext,
  form: Form,
  { opening, name }: { readonly opening: JsonObject; readonly name: string },
  items: Iterable<T>,
  print: (item: T) => JsonObject | undefined,
  options: SlicedAnswerOptions,
): Response | Promise<Response> {
  const headers = { 'Content-Type': CONTENT_TYPE[form] }
  if (c.req.method === 'HEAD') return c.body(null, 200, headers)
  const parts = form === 'json' ? jsonParts : yamlParts
  return sendParts(c, async () => parts(opening, name, items, print), options, headers)
}

function* jsonParts<T>(
  opening: JsonObject,
  name: string,
  items: Iterable<T>,
  print: (item: T) => JsonObject | undefined,
): Generator<string | undefined> {
  const before = Object.entries(opening).map(([key, value]) => `${JSON.stringify(key)}:${jsonText(value)},`)
  yield `{${before.join('')}${JSON.stringify(name)}:`
  yield* arrayParts(items, (item) => {
    const value = print(item)
    return value && JSON.stringify(value)
  })
  yield '}'
}

function* yamlParts<T>(
  opening: JsonObject,
  name: string,
  items: Iterable<T>,
  print: (item: T) => JsonObject | undefined,
): Generator<string | undefined> {
  yield `${Object.keys(opening).length > 0 ? yamlText(opening) : ''}${name}:`
  let isEmpty = true
  for (const item of items) {
    const value = print(item)
    yield value && `${isEmpty ? '\n' : ''}  - ${yamlText(value, 4)}`
    if (value !== undefined) isEmpty = false
  }
  if (isEmpty) yield ' []\n'
}

function jsonText(value: Json): string {
  return JSON.stringify(value)
}
