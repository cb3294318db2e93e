/**
 * Habits of Hive that occur in CDAP's documents, made into what DuckDB understands:
 *
 *   `name`            -> "name"            a name in back-ticks
 *   headers["key"]    -> headers['key']    a key in double quotes, within brackets
 *   'it\'s'           -> 'it''s'           a quote behind a backslash, as CDAP's JDBC driver writes parameters
 *   … ;               -> …                 a semicolon at the end
 *
 * A walk over tokens, so that nothing inside a text or a comment changes. Whatever comes out is looked at as a whole by
 * DuckDB's own parser: a slip here is a syntax error, no way around any check.
 */
import { hiveTokensOf, isSpace, tokensOf } from './sql-tokens.ts'

export function fromHive(statement: string): string {
  const tokens = tokensOf(withoutEscapedQuotes(statement))
  const words = tokens.flatMap((token, index) => (isSpace(token) ? [] : [index]))
  for (const [nth, index] of words.entries()) {
    const token = tokens[index]
    if (token.startsWith('`') && isClosed(token)) {
      tokens[index] = `"${token.slice(1, -1).replaceAll('``', '`').replaceAll('"', '""')}"`
    } else if (token.startsWith('"') && isKey(tokens, words, nth)) {
      tokens[index] = `'${token.slice(1, -1).replaceAll('""', '"').replaceAll("'", "''")}'`
    }
  }
  let last = words.length - 1
  while (last >= 0 && tokens[words[last]] === ';') tokens[words[last--]] = ''
  return tokens.join('')
}

/**
 * Quotes within a text doubled, where they stand behind a backslash. To DuckDB a backslash is a character like any other, so
 * `'\'` is a whole text: a statement in which Hive would find a text or a name without an end is left as it is.
 */
function withoutEscapedQuotes(statement: string): string {
  if (!statement.includes("\\'")) return statement
  const tokens = hiveTokensOf(statement)
  if (!tokens.every(isClosed)) return statement
  return tokens
    .map((token) => (token.startsWith("'") ? token.replace(/\\([\s\S])/g, unescapedQuote) : token))
    .join('')
}

/** By the quote that they begin with. */
const CLOSED: ReadonlyMap<string, RegExp> = new Map([
  ["'", /^'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'$/],
  ['"', /^"[^"]*(?:""[^"]*)*"$/],
  ['`', /^`[^`]*(?:``[^`]*)*`$/],
])

/** Whether a text or a name has its end; all other tokens have. */
function isClosed(token: string): boolean {
  return CLOSED.get(token[0])?.test(token) ?? true
}

function unescapedQuote(pair: string, character: string): string {
  return character === "'" ? "''" : pair
}

/** The words a statement begins with, in capitals, comments left out. */
export function firstWords(statement: string, count: number): string[] {
  return wordsOf(statement)
    .slice(0, count)
    .map((word) => word.toUpperCase())
}

/** All tokens but space and comments. */
export function wordsOf(statement: string): string[] {
  return tokensOf(statement).filter((token) => !isSpace(token))
}

/** The statement behind this many of its first words. */
export function behindWords(statement: string, count: number): string {
  const tokens = tokensOf(statement)
  let left = count
  const first = tokens.findIndex((token) => !isSpace(token) && left-- === 0)
  return first === -1 ? '' : tokens.slice(first).join('')
}

/** Words that no value ends with: a bracket behind them begins a list. They are DuckDB's reserved ones. */
const RESERVED: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default
  deferrable desc describe distinct do else end except false fetch for foreign from group having in initially intersect into
  lambda lateral leading limit not null offset on only or order pivot pivot_longer pivot_wider placing primary qualify
  references returning select show some summarize symmetric table then to trailing true union unique unpivot using variadic
  when where window with between by is like ilike similar glob values`.split(/\s+/),
)

/** `["key"]` after a name or another bracket is a subscript; at any other place it is a list of one column. */
function isKey(tokens: readonly string[], words: readonly number[], nth: number): boolean {
  if (tokens[words[nth - 1]] !== '[' || tokens[words[nth + 1]] !== ']') return false
  const before = tokens[words[nth - 2]] ?? ''
  return (
    /^(?:[A-Za-z_\u0080-\uffff"`]|[\])}]$)/.test(before) &&
    !isText(before) &&
    !RESERVED.has(before.toLowerCase())
  )
}

function isText(token: string): boolean {
  return /^[eE]'/.test(token)
}
