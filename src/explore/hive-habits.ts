/**
 * Habits of Hive that occur in CDAP's documents, made into what DuckDB understands:
 *
 *   `name`            -> "name"            a name in back-ticks
 *   headers["key"]    -> headers['key']    a key in double quotes, within brackets
 *   … ;               -> …                 a semicolon at the end
 *
 * A walk over tokens, so that nothing inside a text or a comment changes. Whatever comes out is looked at as a whole by
 * DuckDB's own parser: a slip here is a syntax error, no way around any check.
 */

/** What is not closed goes to the end, so that every character is looked at once, whatever the text is. */
const TOKEN =
  /'[^']*(?:''[^']*)*(?:'|$)|"[^"]*(?:""[^"]*)*(?:"|$)|`[^`]*(?:``[^`]*)*(?:`|$)|\$([A-Za-z_][A-Za-z0-9_]*)?\$[\s\S]*?(?:\$\1\$|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\s+|[A-Za-z_][A-Za-z0-9_]*|[\s\S]/g
const STRING_PREFIX = /^[eExXbB]$/

export function fromHive(statement: string): string {
  const tokens = statement.match(TOKEN) ?? []
  const words = tokens.flatMap((token, index) => (isSpace(token) ? [] : [index]))
  for (const [nth, index] of words.entries()) {
    const token = tokens[index]
    if (token.startsWith('`') && token.length > 1) {
      tokens[index] = `"${token.slice(1, -1).replaceAll('``', '`').replaceAll('"', '""')}"`
    } else if (token.startsWith('"') && isBetweenBrackets(tokens, words, nth)) {
      tokens[index] = `'${token.slice(1, -1).replaceAll('""', '"').replaceAll("'", "''")}'`
    }
  }
  let last = words.length - 1
  while (last >= 0 && tokens[words[last]] === ';') tokens[words[last--]] = ''
  return tokens.join('')
}

/** The words a statement begins with, in capitals, comments left out. */
export function firstWords(statement: string, count: number): string[] {
  const words: string[] = []
  for (const [token] of statement.matchAll(TOKEN)) {
    if (isSpace(token)) continue
    words.push(token.toUpperCase())
    if (words.length === count) break
  }
  return words
}

/** The statement behind this many of its first words. */
export function behindWords(statement: string, count: number): string {
  let left = count
  for (const match of statement.matchAll(TOKEN)) {
    if (isSpace(match[0])) continue
    if (left-- === 0) return statement.slice(match.index)
  }
  return ''
}

function isBetweenBrackets(tokens: readonly string[], words: readonly number[], nth: number): boolean {
  const before = tokens[words[nth - 2]]
  // `["key"]` after a name or another bracket is a subscript; at any other place it is a list of one column.
  const isSubscript =
    before !== undefined && /^(?:[A-Za-z_]\w*|".*"|\]|\))$/s.test(before) && !STRING_PREFIX.test(before)
  return tokens[words[nth - 1]] === '[' && tokens[words[nth + 1]] === ']' && isSubscript
}

function isSpace(token: string): boolean {
  return /^\s/.test(token) || token.startsWith('--') || token.startsWith('/*')
}
