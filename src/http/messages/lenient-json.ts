/**
 * JSON as CDAP's clients may write it: what Gson reads in its lenient mode. It is a parser of our own because numbers keep
 * their source text (a ttl is an int64, which a JavaScript number cannot hold) and objects are Maps, so that no key has a
 * special meaning, not even `__proto__` or `constructor`.
 *
 *   strict JSON, and also:
 *   'single quotes'     around keys and texts
 *   bare words          as keys and texts; they end at white space and at any of  / \ ; # = { } [ ] : ,
 *   = or =>             for :
 *   ;                   for ,
 *   // …   # …          comments to the end of the line
 *   /* … *\/            comments
 *   TRUE Null …         the three words in any case
 *   raw control characters, line breaks included, within quotes
 *
 * A bare word that is not a number, true, false or null is a text: `01` is "01". Of duplicate keys the last one counts.
 * Gson also reads a missing array element as null (`[1,,2]`, `[1,]`); here that is an error, because it is a mistake.
 */

import { DEFAULT_LIMITS } from '../../limits.ts'

/** The default limit on nested arrays and objects; each level is one call deep. */
export const JSON_DEPTH_MAX = DEFAULT_LIMITS.maxDocumentDepth

export type LenientJson = null | boolean | string | LenientNumber | readonly LenientJson[] | LenientObject
export type LenientObject = ReadonlyMap<string, LenientJson>

/** A number as it was written, by the grammar of strict JSON. */
export class LenientNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** The text is not lenient JSON. Lines and columns count from 1, columns in UTF-16 units. */
export class LenientJsonError extends Error {
  override readonly name = 'LenientJsonError'
  readonly line: number
  readonly column: number

  constructor(reason: string, line: number, column: number, options?: ErrorOptions) {
    super(`${reason} at line ${line} column ${column}`, options)
    this.line = line
    this.column = column
  }
}

/**
 * Reads one JSON document from UTF-8; undefined if there are only white space and comments. A byte order mark is skipped.
 * Throws LenientJsonError, also for bytes that are not UTF-8, and nothing else.
 */
export function parseLenientJsonBytes(bytes: Uint8Array, depthMax = JSON_DEPTH_MAX): LenientJson | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new LenientJsonError('the text is not UTF-8', 1, 1, { cause })
  }
  return parseLenientJson(text, depthMax)
}

/**
 * Reads one JSON document; undefined if there are only white space and comments. At most `depthMax` arrays and objects are
 * nested: each level is one call deep. Throws LenientJsonError.
 */
export function parseLenientJson(text: string, depthMax = JSON_DEPTH_MAX): LenientJson | undefined {
  return new Parser(text, depthMax).document()
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/
const HEX4 = /^[0-9a-fA-F]{4}$/
const WORD = /[^/\\;#={}[\]:,\s"'][^/\\;#={}[\]:,\s]*/y
const LINE_END = /[\n\r]|$/g
const ESCAPED: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['\n', '\n'],
])

class Parser {
  readonly #text: string
  readonly #depthMax: number
  #at = 0

  constructor(text: string, depthMax: number) {
    this.#text = text
    this.#depthMax = depthMax
  }

  document(): LenientJson | undefined {
    this.#skipSpace()
    if (this.#at === this.#text.length) return undefined
    const value = this.#value(0)
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#error('something follows the end of the JSON')
    return value
  }

  #value(depth: number): LenientJson {
    const char = this.#text[this.#at]
    if (char === '{') return this.#object(depth + 1)
    if (char === '[') return this.#array(depth + 1)
    if (char === '"' || char === "'") return this.#quoted(char)
    const word = this.#word('a value')
    if (NUMBER.test(word)) return new LenientNumber(word)
    switch (word.toLowerCase()) {
      case 'true':
        return true
      case 'false':
        return false
      case 'null':
        return null
      default:
        return word
    }
  }

  #object(depth: number): LenientObject {
    this.#checkDepth(depth)
    this.#at++
    const members = new Map<string, LenientJson>()
    this.#skipSpace()
    if (this.#take('}')) return members
    for (;;) {
      const key = this.#key()
      this.#skipSpace()
      if (this.#take('=')) this.#take('>')
      else if (!this.#take(':')) throw this.#error("expected ':' after a key")
      this.#skipSpace()
      members.set(key, this.#value(depth))
      this.#skipSpace()
      if (this.#take('}')) return members
      if (!this.#take(',') && !this.#take(';')) throw this.#error("expected ',' or '}'")
      this.#skipSpace()
    }
  }

  #array(depth: number): readonly LenientJson[] {
    this.#checkDepth(depth)
    this.#at++
    const values: LenientJson[] = []
    this.#skipSpace()
    if (this.#take(']')) return values
    for (;;) {
      values.push(this.#value(depth))
      this.#skipSpace()
      if (this.#take(']')) return values
      if (!this.#take(',') && !this.#take(';')) throw this.#error("expected ',' or ']'")
      this.#skipSpace()
    }
  }

  #key(): string {
    const char = this.#text[this.#at]
    return char === '"' || char === "'" ? this.#quoted(char) : this.#word('a key')
  }

  #word(wanted: string): string {
    WORD.lastIndex = this.#at
    const word = WORD.exec(this.#text)?.[0]
    if (word === undefined) throw this.#error(`expected ${wanted}`)
    this.#at += word.length
    return word
  }

  #quoted(quote: string): string {
    const start = this.#at++
    let value = ''
    let copied = this.#at
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined) throw this.#error('a text is never closed', start)
      if (char === quote) {
        value += this.#text.slice(copied, this.#at++)
        return value
      }
      if (char === '\\') {
        value += this.#text.slice(copied, this.#at) + this.#escape()
        copied = this.#at
      } else {
        this.#at++
      }
    }
  }

  /** Moves past an escape and returns its character. */
  #escape(): string {
    const letter = this.#text[this.#at + 1]
    if (letter === 'u') {
      const hex = this.#text.slice(this.#at + 2, this.#at + 6)
      if (!HEX4.test(hex)) throw this.#error('\\u needs four hexadecimal digits')
      this.#at += 6
      return String.fromCharCode(Number.parseInt(hex, 16))
    }
    const char = letter === undefined ? undefined : ESCAPED.get(letter)
    if (char === undefined) throw this.#error('unknown escape')
    this.#at += 2
    return char
  }

  /** Moves past white space and comments. */
  #skipSpace(): void {
    for (;;) {
      const char = this.#text[this.#at]
      if (char === ' ' || char === '\t' || char === '\n' || char === '\r') {
        this.#at++
      } else if (char === '#' || this.#text.startsWith('//', this.#at)) {
        LINE_END.lastIndex = this.#at
        this.#at = LINE_END.exec(this.#text)!.index
      } else if (this.#text.startsWith('/*', this.#at)) {
        const end = this.#text.indexOf('*/', this.#at + 2)
        if (end === -1) throw this.#error('a comment is never closed')
        this.#at = end + 2
      } else {
        return
      }
    }
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #checkDepth(depth: number): void {
    if (depth > this.#depthMax) throw this.#error(`nested deeper than ${this.#depthMax} levels`)
  }

  #error(reason: string, at = this.#at): LenientJsonError {
    const before = this.#text.slice(0, at)
    const line = before.split('\n').length
    return new LenientJsonError(reason, line, at - before.lastIndexOf('\n'))
  }
}
