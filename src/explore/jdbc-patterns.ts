/** JDBC's patterns of names: `%` matches any text, `_` any character; `\` makes the next character an ordinary one. */

type Part = string | typeof ANY_TEXT | typeof ANY_CHARACTER
const ANY_TEXT = Symbol('%')
const ANY_CHARACTER = Symbol('_')

/** Undefined and the empty text match every name, as in Hive. In the worst case the time is pattern length × name length. */
export function namePattern(
  pattern: string | undefined,
  { ignoreCase = false }: { readonly ignoreCase?: boolean } = {},
): (name: string) => boolean {
  if (pattern === undefined || pattern === '') return () => true
  const parts = partsOf(ignoreCase ? pattern.toLowerCase() : pattern)
  return (name) => matches(parts, ignoreCase ? name.toLowerCase() : name)
}

function partsOf(pattern: string): readonly Part[] {
  const parts: Part[] = []
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i)
    if (character === '\\' && i + 1 < pattern.length) parts.push(pattern.charAt(++i))
    else if (character === '%') parts.push(ANY_TEXT)
    else parts.push(character === '_' ? ANY_CHARACTER : character)
  }
  return parts
}

/** When the rest does not match, the text that the last `%` matches grows by one character. */
function matches(parts: readonly Part[], name: string): boolean {
  let part = 0
  let at = 0
  let lastAny = -1
  let lastAt = 0
  while (at < name.length) {
    const wanted = parts[part]
    if (wanted === ANY_TEXT) {
      lastAny = part++
      lastAt = at
    } else if (wanted === ANY_CHARACTER || wanted === name[at]) {
      part++
      at++
    } else if (lastAny !== -1) {
      part = lastAny + 1
      at = ++lastAt
    } else {
      return false
    }
  }
  while (parts[part] === ANY_TEXT) part++
  return part === parts.length
}
