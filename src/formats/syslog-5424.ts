/**
 * Reads syslog messages of RFC 5424.
 *
 *   <PRI>VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG]
 *
 * Fields are filled by name with these parts. The first five names are those of the BSD form. A `-` means no value.
 *
 *   timestamp  logsource  program  pid  message     HOSTNAME is logsource, APP-NAME program, PROCID pid
 *   priority   facility   severity                  PRI, and its two parts: facility * 8 + severity
 *   version    msgid      structured_data           structured data in their original form: [id name="value"][…]
 *
 * MSG is the rest of the line, without a byte order mark. Bodies of another form are errors. If only the priority is
 * out of range, the other fields are read.
 *
 * Indexes are asserted with `!`: loops and comparisons keep them inside the line.
 */
import type { RecordSchema } from '../schemas/schema.ts'
import { textStart } from './line-body.ts'
import { LineReader } from './line-reader.ts'
import { alsoWrong, type FormatError, quoted, type Value } from './record-reader.ts'
import { utf8 } from './text-bytes.ts'
import { fill, fillNothing, LIST, type TextField, textFields } from './text-field.ts'

const PARTS = [
  'priority',
  'version',
  'timestamp',
  'logsource',
  'program',
  'pid',
  'msgid',
  'structured_data',
  'message',
]
/** The fields that can have a value. */
export const SYSLOG_5424_FIELDS: ReadonlySet<string> = new Set([...PARTS, 'facility', 'severity'])
const PRIORITY_MAX = 191
const SPACE = 0x20
const QUOTE = 0x22
const DASH = 0x2d
const OPENING = 0x5b
const BACKSLASH = 0x5c
const CLOSING = 0x5d

export class Syslog5424Reader extends LineReader {
  /** The field of each part, in the order of the parts in the message. */
  readonly #parts: readonly (TextField | undefined)[]
  readonly #facility: TextField | undefined
  readonly #severity: TextField | undefined
  /** Requested fields that are not a part of a message. */
  readonly #others: readonly TextField[]
  /** The error of the message that is being read. */
  #wrong: FormatError | undefined

  constructor(schema: RecordSchema, wanted: readonly number[]) {
    super()
    const fields = textFields(schema, wanted)
    const scalar = (name: string) => fields.find((field) => field.name === name && field.kind !== LIST)
    this.#parts = PARTS.map(scalar)
    this.#facility = scalar('facility')
    this.#severity = scalar('severity')
    const known = new Set([...this.#parts, this.#facility, this.#severity])
    this.#others = fields.filter((field) => !known.has(field))
  }

  protected line(bytes: Uint8Array, start: number, end: number, into: Value[]): FormatError | undefined {
    this.#wrong = undefined
    for (const field of this.#others) this.#note(fillNothing(field, into))
    let priority = 0
    let at = start + 1
    while (at < end && isDigit(bytes[at]!)) priority = Math.min(1000, priority * 10 + bytes[at++]! - 0x30)
    const digits = at - start - 1
    if (bytes[start] !== 0x3c || bytes[at] !== 0x3e || at >= end || digits < 1 || digits > 3) {
      return malformed(bytes, start, end, 'it has no <priority>')
    }
    if (priority > PRIORITY_MAX) {
      this.#note(malformed(bytes, start, end, `its priority is above ${PRIORITY_MAX}`))
      for (const field of [this.#parts[0], this.#facility, this.#severity])
        if (field !== undefined) into[field.slot] = null
    } else {
      this.#fill(0, bytes, start + 1, at, into)
      this.#note(fillNumber(this.#facility, priority >> 3, into))
      this.#note(fillNumber(this.#severity, priority & 7, into))
    }
    return this.#header(bytes, start, at + 1, end, into)
  }

  #note(error: FormatError | undefined): void {
    if (error !== undefined) this.#wrong = alsoWrong(this.#wrong, error)
  }

  /** Reads the parts from the version on. */
  #header(
    bytes: Uint8Array,
    start: number,
    from: number,
    end: number,
    into: Value[],
  ): FormatError | undefined {
    let at = from
    for (let part = 1; part <= 6; part++) {
      let to = at
      while (to < end && bytes[to]! > SPACE && bytes[to]! < 0x7f) to++
      if (to === at || (part === 1 && !isDigit(bytes[at]!))) {
        return malformed(bytes, start, end, `it has no ${PARTS[part]}`)
      }
      if (to >= end || bytes[to] !== SPACE) {
        return malformed(
          bytes,
          start,
          end,
          `it has no ${PARTS[part + 1]}, or a character out of place before it`,
        )
      }
      this.#fill(part, bytes, at, to, into)
      at = to + 1
    }
    const dataEnd = structuredDataEnd(bytes, at, end)
    if (dataEnd < 0 || (dataEnd < end && bytes[dataEnd] !== SPACE)) {
      return malformed(bytes, start, end, 'its structured data are none')
    }
    this.#fill(7, bytes, at, dataEnd, into)
    const field = this.#parts[8]
    if (field !== undefined) {
      const message = textStart(bytes, Math.min(end, dataEnd + 1), end)
      // A dash is a valid message. A message that is absent is left out, which other parts cannot be.
      this.#note(dataEnd >= end ? fillNothing(field, into) : fill(field, bytes, message, end, into))
    }
    return this.#wrong
  }

  #fill(part: number, bytes: Uint8Array, from: number, to: number, into: Value[]): void {
    const field = this.#parts[part]
    if (field === undefined) return
    const isNothing = to - from === 1 && bytes[from] === DASH
    this.#note(isNothing ? fillNothing(field, into) : fill(field, bytes, from, to, into))
  }
}

/** The end of `-` or of `[…][…]`; -1 if there is neither. A bracket in a quoted value is text. */
function structuredDataEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start < end && bytes[start] === DASH) return start + 1
  let at = start
  while (at < end && bytes[at] === OPENING) {
    let inQuotes = false
    for (at++; at < end; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) inQuotes = !inQuotes
      else if (inQuotes && byte === BACKSLASH) at++
      else if (!inQuotes && byte === CLOSING) break
    }
    if (at >= end) return -1
    at++
  }
  return at === start ? -1 : at
}

function fillNumber(field: TextField | undefined, value: number, into: Value[]): FormatError | undefined {
  if (field === undefined) return undefined
  const text = Buffer.from(String(value))
  return fill(field, text, 0, text.length, into)
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}

function malformed(bytes: Uint8Array, start: number, end: number, why: string): FormatError {
  const text = quoted(utf8(bytes, start, Math.min(end, start + 200)))
  return { reason: `${text} is no syslog message of RFC 5424: ${why}` }
}
