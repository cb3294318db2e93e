/**
 * Reads both forms of syslog: a body that is a message of RFC 5424 (`<34>1 …`) is read as such, any other body as a
 * line.
 *
 * A line that does not match has no fields; that is not an error. But if it begins with a priority or a date, it is
 * syslog of an unknown form, and its event is bad.
 *
 * Indexes are asserted with `!`: the condition of the loop keeps them inside the body.
 */
import { textStart } from './line-body.ts'
import {
  type EventHeaders,
  type FormatError,
  fieldError,
  quoted,
  type RecordReader,
  type Value,
} from './record-reader.ts'
import { utf8 } from './text-bytes.ts'

const SPACE = 0x20
const LESS = 0x3c
const GREATER = 0x3e
/** The most digits of the priority, and of the version. */
const DIGITS_MAX = 3

export class SyslogReader implements RecordReader {
  readonly #lines: RecordReader
  readonly #messages: RecordReader

  constructor(lines: RecordReader, messages: RecordReader) {
    this.#lines = lines
    this.#messages = messages
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    if (isVersioned(bytes, textStart(bytes, start, end), end)) {
      const error = this.#messages.read(bytes, start, end, headers, into)
      if (error === undefined || error.partial === true) return error
    }
    return this.#lines.read(bytes, start, end, headers, into)
  }
}

/** `<34>…`, `2024-05-01…`, `May  1…` */
const BEGINNING = /^(?:<[0-9]{1,3}>|[0-9]{4}-[0-9]{2}-[0-9]{2}|[A-Z][a-z]{2} {1,2}[0-9]{1,2} )/
/** The most bytes of the line that are compared and quoted in a message. */
const EXCERPT_BYTES = 200

/** The error of a line that does not match; undefined if that is not an error. */
export function unreadLine(bytes: Uint8Array, start: number, end: number): FormatError | undefined {
  const text = utf8(bytes, start, Math.min(end, start + EXCERPT_BYTES))
  return BEGINNING.test(text)
    ? fieldError(`${quoted(text)} begins like a syslog message, and is of no known form`)
    : undefined
}

/** Whether the text begins with a priority, a version and a space. */
function isVersioned(bytes: Uint8Array, start: number, end: number): boolean {
  if (bytes[start] !== LESS) return false
  const priorityEnd = digitsEnd(bytes, start + 1, end)
  if (priorityEnd >= end || bytes[priorityEnd] !== GREATER) return false
  const versionEnd = digitsEnd(bytes, priorityEnd + 1, end)
  return versionEnd > priorityEnd + 1 && versionEnd < end && bytes[versionEnd] === SPACE
}

function digitsEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && at < start + DIGITS_MAX && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++
  return at
}
