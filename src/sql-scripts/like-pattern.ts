/** LIKE of SQL: `%` is any text, `_` one character, a backslash takes the next character as it is. Upper and lower case differ. */

/** The time is the product of both lengths at most. */
export function matchesPattern(text: string, pattern: string): boolean {
  const characters = [...text]
  const parts = partsOf(pattern)
  let at = 0
  let part = 0
  /** Where the last `%` stands, and up to where of the text it reaches. */
  let any = -1
  let reached = 0
  while (at < characters.length) {
    const wanted = parts[part]
    if (wanted === ANY) {
      any = part++
      reached = at
    } else if (wanted === ONE || (wanted !== undefined && wanted === characters[at])) {
      at++
      part++
    } else if (any !== -1) {
      part = any + 1
      at = ++reached
    } else return false
  }
  return parts.slice(part).every((left) => left === ANY)
}

const ANY = Symbol('any text')
const ONE = Symbol('one character')

function partsOf(pattern: string): readonly (string | symbol)[] {
  const parts: (string | symbol)[] = []
  const characters = [...pattern]
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!
    if (character === '\\' && at + 1 < characters.length) parts.push(characters[++at]!)
    else parts.push(character === '%' ? ANY : character === '_' ? ONE : character)
  }
  return parts
}
