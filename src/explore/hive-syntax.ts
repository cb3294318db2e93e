/**
 * Converts Hive's syntax that occurs in CDAP's documents to DuckDB's:
 *
 *   `name`            -> "name"            a name in back-ticks
 *   headers["key"]    -> headers['key']    a key in double quotes, within brackets
 *   'it\'s'           -> 'it''s'           a quote after a backslash, as CDAP's JDBC driver writes parameters
 *   … ;               -> …                 a semicolon at the end
 *
 * It changes whole tokens, so the content of texts and comments stays. DuckDB's parser reads the result as a whole: a
 * mistake here can cause a syntax error, but cannot bypass a check.
 */
import { hiveTokensOf, isSpace, tokensOf } from './sql-tokens.ts'

export function fromHive(statement: string): string {
  const tokens = tokensOf(withoutEscapedQuotes(statement))
  const words = tokens.flatMap((token, index) => (isSpace(token) ? [] : [{ token, index }]))
  for (const [nth, { token, index }] of words.entries()) {
    if (token.startsWith('`') && isClosed(token)) {
      tokens[index] = `"${token.slice(1, -1).replaceAll('``', '`').replaceAll('"', '""')}"`
    } else if (token.startsWith('"') && isKey(words, nth)) {
      tokens[index] = `'${token.slice(1, -1).replaceAll('""', '"').replaceAll("'", "''")}'`
    }
  }
  const lastWord = words.findLastIndex(({ token }) => token !== ';')
  for (const { index } of words.slice(lastWord + 1)) tokens[index] = ''
  return tokens.join('')
}

/**
 * Doubles the quotes in a text that follow a backslash. In DuckDB a backslash is an ordinary character, so `'\'` is a
 * complete text. If Hive would find an unclosed text or name in the statement, the statement is not changed.
 */
function withoutEscapedQuotes(statement: string): string {
  if (!statement.includes("\\'")) return statement
  const tokens = hiveTokensOf(statement)
  if (!tokens.every(isClosed)) return statement
  return tokens
    .map((token) => (token.startsWith("'") ? token.replace(/\\([\s\S])/g, unescapedQuote) : token))
    .join('')
}

/** The form of a closed text or name, by its first character. */
const CLOSED: ReadonlyMap<string, RegExp> = new Map([
  ["'", /^'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*'$/],
  ['"', /^"[^"]*(?:""[^"]*)*"$/],
  ['`', /^`[^`]*(?:``[^`]*)*`$/],
])

/** False for a text or a name that is not closed. */
function isClosed(token: string): boolean {
  return CLOSED.get(token.charAt(0))?.test(token) ?? true
}

function unescapedQuote(pair: string, character: string): string {
  return character === "'" ? "''" : pair
}

/** The first words of a statement, in capitals, without comments. */
export function firstWords(statement: string, count: number): string[] {
  return wordsOf(statement)
    .slice(0, count)
    .map((word) => word.toUpperCase())
}

/** All tokens except space and comments. */
export function wordsOf(statement: string): string[] {
  return tokensOf(statement).filter((token) => !isSpace(token))
}

/** The part of the statement after its first `count` words. */
export function behindWords(statement: string, count: number): string {
  const tokens = tokensOf(statement)
  let left = count
  const first = tokens.findIndex((token) => !isSpace(token) && left-- === 0)
  return first === -1 ? '' : tokens.slice(first).join('')
}

/** DuckDB's reserved words. A value never ends with one, so a bracket after it begins a list. */
const RESERVED: ReadonlySet<string> = new Set(
  `all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default
  deferrable desc describe distinct do else end except false fetch for foreign from group having in initially intersect into
  lambda lateral leading limit not null offset on only or order pivot pivot_longer pivot_wider placing primary qualify
  references returning select show some summarize symmetric table then to trailing true union unique unpivot using variadic
  when where window with between by is like ilike similar glob values`.split(/\s+/),
)

/** `["key"]` after a name or another bracket is a subscript; elsewhere it is a list of one column. */
function isKey(words: readonly { readonly token: string }[], nth: number): boolean {
  if (words[nth - 1]?.token !== '[' || words[nth + 1]?.token !== ']') return false
  const before = words[nth - 2]?.token ?? ''
  return (
    /^(?:[A-Za-z_\u0080-\uffff"`]|[\])}]$)/.test(before) &&
    !isText(before) &&
    !RESERVED.has(before.toLowerCase())
  )
}

function isText(token: string): boolean {
  return /^[eE]'/.test(token)
}
