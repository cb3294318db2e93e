/**
 * Splits a Prisma schema into tokens. White space and comments are not tokens, but line breaks are: they end a field.
 *
 *   word       model, Order, created_at
 *   text       "orders", with the escapes of JSON
 *   number     10, -1.5
 *   mark       { } ( ) [ ] , : = ? . ! @ @@
 *   break      the end of one or more lines
 *
 * Comments: `//` and `///` to the end of the line, and those between slash-star and star-slash. The time is linear in the length.
 */

import { type Place, placesIn } from '../../../sql/sql-problem.ts'
import { QueryProblem } from '../query-plan.ts'

export interface SchemaToken {
  readonly kind: 'word' | 'text' | 'number' | 'mark' | 'break' | 'end'
  /** As written. */
  readonly text: string
  /** A text without its quotes and escapes; else `text`. */
  readonly value: string
  readonly start: number
  readonly end: number
}

type Span = { readonly start: number; readonly end: number }
export type SchemaRefusal = (reason: string, at: Span) => QueryProblem
export type PlaceOfSpan = (at: Span) => Place

const SCHEMA_CHARACTERS_MAX = 1024 * 1024
/** Of a schema whose tokens are in memory at once: this many take about 0.1 s. */
const TOKENS_MAX = 200_000
const TOKEN =
  /(?<space>[ \t\f\v\u00a0\ufeff]+|\/\/[^\n\r]*|\/\*[\s\S]*?\*\/)|(?<break>[\r\n]+)|(?<word>[\p{L}_][\p{L}\p{Nd}_-]*)|(?<text>"(?:[^"\\\n\r]|\\.)*")|(?<number>-?[0-9]+(?:\.[0-9]+)?)|(?<mark>@@|[{}()[\],:=?.!@])/uy
const KINDS = ['space', 'break', 'word', 'text', 'number', 'mark'] as const

export function placesInSchema(schema: string): PlaceOfSpan {
  const placeOf = placesIn(schema)
  return ({ start, end }) => placeOf(start, Math.max(end, start + 1))
}

export function refusalsAt(placeOf: PlaceOfSpan): SchemaRefusal {
  return (reason, at) => new QueryProblem('invalid_schema', reason, placeOf(at))
}

/** The last token has the kind `end`. Reads no further than it is asked. Throws QueryProblem. */
export function* schemaTokens(schema: string, refuse: SchemaRefusal): Generator<SchemaToken> {
  if (schema.length > SCHEMA_CHARACTERS_MAX) {
    const reason = `the schema has ${schema.length} characters; use at most ${SCHEMA_CHARACTERS_MAX}`
    throw new QueryProblem('invalid_schema', reason)
  }
  let count = 0
  for (let at = 0; at < schema.length; ) {
    const found = tokenAt(schema, at)
    if (found === undefined) {
      const character = String.fromCodePoint(schema.codePointAt(at)!)
      const isText = character === '"'
      const reason = isText
        ? 'the text does not end; close it with " on the same line'
        : `unexpected '${character}'`
      throw refuse(reason, { start: at, end: at + character.length })
    }
    const [kind, end] = found
    const text = schema.slice(at, end)
    if (kind !== 'space') {
      if (++count > TOKENS_MAX) {
        throw refuse(
          `the schema has more than ${TOKENS_MAX} names and signs; remove models that the query does not use`,
          { start: at, end },
        )
      }
      const problem = () => refuse('the text has an unknown escape', { start: at, end })
      const value = kind === 'text' ? unescaped(text, problem) : text
      yield { kind, text, value, start: at, end }
    }
    at = end
  }
  yield { kind: 'end', text: '', value: '', start: schema.length, end: schema.length }
}

function tokenAt(schema: string, at: number): readonly [(typeof KINDS)[number], number] | undefined {
  TOKEN.lastIndex = at
  const found = TOKEN.exec(schema)
  if (found === null) return undefined
  return [KINDS[found.findIndex((part, group) => group > 0 && part !== undefined) - 1]!, TOKEN.lastIndex]
}

function unescaped(text: string, problem: () => QueryProblem): string {
  if (!text.includes('\\')) return text.slice(1, -1)
  try {
    return JSON.parse(text) as string
  } catch {
    throw problem()
  }
}
