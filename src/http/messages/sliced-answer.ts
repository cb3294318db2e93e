/**
 * JSON of any length, made in slices of the event loop's time (loop-share.ts) and sent as fast as the client reads it
 * (long-answer.ts).
 */
import type { LoopShare, Slice } from '../../loop-share.ts'
import type { HttpContext } from '../server/bindings.ts'
import { clientKey } from '../server/client-key.ts'
import type { MayGoOn } from '../server/open-answers.ts'
import { assertAcceptable } from './accept.ts'
import { answerPieces, beginPieces, type LongAnswerOptions } from './long-answer.ts'

export interface SlicedAnswerOptions extends LongAnswerOptions {
  readonly loopShare: LoopShare
}

const PIECE_CHARS = 128 * 1024
const JSON_CONTENT = { 'Content-Type': 'application/json' }

/** Answers 200 with an array of what `print` returns for each item; undefined omits the item. Rejects with 'overloaded'. */
export async function answerArray<T>(
  c: HttpContext,
  items: Iterable<T>,
  print: (item: T) => string | undefined,
  options: SlicedAnswerOptions,
): Promise<Response> {
  return answerParts(c, async () => arrayParts(items, print), options)
}

/** Answers 200 with the value that `make` resolves with, as JSON. Rejects with 'overloaded', and with what `make` does. */
export async function answerJsonInSlices(
  c: HttpContext,
  make: (slice: Slice) => Promise<unknown>,
  options: SlicedAnswerOptions,
): Promise<Response> {
  return answerParts(c, async (slice) => jsonParts(await make(slice)), options)
}

/**
 * Answers 200 with the parts of JSON that `make` resolves with. Rejects with 'overloaded', and with what `make` does. `content`
 * is the header Content-Type, for an API that has another than `application/json`.
 */
export async function answerParts(
  c: HttpContext,
  make: (slice: Slice) => Promise<Iterable<string | undefined>>,
  options: SlicedAnswerOptions,
  content: Record<string, string> = JSON_CONTENT,
): Promise<Response> {
  if (c.req.method === 'HEAD') {
    assertAcceptable(c, 'application/json')
    return c.body(null, 200, content)
  }
  const makeAcceptable = async (slice: Slice) => {
    const parts = await make(slice)
    if (c.req.method === 'GET') assertAcceptable(c, 'application/json') // after `make`, so that a 404 comes before a 406
    return parts
  }
  return sendParts(c, makeAcceptable, options, content)
}

/** As `answerParts`, for text of any type: what the client accepts is not checked, and HEAD is the caller's. */
export async function sendParts(
  c: HttpContext,
  make: (slice: Slice) => Promise<Iterable<string | undefined>>,
  options: SlicedAnswerOptions,
  headers: Record<string, string>,
  mayGoOn?: MayGoOn,
): Promise<Response> {
  const { outgoing } = c.env
  const pieces = await inTurn(c, options, async (slice) => {
    const parts = outgoing.destroyed ? [] : await make(slice)
    return beginPieces(piecesOf(parts, slice, () => outgoing.destroyed))
  })
  return answerPieces(c, pieces, headers, options, mayGoOn)
}

/** Runs `work` in slices; clients alternate. Rejects with 'overloaded', and with what `work` rejects with. */
export function inTurn<T>(
  c: HttpContext,
  { loopShare }: { readonly loopShare: LoopShare },
  work: (slice: Slice) => Promise<T>,
): Promise<T> {
  return loopShare.run(clientKey(c.env.incoming, c.get('client')), work)
}

/** Parts are short; undefined is a step without text. */
async function* piecesOf(
  parts: Iterable<string | undefined>,
  slice: Slice,
  isClosed: () => boolean,
): AsyncGenerator<Uint8Array, void, undefined> {
  let text = ''
  for (const part of parts) {
    if (slice.isOver) await slice.next()
    if (isClosed()) break
    if (part === undefined) continue
    text += part
    if (text.length < PIECE_CHARS) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(text)
}

export function* arrayParts<T>(
  items: Iterable<T>,
  print: (item: T) => string | undefined,
): Generator<string | undefined> {
  yield '['
  let isFirst = true
  for (const item of items) {
    const printed = print(item)
    yield printed === undefined || isFirst ? printed : `,${printed}`
    if (printed !== undefined) isFirst = false
  }
  yield ']'
}

/** As JSON.stringify, which omits members that are undefined; a bigint is printed as a number. */
function* jsonParts(value: unknown): Generator<string> {
  if (typeof value === 'bigint') return yield `${value}`
  if (isFlat(value)) return yield JSON.stringify(value)
  if (Array.isArray(value)) {
    yield '['
    for (const [i, item] of value.entries()) {
      if (i > 0) yield ','
      yield* jsonParts(item)
    }
    return yield ']'
  }
  let opening = '{'
  for (const [key, member] of Object.entries(value as object)) {
    if (member === undefined) continue
    yield `${opening}${JSON.stringify(key)}:`
    yield* jsonParts(member)
    opening = ','
  }
  yield opening === '{' ? '{}' : '}'
}

/** A scalar that JSON.stringify can print, or an object or array of at most 16 such scalars. */
function isFlat(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  const members = Object.values(value)
  return members.length <= 16 && members.every(isScalar)
}

function isScalar(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'bigint')
}
