/**
 * Finds the errors of a regular expression in Java's dialect, the dialect of grok patterns in CDAP.
 *
 * JavaScript's RegExp cannot check this: it rejects valid syntax (possessive quantifiers, atomic groups, inline flags)
 * and reads `\A` as an A. This file checks only the structure: groups and classes are closed, a quantifier has
 * something to repeat, ranges ascend, names of groups are valid and differ. A brace that is not a quantifier is text,
 * as in Oniguruma, for which many patterns were written.
 */

/** Nesting of groups. The engine compiles groups recursively. */
export const REGEX_DEPTH_MAX = 100

export const QUANTIFIER = /[*+?]|\{([0-9]{1,9})(?:,([0-9]{0,9}))?\}/y
/** The texts that may follow `(?`: a name, a look around, an atomic or plain group, flags with or without a group. */
export const GROUP_START = /<(?![=!])([A-Za-z_][A-Za-z0-9_]*)>|<?[=!]|[>:]|[a-zA-Z]*(?:-[a-zA-Z]+)?[:)]/y

/** The error of a regular expression; undefined if its structure is valid. */
export function regexProblem(source: string): string | undefined {
  const names = new Set<string>()
  let depth = 0
  let at = 0
  let repeatable = false // whether a quantifier at `at` has something to repeat
  while (at < source.length) {
    const char = source[at]
    if (char === '\\') {
      const end = escapeEnd(source, at)
      if (end === undefined) return 'it ends with a backslash'
      at = end
      repeatable = true
    } else if (char === '[') {
      const end = classEnd(source, at)
      if (end === undefined) return `the class that '${source.slice(at, at + 20)}' opens is never closed`
      at = end
      repeatable = true
    } else if (char === '(') {
      const start = groupStart(source, at)
      if (start === undefined) return `'${source.slice(at, at + 20)}' does not open a group`
      if (start.name !== undefined && names.has(start.name)) return `two groups are named ${start.name}`
      if (start.name !== undefined) names.add(start.name)
      at = start.end
      if (!start.closed && ++depth > REGEX_DEPTH_MAX)
        return `groups are nested deeper than ${REGEX_DEPTH_MAX}`
      repeatable = false
    } else if (char === ')') {
      if (--depth < 0) return 'a group is closed that was never opened'
      at++
      repeatable = true
    } else if (char === '|') {
      at++
      repeatable = false
    } else {
      QUANTIFIER.lastIndex = at
      const quantifier = QUANTIFIER.exec(source)
      if (quantifier === null) {
        at++
        repeatable = true
        continue
      }
      const [text, least, most] = quantifier
      if (!repeatable) return `'${text}' has nothing to repeat`
      if (most !== undefined && most !== '' && Number(most) < Number(least))
        return `'${text}' does not ascend`
      at += text.length
      if (source[at] === '?' || source[at] === '+') at++ // reluctant, possessive
      repeatable = false
    }
  }
  return depth > 0 ? 'a group is never closed' : undefined
}

/** Where the escape at `at` ends. `\Q` quotes up to `\E`, or to the end. */
function escapeEnd(source: string, at: number): number | undefined {
  if (at + 1 === source.length) return undefined
  if (source[at + 1] !== 'Q') return at + 2
  const end = source.indexOf('\\E', at + 2)
  return end === -1 ? source.length : end + 2
}

/** Where the class at `at` ends. Classes may contain classes, and a bracket that comes first in a class is text. */
function classEnd(source: string, at: number): number | undefined {
  let depth = 0
  let first = false
  let index = at
  while (index < source.length) {
    const char = source[index]
    if (char === '[') {
      depth++
      if (source[++index] === '^') index++
      first = true
      continue
    }
    if (char === ']' && !first) {
      index++
      if (--depth === 0) return index
      continue
    }
    first = false
    if (char === '\\') {
      const end = escapeEnd(source, index)
      if (end === undefined) return undefined
      index = end
    } else {
      index++
    }
  }
  return undefined
}

/** The beginning of the group at `at`: where its content begins, and whether it is only flags, without content. */
function groupStart(source: string, at: number): { end: number; name?: string; closed: boolean } | undefined {
  if (source[at + 1] === '*') return undefined
  if (source[at + 1] !== '?') return { end: at + 1, closed: false }
  GROUP_START.lastIndex = at + 2
  const match = GROUP_START.exec(source)
  if (match === null) return undefined
  const [text, name] = match
  return { end: at + 2 + text.length, closed: text.endsWith(')'), ...(name !== undefined && { name }) }
}
