/** Hive's patterns of names: `*` matches any characters, `|` means or; case, and space around a part, are ignored. */
import { SqlError } from '../duckdb/sql-error.ts'

/** Names have at most 256 characters, and a pattern is compared with every name of a namespace. */
const PATTERN_CHARS_MAX = 256

/** Throws SqlError '42000' for a pattern that is too long. */
export function namePattern(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true
  if (pattern.length > PATTERN_CHARS_MAX) {
    throw new SqlError(
      '42000',
      `the pattern has ${pattern.length} characters, and the most it may have is ${PATTERN_CHARS_MAX}`,
    )
  }
  const choices = pattern.split('|').map((choice) => choice.trim().toLowerCase().split('*'))
  return (name) => choices.some((pieces) => fits(name.toLowerCase(), pieces))
}

/** Whether the name consists of the pieces in their order, with any text between two of them. */
function fits(name: string, pieces: readonly string[]): boolean {
  const first = pieces[0]!
  const last = pieces.at(-1)! // splitting a text gives at least one piece
  if (pieces.length === 1) return name === first
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false
  const end = name.length - last.length
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at)
    if (found === -1 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
