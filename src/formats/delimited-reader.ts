/**
 * Reads delimited text in one pass over the bytes, up to the last requested value.
 *
 * With the setting `quote`, a value that begins with a quote ends at the next one, and a doubled quote stands for one
 * quote (RFC 4180). A quote later in an unquoted value is text. Text after a closing quote and a quote that is not
 * closed are errors, because the positions of the other values are uncertain then.
 *
 * A byte order mark before the first value and one line end after the last do not belong to the values (line-body.ts).
 * If the delimiter contains a line feed, every line end belongs to the delimiter.
 *
 * Indexes are asserted with `!`: loops and comparisons keep them inside the body and the list of fields.
 */
import type { CharsetDecoder } from './charset-decoder.ts'
import { lineEnd, textStart } from './line-body.ts'
import {
  alsoWrong,
  type EventHeaders,
  type FormatError,
  quoted,
  type RecordReader,
  type Value,
} from './record-reader.ts'
import { utf8 } from './text-bytes.ts'
import { fill, fillNothing, type TextField } from './text-field.ts'

const LINE_FEED = 0x0a

export interface DelimitedLayout {
  readonly charset: CharsetDecoder
  /** In UTF-8; not empty. */
  readonly delimiter: Uint8Array
  /** An ASCII byte, or -1 for no quote. */
  readonly quote: number
  /** The requested fields and the indexes of their values, ascending. */
  readonly fields: readonly TextField[]
  readonly columns: readonly number[]
  /** The field that receives all values from `listColumn` on. */
  readonly list: TextField | undefined
  readonly listColumn: number
  /** Requested fields that no value is mapped to. */
  readonly unmapped: readonly TextField[]
}

export class DelimitedReader implements RecordReader {
  readonly #charset: CharsetDecoder
  readonly #isUtf8: boolean
  readonly #delimiter: Uint8Array
  readonly #firstByte: number
  readonly #quote: number
  readonly #fields: readonly TextField[]
  readonly #columns: Float64Array
  readonly #list: TextField | undefined
  readonly #listColumn: number
  readonly #unmapped: readonly TextField[]
  readonly #endsLine: boolean
  /** Whether the quoted value that was found last contains doubled quotes. */
  #doubled = false

  constructor(layout: DelimitedLayout) {
    this.#charset = layout.charset
    this.#isUtf8 = layout.charset.isUtf8
    this.#delimiter = layout.delimiter
    this.#firstByte = layout.delimiter[0]!
    this.#quote = layout.quote
    this.#fields = layout.fields
    this.#columns = Float64Array.from([...layout.columns, Number.POSITIVE_INFINITY])
    this.#list = layout.list
    this.#listColumn = layout.list === undefined ? Number.POSITIVE_INFINITY : layout.listColumn
    this.#unmapped = layout.unmapped
    this.#endsLine = !layout.delimiter.includes(LINE_FEED)
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    _headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    if (this.#isUtf8) return this.#line(bytes, start, end, into)
    const transcoded = this.#charset.transcoded(bytes, start, end)
    if (transcoded === undefined) return this.#line(bytes, start, end, into)
    return this.#line(transcoded, 0, transcoded.length, into)
  }

  #line(bytes: Uint8Array, start: number, end: number, into: Value[]): FormatError | undefined {
    const from = textStart(bytes, start, end)
    return this.#scan(bytes, from, this.#endsLine ? lineEnd(bytes, from, end) : end, into)
  }

  #scan(bytes: Uint8Array, start: number, end: number, into: Value[]): FormatError | undefined {
    const fields = this.#fields
    const columns = this.#columns
    const firstByte = this.#firstByte
    const delimiterLength = this.#delimiter.length
    const quote = this.#quote
    const wanted = fields.length + (this.#list === undefined ? 0 : 1)
    let items: string[] | undefined
    let wrong: FormatError | undefined
    for (const field of this.#unmapped) {
      const error = fillNothing(field, into)
      if (error !== undefined) wrong = alsoWrong(wrong, error)
    }
    let next = 0
    let at = start
    for (let column = 0; next < wanted; column++) {
      let from = at
      let to: number
      if (quote >= 0 && at < end && bytes[at] === quote) {
        from = at + 1
        to = this.#closingQuote(bytes, from, end)
        if (to < 0) return { reason: `the quote of value ${column} never closes` }
        at = to + 1
        if (at < end && !this.#isDelimiter(bytes, at, end)) return strayText(bytes, at, end, column)
      } else {
        this.#doubled = false
        for (;;) {
          while (at < end && bytes[at] !== firstByte) at++
          if (at >= end || delimiterLength === 1 || this.#isDelimiter(bytes, at, end)) break
          at++
        }
        to = at
      }
      if (column === columns[next]) {
        const field = fields[next++]!
        const error = this.#doubled
          ? fillUndoubled(field, bytes, from, to, quote, into)
          : fill(field, bytes, from, to, into)
        if (error !== undefined) wrong = alsoWrong(wrong, error)
      } else if (column >= this.#listColumn) {
        items ??= []
        items.push(this.#doubled ? undoubled(bytes, from, to, quote).toString() : utf8(bytes, from, to))
      }
      if (at >= end) break
      at += delimiterLength
    }
    for (; next < fields.length; next++) {
      const error = fillNothing(fields[next]!, into)
      if (error !== undefined) wrong = alsoWrong(wrong, error)
    }
    if (this.#list !== undefined) into[this.#list.slot] = items ?? []
    return wrong
  }

  #isDelimiter(bytes: Uint8Array, at: number, end: number): boolean {
    const delimiter = this.#delimiter
    if (at + delimiter.length > end) return false
    for (let index = 0; index < delimiter.length; index++) {
      if (bytes[at + index] !== delimiter[index]) return false
    }
    return true
  }

  /** The offset of the quote that closes a value; -1 if there is none. */
  #closingQuote(bytes: Uint8Array, start: number, end: number): number {
    const quote = this.#quote
    this.#doubled = false
    for (let at = start; at < end; at++) {
      if (bytes[at] !== quote) continue
      if (at + 1 >= end || bytes[at + 1] !== quote) return at
      this.#doubled = true
      at++
    }
    return -1
  }
}

function fillUndoubled(
  field: TextField,
  bytes: Uint8Array,
  start: number,
  end: number,
  quote: number,
  into: Value[],
): FormatError | undefined {
  const text = undoubled(bytes, start, end, quote)
  return fill(field, text, 0, text.length, into)
}

/** A copy in which every doubled quote is one quote. */
function undoubled(bytes: Uint8Array, start: number, end: number, quote: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start)
  let length = 0
  for (let at = start; at < end; at++) {
    copy[length++] = bytes[at]!
    if (bytes[at] === quote) at++
  }
  return copy.subarray(0, length)
}

function strayText(bytes: Uint8Array, at: number, end: number, column: number): FormatError {
  const text = quoted(utf8(bytes, at, Math.min(end, at + 80)))
  return { reason: `value ${column} goes on behind its closing quote with ${text}` }
}
