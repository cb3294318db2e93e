/**
 * Splits a statement into tokens as DuckDB's scanner does, for texts, names and comments: each of them is one token,
 * with any characters.
 *
 *   'it''s'            text                     $$…$$  $tag$…$tag$   text without escapes
 *   E'it\'s'           text with escapes; continues after a line end: E'a'⏎'b\'c'
 *   "a""b"  `a``b`     name; the second is Hive's
 *   -- … line end      comment                  /* … /* … *​/ … *​/     comment, nested
 *
 * X'…', B'…' and N'…' have no escapes, so their letter and their text may be two tokens. An unclosed token ends at the
 * end of the statement. The joined tokens are the statement again. The time is linear in its length.
 */

const WORD_CHARACTER = String.raw`(?:[A-Za-z0-9_$]|(?!\s)[\u0080-\uffff])`
const TAG = String.raw`(?:[A-Za-z_]|(?!\s)[\u0080-\uffff])(?:[A-Za-z0-9_]|(?!\s)[\u0080-\uffff])*`
/** Allowed between two parts of one text: space with a line end in it, and comments. */
const CONTINUED = String.raw`[ \t\f\v]*(?:--[^\n\r]*)?[\n\r](?:\s|--[^\n\r]*[\n\r])*`
const PLAIN_TEXT = "'[^']*(?:''[^']*)*(?:'|$)"
/** With Hive's escapes: a quote after a backslash does not end the text. */
const HIVE_TEXT = String.raw`'[^'\\]*(?:(?:\\[\s\S]|'')[^'\\]*)*(?:\\?$|')`
const TOKEN = tokenPattern(PLAIN_TEXT)
const HIVE_TOKEN = tokenPattern(HIVE_TEXT)

function tokenPattern(plainText: string): RegExp {
  const alternatives = [
    String.raw`[eE]'[^'\\]*(?:(?:\\[\s\S]|''|'${CONTINUED}')[^'\\]*)*(?:\\?$|')`,
    plainText,
    '"[^"]*(?:""[^"]*)*(?:"|$)',
    '`[^`]*(?:``[^`]*)*(?:`|$)',
    String.raw`\$(${TAG})?\$[\s\S]*?(?:\$\1\$|$)`,
    String.raw`--[^\n\r]*`,
    String.raw`\s+`,
    `(?![0-9$])${WORD_CHARACTER}+`,
    String.raw`[\s\S]`,
  ]
  return new RegExp(alternatives.join('|'), 'y')
}

export function tokensOf(text: string): string[] {
  return cut(text, TOKEN)
}

/** Splits as Hive's scanner does: `'it\'s'` is one text too. */
export function hiveTokensOf(text: string): string[] {
  return cut(text, HIVE_TOKEN)
}

function cut(text: string, pattern: RegExp): string[] {
  const tokens: string[] = []
  for (let at = 0; at < text.length; ) {
    const end = text.startsWith('/*', at) ? commentEnd(text, at) : tokenEnd(text, at, pattern)
    tokens.push(text.slice(at, end))
    at = end
  }
  return tokens
}

/** Whether a token is space or a comment. */
export function isSpace(token: string): boolean {
  return /^\s/.test(token) || token.startsWith('--') || token.startsWith('/*')
}

function tokenEnd(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at
  pattern.test(text)
  return pattern.lastIndex
}

const COMMENT_EDGE = /\/\*|\*\//g

function commentEnd(text: string, start: number): number {
  let depth = 0
  COMMENT_EDGE.lastIndex = start
  for (let edge = COMMENT_EDGE.exec(text); edge !== null; edge = COMMENT_EDGE.exec(text)) {
    depth += edge[0] === '/*' ? 1 : -1
    if (depth === 0) return COMMENT_EDGE.lastIndex
  }
  return text.length
}
