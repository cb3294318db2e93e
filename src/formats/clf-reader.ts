/**
 * Reads lines of the common and the combined log format: values separated by spaces.
 *
 *   "…"     up to the next quote without a backslash before it; backslashes are kept
 *   […]     up to the next closing bracket
 *   other   up to the next space; a bracket that opens in the value has to close in it
 *   -       no value: null if the field is nullable, else the text itself
 *
 * Values after the last requested one are not read. A line that cannot be split like this is an error of the whole
 * body.
 */
import type { RecordSchema } from '../schemas/schema.ts'
import { LineReader } from './line-reader.ts'
import { alsoWrong, type FormatError, quoted, type Value } from './record-reader.ts'
import { utf8 } from './text-bytes.ts'
import { fill, fillNothing, type TextField, textFields } from './text-field.ts'

const SPACE = 0x20
const QUOTE = 0x22
const DASH = 0x2d
const OPENING = 0x5b
const BACKSLASH = 0x5c
const CLOSING = 0x5d

export class ClfReader extends LineReader {
  /** Indexed by value; undefined for a value that is not requested. The last element is the last requested value. */
  readonly #fields: readonly (TextField | undefined)[]

  constructor(schema: RecordSchema, wanted: readonly number[]) {
    super()
    const fields: (TextField | undefined)[] = new Array(Math.max(0, ...wanted.map((index) => index + 1)))
    fields.fill(undefined)
    for (const field of textFields(schema, wanted)) fields[wanted[field.slot]!] = field
    this.#fields = fields
  }

  protected line(bytes: Uint8Array, start: number, end: number, into: Value[]): FormatError | undefined {
    const fields = this.#fields
    let wrong: FormatError | undefined
    let at = start
    let index = 0
    for (; index < fields.length; index++) {
      while (at < end && bytes[at] === SPACE) at++
      if (at >= end) break
      let from = at
      let to: number
      const first = bytes[at]
      if (first === QUOTE) {
        from++
        to = closingQuote(bytes, from, end)
        at = to + 1
      } else if (first === OPENING) {
        from++
        to = from
        while (to < end && bytes[to] !== CLOSING) to++
        at = to + 1
      } else {
        let open = false
        while (at < end && bytes[at] !== SPACE) {
          if (bytes[at] === OPENING) open = true
          else if (bytes[at] === CLOSING) open = false
          at++
        }
        if (open) return malformed(bytes, start, end)
        to = at
      }
      // A quote or bracket that is not closed moves `at` beyond the end.
      if (at > end || (at < end && bytes[at] !== SPACE)) return malformed(bytes, start, end)
      const field = fields[index]
      if (field === undefined) continue
      if (field.nullable && to - from === 1 && bytes[from] === DASH) {
        into[field.slot] = null
      } else {
        const error = fill(field, bytes, from, to, into)
        if (error !== undefined) wrong = alsoWrong(wrong, error)
      }
    }
    if (index === 0 && fields.length > 0) return malformed(bytes, start, end)
    for (; index < fields.length; index++) {
      const field = fields[index]
      const error = field === undefined ? undefined : fillNothing(field, into)
      if (error !== undefined) wrong = alsoWrong(wrong, error)
    }
    return wrong
  }
}

/** Returns `end` if there is no closing quote. */
function closingQuote(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
  return Math.min(at, end)
}

function malformed(bytes: Uint8Array, start: number, end: number): FormatError {
  const entry = quoted(utf8(bytes, start, Math.min(end, start + 300)))
  return { reason: `Could not parse data in CLF format. Entry ${entry}` }
}
