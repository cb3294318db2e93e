/**
 * Splits the text of a query into tokens as PostgreSQL does. White space and comments are not tokens.
 *
 *   word        region_code, SELECT: value is in lower case
 *   name        "Order", `Order`: back-ticks are taken as double quotes
 *   text        'it''s', E'a\n', $$x$$, and parts of one on several lines
 *   number      12  1.5  .5  1e-3
 *   operator    :: := .. => <> != <= >= ( ) [ ] , ; . : and sequences of + - * / < > = ~ ! @ # % ^ & | ?
 *
 * Comments nest. The time is linear in the length of the text.
 */
import { placeOf } from '../../../sql/sql-problem.ts'
import { QueryProblem } from '../query-plan.ts'

export interface QueryToken {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'operator' | 'end'
  /** As written. */
  readonly text: string
  /** A word in lower case; a name or a text without quotes and escapes; else `text`. */
  readonly value: string
  readonly start: number
  readonly end: number
}

export const QUERY_CHARACTERS_MAX = 131_072
/** PostgreSQL cuts names after so many bytes. */
const NAME_BYTES_MAX = 63

const SPACE = /[ \t\n\r\f\v]+/y
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y
const NUMBER = /(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y
const JUNK = /[A-Za-z0-9_$\u0080-\uffff]/y
const SELF = /::|:=|\.\.|[(),;.:[\]]/y
const OPERATOR = /[+\-*/<>=~!@#%^&|?]+/y
const TEXT_GOES_ON = /[ \t\f\v]*[\n\r][ \t\n\r\f\v]*'/y
const DOLLAR = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y

/** The last token has the kind `end`. Throws QueryProblem. */
export function tokensOfQuery(sql: string): readonly QueryToken[] {
  if (sql.length > QUERY_CHARACTERS_MAX) {
    throw new QueryProblem(
      'unsupported_sql',
      `the query has ${sql.length} characters; use at most ${QUERY_CHARACTERS_MAX}`,
    )
  }
  return new Lexer(sql).tokens()
}

class Lexer {
  readonly #sql: string

  constructor(sql: string) {
    this.#sql = sql
  }

  tokens(): readonly QueryToken[] {
    const tokens: QueryToken[] = []
    for (let at = this.#afterSpace(0); at < this.#sql.length; ) {
      const token = this.#tokenAt(at)
      tokens.push(token)
      at = this.#afterSpace(token.end)
    }
    const end = this.#sql.length
    tokens.push({ kind: 'end', text: '', value: '', start: end, end })
    return tokens
  }

  #afterSpace(from: number): number {
    for (let at = from; ; ) {
      const start = at
      at = this.#match(SPACE, at) ?? at
      if (this.#sql.startsWith('--', at)) at = this.#lineEnd(at)
      else if (this.#sql.startsWith('/*', at)) at = this.#commentEnd(at)
      if (at === start) return at
    }
  }

  #lineEnd(at: number): number {
    const found = /[\n\r]/g
    found.lastIndex = at
    return found.exec(this.#sql)?.index ?? this.#sql.length
  }

  #commentEnd(start: number): number {
    const marks = /\/\*|\*\//g
    marks.lastIndex = start
    let depth = 0
    for (let mark = marks.exec(this.#sql); mark !== null; mark = marks.exec(this.#sql)) {
      depth += mark[0] === '/*' ? 1 : -1
      if (depth === 0) return marks.lastIndex
    }
    throw this.#open('unterminated /* comment', start, start + 2)
  }

  #tokenAt(at: number): QueryToken {
    const sql = this.#sql
    const character = sql[at]!
    if (character === "'") return this.#text(at, at)
    if (character === '"' || character === '`') return this.#quotedName(at, character)
    if (/[eE]/.test(character) && sql[at + 1] === "'") return this.#escapedText(at)
    if (/[bBxX]/.test(character) && sql[at + 1] === "'")
      throw this.#unsupported('bit strings are not supported', at, this.#text(at, at + 1).end)
    if (/[nN]/.test(character) && sql[at + 1] === "'")
      throw this.#unsupported('national character strings are not supported', at, this.#text(at, at + 1).end)
    if (/^[uU]&["']/.test(sql.slice(at, at + 3)))
      throw this.#unsupported("U& is not supported; use E'\\u00e9' for characters by number", at, at + 2)
    if (character === '$') return this.#dollar(at)
    const word = this.#match(WORD, at)
    if (word !== undefined) return this.#word(at, word)
    const number = this.#match(NUMBER, at)
    if (number !== undefined) return this.#number(at, number)
    const self = this.#match(SELF, at)
    if (self !== undefined) return this.#plain('operator', at, self)
    if (this.#match(OPERATOR, at) !== undefined) return this.#operator(at)
    const unknown = String.fromCodePoint(sql.codePointAt(at)!)
    throw this.#problem(`syntax error at or near "${unknown}"`, at, at + unknown.length)
  }

  /** Only the letters A to Z have a lower case here, as in a database with the encoding UTF8. */
  #word(start: number, end: number): QueryToken {
    const text = this.#sql.slice(start, end)
    const value = cutName(text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()))
    return { kind: 'word', text, value, start, end }
  }

  #number(start: number, end: number): QueryToken {
    if (this.#match(JUNK, end) === undefined) return this.#plain('number', start, end)
    const shown = this.#sql.slice(start, end + 1)
    throw this.#problem(`trailing junk after numeric literal at or near "${shown}"`, start, end + 1)
  }

  /** A long operator ends before a comment, and does not end in + or - without one of ~ ! @ # % ^ & | ? in it. */
  #operator(start: number): QueryToken {
    let text = this.#sql.slice(start, this.#match(OPERATOR, start))
    const comment = /(?!^)(?:--|\/\*)/.exec(text)
    if (comment !== null) text = text.slice(0, comment.index)
    if (!/[~!@#%^&|?]/.test(text)) while (text.length > 1 && /[+-]$/.test(text)) text = text.slice(0, -1)
    return this.#plain('operator', start, start + text.length)
  }

  #quotedName(start: number, quote: string): QueryToken {
    const end = this.#closed(start, quote, 'unterminated quoted identifier')
    const inside = this.#sql.slice(start + 1, end - 1).replaceAll(quote + quote, quote)
    if (inside === '') throw this.#problem('zero-length delimited identifier at or near """"', start, end)
    return { kind: 'name', text: this.#sql.slice(start, end), value: cutName(inside), start, end }
  }

  #text(start: number, open: number): QueryToken {
    let end = open
    let value = ''
    for (let part: number | undefined = open; part !== undefined; part = this.#nextPart(end)) {
      end = this.#closed(part, "'", 'unterminated quoted string', start)
      value += this.#sql.slice(part + 1, end - 1).replaceAll("''", "'")
    }
    return this.#textToken(start, end, value)
  }

  #escapedText(start: number): QueryToken {
    let end = start
    let value = ''
    for (let part: number | undefined = start + 1; part !== undefined; part = this.#nextPart(end)) {
      const inside = /'((?:[^'\\]|''|\\[\s\S])*)'/y
      inside.lastIndex = part
      const found = inside.exec(this.#sql)
      if (found === null) throw this.#open('unterminated quoted string', start, start + 2)
      end = inside.lastIndex
      value += this.#unescaped(found[1]!, start, end)
    }
    return this.#textToken(start, end, value)
  }

  #unescaped(inside: string, start: number, end: number): string {
    const bytes: number[] = []
    const flushed = () => {
      const text = Buffer.from(bytes).toString('utf8')
      bytes.length = 0
      if (text.includes('\ufffd'))
        throw this.#problem('invalid byte sequence for encoding "UTF8"', start, end)
      return text
    }
    const parts =
      /''|\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([\s\S]))|[^\\']/gu
    let text = ''
    for (const [all, octal, byte, four, eight, other] of inside.matchAll(parts)) {
      if (octal !== undefined || byte !== undefined) {
        bytes.push(octal === undefined ? Number.parseInt(byte!, 16) : Number.parseInt(octal, 8) & 255)
        continue
      }
      text += flushed()
      if (four !== undefined || eight !== undefined) {
        const code = Number.parseInt((four ?? eight)!, 16)
        if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
          throw this.#problem('invalid Unicode escape value', start, end)
        text += String.fromCodePoint(code)
      } else if (other === 'u' || other === 'U') {
        throw this.#problem('invalid Unicode escape', start, end)
      } else text += other === undefined ? (all === "''" ? "'" : all) : (ESCAPES[other] ?? other)
    }
    return text + flushed()
  }

  #dollar(start: number): QueryToken {
    const open = this.#match(DOLLAR, start)
    if (open === undefined) {
      const parameter = /\$[0-9]+/y
      parameter.lastIndex = start
      const found = parameter.exec(this.#sql)
      if (found === null) throw this.#problem('syntax error at or near "$"', start, start + 1)
      throw this.#problem(`there is no parameter ${found[0]}`, start, parameter.lastIndex)
    }
    const tag = this.#sql.slice(start, open)
    const close = this.#sql.indexOf(tag, open)
    if (close === -1) throw this.#open('unterminated dollar-quoted string', start, open)
    return this.#textToken(start, close + tag.length, this.#sql.slice(open, close))
  }

  #textToken(start: number, end: number, value: string): QueryToken {
    if (value.includes('\0')) throw this.#problem('a text has no character of number 0', start, end)
    return { kind: 'text', text: this.#sql.slice(start, end), value, start, end }
  }

  /** The opening quote of the next part of a text: behind white space with a line break. */
  #nextPart(end: number): number | undefined {
    const next = this.#match(TEXT_GOES_ON, end)
    return next === undefined ? undefined : next - 1
  }

  #closed(open: number, quote: string, reason: string, start = open): number {
    let close = this.#sql.indexOf(quote, open + 1)
    while (close !== -1 && this.#sql[close + 1] === quote) close = this.#sql.indexOf(quote, close + 2)
    if (close === -1) throw this.#open(reason, start, start + 1)
    return close + 1
  }

  #plain(kind: QueryToken['kind'], start: number, end: number): QueryToken {
    const text = this.#sql.slice(start, end)
    return { kind, text, value: text, start, end }
  }

  #match(pattern: RegExp, at: number): number | undefined {
    pattern.lastIndex = at
    return pattern.test(this.#sql) ? pattern.lastIndex : undefined
  }

  #problem(reason: string, start: number, end: number): QueryProblem {
    return new QueryProblem('invalid_sql', reason, placeOf(this.#sql, start, end))
  }

  /** A part that does not end. */
  #open(reason: string, start: number, end: number): QueryProblem {
    const rest = this.#sql.slice(start)
    const shown = rest.length > SHOWN_CHARACTERS_MAX ? `${rest.slice(0, SHOWN_CHARACTERS_MAX)}…` : rest
    return this.#problem(`${reason} at or near "${shown}"`, start, end)
  }

  #unsupported(reason: string, start: number, end: number): QueryProblem {
    return new QueryProblem('unsupported_sql', reason, placeOf(this.#sql, start, end))
  }
}

const SHOWN_CHARACTERS_MAX = 60

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

function cutName(name: string): string {
  const bytes = Buffer.from(name)
  if (bytes.length <= NAME_BYTES_MAX) return name
  let end = NAME_BYTES_MAX
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString('utf8')
}
