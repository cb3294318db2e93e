/**
 * Scans JSON byte by byte: checks the syntax and finds where values begin and end. Readers extend it and make the values
 * (json-reader.ts for records of a schema, rows/json-row-reader.ts for rows of a table).
 *
 * Indexes are asserted with `!`: the scanner compares offsets with the end of the body.
 */
import { textStart } from './line-body.ts'
import { quoted } from './record-reader.ts'
import { utf8 } from './text-bytes.ts'

/** Nesting of values. Each level is one recursive call. */
export const JSON_DEPTH_MAX = 64

/** Thrown and caught within a read. It is not an Error: the stack of an Error would cost more than the read. */
export class JsonProblem {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

export const QUOTE = 0x22
export const COMMA = 0x2c
export const MINUS = 0x2d
const POINT = 0x2e
export const COLON = 0x3a
export const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d

export const TRUE = Buffer.from('true')
export const FALSE = Buffer.from('false')
export const NULL = Buffer.from('null')

export class JsonScanner {
  bytes: Uint8Array = TRUE
  start = 0
  at = 0
  end = 0
  depth = 0
  /** Whether the last string that was scanned has an escape, or the last number a fraction or exponent. */
  marked = false

  /** Begins with the body `bytes[start, end)`, after its byte order mark. */
  open(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes
    this.start = start
    this.at = textStart(bytes, start, end)
    this.end = end
    this.depth = 0
  }

  /** Passes the next value. */
  skip(): void {
    const byte = this.peek()
    if (byte === QUOTE) {
      this.passString()
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      const close = byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY
      this.enter()
      if (this.peek() === close) {
        this.at++
      } else {
        do {
          if (close === CLOSE_OBJECT) {
            if (this.peek() !== QUOTE) throw this.unexpected()
            this.passString()
            if (this.peek() !== COLON) throw this.unexpected()
            this.at++
          }
          this.skip()
        } while (this.another(close))
      }
      this.depth--
    } else if (startsNumber(byte)) {
      this.passNumber()
    } else if (byte === 0x74) {
      this.literal(TRUE)
    } else if (byte === 0x66) {
      this.literal(FALSE)
    } else {
      this.literal(NULL)
    }
  }

  /** Enters an object or array. */
  enter(): void {
    if (++this.depth > JSON_DEPTH_MAX) {
      throw new JsonProblem(`the JSON is nested deeper than ${JSON_DEPTH_MAX} levels`)
    }
    this.at++
  }

  /** Skips a comma and returns true, or skips `close` and returns false. */
  another(close: number): boolean {
    const byte = this.peek()
    if (byte !== COMMA && byte !== close) throw this.unexpected()
    this.at++
    return byte === COMMA
  }

  string(): string {
    const from = this.at
    this.passString()
    return this.text(from, this.at)
  }

  /** The text of the last string that was scanned. `[from, to)` includes the quotes. */
  text(from: number, to: number): string {
    if (!this.marked) return utf8(this.bytes, from + 1, to - 1)
    return JSON.parse(utf8(this.bytes, from, to)) as string // passString has checked the syntax
  }

  passString(): void {
    const bytes = this.bytes
    const end = this.end
    let at = this.at + 1
    this.marked = false
    for (; at < end; at++) {
      const byte = bytes[at]!
      if (byte === QUOTE) {
        this.at = at + 1
        return
      }
      if (byte === BACKSLASH) {
        this.marked = true
        at = this.passEscape(at + 1)
      } else if (byte < 0x20) {
        this.at = at
        throw this.unexpected()
      }
    }
    throw new JsonProblem('the JSON ends inside a string')
  }

  /** Where the escape ends whose letter is at `at`. */
  passEscape(at: number): number {
    const letter = at < this.end ? this.bytes[at]! : QUOTE
    if (ESCAPED.includes(letter)) return at
    let digits = 0
    while (letter === LETTER_U && digits < 4 && isHexDigit(this.bytes[at + digits + 1]!)) digits++
    if (digits === 4 && at + 4 < this.end) return at + 4
    throw new JsonProblem(`the string at byte ${this.at - this.start} has an escape that is none in JSON`)
  }

  passNumber(): void {
    this.marked = false
    if (this.byte() === MINUS) this.at++
    if (this.byte() === 0x30) this.at++
    else this.passDigits()
    if (this.byte() === POINT) {
      this.marked = true
      this.at++
      this.passDigits()
    }
    if ((this.byte() | 0x20) === 0x65) {
      this.marked = true
      this.at++
      if (this.byte() === MINUS || this.byte() === 0x2b) this.at++
      this.passDigits()
    }
  }

  passDigits(): void {
    const bytes = this.bytes
    let at = this.at
    while (at < this.end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++
    if (at === this.at) throw this.unexpected()
    this.at = at
  }

  literal(word: Uint8Array): void {
    for (let index = 0; index < word.length; index++) {
      if (this.at >= this.end || this.bytes[this.at] !== word[index]) throw this.unexpected()
      this.at++
    }
  }

  /** Returns -1 at the end. */
  byte(): number {
    return this.at < this.end ? this.bytes[this.at]! : -1
  }

  /** Returns the next byte that is not white space; -1 at the end. */
  peek(): number {
    const bytes = this.bytes
    let at = this.at
    while (at < this.end) {
      const byte = bytes[at]!
      if (byte > 0x20 || (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) {
        this.at = at
        return byte
      }
      at++
    }
    this.at = at
    return -1
  }

  unexpected(): JsonProblem {
    if (this.at >= this.end) return new JsonProblem('the JSON ends too early')
    const at = this.at - this.start
    return new JsonProblem(`the body is not JSON: ${this.excerpt()} at byte ${at} is out of place`)
  }

  excerpt(): string {
    return quoted(utf8(this.bytes, this.at, Math.min(this.end, this.at + 24)))
  }
}

const LETTER_U = 0x75
/** The characters that may follow a backslash, besides u with four digits. */
const ESCAPED: Uint8Array = Buffer.from('"\\/bfnrt')

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}

const VALUE_STARTS: readonly number[] = [QUOTE, OPEN_OBJECT, OPEN_ARRAY, 0x74, 0x66, 0x6e]

export function startsNumber(byte: number): boolean {
  return byte === MINUS || (byte >= 0x30 && byte <= 0x39)
}

/** Whether a JSON value can begin with this byte. */
export function startsValue(byte: number): boolean {
  return startsNumber(byte) || VALUE_STARTS.includes(byte)
}
