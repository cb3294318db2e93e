/** Patterns of JDBC for names: `%` is any text, `_` any character, `\` before one of them takes it as it is. */

type Part = string | typeof ANY_TEXT | typeof ANY_CHARACTER
const ANY_TEXT = Symbol('%')
const ANY_CHARACTER = Symbol('_')

/** Undefined and the empty text mean every name, as in Hive. Takes time in proportion to pattern times name at worst. */
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
    const character = pattern[i]
    if (character === '\\' && i + 1 < pattern.length) parts.push(pattern[++i])
    else if (character === '%') parts.push(ANY_TEXT)
    else parts.push(character === '_' ? ANY_CHARACTER : character)
  }
  return parts
}

/** After the last `%` that was passed, the text it stands for grows by one character whenever the rest does not fit. */
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
