/**
 * Patterns of grok: regular expressions in which `%{…}` stands for a pattern of the library.
 *
 *   reference:  %{NAME}  %{NAME:field}  %{NAME:field:type}  each also with an own definition, %{NAME:field=regex}
 *   NAME:       letters, digits, _
 *
 * Besides, a group `(?<field>regex)` names what it finds.
 */
import { regexProblem } from './regex/syntax.ts'

/** Name -> definition, which may hold references itself. */
export type GrokLibrary = ReadonlyMap<string, string>

/** Far beyond the longest pattern in use; bounds what compiling one may cost. */
export const GROK_PATTERN_CHARS_MAX = 16_384

export interface GrokReference {
  readonly pattern: string
  /** The name of what is found; the type after a colon, if any, is part of it as it is in CDAP. */
  readonly field?: string
  readonly definition?: string
}

/** A pattern, cut into regular expression as it stands and references. */
export type GrokPart = string | GrokReference

const REFERENCE = /%\{([A-Za-z0-9_]+)(?::([\w:;/\s.@\-[\]]+))?(?:=([^{}]+))?\}/g
const STICKY_REFERENCE = new RegExp(REFERENCE.source, 'y')

/** The reference that begins at `at`, with its length in the pattern; undefined if none does. */
export function matchReference(
  pattern: string,
  at: number,
): (GrokReference & { readonly length: number }) | undefined {
  STICKY_REFERENCE.lastIndex = at
  const match = STICKY_REFERENCE.exec(pattern)
  return match === null ? undefined : { ...referenceOf(match), length: match[0].length }
}

export function parseGrokPattern(pattern: string): readonly GrokPart[] {
  const parts: GrokPart[] = []
  let end = 0
  for (const match of pattern.matchAll(REFERENCE)) {
    if (match.index > end) parts.push(pattern.slice(end, match.index))
    parts.push(referenceOf(match))
    end = match.index + match[0].length
  }
  if (end < pattern.length) parts.push(pattern.slice(end))
  return parts
}

function referenceOf([, name, field, definition]: RegExpExecArray): GrokReference {
  return {
    pattern: name!,
    ...(field !== undefined && { field }),
    ...(definition !== undefined && { definition }),
  }
}

/**
 * Why a pattern can never compile, or undefined if it may. Without a library every name is taken to be one of its
 * patterns; with it, a name that it lacks is a problem, unless the reference defines it.
 */
export function grokPatternProblem(pattern: string, library?: GrokLibrary): string | undefined {
  if (pattern === '') return 'the pattern is empty'
  if (pattern.length > GROK_PATTERN_CHARS_MAX) {
    return `the pattern has ${pattern.length} characters; use at most ${GROK_PATTERN_CHARS_MAX}`
  }
  let outline = '' // the pattern with a group in the place of every reference
  for (const part of parseGrokPattern(pattern)) {
    if (typeof part === 'string') {
      const broken = part.indexOf('%{')
      if (broken >= 0) return `'${part.slice(broken, broken + 40)}' is not a reference; use %{NAME:field}`
      outline += part
    } else if (part.definition === undefined && library !== undefined && !library.has(part.pattern)) {
      return `there is no pattern ${part.pattern}`
    } else {
      outline += `(?:${part.definition ?? ''})`
    }
  }
  return regexProblem(outline)
}
