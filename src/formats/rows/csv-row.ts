/**
 * Rows as CSV: one line a body, values separated by commas, in quotes where a value has a comma, a quote or a line end
 * (RFC 4180). A value without a character is NULL; a quoted one without a character is the empty text. Values are texts
 * as in JSON (text-value.ts); arrays, maps and rows are their JSON.
 *
 * Indexes are asserted with `!`: loops and comparisons keep them inside the body and the list of columns.
 */
import { JsonProblem } from '../json-scanner.ts'
import { lineEnd, textStart } from '../line-body.ts'
import { type EventHeaders, type FormatError, quoted, type Value } from '../record-reader.ts'
import { utf8 } from '../text-bytes.ts'
import { ARRAY, BYTES, DATE, type FieldType, fieldType, namedFields, STRING } from './field-type.ts'
import { JsonRowScanner } from './json-row-scanner.ts'
import { doubleText, jsonText, plainText } from './json-row-writer.ts'
import type { RowColumn, RowReader, RowWriter } from './row-format.ts'
import { textValue } from './text-value.ts'
import { TimeTexts } from './time-values.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const EXCERPT_BYTES = 200

export class CsvRowReader implements RowReader {
  readonly #count: number
  /** By the index of the column: the type, and the index of the value; undefined for a column that is not read. */
  readonly #targets: readonly ({ readonly type: FieldType; readonly slot: number } | undefined)[]
  readonly #nested = new JsonRowScanner()
  #valueStart = 0
  #valueEnd = 0
  #isQuoted = false
  #hasDoubled = false

  constructor(columns: readonly RowColumn[], wanted: readonly number[]) {
    this.#count = columns.length
    this.#targets = columns.map(({ name, type }, index) => {
      const slot = wanted.indexOf(index)
      return slot < 0 ? undefined : { type: fieldType(type, name), slot }
    })
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    _headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    const stop = lineEnd(bytes, start, end)
    let at = textStart(bytes, start, stop)
    for (let index = 0; ; index++) {
      const next = this.#find(bytes, at, stop)
      if (typeof next !== 'number') return next
      if (index < this.#count) {
        const target = this.#targets[index]
        if (target !== undefined) {
          const value = this.#value(target.type, bytes)
          if (value === undefined) return this.#misfit(target.type, bytes)
          into[target.slot] = value
        }
      }
      if (next >= stop) return index + 1 === this.#count ? undefined : wrongCount(index + 1, this.#count)
      if (index >= this.#count) return wrongCount(index + 2, this.#count)
      at = next + 1
    }
  }

  /** Finds the value at `at`. Returns where the comma after it stands, or `stop`. */
  #find(bytes: Uint8Array, at: number, stop: number): number | FormatError {
    this.#hasDoubled = false
    this.#isQuoted = at < stop && bytes[at] === QUOTE
    this.#valueStart = this.#isQuoted ? at + 1 : at
    let end = this.#valueStart
    if (!this.#isQuoted) {
      while (end < stop && bytes[end] !== COMMA) end++
      this.#valueEnd = end
      return end
    }
    for (; end < stop; end++) {
      if (bytes[end] !== QUOTE) continue
      if (end + 1 < stop && bytes[end + 1] === QUOTE) {
        this.#hasDoubled = true
        end++
      } else {
        break
      }
    }
    if (end >= stop) return { reason: 'a quoted value is not closed' }
    if (end + 1 < stop && bytes[end + 1] !== COMMA) return { reason: 'text stands after a closing quote' }
    this.#valueEnd = end
    return end + 1
  }

  #value(type: FieldType, bytes: Uint8Array): Value | undefined {
    if (
      this.#valueStart === this.#valueEnd &&
      !(this.#isQuoted && (type.kind === STRING || type.kind === BYTES))
    )
      return null
    let [source, from, to] = [bytes, this.#valueStart, this.#valueEnd]
    if (this.#hasDoubled) {
      source = Buffer.from(
        Buffer.from(bytes.subarray(from, to)).toString('latin1').replaceAll('""', '"'),
        'latin1',
      )
      ;[from, to] = [0, source.length]
    }
    return type.kind >= ARRAY ? this.#nestedValue(type, source, from, to) : textValue(type, source, from, to)
  }

  #nestedValue(type: FieldType, bytes: Uint8Array, start: number, end: number): Value | undefined {
    const into: Value[] = []
    const wrapped = Buffer.concat([OPENING, bytes.subarray(start, end), CLOSING])
    try {
      this.#nested.body(wrapped, 0, wrapped.length, namedFields([{ name: 'v', type }]), into)
      return into[0]
    } catch (problem) {
      if (problem instanceof JsonProblem) return undefined
      throw problem
    }
  }

  #misfit({ path, typeName }: FieldType, bytes: Uint8Array): FormatError {
    const text = utf8(bytes, this.#valueStart, Math.min(this.#valueEnd, this.#valueStart + EXCERPT_BYTES))
    return { reason: `column ${path} has ${quoted(text)}, which is not ${typeName}` }
  }
}

const OPENING = Buffer.from('{"v":')
const CLOSING = Buffer.from('}')

function wrongCount(found: number, expected: number): FormatError {
  return {
    reason: `the line has ${found > expected ? 'more' : found} values; the table has ${expected} columns`,
  }
}

export class CsvRowWriter implements RowWriter {
  readonly contentType = 'text/csv'
  readonly #types: readonly FieldType[]
  readonly #indexes: readonly number[]
  readonly #texts = new TimeTexts()

  /** `indexes` are those of the values of `columns` among the values of a row. */
  constructor(columns: readonly RowColumn[], indexes: readonly number[]) {
    this.#types = columns.map(({ name, type }) => fieldType(type, name))
    this.#indexes = indexes
  }

  write(values: readonly Value[]): Uint8Array {
    return Buffer.from(this.text(values), 'utf8')
  }

  text(values: readonly Value[]): string {
    let text = ''
    for (let index = 0; index < this.#types.length; index++) {
      if (index > 0) text += ','
      text += csvText(this.#types[index]!, values[this.#indexes[index]!]!, this.#texts)
    }
    return text
  }
}

function csvText(type: FieldType, value: Value, texts: TimeTexts): string {
  if (value === null) return ''
  if (type.kind === STRING) return escaped(value as string)
  if (type.kind >= BYTES && type.kind < ARRAY) {
    return type.kind < DATE ? escaped(plainText(type, value, texts)) : plainText(type, value, texts)
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return doubleText(value).slice(1, -1)
  const text = jsonText(type, value, texts)
  return type.kind >= ARRAY ? escaped(text) : text
}

function escaped(text: string): string {
  // A byte order mark at the start of a line would be taken for that of the body.
  return text === '' || /[",\r\n]|^\ufeff/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
