/**
 * Splits Flink SQL into tokens as Flink's parser does. White space and comments are not tokens.
 *
 *   word            insert, `KAlert` without its quotes, _a$1
 *   quoted-name     `KAlert`, with `` for a back-tick; ends before its line does
 *   double-quoted   "KAlert": Flink has no such names; a caller refuses it with DOUBLE_QUOTES
 *   text            'it''s', over several lines too
 *   binary          X'4a'
 *   unicode-text    U&'\00e9'
 *   number          12  1.5  .5  1e-3
 *   operator        => <> != <= >= || -> ( ) [ ] { } < > = , . ; : * + - / % ? | ^ & !
 *   hint            a comment that begins with a plus sign
 *
 * Comments: `-- …` and `// …` to the end of the line, and a comment between slash-star and star-slash, not nested. `>>` is two
 * tokens, because types end so. The time is linear in the length of the text.
 */
import { placeOf, SyntaxProblem } from './sql-problem.ts'

export type FlinkTokenKind =
  | ('word' | 'quoted-name' | 'double-quoted' | 'text' | 'binary' | 'unicode-text')
  | ('number' | 'operator' | 'hint')

export interface FlinkToken {
  readonly kind: FlinkTokenKind
  /** As written: `sql.slice(start, end)`. */
  readonly text: string
  /** Offset of its first character. */
  readonly start: number
  /** Offset after its last character. */
  readonly end: number
  /** A name or a text without its quotes and escapes; the inside of `binary` and `unicode-text`; else `text`. */
  readonly value: string
}

/** Of `schema_sql` and of a statement. */
export const SQL_CHARACTERS_MAX = 131_072

/** The reason of the refusal of a token in double quotes. */
export const DOUBLE_QUOTES = 'use back-ticks for names and single quotes for texts'

const SPACE = /\s+/y
const WORD = /[\p{L}_][\p{L}\p{Nd}_$]*/uy
const NUMBER = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y
const OPERATOR = /=>|<>|!=|<=|>=|\|\||->|[()[\]{}<>=,.;:*+\-/%?|^&!]/y
const LINE_END = /[\n\r]/g

/** Throws SqlProblem for a text, a name or a comment that does not end, and for a character that SQL does not have. */
export function tokensOf(sql: string): FlinkToken[] {
  const tokens: FlinkToken[] = []
  for (let at = afterSpace(sql, 0); at < sql.length; ) {
    const token = tokenAt(sql, at)
    tokens.push(token)
    at = afterSpace(sql, token.end)
  }
  return tokens
}

/** Whether the token is this key word, in any case. A name in back-ticks is none. */
export function isKeyWord(token: FlinkToken | undefined, keyWord: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === keyWord
}

export function isOperator(token: FlinkToken | undefined, operator: string): boolean {
  return token?.kind === 'operator' && token.text === operator
}

/** Skips white space and comments. */
function afterSpace(sql: string, start: number): number {
  for (let at = start; at < sql.length; ) {
    const end = spaceEnd(sql, at)
    if (end === at) return at
    at = end
  }
  return sql.length
}

function spaceEnd(sql: string, at: number): number {
  if (sql.startsWith('--', at) || sql.startsWith('//', at)) return lineEnd(sql, at)
  if (sql.startsWith('/*', at) && sql[at + 2] !== '+') return commentEnd(sql, at, 'comment')
  return matchEnd(SPACE, sql, at) ?? at
}

function tokenAt(sql: string, at: number): FlinkToken {
  switch (sql[at]) {
    case "'":
      return quoted(sql, at, at, 'text')
    case '"':
      return quoted(sql, at, at, 'double-quoted')
    case '`':
      return quoted(sql, at, at, 'quoted-name')
    case '/':
      if (sql.startsWith('/*+', at)) return plain(sql, at, commentEnd(sql, at, 'hint'), 'hint')
      break
    case 'x':
    case 'X':
      if (sql[at + 1] === "'") return quoted(sql, at, at + 1, 'binary')
      break
    case 'u':
    case 'U':
      if (sql.startsWith("&'", at + 1)) return quoted(sql, at, at + 2, 'unicode-text')
      break
  }
  return unquoted(sql, at)
}

function unquoted(sql: string, at: number): FlinkToken {
  const wordEnd = matchEnd(WORD, sql, at)
  if (wordEnd !== undefined) return plain(sql, at, wordEnd, 'word')
  const numberEnd = matchEnd(NUMBER, sql, at)
  if (numberEnd !== undefined) return plain(sql, at, numberEnd, 'number')
  const operatorEnd = matchEnd(OPERATOR, sql, at)
  if (operatorEnd !== undefined) return plain(sql, at, operatorEnd, 'operator')
  const character = String.fromCodePoint(sql.codePointAt(at) as number)
  throw new SyntaxProblem(`unexpected character ${shown(character)}`, placeOf(sql, at, at + character.length))
}

function plain(sql: string, start: number, end: number, kind: FlinkTokenKind): FlinkToken {
  const text = sql.slice(start, end)
  return { kind, text, start, end, value: text }
}

/** A token whose opening quote is at `open`. The same quote twice is one quote inside. */
function quoted(sql: string, start: number, open: number, kind: FlinkTokenKind): FlinkToken {
  const quote = sql[open] as string
  let close = sql.indexOf(quote, open + 1)
  let escapes = 0
  while (close !== -1 && sql[close + 1] === quote) {
    escapes++
    close = sql.indexOf(quote, close + 2)
  }
  const inside = sql.slice(open + 1, Math.max(close, open + 1))
  if (close === -1 || (kind === 'quoted-name' && /[\n\r]/.test(inside))) throw unclosed(sql, start, kind)
  const value = escapes === 0 ? inside : inside.replaceAll(quote + quote, quote)
  if (kind === 'quoted-name' && value === '') {
    throw new SyntaxProblem('a name in back-ticks is empty', placeOf(sql, start, close + 1))
  }
  return { kind, text: sql.slice(start, close + 1), start, end: close + 1, value }
}

const CLOSED_BY: Readonly<Partial<Record<FlinkTokenKind, string>>> = {
  'quoted-name': 'the name in back-ticks does not end; close it with ` on the same line',
  'double-quoted': DOUBLE_QUOTES,
}

function unclosed(sql: string, start: number, kind: FlinkTokenKind): SyntaxProblem {
  const reason = CLOSED_BY[kind] ?? "the text does not end; close it with '"
  return new SyntaxProblem(reason, placeOf(sql, start, start + 1))
}

function commentEnd(sql: string, start: number, what: string): number {
  const close = sql.indexOf('*/', start + 2)
  if (close !== -1) return close + 2
  throw new SyntaxProblem(`the ${what} does not end; close it with */`, placeOf(sql, start, start + 2))
}

function lineEnd(sql: string, at: number): number {
  LINE_END.lastIndex = at
  return LINE_END.exec(sql)?.index ?? sql.length
}

function matchEnd(pattern: RegExp, sql: string, at: number): number | undefined {
  pattern.lastIndex = at
  return pattern.test(sql) ? pattern.lastIndex : undefined
}

/** A character for an error text: control characters as their number. */
function shown(character: string): string {
  return /\p{C}/u.test(character)
    ? `U+${(character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`
    : `'${character}'`
}
