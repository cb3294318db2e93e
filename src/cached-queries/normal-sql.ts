/**
 * The text of a query for comparison: white space, comments, and the letter case of words without quotes do not count. Texts in
 * quotes stay as they are.
 */
const TOKENS = new RegExp(
  [
    String.raw`(?<blank>\s+|--[^\n]*)`,
    String.raw`(?<comment>/\*)`,
    String.raw`(?<quoted>[eE]'(?:[^'\\]|\\[^]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|${'`'}[^${'`'}]*${'`'})`,
    String.raw`(?<dollar>\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$)`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)`,
    '(?<operator>[<>=!~|&^%:]+)',
    '(?<other>[^])',
  ].join('|'),
  'uy',
)

export function normalSql(sql: string): string {
  const tokens: string[] = []
  const pattern = new RegExp(TOKENS)
  for (let match = pattern.exec(sql); match !== null; match = pattern.exec(sql)) {
    const { blank, comment, word, dollar } = match.groups!
    if (blank !== undefined) continue
    if (comment !== undefined) {
      pattern.lastIndex = endOfComment(sql, pattern.lastIndex)
    } else if (dollar !== undefined) {
      const end = sql.indexOf(dollar, pattern.lastIndex)
      const stop = end === -1 ? sql.length : end + dollar.length
      tokens.push(sql.slice(match.index, stop))
      pattern.lastIndex = stop
    } else tokens.push(word?.toLowerCase() ?? match[0])
  }
  while (tokens.at(-1) === ';') tokens.pop()
  return tokens.join(' ')
}

/** Comments of PostgreSQL nest. `at` is behind the first opening. */
function endOfComment(sql: string, at: number): number {
  const marks = /\/\*|\*\//g
  marks.lastIndex = at
  for (let depth = 1; depth > 0; ) {
    const mark = marks.exec(sql)
    if (mark === null) return sql.length
    depth += mark[0] === '/*' ? 1 : -1
  }
  return marks.lastIndex
}
